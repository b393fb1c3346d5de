"""CVSS 4.0 base scores.

A vector belongs to a set of vectors by four of its qualities: how easily it is exploited, how complex that is, the
impact on the vulnerable system, and the impact on others. Each set has a score, which is lowered by how far the vector
is below the worst vectors of its set, measured by the scores of the sets next below. Threat and environment are left
out (CVSS-B): the worst is assumed of both.

Source: FIRST, CVSS v4.0 specification, section 8 and tables 24 to 30; the sets' scores are those of FIRST's calculator.
"""

from collections.abc import Mapping, Sequence
from typing import Final

_VALUES: Final = {
    "AV": ("N", "A", "L", "P"),
    "PR": ("N", "L", "H"),
    "UI": ("N", "P", "A"),
    "AC": ("L", "H"),
    "AT": ("N", "P"),
    **dict.fromkeys(("VC", "VI", "VA", "SC", "SI", "SA"), ("H", "L", "N")),
}
"""Metric → its values, worst first; a step from one to the next is the unit of distance."""

_SCORES: Final = {
    (0, 0): ((10, 9.3), (9.6, 9), (9.3, 8.8), (9.2, 8), (7.9, 6.9)),
    (0, 1): ((9.5, 9.2), (9.1, 8.1), (9.2, 8.4), (8.2, 7), (7.1, 6.3)),
    (1, 0): ((9.4, 8.7), (8.9, 7.5), (8.6, 7.2), (7.6, 5.7), (6.5, 5.3)),
    (1, 1): ((9, 7.7), (7.7, 6.6), (7.4, 6.1), (5.9, 5.2), (5.8, 2.3)),
    (2, 0): ((8.6, 7), (7.4, 5.4), (7.2, 5.3), (5.7, 3.6), (4.7, 2.4)),
    (2, 1): ((7.3, 5.4), (5.5, 4.3), (6.1, 4.6), (5.1, 1.8), (2.4, 1)),
}
"""(EQ1, EQ2) → for EQ3 and EQ6 of 00, 01, 10, 11, 21 → scores for EQ4 of 1 and 2; EQ5 is 0."""
_IMPACT_ROWS: Final = (0, 2, 4)
_IMPACT_ROWS_BELOW: Final = ((1, 2), (3,), ())

_WORST_EXPLOIT: Final = (((0, 0, 0),), ((1, 0, 0), (0, 1, 0), (0, 0, 1)), ((3, 0, 0), (1, 1, 1)))
_WORST_COMPLEXITY: Final = (((0, 0),), ((1, 0), (0, 1)))
_WORST_IMPACT: Final = (((0, 0, 0),), ((1, 0, 0), (0, 1, 0)), ((1, 1, 1),))
_WORST_OTHERS: Final = (((0, 0, 0),), ((1, 1, 1),))
_DEPTHS: Final = ((1, 4, 5), (1, 2), (7, 8, 10), (5, 4))
"""Steps from the worst to the mildest vector of each set, for the four qualities."""


def base_score(given: Mapping[str, str]) -> float | None:
    """Return the base score, 0.0 to 10.0, of the metrics of a CVSS 4.0 vector; None if one is missing or not valid."""
    try:
        steps = {metric: values.index(given[metric]) for metric, values in _VALUES.items()}
    except (KeyError, ValueError):
        return None
    exploit, complexity, impact, others = (
        tuple(steps[metric] for metric in metrics.split()) for metrics in ("AV PR UI", "AC AT", "VC VI VA", "SC SI SA")
    )
    if impact == others == (2, 2, 2):
        return 0.0
    ranks = (
        0 if not any(exploit) else 2 if exploit[0] == 3 or all(exploit) else 1,
        int(any(complexity)),
        0 if impact[:2] == (0, 0) else 1 if 0 in impact else 2,
        0 if 0 in others else 1,
    )
    worst = (_WORST_EXPLOIT, _WORST_COMPLEXITY, _WORST_IMPACT, _WORST_OTHERS)
    vectors = (exploit, complexity, impact, others)
    score = _score(*ranks)
    lowered = 0.0
    counted = 1  # EQ5 always has a set below, at distance 0
    for quality, below in enumerate(_below(*ranks)):
        if below is not None:
            rank = ranks[quality]
            distance = _distance(vectors[quality], worst[quality][rank])
            lowered += (score - below) * distance / _DEPTHS[quality][rank]
            counted += 1
    return int((score - lowered / counted) * 10 + 0.5 + 1e-9) / 10


def _score(exploit: int, complexity: int, impact: int, others: int) -> float:
    return _SCORES[exploit, complexity][_IMPACT_ROWS[impact]][others]


def _below(exploit: int, complexity: int, impact: int, others: int) -> tuple[float | None, ...]:
    """Return the scores of the sets next below in each quality, None where there is none."""
    rows = _SCORES[exploit, complexity]
    return (
        _score(exploit + 1, complexity, impact, others) if exploit < 2 else None,
        _score(exploit, complexity + 1, impact, others) if complexity < 1 else None,
        max((rows[row][others] for row in _IMPACT_ROWS_BELOW[impact]), default=None),
        _score(exploit, complexity, impact, others + 1) if others < 1 else None,
    )


def _distance(vector: Sequence[int], worst: Sequence[Sequence[int]]) -> int:
    """Return how many steps a vector is below the first of the worst that it is nowhere above."""
    return next(
        sum(vector) - sum(top) for top in worst if all(own >= other for own, other in zip(vector, top, strict=True))
    )
