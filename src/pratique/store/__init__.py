"""What must last: images, reports, containers, flows, alerts, decisions, policies.

In: values of the model. Out: the same values, with the number and times that the store gave them. Never: judges.
A call that returned has been written to the disk (``synchronous=FULL``): a killed process or a power cut loses
nothing that was acknowledged. Times are seconds since the epoch, UTC.
"""

from pratique.store.carriers import View
from pratique.store.families import PARDON, Condemnation, Families
from pratique.store.hit import Hit
from pratique.store.opened import OpenedCode, OpenedFiles
from pratique.store.quarantines import Quarantine, Quarantines
from pratique.store.records import (
    AlertRecord,
    ChainCheck,
    ContainerRecord,
    DecisionRecord,
    FlowRecord,
    HitImage,
    ImageRecord,
    KnownFlaw,
    KnownPackage,
    Placed,
    PolicyRecord,
    ReportSummary,
)
from pratique.store.store import Store

__all__ = [
    "PARDON",
    "AlertRecord",
    "ChainCheck",
    "Condemnation",
    "ContainerRecord",
    "DecisionRecord",
    "Families",
    "FlowRecord",
    "Hit",
    "HitImage",
    "ImageRecord",
    "KnownFlaw",
    "KnownPackage",
    "OpenedCode",
    "OpenedFiles",
    "Placed",
    "PolicyRecord",
    "Quarantine",
    "Quarantines",
    "ReportSummary",
    "Store",
    "View",
]
