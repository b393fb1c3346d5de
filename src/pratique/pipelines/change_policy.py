"""Changes the policy file of this host: one writer at a time, whole or not at all, and logged."""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from pratique.errors import PolicyError, UsageError
from pratique.model import Decision, Verdict
from pratique.pipelines.presence import APPLIED_STATE, agent_runs
from pratique.pipelines.replace import replace_file
from pratique.policy import Document, parse, render
from pratique.policy.document import read_text
from pratique.store import Store

_POLL_S: Final = 0.05


class StaleError(PolicyError):
    """The policy is not the one that the change was made for."""

    usual_hint = "look at the policy as it is now, and decide again"


class Changed(Struct, frozen=True):
    """A policy that was written, and whether a running agent has it in the kernel."""

    sha256: str
    live: bool


def change_policy(
    path: Path,
    store: Store,
    change: Callable[[Document], Document],
    decision: Decision,
    *,
    expected: str = "",
) -> str:
    """Write a changed policy and return its SHA-256. Comments in the file are replaced by the usual ones.

    :param decision: what is logged for it
    :param expected: the SHA-256 of the file that the change was made for; ``""``: whatever it is
    :raises StaleError: when the file is another one
    :raises PolicyError: when what is there, or what would come of it, is not valid
    """
    with only_writer(path.parent):
        old = _read(path)
        if expected and hashlib.sha256(old).hexdigest() != expected:
            raise _stale(path)
        text = render(change(parse(old, name=str(path)))).encode()
        parse(text, name=str(path))
        store.append_decisions([decision])
        if _read(path) != old:  # an editor knows of no lock, and the log may have kept this one waiting
            undone = msgspec.structs.replace(decision, verdict=Verdict.DENY, reason="not written: the policy changed")
            store.append_decisions([undone])
            raise _stale(path)
        replace_file(path, text)
    return hashlib.sha256(text).hexdigest()


def _read(path: Path) -> bytes:
    return read_text(path) if path.exists() else render(Document()).encode()


def _stale(path: Path) -> StaleError:
    return StaleError(f"policy {path} was changed by somebody else in the meantime")


def await_live(store: Store, run_dir: Path, digest: str, seconds: float) -> bool:
    """Wait until the running agent has put a policy into force; return whether it did, False where none runs."""
    deadline = time.monotonic() + seconds
    while agent_runs(run_dir):
        if store.state(APPLIED_STATE) == digest:
            return True
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_S)
    return False


def policy_decision(verdict: Verdict, rule: str, subject: str, source: str, *, image: str, reason: str) -> Decision:
    """Return what is logged for a person's word on the policy."""
    return Decision(
        at=time.time(), verdict=verdict, rule=rule, subject=subject, reason=reason, source=source, image=image
    )


@contextmanager
def only_writer(directory: Path) -> Iterator[None]:
    """Have nobody else write the policy in a directory for as long as the block lasts.

    :raises UsageError: when the directory cannot be written
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        msg = f"{directory} cannot be written: {error.strerror}"
        raise UsageError(msg, hint="run as root, or set PRATIQUE_STATE_DIR to another directory") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
