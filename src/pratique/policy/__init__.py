"""The policy document: schema, compilation, decisions.

In: YAML text, reports. Out: documents, kernel policies, verdicts. Never: does I/O beyond reading one named file.
"""

from pratique.policy.change import allow_more, ruling
from pratique.policy.compile import QUARANTINE, UNLISTED_POLICY, compile_policies
from pratique.policy.decide import explain_fault, judge_detonation, judge_report
from pratique.policy.document import (
    Access,
    Admission,
    Allow,
    Api,
    Builds,
    Detonated,
    Document,
    Gate,
    ImagePolicy,
    Inherit,
    Permit,
    Reaction,
    Require,
    Respond,
    Unlisted,
    parse,
    read,
)
from pratique.policy.extend import add_id, remove_id
from pratique.policy.first import first_policy
from pratique.policy.inherit import may_inherit
from pratique.policy.learn import Lesson, learn
from pratique.policy.profile import (
    Merged,
    Owner,
    Peer,
    Profile,
    ProfiledImage,
    merge_profile,
    parse_profile,
    profile_of,
    render_profile,
    repository,
)
from pratique.policy.write import render, render_rule

__all__ = [
    "QUARANTINE",
    "UNLISTED_POLICY",
    "Access",
    "Admission",
    "Allow",
    "Api",
    "Builds",
    "Detonated",
    "Document",
    "Gate",
    "ImagePolicy",
    "Inherit",
    "Lesson",
    "Merged",
    "Owner",
    "Peer",
    "Permit",
    "Profile",
    "ProfiledImage",
    "Reaction",
    "Require",
    "Respond",
    "Unlisted",
    "add_id",
    "allow_more",
    "compile_policies",
    "explain_fault",
    "first_policy",
    "judge_detonation",
    "judge_report",
    "learn",
    "may_inherit",
    "merge_profile",
    "parse",
    "parse_profile",
    "profile_of",
    "read",
    "remove_id",
    "render",
    "render_profile",
    "render_rule",
    "repository",
    "ruling",
]
