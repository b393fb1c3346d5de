"""What an image's configuration, and the modes of its files, say about how it will run.

Sources: Docker's "Building best practices", CIS Docker Benchmark 1.6 sections 4 and 5.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from pratique.analyzers.base import Context
from pratique.analyzers.malware import find_in_text
from pratique.analyzers.ownership import SET_ID
from pratique.analyzers.secrets import find_secrets
from pratique.image import ImageConfig, Kind, Node, RunConfig
from pratique.model import Finding, FindingKind, Severity
from pratique.text import printable

_ROOT_USERS: Final = ("", "0", "root")
_SECRET_NAME: Final = re.compile(
    r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)$", re.IGNORECASE
)
_NOT_A_SECRET: Final = re.compile(
    r"^(|/.*|\$.*|<.*>|true|false|yes|no|none|null|\d{1,4}|changeme|example.*)$", re.IGNORECASE
)
_FETCH_AND_RUN: Final = re.compile(r"\b(curl|wget)\b[^|;&]{0,500}\|\s*(sudo\s+)?(/bin/)?(ba|da|z)?sh\b")
_FETCH_AND_MAKE_RUNNABLE: Final = re.compile(
    r"\b(curl|wget)\b.{1,500}?\bchmod\s+([augo]*\+[rw]*x|0?7[0-7]{2})\b", re.DOTALL
)
_ADD_URL: Final = re.compile(r"\bADD\b[^\n]{0,200}?\b(https?://[^\s\"']{1,200})")
_ENGINE_SOCKET: Final = re.compile(r"(docker|containerd|crio|podman)\.sock")
_SSH_PORT: Final = "22"
_MAX_SET_ID: Final = 50
_MAX_VARIABLES: Final = 1_000
_MAX_VARIABLE: Final = 4_096
_MAX_COMMANDS: Final = 1 << 20


def check_configuration(config: ImageConfig, files: Iterable[Node], owned: frozenset[str]) -> Iterator[Finding]:
    """Yield what is wrong with how an image is configured.

    :param owned: paths that the distribution's packages own, for set-uid files
    """
    run = config.config or RunConfig()
    yield from _check_user(run)
    yield from _check_environment(run)
    yield from _check_commands(run)
    yield from _check_surface(run)
    yield from _check_history(config)
    yield from _check_set_id(files, owned)


def check_image(context: Context, files: Iterable[Node]) -> Iterator[Finding]:
    """Yield what is wrong with an opened image."""
    return check_configuration(context.image.config, files, context.owned)


def _check_user(run: RunConfig) -> Iterator[Finding]:
    user = (run.user or "").partition(":")[0]
    if user in _ROOT_USERS:
        said = f"USER {printable(user)}" if user else "no USER"
        yield _finding(
            "runs-as-root", Severity.LOW, "runs as root: add 'USER name' to the Dockerfile, or run with --user", said
        )


def _check_environment(run: RunConfig) -> Iterator[Finding]:
    for variable in (run.env or ())[:_MAX_VARIABLES]:
        name, _, value = variable[:_MAX_VARIABLE].partition("=")
        hits = find_secrets(variable[:_MAX_VARIABLE].encode(errors="replace"))
        by_name = _SECRET_NAME.search(name) and not _NOT_A_SECRET.match(value) and len(value) >= 6
        if hits or by_name:
            kind = hits[0].rule.title if hits else "value"
            yield Finding(
                kind=FindingKind.SECRET,
                rule="secret-in-environment",
                severity=Severity.HIGH,
                title="secret in the image's environment: give it at run time, from a file or a secret store",
                evidence=f"{printable(name)[:100]}: {kind}, {len(value)} characters",
            )


def _check_commands(run: RunConfig) -> Iterator[Finding]:
    """Judge what an engine runs or hands to what runs; an attack needs no file where these hold it all."""
    healthcheck = (run.healthcheck.test if run.healthcheck else None) or ()
    commands = ((*(run.entrypoint or ()), *(run.cmd or ())), (*(run.shell or ()), *healthcheck))
    text = "\n".join((*map(" ".join, commands), *(run.on_build or ()), *(run.env or ())))[:_MAX_COMMANDS]
    yield from find_in_text(text.encode(errors="replace"), "")
    if found := _FETCH_AND_RUN.search(text) or _FETCH_AND_MAKE_RUNNABLE.search(text):
        yield Finding(
            kind=FindingKind.MALWARE,
            rule="command-runs-download",
            severity=Severity.CRITICAL,
            title="downloader: the image's command runs what it fetches",
            evidence=printable(found[0])[:200],
        )


def _check_surface(run: RunConfig) -> Iterator[Finding]:
    ports = {port.partition("/")[0] for port in run.exposed_ports or {}}
    command = " ".join((*(run.entrypoint or ()), *(run.cmd or ())))
    if _SSH_PORT in ports or re.search(r"(^|/|\s)sshd(\s|$)", command):
        yield _finding(
            "runs-ssh",
            Severity.MEDIUM,
            "runs or exposes an SSH server: use 'docker exec' and leave it out",
            f"ports {', '.join(sorted(printable(port) for port in ports))[:100]}; {printable(command)[:100]}",
        )
    for volume in run.volumes or {}:
        if _ENGINE_SOCKET.search(volume):
            yield _finding(
                "wants-engine-socket",
                Severity.HIGH,
                "declares the engine's socket as a volume, which means root on the host: leave it out",
                printable(volume)[:200],
            )


def _check_history(config: ImageConfig) -> Iterator[Finding]:
    for entry in config.history or ():
        step = entry.created_by[:100_000]
        if _FETCH_AND_RUN.search(step):
            yield _finding(
                "build-ran-download",
                Severity.MEDIUM,
                "a build step ran what it had just downloaded: fetch, compare the digest, then run",
                printable(step)[:200],
            )
        if added := _ADD_URL.search(step):
            yield _finding(
                "build-added-url",
                Severity.LOW,
                "a build step added a file from an address: use ADD --checksum",
                printable(added[1]),
            )


def _check_set_id(files: Iterable[Node], owned: frozenset[str]) -> Iterator[Finding]:
    found = sorted(
        (file for file in files if file.kind is Kind.FILE and file.mode & SET_ID and file.mode & 0o111),
        key=lambda file: file.path,
    )
    for file in [file for file in found if file.path not in owned][:_MAX_SET_ID]:
        yield Finding(
            kind=FindingKind.MISCONFIGURATION,
            rule="set-id-without-package",
            severity=Severity.MEDIUM,
            title="set-uid or set-gid program that no package owns: remove the bit, or run with no-new-privileges",
            path=printable(file.path),
            evidence=f"mode {file.mode:04o}, owner {file.uid}:{file.gid}",
        )


def _finding(rule: str, severity: Severity, title: str, evidence: str) -> Finding:
    return Finding(kind=FindingKind.MISCONFIGURATION, rule=rule, severity=severity, title=title, evidence=evidence)
