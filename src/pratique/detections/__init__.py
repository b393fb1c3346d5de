"""Rules over facts, wherever these come from.

In: sensor events, decisions, reports. Out: alerts with MITRE ATT&CK techniques. Never: does I/O.
"""
