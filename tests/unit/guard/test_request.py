"""Requests that two readers could understand differently are refused, and rows A1 to A20 of the bypass table."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.guard import RULES
from pratique.model import Verdict
from pratique.policy import Access, Api, Document
from tests.unit.guard.asking import World, question, rule

CREATE = "/v1.41/containers/create"
INNOCENT = {"Image": "good:1"}


def test_a_body_that_the_engine_did_not_show_is_refused(world: World) -> None:
    """A1 and A2: padded to 1 MiB, chunked, Content-Length 0 and bytes."""
    assert rule(world.ask("POST", CREATE, Content_Length="1048576")) == "request.unseen-body"
    assert rule(world.ask("POST", CREATE)) == "request.unseen-body"
    assert rule(world.ask("POST", CREATE, Content_Length="0")) == "request.unseen-body"


def test_a_body_of_another_length_than_announced_is_refused(world: World) -> None:
    assert rule(world.ask("POST", CREATE, INNOCENT, Content_Length="7")) == "request.unseen-body"
    assert rule(world.ask("POST", CREATE, INNOCENT, Content_Length="0")) == "request.unseen-body"


def test_a_body_where_none_is_due_is_refused(world: World) -> None:
    """B7: HostConfig at start."""
    world.container("web")
    start = "/v1.41/containers/web/start"
    assert rule(world.ask("POST", start, {"Binds": ["/:/host"]})) == "start.body"
    assert rule(world.ask("POST", start, Content_Length="20")) == "request.unseen-body"
    assert rule(world.ask("POST", "/v1.41/containers/web/stop", {})) == "request.body"


def test_an_auth_suffix_changes_nothing(world: World) -> None:
    """A3: old engines hide the body of whatever ends so."""
    assert rule(world.ask("POST", f"{CREATE}?x=/auth")) == "request.unseen-body"
    assert rule(world.ask("POST", "/v1.41/containers/create/auth", INNOCENT)) == "request.unknown-route"


@pytest.mark.parametrize("kind", ["text/plain", "application/json; charset=utf-8", "APPLICATION/JSON", ""])
def test_a_content_type_never_decides_whether_a_body_is_read(world: World, kind: str) -> None:
    """A4 and A5: the plugin is told the last of repeated headers, the engine obeys the first."""
    bad = {"Image": "good:1", "HostConfig": {"Privileged": True}}
    assert rule(world.ask("POST", CREATE, bad, Content_Type=kind)) == "create.privileged"


@pytest.mark.parametrize(
    "query", ["fromImage=a&fromImage=b", "fromImage=a&from%49mage=b", "fromImage=a;x=1", "fromImage=%zz", "a=%ff"]
)
def test_a_query_that_is_read_in_two_ways_is_refused(world: World, query: str) -> None:
    """A7."""
    asked = world.ask("POST", f"/v1.41/images/create?{query}", Content_Length="0")
    assert rule(asked) == "request.query"


def test_the_tags_of_a_build_may_repeat(world: World) -> None:
    assert rule(world.ask("POST", "/v1.41/build?t=a&t=b")) == "build.denied"


def test_an_encoded_path_is_decoded_once_and_then_matched(world: World) -> None:
    """A8."""
    assert rule(world.ask("POST", "/v1.41/containers/%63reate", INNOCENT)) == "allow"
    bad = {"Image": "good:1", "HostConfig": {"Privileged": True}}
    assert rule(world.ask("POST", "/v1.41/containers/%63reate", bad)) == "create.privileged"


@pytest.mark.parametrize(
    "target",
    [
        "/v1.41%2fcontainers%2fcreate",
        "/v1.41/containers%2Fcreate",
        "/v1.41/containers/%2563reate",
        "/v1.41/containers/create%00",
        "http://any/v1.41/containers/create",
        "foo://auth/v1.41/containers/create",
        "*",
        "",
        "//containers/create",
        "/v1.41//containers/create",
        "/v1.41/./containers/create",
        "/v1.41/images/../containers/create",
        "/v1.41/images/%2e%2e/containers/create",
        "/v1.41/containers/create/",
        "/v1.41/containers/create#x",
        "/v1.41/containers/cr\u00e9ate",
        "/v1.41/containers/create%c3%a9",
        "/" + "a" * 100_000,
    ],
)
def test_a_target_that_is_not_a_plain_path_is_refused(world: World, target: str) -> None:
    """A8, A9, A11."""
    assert rule(world.ask("POST", target, INNOCENT)) in {"request.target", "request.unreadable"}


@pytest.mark.parametrize(
    "version", ["1.041", "01.41", "1.41.0", "1..41", ".", "1.", "1.4.1", "1.12", "1.23", "1.24", "1.39", "1", "0.1"]
)
def test_odd_and_old_api_versions_are_refused(world: World, version: str) -> None:
    """A10 and B7."""
    decision = world.ask("POST", f"/v{version}/containers/create", INNOCENT)
    assert rule(decision) == "request.api-version"


def test_an_old_client_is_told_how_to_go_on(world: World) -> None:
    assert "DOCKER_API_VERSION=1.40" in world.ask("GET", "/v1.24/info").reason


@pytest.mark.parametrize("version", ["", "/v1.40", "/v1.41", "/v1.52"])
def test_versions_since_140_and_none_are_taken(world: World, version: str) -> None:
    assert rule(world.ask("POST", f"{version}/containers/create", INNOCENT)) == "allow"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/v1.41/containers/a/b/start"),
        ("POST", "/v1.41/containers/start"),
        ("post", CREATE),
        ("POST", "/v1.41/Containers/Create"),
        ("PRI", "/"),
        ("OPTIONS", "/v1.41/containers/create"),
        ("HEAD", "/v1.41/containers/json"),
        ("PATCH", CREATE),
        ("GET", "/v2"),
        ("GET", "/v1.41/v1.41/info"),
        ("GET", "/"),
        ("POST", "/v1.41/containers/x/copy"),
        ("POST", "/v1.60/sandboxes/create"),
    ],
)
def test_what_is_not_a_known_endpoint_is_refused(world: World, method: str, target: str) -> None:
    """A12, A16, A18."""
    assert rule(world.ask(method, target, INNOCENT)) == "request.unknown-route"


def test_a_method_override_header_means_nothing(world: World) -> None:
    assert rule(world.ask("GET", "/v1.41/info", X_HTTP_Method_Override="POST")) == "allow"


@pytest.mark.parametrize(
    ("method", "target", "refusal"),
    [
        ("GET", "/v1.41/images/search?term=x", "image.pull-denied"),
        ("GET", "/v1.41/distribution/a/b/json", "image.pull-denied"),
        ("GET", "/v1.41/plugins/privileges?remote=x", "plugins.denied"),
        ("GET", "/v1.41/swarm/unlockkey", "swarm.denied"),
        ("GET", "/v1.41/configs/x", "swarm.denied"),
        ("GET", "/v1.41/containers/x/top?ps_args=-o%20pid%20--%20/etc", "top.arguments"),
        ("GET", "/debug/pprof/heap", "debug.denied"),
        ("GET", "/v1.41/debug/vars", "debug.denied"),
    ],
)
def test_reading_requests_with_effects_are_judged(world: World, method: str, target: str, refusal: str) -> None:
    """A17."""
    world.document = Document(api=Api(pull=Access.DENY))
    assert rule(world.ask(method, target)) == refusal


@pytest.mark.parametrize(
    "asked",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b"\xff\xfe",
        b'{"RequestMethod":"GET"}',
        b'{"RequestMethod":1,"RequestUri":"/info"}',
        b'{"RequestMethod":"POST","RequestUri":"/info","RequestBody":"%%%"}',
        b"[" * 100_000,
        b"{" * 1_000_000,
    ],
)
def test_a_question_that_cannot_be_read_is_refused(world: World, asked: bytes) -> None:
    """A19: a crashed plugin is asked again with an empty body."""
    assert rule(world.ask_bytes(asked)) == "request.unreadable"


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_no_garbage_is_ever_let_through(garbage: bytes) -> None:
    assert World().ask_bytes(garbage).verdict is Verdict.DENY


@given(
    st.text(max_size=20),
    st.text(max_size=60),
    st.none() | st.binary(max_size=60),
    st.dictionaries(st.text(), st.text()),
)
@settings(deadline=None)
def test_every_question_is_answered_with_a_known_rule(
    method: str, target: str, body: bytes | None, headers: dict[str, str]
) -> None:
    asked = json.loads(question(method, target, body))
    decision = World().ask_bytes(json.dumps({**asked, "RequestHeaders": headers}).encode())
    assert decision.verdict is Verdict.ALLOW or decision.rule in RULES


def test_the_client_of_a_tls_connection_is_named(world: World) -> None:
    asked = {**json.loads(question("GET", "/debug/vars")), "User": "alice", "UserAuthNMethod": "TLS"}
    assert world.ask_bytes(json.dumps(asked).encode()).source == "alice"


def test_a_user_that_the_client_only_claims_is_not_believed(world: World) -> None:
    asked = {**json.loads(question("GET", "/debug/vars", User="root")), "User": "root"}
    assert world.ask_bytes(json.dumps(asked).encode()).source == "local"
