"""What a person reads: one message however many alerts, the worst first, and nothing that a chat would obey."""

from msgspec.structs import replace

from pratique.exporters import Digest
from pratique.exporters.message import is_wanted
from pratique.exporters.targets import Target
from pratique.model import Severity
from pratique.store import AlertRecord
from tests.unit.store.values import alert

TARGET = Target("ops", "json://x", at_least=Severity.LOW)


def record(number: int, *, count: int = 1, **fields: object) -> AlertRecord:
    return AlertRecord(number, replace(alert(), **fields), count, 100.0)


def test_one_alert_is_its_own_title() -> None:
    digest = Digest(TARGET)
    digest.add([record(1, title="a miner was killed", image_name="evil/x:1", container_name="x")])
    message = digest.message("host1")
    assert message.title == "Pratique on host1: a miner was killed"
    assert message.body == "1970-01-01 00:01:40Z high, denied: a miner was killed (net.egress) evil/x:1 x"
    assert message.severity is Severity.HIGH


def test_hundred_thousand_alerts_are_one_message_with_their_number() -> None:
    digest = Digest(TARGET)
    for start in range(0, 100_000, 1000):
        digest.add(record(n, title=f"kind {n % 50}", severity=Severity.LOW) for n in range(start, start + 1000))
    digest.add([record(100_001, count=7, title="the worst", severity=Severity.CRITICAL)])
    message = digest.message("host1")
    assert message.title == "Pratique on host1: 100007 alerts, the worst critical: the worst"
    lines = message.body.splitlines()
    assert len(lines) == 21
    assert "the worst" in lines[0]
    assert lines[0].endswith("7 times")
    told = 7 + sum(int(line.split()[-2]) for line in lines[1:20])
    assert lines[20] == f"… and {100_007 - told} more: pratique alerts"


def test_every_alert_of_a_kind_of_its_own_stays_bounded() -> None:
    digest = Digest(TARGET)
    digest.add(record(n, title=f"kind {n}") for n in range(5000))
    assert digest.message("h").body.endswith(f"… and {5000 - 20} more: pratique alerts")


def test_rules_choose() -> None:
    drift, library = replace(alert(), rule="drift.exec"), replace(alert(), rule="drift.library")
    some = replace(TARGET, rules=("drift.*", "!drift.library"))
    assert [is_wanted(entry, some) for entry in (drift, library, alert())] == [True, False, False]
    but = replace(TARGET, rules=("!drift.*",))
    assert [is_wanted(entry, but) for entry in (drift, alert())] == [False, True]
    assert not is_wanted(replace(alert(), severity=Severity.NEGLIGIBLE), TARGET)


def test_name_of_an_image_calls_nobody_and_marks_nothing_up() -> None:
    digest = Digest(replace(TARGET, title="$summary", line="$title $image $evidence"))
    hostile = "@everyone <!channel> `x` \x1b[31m\nSubject: forged"
    digest.add([record(1, title=hostile, image_name=hostile, evidence={"a": hostile})])
    message = digest.message("h")
    for text in (message.title, message.body):
        assert not set("@<`\x1b\n\r") & set(text)
