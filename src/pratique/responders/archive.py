"""An archive of evidence: every member has its hash in a manifest, which is the last member."""

import contextlib
import gzip
import hashlib
import io
import os
import tarfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec
from msgspec import Struct

from pratique.errors import UsageError

MANIFEST: Final = "manifest.json"
_CHUNK: Final = 1 << 20


class Member(Struct, frozen=True):
    """One member of an archive."""

    name: str
    size: int
    sha256: str
    cut: bool = False
    """Only the beginning was taken."""


class Evidence:
    """A new archive, a context manager: it has its name only when it is whole.

    :param about: what the manifest says besides the members
    """

    def __init__(self, path: Path, about: dict[str, str]) -> None:
        self.path = path
        self.members: list[Member] = []
        self.notes: list[str] = []
        self.sha256 = ""
        """Of the whole archive, once it is closed."""
        self._about = about
        self._left = 0
        self._beside = path.with_name(f".{path.name}.{os.getpid()}")

    def __enter__(self) -> Self:
        if self.path.exists():
            msg = f"{self.path} exists already"
            raise UsageError(msg, hint="choose another name, or move it away first")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.fdopen(os.open(self._beside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")
        except OSError as error:
            msg = f"{self.path} cannot be written: {error.strerror}"
            raise UsageError(msg, hint="check the directory, its owner and the room on its disk") from error
        self._packed = gzip.GzipFile(fileobj=self._file, mode="wb", compresslevel=6, filename="")
        self._tar = tarfile.open(fileobj=self._packed, mode="w", format=tarfile.PAX_FORMAT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._close_with_manifest()
        finally:
            self._beside.unlink(missing_ok=True)  # it is there only if something failed
            with contextlib.suppress(OSError):  # what is still to be written has no room either
                self._file.close()

    def add(self, name: str, content: bytes) -> None:
        """Add a member."""
        self._write(name, content, cut=False)

    def add_json(self, name: str, value: object) -> None:
        """Add a member of JSON."""
        self.add(name, msgspec.json.format(msgspec.json.encode(value), indent=1))

    def add_file(self, name: str, descriptor: int, limit: int) -> int:
        """Add what can be read from a descriptor, at most ``limit`` bytes; return how many."""
        content = bytearray()
        while len(content) < limit and (chunk := os.read(descriptor, min(_CHUNK, limit - len(content)))):
            content += chunk
        self._write(name, bytes(content), cut=len(content) == limit and bool(os.read(descriptor, 1)))
        return len(content)

    def note(self, text: str) -> None:
        """Tell in the manifest what is missing and why."""
        self.notes.append(text)

    def _write(self, name: str, content: bytes, *, cut: bool) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
        self._tar.addfile(entry, io.BytesIO(content))
        self.members.append(Member(name, len(content), hashlib.sha256(content).hexdigest(), cut))

    def _close_with_manifest(self) -> None:
        self.add_json(MANIFEST, {**self._about, "members": self.members, "notes": self.notes})
        self._tar.close()
        self._packed.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.seek(0)
        self.sha256 = hashlib.file_digest(self._file, "sha256").hexdigest()
        self._file.close()
        self._beside.rename(self.path)
