"""What is started, as whom, and how it is sealed: the runtime configuration."""

import json

from hypothesis import given
from hypothesis import strategies as st

from pratique.image import RunConfig
from pratique.model import ImageId, ImageIdentity
from pratique.sandbox import Options
from pratique.sandbox.account import Account, find_account
from pratique.sandbox.bait import engine_answer
from pratique.sandbox.job import Job
from pratique.sandbox.spec import command_of, runtime_spec, start_of

PASSWD = "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102::/srv:/bin/false\nbroken\nhuge:x:99999999999:1::/:/\n"
GROUP = "root:x:0:\nstaff:x:50:web,root\naudio:x:63:web\n"


def job(config: RunConfig | None = None, options: Options | None = None) -> Job:
    return Job(
        name="pratique-sandbox-1-2-0000abcd",
        container="ab" * 32,
        tree="/nowhere",
        first_id=0x6000_0000,
        image=ImageIdentity(ImageId("sha256:" + "0" * 64)),
        config=config or RunConfig(),
        options=options or Options(),
    )


def test_user_is_found_by_name_and_by_number() -> None:
    web = Account(101, 102, (50, 63), "/srv")
    assert find_account("web", PASSWD, GROUP) == web
    assert find_account("101", PASSWD, GROUP) == web
    assert find_account("", PASSWD, GROUP) == Account(0, 0, (50,), "/root")
    assert find_account("4000", PASSWD, GROUP) == Account(4000, 0, (), "/")


def test_group_can_be_given() -> None:
    assert find_account("web:staff", PASSWD, GROUP) == Account(101, 50, (), "/srv")
    assert find_account("web:7", PASSWD, GROUP) == Account(101, 7, (), "/srv")


def test_user_that_is_not_there_is_none() -> None:
    for user in ("nobody-knows", "web:no-group", "huge", "70000", "-1"):
        assert find_account(user, PASSWD, GROUP) is None


@given(st.text(max_size=40), st.text(max_size=200), st.text(max_size=200))
def test_no_text_breaks_the_search(user: str, passwd: str, group: str) -> None:
    account = find_account(user, passwd, group)
    if account is not None:
        assert all(0 <= number < 65_536 for number in (account.uid, account.gid, *account.groups))


def test_command_is_entrypoint_and_arguments_unless_it_is_replaced() -> None:
    config = RunConfig(entrypoint=("/entry",), cmd=("a", "b\0c"))
    assert command_of(job(config)) == ("/entry", "a", "bc")
    assert command_of(job(config, Options(command=("/other",)))) == ("/other",)
    assert command_of(job()) == ()


def test_environment_is_completed_not_replaced() -> None:
    start = start_of(job(RunConfig(env=("PATH=/mine", "A=b=c", "no-equals", "N=\0"))), Account(home="/srv"))
    assert start.environment == ("PATH=/mine", "A=b=c", f"HOSTNAME={'ab' * 6}", "HOME=/srv")
    assert start.directory == "/"
    assert start_of(job(RunConfig(working_dir="srv/x")), Account()).directory == "/srv/x"


def test_everything_that_seals_is_in_the_configuration() -> None:
    options = Options(memory_bytes=1 << 20, disk_bytes=2 << 20, pids=9, cpus=0.5)
    spec = runtime_spec(job(options=options), start_of(job(), Account()), open_files=1000, has_swap=True)
    json.dumps(spec)
    process, linux = spec["process"], spec["linux"]
    assert process["noNewPrivileges"] is True
    assert len(process["capabilities"]["bounding"]) == 7
    assert {each["type"] for each in linux["namespaces"]} >= {"user", "pid", "network", "mount", "ipc", "uts", "cgroup"}
    assert not any("path" in each for each in linux["namespaces"])
    assert linux["uidMappings"] == [{"containerID": 0, "hostID": 0x6000_0000, "size": 65_536}]
    memory = linux["resources"]["memory"]
    assert memory["limit"] == memory["swap"] == (3 << 20) + (64 << 20)
    assert linux["resources"]["pids"] == {"limit": 9}
    assert linux["resources"]["cpu"] == {"quota": 50_000, "period": 100_000}
    assert not any("bind" in each["options"] for each in spec["mounts"]), "nothing of the host is mounted"
    assert {each["hard"] for each in process["rlimits"]} == {1000, 0}


def test_false_engine_answers_as_an_engine_would() -> None:
    assert engine_answer("GET /_ping HTTP/1.1").endswith(b"\r\n\r\nOK")
    assert b'"ApiVersion":"1.43"' in engine_answer("GET /v1.43/version HTTP/1.1")
    assert b"/web" in engine_answer("GET /containers/json?all=1 HTTP/1.1")
    assert b'"Id"' in engine_answer("POST /v1.40/containers/create?name=x HTTP/1.1")
    assert engine_answer("POST /v1.40/containers/x/start HTTP/1.1").startswith(b"HTTP/1.1 204")
    assert engine_answer("GET /v1.40/nothing HTTP/1.1").startswith(b"HTTP/1.1 404")


@given(st.text(max_size=200))
def test_no_request_breaks_the_false_engine(request: str) -> None:
    assert engine_answer(request).startswith(b"HTTP/1.1 ")


def test_working_directory_is_cleaned_as_engines_do() -> None:
    for written, cleaned in (("/a/../b", "/b"), ("//x//y/", "/x/y"), ("../../etc", "/etc"), ("", "/"), (None, "/")):
        assert start_of(job(RunConfig(working_dir=written)), Account()).directory == cleaned
