"""Command lines that only an intruder writes. Pure; the first cut is precise rather than complete."""

import re
from itertools import pairwise
from typing import Final

SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"})
DOWNLOADERS: Final = frozenset({"wget", "curl", "wget2", "aria2c", "ftpget", "tftp"})
_NETCATS: Final = frozenset({"nc", "ncat", "netcat", "nc.traditional", "nc.openbsd"})
_DEV_TCP: Final = re.compile(r"/dev/(?:tcp|udp)/[^/\s]{1,253}/\d{1,5}")
_FED_TO_A_SHELL: Final = re.compile(  # health checks open /dev/tcp as well, but no shell reads from it
    r"\b(?:ba|da|z|k|a)?sh\s+-[a-z]*i\b"
    r"|\b(?:ba|da|z|k|a)?sh\b[^;|&\n]{0,40}<&\s*\d"
    r"|\|\s*(?:/\S{0,100}/)?(?:ba|da|z|k|a)?sh\b"
    r"|\b0[<>]&\s*\d"
    r"|\bwhile\s+read\b[^;\n]{0,100};\s*do\s+[\"']?\$"
)
_PIPED: Final = re.compile(
    r"\b(?:curl|wget)\b[^|;&\n]{0,2000}\|\s*(?:sudo\s+|nohup\s+)?(?:/\S{0,100}/)?(?:ba|da|z|k|a)?sh\b"
    r"|\b(?:ba|da|z|k|a)?sh\s+(?:-c\s+)?(?:<\(|[\"']?\$\()\s*(?:curl|wget)\b"
)
_SOCAT_SHELL: Final = re.compile(r"\b(?:exec|system):[\"']?\S{0,100}sh\b", re.IGNORECASE)
_SOCAT_PEER: Final = re.compile(r"\b(?:tcp|udp|openssl|sctp)[46]?(?:-connect|-listen)?:", re.IGNORECASE)
_SOCKET_SHELL: Final = re.compile(  # Python, Perl, Ruby, PHP: a socket, and a shell on it; nothing is tried twice
    r"\A(?>.*?\bsocket\b)(?>.*?(?:dup2|pty\.spawn|STDIN,)).*?\b(?:ba|da|z|k|a)?sh\b"
    r"|\A(?>.*?\bfsockopen\().*?\bsh\b.{0,40}[<>]&",
    re.DOTALL,
)
_INTERPRETERS: Final = re.compile(r"(?:python[\d.]*|perl[\d.]*|ruby[\d.]*|php[\d.]*|node)")
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


def script(arguments: tuple[str, ...]) -> str:
    """Return the text after ``-c`` of a shell, or ``""``."""
    for position, argument in enumerate(arguments[1:6], start=1):
        if argument.startswith("-") and not argument.startswith("--") and argument.endswith("c"):
            return " ".join(arguments[position + 1 : position + 2])
    return ""


def names(program: str, arguments: tuple[str, ...]) -> set[str]:
    """Return what a program may be: its file, what it is called as, and the applet of a busybox."""
    called = {_base(program), *(_base(argument) for argument in arguments[:1])}
    return called | {_base(argument) for argument in arguments[1:2]} if "busybox" in called else called


def is_reverse_shell(program: str, arguments: tuple[str, ...]) -> bool:
    """Tell whether a command line ties a shell to the network."""
    called = names(program, arguments)
    if called & _NETCATS:
        runs = {"-e", "-c", "--exec", "--sh-exec"}
        return any(
            argument in runs and any(_base(word) in SHELLS for word in following.split())
            for argument, following in pairwise(arguments)
        )
    if "socat" in called:
        joined = " ".join(arguments[1:])
        return bool(_SOCAT_SHELL.search(joined) and _SOCAT_PEER.search(joined))
    if called & SHELLS:
        text = script(arguments)
        return bool(_DEV_TCP.search(text) and _FED_TO_A_SHELL.search(text))
    return is_interpreter(called) and any(_SOCKET_SHELL.search(argument) for argument in arguments[1:6])


def is_interpreter(called: set[str]) -> bool:
    """Tell whether one of a program's names is that of a scripting language that is no shell."""
    return any(_INTERPRETERS.fullmatch(name) for name in called)


def reads_commands(program: str, arguments: tuple[str, ...]) -> bool:
    """Tell whether a command line is a shell's that takes its commands from its input, a pipe or a socket."""
    called = names(program, arguments)
    is_applet = [_base(argument) for argument in arguments[:1]] == ["busybox"]
    rest = arguments[2:] if is_applet else arguments[1:]
    return bool(called & SHELLS) and all(
        argument == "-" or (argument.startswith("-") and not argument.startswith("--") and "c" not in argument)
        for argument in rest
    )


def is_download(program: str, arguments: tuple[str, ...]) -> bool:
    """Tell whether a command line fetches something."""
    return bool(names(program, arguments) & DOWNLOADERS)


def is_piped_download(program: str, arguments: tuple[str, ...]) -> bool:
    """Tell whether a shell's command line fetches a script and runs it."""
    return bool(names(program, arguments) & SHELLS and _PIPED.search(script(arguments)))


def installs_software(program: str, arguments: tuple[str, ...]) -> bool:
    """Tell whether a command line is a package manager's that installs."""
    verbs = {verb for name in names(program, arguments) for verb in _INSTALLS.get(name, ())}
    return any(argument in verbs for argument in arguments[1:6])
