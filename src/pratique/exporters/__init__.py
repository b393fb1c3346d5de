"""Tells the world outside: metrics, messages, syslog.

In: alerts, decisions, counters. Out: Prometheus text, syslog, messages of every kind. Never: decides what is worth
telling (rules do), shows a URL, holds up the agent. Prometheus' and Apprise's libraries are imported only where used.
"""

from pratique.exporters.endpoint import parse_address, serve_metrics
from pratique.exporters.message import Digest, Message
from pratique.exporters.notifier import Notifier
from pratique.exporters.send import deliver
from pratique.exporters.targets import Target, parse_targets, read_targets

__all__ = [
    "Digest",
    "Message",
    "Notifier",
    "Target",
    "deliver",
    "parse_address",
    "parse_targets",
    "read_targets",
    "serve_metrics",
]
