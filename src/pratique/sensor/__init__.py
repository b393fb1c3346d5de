"""Loads the BPF programs, puts policies in, gets events out.

In: kernel policies, container ids. Out: sensor events and flow counters. Never: knows why a rule exists.

One :class:`Sensor` is the whole interface. Behind it each feature (``egress``, ``process``, ``packet-socket``,
``packet-link``, ``opened``) is a blob of its own, so that a kernel that refuses one still runs the others.
"""

from pratique.sensor.cgroups import Parent, ParentKind
from pratique.sensor.egress import FlowCounter
from pratique.sensor.sensor import LIVE, Sensor

__all__ = ["LIVE", "FlowCounter", "Parent", "ParentKind", "Sensor"]
