"""Adds files to a laid out image before it runs, with every link on the way followed inside it and nowhere else."""

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Final

from pratique.sandbox.kernel import open_in_root

_FOLLOW: Final = os.O_RDONLY | os.O_DIRECTORY
_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where Debian and Alpine, Red Hat, SUSE, and again Alpine keep whom they trust."""
_BY_HASH: Final = "/etc/ssl/certs"
_FIXED_HASH: Final = "14f492c0"
"""``openssl x509 -subject_hash`` of the authority's name, by which OpenSSL looks certificates up in a directory."""


def place_file(
    tree: int, path: str, content: bytes, owner: tuple[int, int], *, mode: int = 0o644, keep: bool = False
) -> str | None:
    """Write a file into a laid out tree, with the directories on the way, and return its path with no link in it.

    :param keep: leave what is there; None is returned then, and also when something on the way is no directory
    """
    directory_path, _, name = path.rpartition("/")
    try:
        directory = make_directories(tree, directory_path, owner)
    except OSError:
        return None
    try:
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if keep or stat.S_ISDIR(status.st_mode):
                return None
            os.unlink(name, dir_fd=directory)
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=directory)
        with os.fdopen(file, "wb") as stream:
            stream.write(content)
            os.fchown(file, *owner)
            os.fchmod(file, mode)
        return f"{inside(tree, directory)}/{name}"
    finally:
        os.close(directory)


def make_directories(tree: int, path: str, owner: tuple[int, int]) -> int:
    """Open a directory of a laid out tree, with links followed as in the container; what is missing is made.

    :raises OSError: when something on the way is no directory
    """
    done = ""
    current = open_in_root(tree, "/", _FOLLOW)
    for part in (part for part in path.split("/") if part not in {"", ".", ".."}):
        done += f"/{part}"
        try:
            following = open_in_root(tree, done, _FOLLOW)
        except OSError as error:
            if error.errno != errno.ENOENT:
                os.close(current)
                raise
            try:
                os.mkdir(part, 0o755, dir_fd=current)
                os.chown(part, *owner, dir_fd=current, follow_symlinks=False)
                following = os.open(part, _FOLLOW | os.O_NOFOLLOW, dir_fd=current)
            except OSError:  # a link that leads nowhere
                os.close(current)
                raise
        os.close(current)
        current = following
    return current


def is_free_for_directory(tree: int, name: str) -> bool:
    """Tell whether a name at the top of the tree is a directory, or nothing yet."""
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=tree, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return True


def inside(tree: int, directory: int) -> str:
    """Return the path of an open directory below the tree; empty for the tree itself."""
    root, below = (str(Path(f"/proc/self/fd/{each}").readlink()) for each in (tree, directory))
    return below.removeprefix(root)


def trust(tree: int, certificate: bytes, owner: tuple[int, int]) -> None:
    """Add a certificate to the bundles that the image has, and to OpenSSL's directory."""
    with contextlib.suppress(OSError):
        os.close(open_in_root(tree, _BY_HASH, _FOLLOW))
        place_file(tree, f"{_BY_HASH}/{_FIXED_HASH}.0", certificate, owner)
    for path in _BUNDLES:
        with (
            contextlib.suppress(OSError),
            os.fdopen(open_in_root(tree, path, os.O_WRONLY | os.O_APPEND), "ab") as bundle,
        ):
            bundle.write(b"\n" + certificate)
