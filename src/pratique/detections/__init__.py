"""Rules over what happens and over what is there.

In: sensor events with their subject, decisions of the guard, reports, containers, recordings of the sandbox. Out:
alerts with MITRE ATT&CK techniques, and the verdict over a recording. Never: does I/O, reads a clock, cares whether an
event is live or recorded.
"""

from pratique.detections.detector import Detector
from pratique.detections.families import image_condemned, image_kin
from pratique.detections.findings import image_behaved, image_found, intruder, posture
from pratique.detections.recordings import judge_recording
from pratique.detections.rule import Rule
from pratique.detections.rules import RULES
from pratique.detections.subject import Subject
from pratique.detections.verdicts import conclude

__all__ = [
    "RULES",
    "Detector",
    "Rule",
    "Subject",
    "conclude",
    "image_behaved",
    "image_condemned",
    "image_found",
    "image_kin",
    "intruder",
    "judge_recording",
    "posture",
]
