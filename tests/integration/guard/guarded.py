"""A real engine with the guard in front of it, and raw access to its API."""

import asyncio
import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from pratique.guard import Guard, serve
from pratique.guard.install import Target
from pratique.model import (
    Behaviour,
    Decision,
    Detonation,
    Finding,
    FindingKind,
    ImageId,
    ImageIdentity,
    Report,
    Severity,
    Verdict,
)
from pratique.policy import Document
from pratique.runtime import Engine
from testbed.engine import ThrowAwayEngine


class Shelf:
    """Reports that a test puts there: every image passes but those named bad, the first time after a pause."""

    def __init__(self) -> None:
        self.bad: set[str] = set()
        self.condemned: dict[str, str] = {}
        self.pause_s = 0.0
        self.scans = 0
        self.scanned: set[str] = set()

    def cleared(self) -> Self:
        """Every image passes at once."""
        self.bad.clear()
        self.condemned.clear()
        self.scanned.clear()
        self.pause_s, self.scans = 0.0, 0
        return self

    async def report(self, image: ImageIdentity) -> Report:
        if image.id not in self.scanned:
            self.scans += 1
            await asyncio.sleep(self.pause_s)
            self.scanned.add(image.id)
        found = Finding(kind=FindingKind.MALWARE, rule="miner", severity=Severity.CRITICAL, title="a miner")
        return Report(image=image, scanned_at=0, duration_s=0, findings=(found,) if image.id in self.bad else ())

    async def detonation(self, image: ImageIdentity) -> Detonation:
        verdict = Behaviour.BAD if image.id in self.bad else Behaviour.CLEAN
        return Detonation(image, 0, 1.0, ("/bin/sh",), verdict, "a miner was started (exec.miner)")

    async def objection(self, report: Report) -> str:
        return self.condemned.get(report.image.id, "")


class Guarded:
    """The guard in a thread of its own, in front of a throw-away engine; the policy may be changed at any time."""

    token = "own-token-of-this-test"

    def __init__(self, engine: ThrowAwayEngine) -> None:
        self.engine = engine
        self.document = Document()
        self.shelf = Shelf()
        self.decisions: list[Decision] = []
        self.admitted: list[tuple[str, ImageId]] = []
        self.socket = Path("/run/docker/plugins") / f"{engine.plugin_name}.sock"
        self.target = Target(engine.daemon_json, engine.url, engine.plugin_name, self.socket)
        self._ready = threading.Event()
        self._stop: Callable[[], object] = lambda: None
        self._thread: threading.Thread | None = None

    def reset(self) -> None:
        """Take back what a test changed: policy, reports, and every container and volume that it left."""
        self.document, self.shelf = Document(), self.shelf.cleared()
        self.decisions.clear()
        self.admitted.clear()
        client = self.engine.client()
        for container in client.containers.list(all=True):
            container.remove(force=True, v=True)
        for volume in client.volumes.list():
            volume.remove(force=True)
        client.close()

    def rules(self) -> list[str]:
        """Return the rules that refused, in order."""
        return [decision.rule for decision in self.decisions if decision.verdict is Verdict.DENY]

    def __enter__(self) -> Self:
        self._ready.clear()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    @property
    def alive(self) -> bool:
        """Whether the guard answers."""
        return self._thread is not None and self._thread.is_alive()

    def __exit__(self, *error: object) -> None:
        self._stop()
        assert self._thread is not None
        self._thread.join(10)

    async def _run(self) -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
        async with Engine.connect(self.engine.url, token=self.token) as view:
            guard = Guard(
                lambda: self.document,
                view,
                self.shelf,
                self.decisions.append,
                on_admitted=self._admit,
                own_token=self.token,
            )
            async with guard, serve(guard, self.socket):
                self._ready.set()
                await stopped.wait()

    async def _admit(self, container: str, image: ImageId) -> None:
        self.admitted.append((container, image))


def raw(path: Path, request: bytes, *, timeout: float = 60) -> tuple[int, bytes]:
    """Send bytes as they are and return status and body of the first answer."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as stream:
        stream.settimeout(timeout)
        stream.connect(str(path))
        with contextlib.suppress(BrokenPipeError):
            stream.sendall(request)
        answer = b""
        while not _complete(answer) and (chunk := stream.recv(65536)):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    return (int(head.split()[1]) if head else 0), body


def _complete(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    chunked = b"chunked" in head.lower() and body.endswith(b"0\r\n\r\n")
    return bool(end) and (chunked or (length is not None and len(body) >= int(length[1])))


def post(path: Path, target: str, body: bytes | Any = b"", **headers: str) -> tuple[int, bytes]:
    """Send a POST with a body (bytes as they are, else as JSON) and its right length."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Host": "x", "Content-Type": "application/json", "Content-Length": str(len(data))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return raw(path, f"POST {target} HTTP/1.1\r\n{head}\r\n".encode() + data)
