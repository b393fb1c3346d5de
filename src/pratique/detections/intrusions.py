"""Command lines by which an intruder hides, unpacks himself, or breaks out. Pure; precise rather than complete."""

import re
from typing import Final

from pratique.detections.shells import SHELLS, is_interpreter, names, script

_SHELL: Final = r"(?:sudo\s+|nohup\s+)?(?:/\S{0,100}/)?(?:(?:ba|da|z|k|a)?sh|python[23]?|perl)\b(?!\s+-c)"
_DECODER: Final = (  # what looks ahead and what is possessive tries nothing twice: the text is an enemy's
    r"\b(?:base(?:64|32)\s+(?:-(?=\w*d)|-D|--decode)|openssl\s+(?:enc\s+)?-?base64\s[^|;&\n]{0,80}-d"
    r"|xxd\s+-(?=\w*r)|uudecode|gunzip|zcat|gzip\s+-(?=\w*d)|bunzip2|bzcat|unxz|xzcat|xz\s+-(?=\w*d)|zstdcat)"
)
_DECODED: Final = re.compile(
    rf"{_DECODER}[^|;&\n]{{0,2000}}+(?:\|[^|;&\n]{{0,200}}+){{0,8}}\|\s*{_SHELL}"
    rf"|\b(?:eval|(?:ba|da|z|k|a)?sh\s+-c)\s+[\"']?(?:\$\(|`)[^)`\n]{{0,8000}}{_DECODER}"
)
_DECODED_CODE: Final = re.compile(
    r"\b(?:exec|eval)\s*\(\s*(?:\w+\.)?(?:compile\s*\(\s*)?(?:zlib\.decompress|(?:base64\.)?b(?:64|32|85)decode"
    r"|__import__\(\s*['\"](?:base64|zlib)|bytes\.fromhex|base64_decode|gzinflate|Buffer\.from|atob)"
)
_DECODERS: Final = frozenset({"base64", "base32", "xxd", "uudecode", "openssl", "gunzip", "zcat", "gzip"})
_HOST_ROOT: Final = re.compile(r"/(?:host|hostfs|rootfs|mnt|hs|proc/1/root)(?:/\S{0,100})?")
_KERNEL_HELPER: Final = re.compile(
    r">\s*[\"']?\S{0,200}(?:/release_agent|/proc/sys/kernel/(?:core_pattern|modprobe)|/uevent_helper|/binfmt_misc/register)"
)
_TRACES: Final = re.compile(
    r"(?:.*/)?(?:\.(?:bash|ash|sh|zsh|python)_history|HISTFILE)"
    r"|(?:.*/)?var/(?:log|run)/(?:wtmp|btmp|utmp|lastlog|auth\.log|secure|syslog|messages|cron|audit(?:/\S*)?)(?:[.*]\S*)?"
)
_WIPERS: Final = frozenset({"rm", "unlink", "shred", "truncate", "ln", "wipe", "srm"})
_NO_HISTORY: Final = re.compile(
    r"\bhistory\s+-\w*c|\bunset\s+(?:\w+\s+){0,5}HIST(?:FILE|ORY)\b|\bHIST(?:FILE=/dev/null|SIZE=0|FILESIZE=0)\b"
    r"|(?:^|[;&|\s])(?::|true|echo|cat\s+/dev/null)?\s*>\s*\S{0,200}(?:/\.(?:ba|a)?sh_history|/var/log/(?:wtmp|btmp|lastlog))\b"
)


def unpacks_into_shell(program: str, arguments: tuple[str, ...]) -> bool:
    """Tell whether a command line decodes something and runs what comes out."""
    called = names(program, arguments)
    if called & SHELLS:
        return bool(_DECODED.search(script(arguments)))
    if is_interpreter(called):
        return any(_DECODED_CODE.search(argument) for argument in arguments[1:6])
    return False


def is_decoder(program: str, arguments: tuple[str, ...]) -> bool:
    """Tell whether a command line decodes from one pipe into another."""
    called = names(program, arguments)
    if called & {"uudecode", "gunzip", "zcat"}:
        return True
    return bool(called & _DECODERS) and any(
        argument in {"-d", "-D", "--decode", "-dc", "-cd", "-di", "-r"} for argument in arguments[1:6]
    )


def leaves_container(program: str, arguments: tuple[str, ...]) -> bool:
    """Tell whether a command line enters the host's namespaces or files, or sets a helper program of its kernel."""
    called = names(program, arguments)
    if "nsenter" in called:
        joined = f" {' '.join(arguments[1:])} "
        return bool(re.search(r"\s(?:-t\s*1|--target[= ]1)\s|=/proc/1/ns/", joined))
    if "chroot" in called:
        return any(is_host_root(argument) for argument in arguments[1:4])
    return bool(called & SHELLS and _KERNEL_HELPER.search(script(arguments)))


def is_host_root(path: str) -> bool:
    """Tell whether a path is one of those where the roots of hosts are mounted."""
    return bool(_HOST_ROOT.fullmatch(path))


def covers_tracks(program: str, arguments: tuple[str, ...]) -> bool:
    """Tell whether a command line wipes logs of who was here, or a shell's history."""
    called = names(program, arguments)
    if called & _WIPERS and any(_TRACES.fullmatch(argument) for argument in arguments[1:]):
        return True
    return bool(called & SHELLS and _NO_HISTORY.search(script(arguments)))
