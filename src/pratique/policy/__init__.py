"""The policy document: schema, compilation, decisions.

In: YAML text, reports. Out: documents, kernel policies, verdicts. Never: does I/O beyond reading one named file.
"""

from pratique.policy.compile import UNLISTED_POLICY, compile_policies
from pratique.policy.decide import explain_fault, judge_report
from pratique.policy.document import (
    Access,
    Admission,
    Allow,
    Api,
    Builds,
    Document,
    Gate,
    ImagePolicy,
    Permit,
    Unlisted,
    parse,
    read,
    render,
)
from pratique.policy.first import first_policy

__all__ = [
    "UNLISTED_POLICY",
    "Access",
    "Admission",
    "Allow",
    "Api",
    "Builds",
    "Document",
    "Gate",
    "ImagePolicy",
    "Permit",
    "Unlisted",
    "compile_policies",
    "explain_fault",
    "first_policy",
    "judge_report",
    "parse",
    "read",
    "render",
]
