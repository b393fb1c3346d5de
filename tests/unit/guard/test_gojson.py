"""The guard reads a body as the engine's JSON decoder does, or refuses it: rows B1 to B13 of the bypass table."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.guard import Refusal
from pratique.guard.gojson import MAX_DEPTH, read
from pratique.guard.settings import CreateBody
from tests.unit.guard.asking import World, rule

CREATE = "/v1.41/containers/create"


@pytest.mark.parametrize(
    "body",
    [
        {"image": "good:1", "hostconfig": {"privileged": True}},
        {"IMAGE": "good:1", "HOSTCONFIG": {"PRIVILEGED": True}},
        {"iMAGE": "good:1", "hostConfig": {"priVileged": True}},
    ],
)
def test_field_names_match_without_regard_to_case(world: World, body: Any) -> None:
    """B1."""
    assert rule(world.ask("POST", CREATE, body)) == "create.privileged"


@pytest.mark.parametrize("key", ["Ho\u017ftConfig", "Ho\\u017ftConfig"])
def test_letters_that_fold_to_ascii_are_refused(world: World, key: str) -> None:
    """B2: the long s and the Kelvin sign, raw and escaped."""
    body = f'{{"Image":"good:1","{key}":{{"Privileged":true}}}}'.encode()
    assert rule(world.ask("POST", CREATE, body)) == "request.body"
    body = '{"Image":"good:1","HostConfig":{"Networ\u212aMode":"host"}}'.encode()
    assert rule(world.ask("POST", CREATE, body)) == "request.body"


@pytest.mark.parametrize(
    "text",
    [
        '"HostConfig":{"Privileged":true},"HostConfig":{"Memory":1}',
        '"HostConfig":{"Privileged":true},"hostconfig":{"Memory":1}',
        '"HostConfig":{"Privileged":true,"Privileged":null}',
        '"HostConfig":{"Privileged":true,"privileged":false}',
        '"HostConfig":{"Privileged":true},"HostConfig":null',
        '"HostConfig":{"Memory":1,"memory":2}',
        '"HostConfig":{"Sysctls":{"a":"1","a":"2"}}',
    ],
)
def test_a_field_that_stands_twice_is_refused(world: World, text: str) -> None:
    """B3 and B4."""
    assert rule(world.ask("POST", CREATE, f'{{"Image":"good:1",{text}}}'.encode())) == "request.body"


@pytest.mark.parametrize(
    "body",
    [
        {"Privileged": True},
        {"Binds": ["/:/h"]},
        {"pidmode": "host"},
        {"HostConfig": None, "Privileged": True},
        {"HostConfig": {}, "VolumeDriver": "evil"},
        {"MaskedPaths": []},
        {"Memory": 1},
        {"Cpuset": "0"},
    ],
)
def test_settings_of_the_host_at_the_top_level_are_refused(world: World, body: Any) -> None:
    """B6."""
    assert rule(world.ask("POST", CREATE, {"Image": "good:1", **body})) == "create.legacy-field"


def test_empty_settings_at_the_top_level_are_nothing(world: World) -> None:
    assert (
        rule(world.ask("POST", CREATE, {"Image": "good:1", "Memory": 0, "Runtime": None, "Privileged": False}))
        == "allow"
    )


@pytest.mark.parametrize("tail", [b"{}", b" zzz", b"\x00", b"]"])
def test_trailing_data_is_refused(world: World, tail: bytes) -> None:
    """B8."""
    assert rule(world.ask("POST", CREATE, b'{"Image":"good:1"}' + tail)) == "request.body"


@pytest.mark.parametrize(
    "body",
    [
        '{"Image":"good:1"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"Image":"good:1"}',
        b'{"Image":"good:1","HostConfig":{"Memory":NaN}}',
        b'{"Image":"good:1","HostConfig":{"Memory":-Infinity}}',
        b'{"Image":"good:1","HostConfig":{"Privileged":"true"}}',
        b'{"Image":"good:1","HostConfig":{"Privileged":1}}',
        b'{"Image":"good:1","HostConfig":{"Binds":"/:/h"}}',
        b'{"Image":"good:1","HostConfig":{"Binds":{"0":"/:/h"}}}',
        b'{"Image":"good:1","HostConfig":[]}',
        b'{"Image":["good:1"]}',
        b'["Image","good:1"]',
        b"null",
        b"true",
        b'"Image"',
        b"{'Image':'good:1'}",
        b'{"Image":"good:1",}',
        b'{"Image":"good:1" /* */}',
        b'{"Image":"good:1","Hostname":"a\nb"}',
    ],
)
def test_what_is_not_exact_json_of_the_right_types_is_refused(world: World, body: bytes) -> None:
    """B9."""
    assert rule(world.ask("POST", CREATE, body)) == "request.body"


@pytest.mark.parametrize("text", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\\ud800", b"\\udc00x"])
def test_broken_unicode_is_refused(world: World, text: bytes) -> None:
    """B10."""
    assert rule(world.ask("POST", CREATE, b'{"Image":"good:1","Hostname":"' + text + b'"}')) == "request.body"
    assert rule(world.ask("POST", CREATE, b'{"Image":"good:1","Labels":{"' + text + b'":""}}')) == "request.body"


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 10_001, 500_000])
def test_deep_nesting_is_refused(world: World, depth: int) -> None:
    """B11."""
    body = b'{"Image":"good:1","Cmd":' + b"[" * depth + b"]" * depth + b"}"
    assert rule(world.ask("POST", CREATE, body)) == "request.body"


def test_a_flood_of_values_is_refused(world: World) -> None:
    assert rule(world.ask("POST", CREATE, {"Image": "good:1", "Env": [""] * 30_000})) == "request.body"
    assert rule(world.ask("POST", CREATE, {"Image": "good:1", "Env": ["x" * 300_000]})) == "request.body"


def test_an_unknown_field_is_refused_unless_its_value_is_zero(world: World) -> None:
    """B13."""
    assert rule(world.create({"HostEscape": True})) == "request.unknown-field"
    assert rule(world.create({"HostEscape": []})) == "request.unknown-field"
    assert rule(world.create({"HostEscape": False, "Another": None, "Third": ""})) == "allow"
    assert rule(world.create({"Mounts": [{"Type": "tmpfs", "Target": "/t", "Escape": "x"}]})) == "request.unknown-field"


def test_keys_of_maps_are_free(world: World) -> None:
    decision = world.create(Labels={"Ünï": "x", "unï": "y", "UNÏ": "z"}, Env=["A=\u017f"], Volumes={"/d": {}})
    assert rule(decision) == "allow"


# -- against a model of Go's decoder -----------------------------------------------------------------------------------

_FIELDS: dict[str, Any] = {
    "Image": str,
    "HostConfig": {"Privileged": bool, "Binds": list, "PidMode": str, "Sysctls": dict},
}


def _fold(key: str) -> str:
    return key.replace("\u017f", "s").replace("\u212a", "k").lower()


def _go(pairs: list[tuple[str, Any]], fields: dict[str, Any], into: dict[str, Any]) -> dict[str, Any]:
    """Decode as ``encoding/json``: exact name, else folded; structs and maps merge, null resets what can be nil."""
    for key, value in pairs:
        name = next((n for n in fields if n == key), next((n for n in fields if _fold(n) == _fold(key)), None))
        if name is None:
            continue
        kind = fields[name]
        if value is None:
            if isinstance(kind, dict) or kind in (list, dict):
                into.pop(name, None)
        elif isinstance(kind, dict):
            _go(value, kind, into.setdefault(name, {}))
        elif kind is dict:
            into.setdefault(name, {}).update(value)
        else:
            into[name] = value
    return into


class _Pairs(list[tuple[str, Any]]):
    pass


def _text(value: Any) -> str:
    if isinstance(value, _Pairs):
        return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_text(item)}" for key, item in value) + "}"
    return json.dumps(value)


def _spelled(name: str) -> st.SearchStrategy[str]:
    folded = [name.replace("s", "\u017f"), name.replace("K", "\u212a")]
    variants = [name, name.lower(), name.upper(), name.swapcase(), *folded]
    return st.sampled_from(variants)


def _member(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, Any]]:
    return st.tuples(_spelled(name), st.none() | values)


_HOST = st.lists(
    st.one_of(
        _member("Privileged", st.booleans()),
        _member("Binds", st.lists(st.sampled_from(["/:/h", "v:/d"]), max_size=2)),
        _member("PidMode", st.sampled_from(["", "host"])),
        _member("Sysctls", st.dictionaries(st.sampled_from("ab"), st.just("1")).map(lambda d: _Pairs(d.items()))),
    ),
    max_size=3,
).map(_Pairs)
_BODIES = st.lists(
    st.one_of(_member("Image", st.sampled_from(["a", "b"])), _member("HostConfig", _HOST)), max_size=3
).map(_Pairs)


@given(_BODIES)
@settings(max_examples=500, deadline=None)
def test_what_is_not_refused_is_read_as_go_reads_it(body: _Pairs) -> None:
    try:
        mine = read(_text(body).encode(), CreateBody)
    except Refusal:
        return
    go = _go(body, _FIELDS, {})
    host = go.get("HostConfig", {})
    assert mine.image == go.get("Image", "")
    assert mine.host_config.privileged == host.get("Privileged", False)
    assert list(mine.host_config.binds) == host.get("Binds", [])
    assert mine.host_config.pid_mode == host.get("PidMode", "")
    assert mine.host_config.sysctls == dict(host.get("Sysctls", {}))


def test_an_ordinary_body_is_not_refused() -> None:
    body = read(b'{"image":"a","HostConfig":{"Binds":null,"PidMode":"","Memory":5},"Labels":{}}', CreateBody)
    assert body.image == "a"
