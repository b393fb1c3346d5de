"""CVSS base scores: from a vector to a number and a severity.

Source: FIRST, CVSS v3.1 specification, sections 5, 7.1 and 7.4 and appendix A.
"""

from typing import Final

from pratique.advisories import cvss4
from pratique.model import Severity

_ATTACK_VECTOR: Final = {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2}
_ATTACK_COMPLEXITY: Final = {"L": 0.77, "H": 0.44}
_PRIVILEGES: Final = {"N": 0.85, "L": 0.62, "H": 0.27}
_PRIVILEGES_CHANGED: Final = {"N": 0.85, "L": 0.68, "H": 0.5}
_INTERACTION: Final = {"N": 0.85, "R": 0.62}
_IMPACT: Final = {"H": 0.56, "L": 0.22, "N": 0.0}
_MAX_VECTOR_LENGTH: Final = 512


def metrics(vector: str) -> dict[str, str]:
    """Return metric → value of a vector ``CVSS:3.1/AV:N/…``, the version under ``CVSS``."""
    parts = (part.partition(":") for part in vector[:_MAX_VECTOR_LENGTH].strip().split("/"))
    return {metric: value for metric, _, value in parts}


def base_score(vector: str) -> float | None:
    """Return the base score, 0.0 to 10.0, of a CVSS 3.0, 3.1 or 4.0 vector; None if it is not a whole valid vector."""
    given = metrics(vector)
    if given.get("CVSS") == "4.0":
        return cvss4.base_score(given)
    if given.get("CVSS") not in {"3.0", "3.1"} or given.get("S") not in {"U", "C"}:
        return None
    changed = given["S"] == "C"
    try:
        confidentiality, integrity, availability = (_IMPACT[given[metric]] for metric in "CIA")
        exploitability = (
            8.22
            * _ATTACK_VECTOR[given["AV"]]
            * _ATTACK_COMPLEXITY[given["AC"]]
            * (_PRIVILEGES_CHANGED if changed else _PRIVILEGES)[given["PR"]]
            * _INTERACTION[given["UI"]]
        )
    except KeyError:
        return None
    base = 1 - (1 - confidentiality) * (1 - integrity) * (1 - availability)
    impact = 7.52 * (base - 0.029) - 3.25 * (base - 0.02) ** 15 if changed else 6.42 * base
    if impact <= 0:
        return 0.0
    return _round_up(min((1.08 if changed else 1.0) * (impact + exploitability), 10.0))


def rating(score: float) -> Severity:
    """Return the severity of a score (section 5; the rating "None" is negligible)."""
    if score <= 0:
        return Severity.NEGLIGIBLE
    if score < 4:
        return Severity.LOW
    if score < 7:
        return Severity.MEDIUM
    return Severity.HIGH if score < 9 else Severity.CRITICAL


def _round_up(score: float) -> float:
    # the specification rounds up to one decimal, with integers, so that every implementation agrees
    hundred_thousandths = round(score * 100_000)
    if hundred_thousandths % 10_000 == 0:
        return hundred_thousandths / 100_000
    return (hundred_thousandths // 10_000 + 1) / 10
