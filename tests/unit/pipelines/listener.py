"""An account that remembers what it was told."""

from pratique.model import Alert, Decision, Report
from pratique.pipelines.account import Status


class Listener:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.scans: list[tuple[str, str]] = []
        self.decisions: list[Decision] = []
        self.alerts: list[Alert] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str, hint: str = "") -> None:
        self.warned.append(f"{text} {hint}".strip())

    def scanned(self, report: Report, fault: str) -> None:
        self.scans.append((report.image.id, fault))

    def decided(self, decision: Decision) -> None:
        self.decisions.append(decision)

    def alerted(self, alert: Alert) -> None:
        self.alerts.append(alert)

    def status(self, status: Status) -> None:
        pass
