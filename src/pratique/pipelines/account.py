"""What a running agent tells to whoever watches it: a screen, a journal, a test."""

from typing import Protocol

from msgspec import Struct

from pratique.model import Alert, Decision, Report


class Status(Struct, frozen=True):
    """The agent's counters at one moment."""

    containers: int = 0
    images: int = 0
    flows: int = 0
    alerts: int = 0
    refused: int = 0
    """Requests that the guard refused."""
    lost: int = 0
    """Events that the kernel could not hand over."""


class Account(Protocol):
    """A listener. Its methods must not block and must not raise."""

    def say(self, text: str) -> None:
        """Tell a step or a change of state."""

    def warn(self, text: str, hint: str = "") -> None:
        """Tell of something that does not work as it should, and the next step."""

    def scanned(self, report: Report, fault: str) -> None:
        """Tell that an image was scanned; ``fault`` is empty when it may run."""

    def decided(self, decision: Decision) -> None:
        """Tell a decision of the guard."""

    def alerted(self, alert: Alert) -> None:
        """Tell an alert."""

    def status(self, status: Status) -> None:
        """Tell the counters, about once a second."""
