from pratique.model import Action, Alert, Severity
from pratique.pipelines.respond import reactions
from pratique.policy import Reaction, Respond

DRIFT = Alert(at=0.0, rule="exec.drift", severity=Severity.HIGH, title="drift", action=Action.KILLED)


def test_a_line_holds_for_its_rule_and_for_whatever_is_as_severe() -> None:
    on_rule, on_severity = Respond("exec.drift", (Reaction.CAPTURE,)), Respond("medium", (Reaction.QUARANTINE,))
    assert reactions((on_rule, on_severity), DRIFT) == [Reaction.CAPTURE, Reaction.QUARANTINE]
    assert reactions((Respond("critical", (Reaction.KILL,)), Respond("net.scan", (Reaction.STOP,))), DRIFT) == []


def test_each_reaction_comes_once_in_the_order_of_the_lines() -> None:
    lines = (Respond("high", (Reaction.CAPTURE, Reaction.QUARANTINE)), Respond("exec.drift", (Reaction.CAPTURE,)))
    assert reactions(lines, DRIFT) == [Reaction.CAPTURE, Reaction.QUARANTINE]
