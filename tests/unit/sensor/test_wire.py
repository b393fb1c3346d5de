"""The structs of ``wire.h`` as the C compiler lays them out and as Python reads and writes them."""

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.model import DriftMode, EgressMode, EgressRule, KernelPolicy, Protocol
from pratique.sensor import egress, opened, wire
from tests.conftest import cannot

HEADER = Path(__file__).parents[3] / "bpf" / "include" / "pratique" / "wire.h"
EVENT = ("header.at", "header.cgroup", "header.kind", "header.pid")
LAYOUTS: dict[str, tuple[struct.Struct, tuple[str, ...]]] = {
    "pq_event_header": (wire.HEADER, ("at", "cgroup", "kind", "pid")),
    "pq_slot": (wire.SLOT, ("policy", "egress", "drift", "allow_changed_metadata", "rules")),
    "pq_binding": (wire.BINDING, ("slot", "kind", "name")),
    "pq_parent": (wire.PARENT, ("cgroup", "level", "kind")),
    "pq_ticket": (wire.NUMBER, ("slot",)),
    "pq_rule_key": (egress.RULE_KEY, ("prefixlen", "slot", "port", "protocol", "family", "address")),
    "pq_flow_key": (
        egress.FLOW_KEY,
        ("cgroup", "policy", "port", "protocol", "family", "direction", "verdict", "unused", "address"),
    ),
    "pq_flow_value": (egress.FLOW_VALUE, ("packets", "bytes", "first", "last", "told", "command")),
    "pq_opened_event": (opened.OPENED_EVENT, (*EVENT, "names")),
    "pq_cgroup_event": (egress.CGROUP_EVENT, (*EVENT, "created", "slot", "kind", "unused", "name")),
}
PREFIXES: dict[str, tuple[struct.Struct, tuple[str, ...], int]] = {
    "pq_config": (
        wire.CONFIG,
        ("generation", "default_slot", "host_netns", "parent_count", "unused", "parents"),
        wire.MAX_PARENTS * wire.PARENT.size,
    ),
    "pq_payload_event": (
        egress.PAYLOAD_EVENT,
        (*EVENT, "address", "port", "protocol", "family", "length", "payload"),
        egress.PAYLOAD_BYTES,
    ),
}
CONSTANTS: dict[str, int] = {
    **{f"PQ_EVENT_{kind.name}": kind.value for kind in wire.EventKind},
    **{f"PQ_RULE_{shape.name}": shape.value for shape in wire.RuleShape},
    **{f"PQ_BOUND_{kind.name}": kind.value for kind in wire.BindingKind},
    "PQ_MAX_PARENTS": wire.MAX_PARENTS,
    "PQ_NAME_BYTES": wire.NAME_BYTES,
    "PQ_PAYLOAD_BYTES": egress.PAYLOAD_BYTES,
    "sizeof(struct pq_flow_event)": egress.FLOW_EVENT_SIZE,
    "sizeof(struct pq_ticket_key)": wire.NAME_BYTES,
}


def offsets(layout: struct.Struct) -> list[int]:
    """Return where each part of a format begins, padding included, and where the last ends."""
    parts = re.findall(r"\d*[a-zA-Z]", layout.format.removeprefix("="))
    return [struct.calcsize("=" + "".join(parts[:count])) for count in range(len(parts) + 1)]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """What the C compiler says: expressions and their values."""
    if shutil.which("cc") is None:
        cannot("needs a C compiler")
    expressions = list(CONSTANTS)
    for name, (_, fields) in LAYOUTS.items():
        expressions += [f"sizeof(struct {name})", *(f"offsetof(struct {name}, {field})" for field in fields)]
    for name, (_, fields, _) in PREFIXES.items():
        expressions += [f"sizeof(struct {name})", *(f"offsetof(struct {name}, {field})" for field in fields)]
    folder = tmp_path_factory.mktemp("wire")
    lines = "".join(f'printf("%zu\\n", (size_t)({expression}));' for expression in expressions)
    source = folder / "wire.c"
    source.write_text(
        "#include <stddef.h>\n#include <stdio.h>\n#include <linux/types.h>\n"
        f'#include "{HEADER}"\nint main(void) {{ {lines} return 0; }}\n'
    )
    subprocess.run(["cc", "-o", folder / "wire", source], check=True)
    output = subprocess.run([folder / "wire"], check=True, capture_output=True, text=True).stdout
    return dict(zip(expressions, map(int, output.split()), strict=True))


@pytest.mark.parametrize("name", LAYOUTS)
def test_struct_is_laid_out_as_c_does(compiled: dict[str, int], name: str) -> None:
    layout, fields = LAYOUTS[name]
    ends = [*(compiled[f"offsetof(struct {name}, {field})"] for field in fields), compiled[f"sizeof(struct {name})"]]
    assert offsets(layout) == ends


@pytest.mark.parametrize("name", PREFIXES)
def test_beginning_of_a_struct_is_laid_out_as_c_does(compiled: dict[str, int], name: str) -> None:
    layout, fields, rest = PREFIXES[name]
    assert offsets(layout) == [compiled[f"offsetof(struct {name}, {field})"] for field in fields]
    assert layout.size + rest == compiled[f"sizeof(struct {name})"]


@pytest.mark.parametrize("name", CONSTANTS)
def test_number_is_the_same_in_c(compiled: dict[str, int], name: str) -> None:
    assert CONSTANTS[name] == compiled[name]


def test_deepest_parent_comes_first() -> None:
    parents = tuple(wire.KernelParent(cgroup=level, level=level, named=level == 2) for level in (1, 3, 2))
    packed = wire.KernelConfig(generation=5, default_slot=6, host_netns=7, parents=parents).pack()
    assert len(packed) == wire.CONFIG.size + wire.MAX_PARENTS * wire.PARENT.size
    assert [wire.PARENT.unpack_from(packed, wire.CONFIG.size + index * 16) for index in range(4)] == [
        (3, 3, 0),
        (2, 2, 1),
        (1, 1, 0),
        (0, 0, 0),
    ]
    assert wire.generation_of(packed) == 5


def test_slot_holds_the_policys_modes() -> None:
    policy = KernelPolicy(id=9, egress=EgressMode.ENFORCE, drift=DriftMode.KILL, allow_changed_metadata=True)
    assert wire.SLOT.unpack(wire.pack_slot(policy)) == (9, 2, 1, 1, 0)


@pytest.mark.parametrize(
    ("rules", "shapes"),
    [
        ((EgressRule("10.0.0.0/8", Protocol.TCP, 443),), wire.RuleShape.PORT),
        ((EgressRule("10.0.0.0/8", Protocol.TCP),), wire.RuleShape.PROTOCOL),
        ((EgressRule("10.0.0.0/8", None),), wire.RuleShape.ANY),
        ((EgressRule("10.0.0.0/8", None), EgressRule("::/0", Protocol.RAW, 47)), 5),
    ],
)
def test_slot_tells_which_shapes_of_rules_there_are(rules: tuple[EgressRule, ...], shapes: int) -> None:
    policy = KernelPolicy(id=1, egress=EgressMode.LEARN, drift=DriftMode.ALERT, rules=rules)
    assert wire.SLOT.unpack(wire.pack_slot(policy))[4] == shapes


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (EgressRule("10.0.0.0/8", Protocol.TCP, 443), (72, 3, 443, 6, 4, b"\x0a" + bytes(15))),
        (EgressRule("fd00::/16", Protocol.ICMP), (80, 3, 0, 1, 6, b"\xfd" + bytes(15))),
        (EgressRule("0.0.0.0/0", None), (64, 3, 0, 0, 4, bytes(16))),
        (EgressRule("::1/128", Protocol.RAW, 47), (192, 3, 47, 255, 6, bytes(15) + b"\x01")),
    ],
)
def test_rule_is_a_key_of_the_trie(rule: EgressRule, expected: tuple[object, ...]) -> None:
    assert egress.RULE_KEY.unpack(egress.pack_rule(3, rule)) == expected


@given(st.binary(min_size=64, max_size=64), st.integers(0, 2**32 - 1))
def test_any_name_in_a_binding_is_a_text(name: bytes, kind: int) -> None:
    assert isinstance(wire.container_name(kind, name), str)


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        (wire.BindingKind.CONTAINER, b"a" * 64, "a" * 64),
        (wire.BindingKind.BUILD, b"q1w2e3" + bytes(58), "buildkit/q1w2e3"),
        (wire.BindingKind.BUILD, b"system.slice:docker:q1w2e3" + bytes(38), "buildkit/q1w2e3"),
        (wire.BindingKind.OTHER, b"thing" + bytes(59), "thing"),
    ],
)
def test_binding_is_called_as_the_product_calls_it(kind: int, name: bytes, expected: str) -> None:
    assert wire.container_name(kind, name) == expected
