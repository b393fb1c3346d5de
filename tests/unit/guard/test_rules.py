"""Rule ids are stable, used, and told in the documentation."""

import re
from pathlib import Path

from pratique.guard import RULES
from pratique.guard.routes import ROUTES, Power, find
from pratique.policy import Permit

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "src/pratique/guard"


def test_every_rule_is_documented_and_nothing_else() -> None:
    table = (ROOT / "docs/guard.md").read_text().partition("\n## Rules\n")[2].partition("\n## ")[0]
    documented = dict(re.findall(r"^\| `([a-z.-]+)` \| (.+) \|$", table, re.MULTILINE))
    assert documented == RULES


def test_every_rule_is_used() -> None:
    code = "".join(path.read_text() for path in SOURCES.glob("*.py") if path.name != "refusal.py")
    assert [rule for rule in RULES if f'"{rule}"' not in code] == []


def test_every_rule_that_is_used_is_listed() -> None:
    code = "".join(path.read_text() for path in SOURCES.glob("*.py"))
    used = set(re.findall(r'(?:refuse|Refusal|Violation)\(\s*"([a-z]+\.[a-z-]+)"', code))
    assert used - RULES.keys() == set()


def test_every_permit_can_be_needed() -> None:
    code = (SOURCES / "container.py").read_text()
    assert [permit for permit in Permit if f"Permit.{permit.name}" not in code] == []


def test_every_power_has_an_endpoint() -> None:
    assert {route.power for route in ROUTES} == set(Power)


def test_every_endpoint_is_found_by_the_first_pattern_that_fits() -> None:
    for route in ROUTES:
        path = route.pattern.pattern.replace("\\", "")
        path = re.sub(r"\(\?P<name>\[\^/\]\+\)|\(\?P<name>\.\+\)|\[\^/\]\+|\.\*", "x", path)
        assert find(route.method, path)[0] is route
