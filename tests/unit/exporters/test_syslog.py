"""Syslog messages as RFC 5424 has them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pratique.exporters.syslog import Receiver, encode, encode_text, parse_receiver
from pratique.model import Severity
from tests.unit.store.values import alert

UNIX = Receiver("unix", "/dev/log")
GRAMMAR = re.compile(
    r"<(?P<priority>\d{1,3})>1 (?P<time>\S+) (?P<host>[!-~]{1,255}) pratique \d+ (?P<kind>alert|note) "
    r'(?P<data>-|\[alert@32473(?: [!-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\]) (?P<text>.*)'
)
TEXT = st.text(max_size=60)


def test_alert_is_a_message_with_structured_data() -> None:
    match = GRAMMAR.fullmatch(encode(alert(), 3, UNIX, "host1").decode())
    assert match is not None
    assert match["priority"] == str(4 * 8 + 3)
    assert match["time"] == "1970-01-01T00:01:40.000000Z"
    assert 'rule="net.egress"' in match["data"]
    assert 'count="3"' in match["data"]
    assert 'evidence_address="1.2.3.4"' in match["data"]
    assert match["text"] == "t"


@given(TEXT, TEXT, st.dictionaries(TEXT, TEXT, max_size=30), st.sampled_from(Severity), TEXT)
def test_any_alert_keeps_the_grammar_and_its_bound(
    title: str, name: str, evidence: dict[str, str], severity: Severity, host: str
) -> None:
    some = replace(alert(), title=title, image_name=name, container_name=name, evidence=evidence, severity=severity)
    for transport, bound in (("udp", 2048), ("unix", 8192)):
        message = encode(some, 1, Receiver(transport, "x"), host)
        assert len(message) <= bound
        assert GRAMMAR.fullmatch(message.decode())


def test_long_alert_is_cut_between_characters() -> None:
    message = encode(replace(alert(), title="ü" * 5000), 1, Receiver("udp", "x"), "h")
    assert 2046 <= len(message) <= 2048
    assert message.decode().endswith("ü")


def test_line_of_ours() -> None:
    match = GRAMMAR.fullmatch(encode_text("and 7 more alerts", 0.0, UNIX, "h ost\n").decode())
    assert match is not None
    assert (match["host"], match["data"], match["text"]) == ("host", "-", "and 7 more alerts")


@pytest.mark.parametrize(
    ("url", "receiver"),
    [
        ("syslog+unix:///dev/log", Receiver("unix", "/dev/log")),
        ("syslog+udp://logs.example", Receiver("udp", "logs.example", 514)),
        ("syslog+tcp://[::1]:6514?facility=local3", Receiver("tcp", "::1", 6514, 19)),
    ],
)
def test_receiver_is_a_url(url: str, receiver: Receiver) -> None:
    assert parse_receiver(url) == receiver
