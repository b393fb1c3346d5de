"""Command lines that only an intruder writes. Pure; the first cut is precise rather than complete."""

import re
from itertools import pairwise
from typing import Final

_SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"})
_NETCATS: Final = frozenset({"nc", "ncat", "netcat", "nc.traditional", "nc.openbsd"})
_DEV_TCP: Final = re.compile(r"/dev/(?:tcp|udp)/[^/\s]{1,253}/\d{1,5}")
_INTERACTIVE: Final = re.compile(r"\b(?:ba|da|z|k|a)?sh\s+-i\b|\bexec\s+\d*(?:<>|[<>]&?)|[<>]&\s*\d|\d*<>\s*/dev/")
_PIPED: Final = re.compile(
    r"\b(?:curl|wget)\b[^|;&\n]{0,2000}\|\s*(?:sudo\s+|nohup\s+)?(?:/\S{0,100}/)?(?:ba|da|z|k|a)?sh\b"
    r"|\b(?:ba|da|z|k|a)?sh\s+(?:-c\s+)?(?:<\(|[\"']?\$\()\s*(?:curl|wget)\b"
)
_INSTALLS: Final = {
    "apk": {"add"},
    "apt": {"install"},
    "apt-get": {"install"},
    "dnf": {"install"},
    "microdnf": {"install"},
    "pacman": {"-S", "-Sy", "-Syu"},
    "yum": {"install"},
    "zypper": {"install", "in"},
}


def _base(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _script(arguments: tuple[str, ...]) -> str:
    """Return the text after ``-c`` of a shell."""
    for position, argument in enumerate(arguments[1:6], start=1):
        if argument.startswith("-") and not argument.startswith("--") and argument.endswith("c"):
            return " ".join(arguments[position + 1 : position + 2])
    return ""


def is_reverse_shell(program: str, arguments: tuple[str, ...]) -> bool:
    """Tell whether a command line ties a shell to the network."""
    base = _base(arguments[0] if arguments else program)
    if base in _SHELLS or _base(program) in _SHELLS:
        script = _script(arguments)
        return bool(_DEV_TCP.search(script) and _INTERACTIVE.search(script))
    if base in _NETCATS or _base(program) in _NETCATS:
        runs = {"-e", "-c", "--exec", "--sh-exec"}
        return any(
            argument in runs and any(_base(word) in _SHELLS for word in following.split())
            for argument, following in pairwise(arguments)
        )
    if base == "socat":
        joined = " ".join(arguments[1:])
        shell = re.search(r"\b(?:exec|system):[\"']?\S{0,100}sh\b", joined, re.IGNORECASE)
        return bool(
            shell and re.search(r"\b(?:tcp|udp|openssl|sctp)[46]?(?:-connect|-listen)?:", joined, re.IGNORECASE)
        )
    return False


def is_piped_download(program: str, arguments: tuple[str, ...]) -> bool:
    """Tell whether a shell's command line fetches a script and runs it."""
    shell = _base(arguments[0] if arguments else program) in _SHELLS or _base(program) in _SHELLS
    return shell and bool(_PIPED.search(_script(arguments)))


def installs_software(program: str, arguments: tuple[str, ...]) -> bool:
    """Tell whether a command line is a package manager's that installs."""
    verbs = _INSTALLS.get(_base(program)) or _INSTALLS.get(_base(arguments[0] if arguments else ""))
    return verbs is not None and any(argument in verbs for argument in arguments[1:6])
