import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.advisories.cvss import base_score, rating
from pratique.model import Severity


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        # the examples document of the specification, and CVEs whose scores are public
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1),
        ("CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", 4.2),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5),  # Heartbleed
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),  # Shellshock
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),  # Log4Shell
        ("CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 6.8),
        ("CVSS:3.1/AV:L/AC:H/PR:L/UI:R/S:U/C:N/I:N/A:N", 0.0),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:C", 9.8),
    ],
)
def test_base_scores_are_those_of_the_specification(vector: str, score: float) -> None:
    assert base_score(vector) == score


@pytest.mark.parametrize(
    "vector",
    [
        "",
        "CVSS:3.1",
        "CVSS:3.1/AV:N",
        "CVSS:3.1/AV:Q/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "AV:N/AC:L/Au:N/C:P/I:P/A:P",
        "9.8",
    ],
)
def test_what_is_no_whole_vector_has_no_score(vector: str) -> None:
    assert base_score(vector) is None


@given(st.text())
def test_any_text_is_scored_or_not_without_error(vector: str) -> None:
    assert base_score(vector) is None or 0 <= base_score(vector) <= 10  # type: ignore[operator]


@pytest.mark.parametrize(
    ("severity", "lowest", "highest"),
    [
        (Severity.NEGLIGIBLE, 0.0, 0.0),
        (Severity.LOW, 0.1, 3.9),
        (Severity.MEDIUM, 4.0, 6.9),
        (Severity.HIGH, 7.0, 8.9),
        (Severity.CRITICAL, 9.0, 10.0),
    ],
)
def test_ratings_are_those_of_the_specification(severity: Severity, lowest: float, highest: float) -> None:
    assert rating(lowest) is rating(highest) is severity
