"""The process that delivers one message through Apprise, and then ends.

A process of its own can be ended when its time is up, whatever library waits for whatever server; it keeps Apprise,
25 MB, out of the agent; and the URL with its secrets comes over a pipe, never on a command line.
"""

import sys

import msgspec
from msgspec import Struct

from pratique.model import Severity

_FAILED = 1
_UNKNOWN = 2


class Order(Struct, frozen=True):
    """What to deliver, and where."""

    url: str
    title: str
    body: str
    severity: Severity


def main() -> int:
    """Read an order, deliver it, print in one line why it failed."""
    import apprise  # noqa: PLC0415  # only this process needs it

    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    grave = order.severity.rank >= Severity.HIGH.rank
    kind = apprise.NotifyType.FAILURE if grave else apprise.NotifyType.WARNING
    with apprise.LogCapture(level=apprise.logging.WARNING) as log:  # type: ignore[no-untyped-call]  # Apprise leaves it so
        messenger = apprise.Apprise()
        if not messenger.add(order.url):
            sys.stdout.write("Apprise knows no such URL")
            return _UNKNOWN
        sent = messenger.notify(
            body=order.body, title=order.title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT
        )
        if sent:
            return 0
        lines = log.getvalue().strip().splitlines()
    sys.stdout.write(lines[-1] if lines else "it was not taken")
    return _FAILED


if __name__ == "__main__":
    sys.exit(main())
