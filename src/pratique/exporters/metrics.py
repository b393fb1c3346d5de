"""The agent's counters for Prometheus, in a registry of their own. Labels are few and ours: never a name of a stranger.

Names follow ``pratique_<what>_<unit>``; see docs/notify.md.
"""

import time
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from pratique import __version__
from pratique.model import Alert, Decision, Detonation, Report

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, of no use here
_SCAN_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)


class Metrics:
    """What happened since the agent was started. Its methods neither block nor raise."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        build = Gauge("pratique_build_info", "1, with the version as a label.", ["version"], registry=registry)
        build.labels(__version__).set(1)
        Gauge("pratique_start_time_seconds", "When the agent was started.", registry=registry).set(time.time())
        self._protecting = Gauge("pratique_up", "1 while the agent protects the host.", registry=registry)
        self._alerts = Counter(
            "pratique_alerts_total", "Alerts, repetitions included.", ["rule", "severity", "action"], registry=registry
        )
        self._decisions = Counter(
            "pratique_decisions_total", "Decisions of the guard.", ["verdict", "rule"], registry=registry
        )
        self._scans = Counter("pratique_scans_total", "Images that were scanned.", ["result"], registry=registry)
        self._scan_seconds = Histogram(
            "pratique_scan_duration_seconds", "How long a scan took.", registry=registry, buckets=_SCAN_SECONDS
        )
        self._detonations = Counter(
            "pratique_detonations_total", "Images that were run in the sandbox.", ["verdict"], registry=registry
        )
        self._messages = Counter(
            "pratique_notifications_total", "Messages to those who are told.", ["target", "result"], registry=registry
        )
        self._containers = Gauge("pratique_containers", "Containers on this host.", registry=registry)
        self._images = Gauge("pratique_images", "Images on this host.", registry=registry)
        self._flows = Gauge("pratique_flows", "Flows that the kernel told of.", registry=registry)
        self._lost = Counter(
            "pratique_events_lost_total", "Events that the kernel could not hand over.", registry=registry
        )
        self._lost_before = 0

    def alert(self, alert: Alert) -> None:
        """Count an alert."""
        self._alerts.labels(alert.rule, alert.severity.value, alert.action.value).inc()

    def decision(self, decision: Decision) -> None:
        """Count a decision."""
        self._decisions.labels(decision.verdict.value, decision.rule).inc()

    def scan(self, report: Report, *, passed: bool) -> None:
        """Count a scan."""
        self._scans.labels("passed" if passed else "refused").inc()
        self._scan_seconds.observe(report.duration_s)

    def detonation(self, detonation: Detonation) -> None:
        """Count a run in the sandbox."""
        self._detonations.labels(detonation.verdict.value).inc()

    def message(self, target: str, sent: bool) -> None:
        """Count an attempt to tell somebody."""
        self._messages.labels(target, "sent" if sent else "failed").inc()

    def status(self, *, containers: int, images: int, flows: int, lost: int) -> None:
        """Take over the numbers of the moment.

        :param lost: events lost since the agent was started
        """
        self._protecting.set(1)
        self._containers.set(containers)
        self._images.set(images)
        self._flows.set(flows)
        self._lost.inc(max(0, lost - self._lost_before))
        self._lost_before = max(lost, self._lost_before)

    def text(self) -> bytes:
        """Return all as Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)
