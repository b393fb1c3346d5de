"""The sinkhole as the keeper sees it: a process that it starts, hears and ends."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Final

import msgspec

from pratique.errors import SandboxError
from pratique.model import BaitEvent, ConversationEvent
from pratique.sandbox.sinkhole.events import LENGTH, Begin, Told

_MOST_MESSAGE: Final = 1 << 20


class Sinkhole:
    """A sinkhole in a network namespace of its own, which starts meanwhile.

    :param undo: ends it when closed
    :param engine: the listening bait in place of the engine's socket
    """

    def __init__(self, undo: contextlib.ExitStack, engine: socket.socket, begin: Begin) -> None:
        self.omitted = 0
        reader, writer = os.pipe2(os.O_CLOEXEC)
        self._stream = undo.enter_context(os.fdopen(reader, "rb"))
        with engine:
            self._process = subprocess.Popen(  # noqa: S603  # ourselves
                [sys.executable, "-P", "-m", "pratique.sandbox.sinkhole", str(writer), str(engine.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=(writer, engine.fileno()),
            )
        undo.callback(self._kill)
        os.close(writer)
        assert self._process.stdin is not None
        self._input = self._process.stdin
        message = msgspec.msgpack.encode(begin)
        self._input.write(len(message).to_bytes(LENGTH, "big") + message)
        self._input.flush()

    def wait_ready(self) -> None:
        """Wait until it listens.

        :raises SandboxError: when it did not come up
        """
        if self._read() is None:
            msg = "the sandbox's sinkhole did not start"
            raise SandboxError(msg)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def follow(self, record: Callable[[ConversationEvent | BaitEvent], None]) -> None:
        """Hand on each event until the sinkhole ends.

        :raises SandboxError: when it ended before it was told to
        """
        while (message := self._read()) is not None and not message.last:
            if message.event is not None:
                record(message.event)
        if message is None:
            msg = "the sandbox's sinkhole ended too early"
            raise SandboxError(msg)
        self.omitted = message.omitted

    def finish(self) -> None:
        """Let it end by itself: :meth:`follow` returns soon."""
        with contextlib.suppress(OSError):
            self._input.close()

    def _read(self) -> Told | None:
        length = int.from_bytes(self._stream.read(LENGTH), "big")
        if not 0 < length <= _MOST_MESSAGE:
            return None
        data = self._stream.read(length)
        return msgspec.msgpack.decode(data, type=Told) if len(data) == length else None

    def _kill(self) -> None:
        self.finish()
        self._process.kill()
        self._process.wait()
