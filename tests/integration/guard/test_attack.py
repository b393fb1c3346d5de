"""The attack with an ordinary client, the Docker SDK for Python, against an engine behind the guard."""

import io
import tarfile
from pathlib import Path

import docker
import pytest

from pratique.policy import Builds, Document, ImagePolicy, Permit
from testbed import images
from tests.integration.guard.guarded import Guarded, post

IMAGE = "alpine-like/base:1"
TAR = "application/x-tar"
DOCKERFILE = b"FROM alpine-like/base:1\nRUN echo built > /built\n"


def _context() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(DOCKERFILE)
        tar.addfile(entry, io.BytesIO(DOCKERFILE))
    return buffer.getvalue()


@pytest.mark.parametrize("version", ["1", "2"])
def test_builds_are_refused_with_both_builders(guarded: Guarded, attacker: docker.DockerClient, version: str) -> None:
    before = len(attacker.images.list(all=True))
    status, answer = post(guarded.engine.socket, f"/v1.41/build?version={version}&t=evil", _context(), Content_Type=TAR)
    assert status == 403
    assert b"build.denied" in answer
    assert len(attacker.images.list(all=True)) == before
    assert guarded.rules() == ["build.denied"]


def test_buildkits_channels_are_refused(guarded: Guarded) -> None:
    for channel in ("/grpc", "/session"):
        assert post(guarded.engine.socket, channel, Upgrade="h2c", Connection="Upgrade")[0] == 403
    assert guarded.rules() == ["build.denied", "build.denied"]


def test_what_a_gated_build_made_runs_only_with_a_passing_report(
    guarded: Guarded, attacker: docker.DockerClient
) -> None:
    guarded.document = Document(builds=Builds.GATE)
    built, _ = attacker.images.build(fileobj=io.BytesIO(DOCKERFILE), tag="evil:built")
    guarded.shelf.bad.add(str(built.id))
    with pytest.raises(docker.errors.APIError, match=r"start\.report"):
        attacker.containers.create("evil:built")
    guarded.shelf.bad.clear()
    assert attacker.containers.run("evil:built", ["cat", "/built"], remove=True) == b"built\n"
    attacker.images.remove("evil:built", force=True)


@pytest.mark.parametrize("way", ["load", "import", "commit", "tag"])
def test_a_bad_image_does_not_run_whatever_way_it_came(
    guarded: Guarded, attacker: docker.DockerClient, way: str
) -> None:
    name = "evil/miner:1"
    if way == "load":
        images.miner("192.0.2.1", 3333).load(attacker)
    elif way == "import":
        attacker.api.import_image_from_data(images.base().layers[0], repository="evil/miner", tag="1")
    elif way == "commit":
        container = attacker.containers.create(IMAGE, ["true"])
        container.commit("evil/miner", "1", changes="ENV EVIL=1")
    else:
        images.miner("192.0.2.1", 3333).load(attacker)
        attacker.images.get(name).tag("trusted/app", "1")
        name = "trusted/app:1"
    guarded.shelf.bad.add(str(attacker.images.get(name).id))
    with pytest.raises(docker.errors.APIError, match=r"403.*start\.report.*malware"):
        attacker.containers.run(name, ["true"])
    attacker.images.remove(str(attacker.images.get(name).id), force=True)


def test_an_image_that_turned_bad_after_create_does_not_start(guarded: Guarded, attacker: docker.DockerClient) -> None:
    container = attacker.containers.create(IMAGE, ["true"])
    guarded.shelf.bad.add(images.base().id)
    for start in (container.start, container.restart):
        with pytest.raises(docker.errors.APIError, match=r"start\.report"):
            start()
    container.reload()
    assert container.status == "created"
    assert guarded.admitted == []


def test_a_container_without_any_image_never_comes_to_be(guarded: Guarded, attacker: docker.DockerClient) -> None:
    with pytest.raises(docker.errors.APIError, match=r"create\.no-image"):
        attacker.containers.create("", ["x"])
    assert guarded.rules() == ["create.no-image"]


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"privileged": True}, "create.privileged"),
        ({"volumes": ["/:/host"]}, "create.sensitive-path"),
        ({"volumes": ["/var/run/docker.sock:/s"]}, "create.engine-socket"),
        ({"network_mode": "host"}, "create.host-network"),
        ({"pid_mode": "host"}, "create.host-pid"),
        ({"ipc_mode": "host"}, "create.host-ipc"),
        ({"uts_mode": "host"}, "create.host-uts"),
        ({"userns_mode": "host"}, "create.host-userns"),
        ({"cap_add": ["sys_admin"]}, "create.capabilities"),
        ({"security_opt": ["seccomp=unconfined"]}, "create.unconfined"),
        ({"devices": ["/dev/null:/dev/x:rwm"]}, "create.devices"),
        ({"device_cgroup_rules": ["c 1:3 rwm"]}, "create.devices"),
        ({"sysctls": {"kernel.msgmax": "1"}}, "create.sysctls"),
        ({"cgroup_parent": "/"}, "create.cgroup-parent"),
        ({"mounts": [docker.types.Mount("/h", "/etc", type="bind")]}, "create.sensitive-path"),
    ],
)
def test_the_clients_options_that_reach_the_host_are_refused(
    guarded: Guarded, attacker: docker.DockerClient, options: dict[str, object], refusal: str
) -> None:
    with pytest.raises(docker.errors.APIError, match=rf"403.*{refusal}.*permit"):
        attacker.containers.create(IMAGE, **options)  # type: ignore[arg-type]
    assert guarded.rules() == [refusal]
    assert attacker.containers.list(all=True) == []


@pytest.mark.parametrize("kind", ["none", "tmpfs"])
def test_a_volume_that_hides_a_host_path(guarded: Guarded, attacker: docker.DockerClient, kind: str) -> None:
    """The kernel ignores the type of a bind mount."""
    bind = {"type": kind, "o": "bind", "device": "/etc"}
    with pytest.raises(docker.errors.APIError, match=r"volume\.options"):
        attacker.volumes.create("etc", driver_opts=bind)
    guarded.document = Document(images=(ImagePolicy(name="x", ids=(images.redis().id,), permit=(Permit.HOST_PATHS,)),))
    attacker.volumes.create("etc", driver_opts=bind)
    with pytest.raises(docker.errors.APIError, match=r"create\.sensitive-path.*/etc"):
        attacker.containers.create(IMAGE, volumes=["etc:/h"])
    inline = docker.types.Mount("/h", "new", driver_config=docker.types.DriverConfig("local", bind))
    with pytest.raises(docker.errors.APIError, match=r"create\.sensitive-path.*/etc"):
        attacker.containers.create(IMAGE, mounts=[inline])


def test_a_volume_that_was_there_before_the_guard(guarded: Guarded, attacker: docker.DockerClient) -> None:
    guarded.document = _permitting(Permit.SENSITIVE_PATHS)
    attacker.volumes.create("etc", driver_opts={"type": "none", "o": "bind", "device": "/etc"})
    old = attacker.containers.create(IMAGE, ["true"], volumes=["etc:/h"])
    heir = attacker.containers.create(IMAGE, ["true"], volumes_from=[str(old.id)])
    guarded.document = Document()
    for container in (old, heir):
        with pytest.raises(docker.errors.APIError, match=r"create\.sensitive-path.*/etc"):
            container.start()
    with pytest.raises(docker.errors.APIError, match=r"create\.sensitive-path.*through container"):
        attacker.containers.create(IMAGE, volumes_from=[str(old.id)])


def test_a_symbolic_link_to_the_engines_socket(guarded: Guarded, attacker: docker.DockerClient, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(guarded.engine.socket)
    guarded.document = _permitting(Permit.HOST_PATHS)
    with pytest.raises(docker.errors.APIError, match=r"create\.engine-socket"):
        attacker.containers.create(IMAGE, volumes=[f"{tmp_path}/data:/s"])


def test_a_permit_lets_one_image_and_no_other_have_it(
    guarded: Guarded, attacker: docker.DockerClient, tmp_path: Path
) -> None:
    (tmp_path / "site").write_text("hello")
    guarded.document = _permitting(Permit.HOST_PATHS)
    run = attacker.containers.run(IMAGE, ["cat", "/d/site"], volumes=[f"{tmp_path}:/d:ro"], remove=True)
    assert run == b"hello"
    with pytest.raises(docker.errors.APIError, match=r"create\.host-path"):
        attacker.containers.create("shop/redis:1", volumes=[f"{tmp_path}:/d:ro"])


def test_exec_and_ordinary_work_go_on(guarded: Guarded, attacker: docker.DockerClient) -> None:
    container = attacker.containers.run(IMAGE, ["sleep", "60"], detach=True, volumes=["data:/d"], init=True)
    assert container.exec_run(["echo", "in"]).output == b"in\n"
    with pytest.raises(docker.errors.APIError, match=r"exec\.privileged"):
        container.exec_run(["true"], privileged=True)
    buffer = io.BytesIO()
    tarfile.open(fileobj=buffer, mode="w").close()
    assert container.put_archive("/d", buffer.getvalue())
    container.update(mem_limit=64 << 20, memswap_limit=64 << 20)
    container.pause()
    container.unpause()
    container.rename("renamed")
    assert container.top()
    assert container.logs() == b""
    assert container.stats(stream=False)
    container.restart(timeout=0)
    container.kill()
    container.wait()
    container.remove()
    network = attacker.networks.create("own")
    network.remove()
    assert guarded.rules() == ["exec.privileged"]
    assert {image for _, image in guarded.admitted} == {images.base().id}


def test_a_pull_reaches_the_engine_and_an_import_from_a_url_does_not(
    guarded: Guarded, attacker: docker.DockerClient
) -> None:
    with pytest.raises(docker.errors.APIError, match="500"):
        attacker.images.pull("127.0.0.1:1/none", tag="1")
    with pytest.raises(docker.errors.APIError, match=r"image\.import-url"):
        attacker.api.import_image_from_url("http://127.0.0.1:1/x.tar", repository="x")
    assert guarded.rules() == ["image.import-url"]


def test_swarm_and_plugins_are_closed(guarded: Guarded, attacker: docker.DockerClient) -> None:
    with pytest.raises(docker.errors.APIError, match=r"swarm\.denied"):
        attacker.swarm.init()
    for target in ("/v1.41/plugins/pull?remote=x", "/v1.41/plugins/x/enable", "/debug/pprof/symbol"):
        assert post(guarded.engine.socket, target, [])[0] == 403
    assert guarded.rules() == ["swarm.denied", "plugins.denied", "plugins.denied", "debug.denied"]


def _permitting(*permits: Permit) -> Document:
    return Document(images=(ImagePolicy(name="base", ids=(images.base().id,), permit=permits),))
