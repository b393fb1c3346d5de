"""Rules over what only the sandbox tells: files, bait, refused system calls, conversations. Pure."""

import re
from typing import Final

from pratique.detections.intrusions import is_host_root
from pratique.detections.miners import pool_of, stratum_method
from pratique.detections.subject import Subject, raise_alert
from pratique.model import (
    Action,
    Alert,
    BaitEvent,
    ConversationEvent,
    PrivilegeEvent,
    RecordedEvent,
    Service,
    WriteEvent,
)
from pratique.text import printable

ENGINE_SOCKET: Final = "engine-socket"
METADATA: Final = frozenset({"169.254.169.254", "fd00:ec2::254", "100.100.100.200"})
"""Where clouds' metadata services are (AWS, Azure, Google, Alibaba)."""

_FILES: Final = (  # wherever a host's root may be mounted
    ("file.cron", r"etc/(?:crontab|crontabs/.+|cron\.(?:d|hourly|daily|weekly|monthly)/.+)|var/spool/cron/.+"),
    ("file.ssh-key", r"\.ssh/authorized_keys2?"),
    ("file.preload", r"etc/ld\.so\.preload"),
    ("file.account", r"etc/(?:passwd|shadow|sudoers|sudoers\.d/.+)"),
    (
        "kernel.escape",
        r"release_agent|proc/sys/kernel/(?:core_pattern|modprobe)|uevent_helper|proc/sysrq-trigger|binfmt_misc/register",
    ),
)
_RULES_OF_FILES: Final = tuple((rule, re.compile(rf"(?:.*/)?(?:{path})", re.DOTALL)) for rule, path in _FILES)
_ESCAPES: Final = frozenset(
    """
    mount move_mount fsmount fsopen open_tree umount umount2 pivot_root setns unshare clone clone3 open_by_handle_at
    init_module finit_module delete_module create_module kexec_load kexec_file_load mknod mknodat
    """.split()  # noqa: SIM905
)
"""Chroot only where hosts' roots are mounted: honest servers lock themselves up with it."""
_NAMESPACE_CALLS: Final = frozenset({"unshare", "clone", "clone3"})
_OWN_NAMESPACE: Final = re.compile(r"(?:CLONE_NEW)?USER|", re.IGNORECASE)
"""A user namespace of its own is the sandbox of browsers and build tools; so it is no escape yet."""


def judge_recorded(event: RecordedEvent, subject: Subject) -> list[Alert]:
    """Return the alerts of one event of the sandbox's instruments on its own."""
    match event:
        case WriteEvent():
            return _judge_write(event, subject)
        case BaitEvent():
            return _judge_bait(event, subject)
        case PrivilegeEvent():
            return _judge_privilege(event, subject)
        case ConversationEvent():
            return _judge_conversation(event, subject)


def _judge_write(event: WriteEvent, subject: Subject) -> list[Alert]:
    """Return the alerts of a file that was written."""
    rules = [rule for rule, path in _RULES_OF_FILES if path.fullmatch(event.path)]
    evidence = {"file": event.path, "command": event.command, "pid": str(event.pid)}
    return [raise_alert(rule, event.at, subject, Action.ALERTED, about=event.path, evidence=evidence) for rule in rules]


def _judge_bait(event: BaitEvent, subject: Subject) -> list[Alert]:
    """Return the alert of a planted thing that was touched."""
    rule = "bait.engine-socket" if event.bait == ENGINE_SOCKET else "bait.read"
    evidence = {"bait": event.bait, "file": event.path, "command": event.command, "pid": str(event.pid)}
    return [raise_alert(rule, event.at, subject, Action.ALERTED, about=event.path, evidence=evidence)]


def _judge_privilege(event: PrivilegeEvent, subject: Subject) -> list[Alert]:
    """Return the alert of a system call that was refused."""
    rule = "kernel.escape" if _is_escape(event) else "kernel.call"
    evidence = {"call": event.call, "argument": event.argument, "command": event.command, "pid": str(event.pid)}
    about = f"{event.call} {event.argument}"
    return [raise_alert(rule, event.at, subject, Action.REFUSED, about=about, evidence=evidence)]


def _judge_conversation(event: ConversationEvent, subject: Subject) -> list[Alert]:
    """Return the alerts of what a sinkhole was told."""
    evidence = {
        "name": event.name,
        "request": event.request,
        "service": event.service.value,
        "address": event.address,
        "port": str(event.port),
    }
    found: list[tuple[str, str]] = []
    method = stratum_method(event.payload)
    if method or event.service is Service.STRATUM:
        evidence["sign"] = method or printable(event.payload[:80].decode("utf-8", "replace"))
        found.append(("net.miner-protocol", f"{event.address} {event.port}"))
    if pool := pool_of(event.name):
        found.append(("net.miner-pool", pool))
    if event.address in METADATA:
        found.append(("net.metadata", event.address))
    return [
        raise_alert(rule, event.at, subject, Action.ALERTED, about=about, evidence=evidence) for rule, about in found
    ]


def _is_escape(event: PrivilegeEvent) -> bool:
    if event.call == "chroot":
        return is_host_root(event.argument)
    if event.call not in _ESCAPES:
        return any(path.fullmatch(event.argument) for rule, path in _RULES_OF_FILES if rule == "kernel.escape")
    namespaces = [word for word in re.split(r"[\s,|]+", event.argument) if word]
    return event.call not in _NAMESPACE_CALLS or not all(_OWN_NAMESPACE.fullmatch(word) for word in namespaces)
