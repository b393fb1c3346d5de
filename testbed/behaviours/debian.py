"""Images of real software: the files of Debian packages, as layers, without a registry and without installing anything.

``apt-get`` resolves and fetches what a list of packages needs beyond the base, as if nothing were installed here; each
archive's files go into one tar, as they lie on a system whose ``/bin`` and ``/lib`` are links into ``/usr``. Scripts of
packages are not run. What was fetched and made is kept for the next time, by name and version.
"""

import hashlib
import io
import os
import re
import subprocess
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from testbed.images import Image, archive

_CACHE: Final = Path("/tmp/pratique-testbed-debian")
_LINKS: Final = ("bin", "lib", "lib64", "sbin")
_BASE: Final = "base-files bash coreutils dash findutils grep gzip libc-bin netbase sed tar"
_UNUSED: Final = frozenset(
    """
    libllvm14 libz3-4 perl libperl5.36 perl-modules-5.36 systemd locales libc-l10n perl-base usrmerge
    debconf ucf adduser init-system-helpers git-man libasan8 liblsan0 libtsan2
    libubsan1 libgprofng0 libfile-find-rule-perl libnumber-compare-perl libtext-glob-perl lsb-base sysvinit-utils
    """.split()  # noqa: SIM905
)
"""Large or for installing, and used by nothing that runs here; PostgreSQL's just-in-time compiler is off."""
_UNUSED_FILES: Final = re.compile(
    r"usr/share/(?:doc|man|locale|i18n|info|lintian|bash-completion|perl5)(?:/|$)|usr/lib/[\w-]+/(?:gconv|perl)"
    r"|.*(?:lto1|lto-dump-12|-dwp|-ld\.gold|libc\.a|lib[alt]san\.a|libasan\w*\.a|libm-2\.36\.a|libmvec\.a)$"
)
_ACCOUNTS: Final = """\
root:x:0:0:root:/root:/bin/bash
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
app:x:1000:1000:app:/srv:/bin/sh
"""
_GROUPS: Final = "root:x:0:\ntty:x:5:\nwww-data:x:33:\nnogroup:x:65534:\napp:x:1000:\n"
_DIRECTORIES: Final = "dev etc proc root run srv sys tmp var var/log var/tmp var/lib usr usr/bin usr/lib usr/sbin"


def debian(reference: str, packages: str, files: Mapping[str, bytes | str] | None = None, **config: Any) -> Image:
    """Return an image with these packages and what they need.

    :param packages: their names, with blanks between
    :param files: more files, all executable; a ``str`` is the target of a link
    :param config: of the image, as in the OCI image configuration
    """
    layers = [_base_layer()]
    if packages:
        layers.append(_layer(tuple(packages.split())))
    if files:
        layers.append(archive(files, executable=tuple(files)))
    return Image(reference, tuple(layers), config)


def package(name: str) -> bytes:
    """Return a package's archive."""
    return next(path for path in _fetch((name,)) if path.name.startswith(f"{name}_")).read_bytes()


@cache
def _base_layer() -> bytes:
    files: dict[str, bytes | str] = {
        **{f"{name}/": b"" for name in _DIRECTORIES.split()},
        **{name: f"usr/{name}" for name in _LINKS},
        "usr/lib64/": b"",
        "etc/passwd": _ACCOUNTS.encode(),
        "etc/group": _GROUPS.encode(),
        "etc/ssl/certs/ca-certificates.crt": b"",
        "etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files dns\n",
        "usr/bin/sh": "dash",
    }
    return _join(_files(tuple(_BASE.split())), links=archive(files))


@cache
def _layer(packages: tuple[str, ...]) -> bytes:
    return _files(packages)


def _files(packages: tuple[str, ...]) -> bytes:
    """Return the files of packages, and of what they need beyond the base, as a tar."""
    base = set() if packages == tuple(_BASE.split()) else {path.name for path in _fetch(tuple(_BASE.split()))}
    archives = [path for path in _fetch(packages) if path.name not in base]
    name = hashlib.sha256("\n".join(path.name for path in archives).encode()).hexdigest()[:16]
    made = _CACHE / f"{name}.tar"
    if not made.exists():
        fresh = _CACHE / f"{name}.{os.getpid()}"
        fresh.write_bytes(_join(*(_unpacked(path) for path in archives)))
        fresh.rename(made)
    return made.read_bytes()


def _fetch(packages: Sequence[str]) -> list[Path]:
    """Return the archives of packages and of what they need, fetched if they are not there yet."""
    archives = _CACHE / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    listed = _CACHE / ("closure-" + hashlib.sha256(" ".join(packages).encode()).hexdigest()[:16])
    if not listed.exists():
        if not any(Path("/var/lib/apt/lists").glob("*_Packages*")):
            subprocess.run(["apt-get", "update", "-qq"], check=True)
        wanted = _uris(packages)
        for url, file in wanted:
            if not (archives / file).exists():
                _download(url, archives / file)
        fresh = listed.with_suffix(f".{os.getpid()}")
        fresh.write_text("\n".join(file for _, file in wanted))
        fresh.rename(listed)
    return sorted(archives / file for file in listed.read_text().split("\n"))


def _uris(packages: Sequence[str]) -> list[tuple[str, str]]:
    """Return where apt would fetch packages from on a system that has none."""
    options = ["-o", "Dir::State::status=/dev/null", "-o", "APT::Install-Recommends=0", "-o", "Debug::NoLocking=1"]
    options += ["-o", f"Dir::Cache::archives={_CACHE}/none", "-o", "Dir::Etc::preferencesparts=/dev/null"]
    command = ["apt-get", *options, "-qq", "-y", "--print-uris", "install", *packages]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line.split() for line in told.splitlines() if line.startswith("'")]
    found = [(fields[0].strip("'"), fields[1]) for fields in lines]
    return [(url, file) for url, file in found if file.partition("_")[0] not in _UNUSED]


def _download(url: str, path: Path) -> None:
    fresh = path.with_suffix(f".{os.getpid()}")
    subprocess.run(["/usr/lib/apt/apt-helper", "download-file", url, fresh], check=True, capture_output=True)
    fresh.rename(path)


def _unpacked(path: Path) -> bytes:
    return subprocess.run(["dpkg-deb", "--fsys-tarfile", path], check=True, capture_output=True).stdout


def _join(*tars: bytes, links: bytes = b"") -> bytes:
    """Return several tars as one, without what is not used, with everything in ``/usr``; a later entry wins.

    :param links: a tar whose entries stay where they are and come first
    """
    entries: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
    for content in (links, *tars):
        if not content:
            continue
        with tarfile.open(fileobj=io.BytesIO(content)) as source:
            for entry in source:
                if content is links or _placed(entry):
                    stream = source.extractfile(entry) if entry.isreg() else None
                    entries[entry.name] = (entry, stream.read() if stream else b"")
    return _written(entries.values())


def _placed(entry: tarfile.TarInfo) -> bool:
    """Move an entry to where it lies on a system with a merged ``/usr``; tell whether it is wanted."""
    entry.name = _merged(entry.name)
    if entry.islnk():
        entry.linkname = _merged(entry.linkname)
    entry.mtime, entry.uname, entry.gname = 0, "", ""
    return entry.name not in {"", *_LINKS} and not _UNUSED_FILES.match(entry.name)


def _merged(name: str) -> str:
    path = name.removeprefix("./").rstrip("/")
    first, _, rest = path.partition("/")
    return f"usr/{path}" if first in _LINKS and rest else path


def _written(entries: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for entry, content in entries:
            tar.addfile(entry, io.BytesIO(content) if entry.isreg() else None)
    return buffer.getvalue()
