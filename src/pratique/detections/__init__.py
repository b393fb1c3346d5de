"""Rules over what happens and over what is there.

In: sensor events with their subject, decisions of the guard, reports, containers. Out: alerts with MITRE ATT&CK
techniques. Never: does I/O, reads a clock, cares whether an event is live or recorded.
"""

from pratique.detections.detector import Detector
from pratique.detections.findings import image_found, intruder, posture
from pratique.detections.rules import RULES, Rule
from pratique.detections.subject import Subject

__all__ = ["RULES", "Detector", "Rule", "Subject", "image_found", "intruder", "posture"]
