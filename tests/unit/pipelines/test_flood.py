from hypothesis import given
from hypothesis import strategies as st

from pratique.model import Decision, Verdict
from pratique.pipelines.flood import KEPT, WINDOW_S, Flood


def refusal(at: float, rule: str = "build.denied", source: str = "local") -> Decision:
    return Decision(at=at, verdict=Verdict.DENY, rule=rule, subject="POST /build", reason="no", source=source)


def test_a_few_refusals_are_all_recorded() -> None:
    flood = Flood()
    asked = [refusal(float(number)) for number in range(KEPT)]
    assert [kept for decision in asked for kept in flood.pass_on(decision)] == asked


def test_of_a_flood_the_beginning_and_the_number_are_recorded() -> None:
    flood = Flood()
    kept = [kept for _ in range(10_000) for kept in flood.pass_on(refusal(1.0))]
    assert len(kept) == KEPT
    number, next_window = flood.pass_on(refusal(1.0 + WINDOW_S))
    assert "and 9900 more like this" in number.reason
    assert next_window.at == 1.0 + WINDOW_S


def test_a_flood_hides_no_other_rule_and_no_other_source() -> None:
    flood = Flood()
    for _ in range(10_000):
        list(flood.pass_on(refusal(1.0)))
    assert list(flood.pass_on(refusal(1.0, rule="create.privileged")))
    assert list(flood.pass_on(refusal(1.0, source="somebody")))


def test_the_number_is_told_at_the_end_too() -> None:
    flood = Flood()
    for _ in range(KEPT + 5):
        list(flood.pass_on(refusal(1.0)))
    assert ["and 5 more" in decision.reason for decision in flood.rest()] == [True]
    assert not list(flood.rest())


@given(st.lists(st.booleans(), max_size=400))
def test_permissions_always_pass(denials: list[bool]) -> None:
    flood = Flood()
    for denied in denials:
        decision = refusal(1.0) if denied else Decision(at=1.0, verdict=Verdict.ALLOW, rule="start", subject="x")
        kept = list(flood.pass_on(decision))
        assert denied or kept == [decision]
