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
        # FIRST's calculator
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10.0),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:L/VI:H/VA:L/SC:N/SI:H/SA:L", 9.2),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:P/VC:L/VI:N/VA:L/SC:N/SI:H/SA:N", 6.3),
        ("CVSS:4.0/AV:N/AC:L/AT:P/PR:H/UI:A/VC:N/VI:L/VA:L/SC:L/SI:N/SA:N", 1.8),
        ("CVSS:4.0/AV:N/AC:H/AT:P/PR:N/UI:N/VC:H/VI:N/VA:N/SC:H/SI:L/SA:N", 9.0),
        ("CVSS:4.0/AV:P/AC:H/AT:P/PR:H/UI:A/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0.0),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U/CR:L", 9.3),
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
        "CVSS:4.0/AV:N/AC:L",
        "CVSS:4.0/AV:NA/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
        "CVSS:4.0/AV:/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
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


V4 = {
    "AV": "NALP",
    "AC": "LH",
    "AT": "NP",
    "PR": "NLH",
    "UI": "NPA",
    **dict.fromkeys(("VC", "VI", "VA", "SC", "SI", "SA"), "HLN"),
}


@given(
    st.fixed_dictionaries({metric: st.sampled_from(values) for metric, values in V4.items()}), st.sampled_from(list(V4))
)
def test_a_milder_value_never_gives_a_higher_score(chosen: dict[str, str], metric: str) -> None:
    milder = V4[metric][min(V4[metric].index(chosen[metric]) + 1, len(V4[metric]) - 1)]

    def score(values: dict[str, str]) -> float:
        found = base_score("CVSS:4.0/" + "/".join(f"{name}:{value}" for name, value in values.items()))
        assert found is not None
        return found

    assert score({**chosen, metric: milder}) <= score(chosen)
