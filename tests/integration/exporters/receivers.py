"""Receivers of ours: a web hook, a mail server and syslog, each on loopback or a socket of its own."""

import contextlib
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self


class Hook:
    """A web hook that keeps what it is told; ``refuse`` makes it answer 503, ``silent`` nothing at all."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.asked = 0
        self.refuse = False
        self.silent = threading.Event()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.asked += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hook.silent.is_set():
                    hook.closing.wait()
                    return
                if not hook.refuse:
                    hook.messages.append(json.loads(body))
                self.send_response(503 if hook.refuse else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def url(self) -> str:
        return f"json://user:pass-word@127.0.0.1:{self._server.server_address[1]}/hook/token-1234"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Mail(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as a client needs to hand over a message."""

    def handle(self) -> None:
        self._say("220 sink")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                self._say("250 sink")
            elif verb == b"DATA":
                self._say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                assert isinstance(self.server, Mail)
                self.server.messages.append(b"".join(lines).decode())
                self._say("250 taken")
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class Mail(socketserver.ThreadingTCPServer):
    """A mail server that keeps what it is given."""

    daemon_threads = True

    def __init__(self) -> None:
        self.messages: list[str] = []
        super().__init__(("127.0.0.1", 0), _Mail)

    @property
    def url(self) -> str:
        address = f"127.0.0.1:{self.server_address[1]}"
        return f"mailto://{address}?from=pratique@host.invalid&to=ops@host.invalid&mode=insecure"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


@contextlib.contextmanager
def unix_syslog(folder: Path) -> Iterator[tuple[str, socket.socket]]:
    """A local syslog socket: its URL and the receiving end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(10)
        receiver.bind(str(folder / "log"))
        yield f"syslog+unix://{folder}/log", receiver


@contextlib.contextmanager
def udp_syslog() -> Iterator[tuple[str, socket.socket]]:
    """A syslog receiver over UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(10)
        receiver.bind(("127.0.0.1", 0))
        yield f"syslog+udp://127.0.0.1:{receiver.getsockname()[1]}", receiver
