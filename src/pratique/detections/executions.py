"""Rules over what was executed. Pure."""

from pratique.detections.intrusions import covers_tracks, leaves_container, unpacks_into_shell
from pratique.detections.miners import miner_sign
from pratique.detections.shells import installs_software, is_piped_download, is_reverse_shell
from pratique.detections.subject import Subject, raise_alert
from pratique.model import Action, Alert, ExecEvent, ExecFlag


def judge_execution(event: ExecEvent, subject: Subject) -> list[Alert]:
    """Return the alerts of an execution, or of a file that was mapped executable."""
    action = Action.KILLED if ExecFlag.KILLED in event.flags else Action.ALERTED
    evidence = {
        "file": event.filename,
        "interpreter": event.interpreter,
        "arguments": " ".join(event.arguments),
        "command": event.command,
        "parent": event.parent_command,
        "pid": str(event.pid),
        "uid": str(event.uid),
    }
    origin = _origin(event.flags, subject)
    rules = [origin] if origin else []
    if ExecFlag.LIBRARY not in event.flags:
        sign = miner_sign(event.filename, event.arguments)
        if sign:
            evidence["sign"] = sign
            rules.append("exec.miner")
        rules.extend(_command_line(event, subject))
    return [raise_alert(rule, event.at, subject, action, about=event.filename, evidence=evidence) for rule in rules]


def _origin(flags: ExecFlag, subject: Subject) -> str:
    """Return the rule that the file's origin breaks, or ``""`` for a file of the image."""
    killed, upper, lower = ExecFlag.KILLED in flags, ExecFlag.UPPER in flags, ExecFlag.LOWER in flags
    ways = (
        (ExecFlag.MEMFD in flags and ExecFlag.LIBRARY not in flags, "exec.fileless"),
        (subject.build and not killed, ""),  # a build step makes new programs: that is what it is for
        (ExecFlag.LIBRARY in flags, "exec.library"),  # the sensor tells of none but foreign ones
        (ExecFlag.NOT_OVERLAY in flags and ExecFlag.READ_ONLY not in flags, "exec.volume"),
        (upper and not lower, "exec.drift"),
        (ExecFlag.MODIFIED in flags, "exec.modified"),
        (upper and (killed or not subject.may_change_metadata), "exec.touched"),
        (killed, "exec.drift"),
    )
    return next((rule for holds, rule in ways if holds), "")


def _command_line(event: ExecEvent, subject: Subject) -> list[str]:
    rules = []
    if is_reverse_shell(event.filename, event.arguments):
        rules.append("exec.reverse-shell")
    if is_piped_download(event.filename, event.arguments):
        rules.append("exec.piped-download")
    if unpacks_into_shell(event.filename, event.arguments):
        rules.append("exec.decoded")
    if leaves_container(event.filename, event.arguments):
        rules.append("exec.escape")
    if not subject.build and covers_tracks(event.filename, event.arguments):  # a build's clean-up is no such thing
        rules.append("exec.covers-tracks")
    if not subject.build and installs_software(event.filename, event.arguments):
        rules.append("exec.package-manager")
    return rules
