"""The bypass table, sent as raw bytes to a real engine: no container that the policy forbids comes to be."""

import json
import random
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from tests.integration.guard.guarded import Guarded, post, raw

IMAGE = "alpine-like/base:1"
CREATE = "/v1.41/containers/create"
BAD: dict[str, Any] = {"Image": IMAGE, "HostConfig": {"Privileged": True}}
DENIED = b"authorization denied by plugin"


@pytest.fixture(autouse=True)
def nothing_forbidden_came_to_be(guarded: Guarded) -> Iterator[None]:
    """Whatever was tried, the engine holds no container that reaches the host."""
    yield
    client = guarded.engine.client()
    for container in client.containers.list(all=True):
        host = container.attrs["HostConfig"]
        assert host["Privileged"] is False
        assert not host["Binds"]
        assert not host["CapAdd"]
        assert host["PidMode"] != "host"
        assert host["NetworkMode"] != "host"
        assert container.attrs["Image"]
    client.close()


def _denied(answer: tuple[int, bytes]) -> bool:
    status, body = answer
    return status == 403 and DENIED in body


def test_padding_the_body_beyond_what_plugins_are_shown(guarded: Guarded) -> None:
    """A1, CVE-2026-34040."""
    body = json.dumps(BAD).encode()
    assert _denied(post(guarded.engine.socket, CREATE, b" " * (1 << 20) + body))
    assert _denied(post(guarded.engine.socket, CREATE, body + b" " * (1 << 20)))


def test_a_body_of_16_megabytes(guarded: Guarded) -> None:
    assert _denied(post(guarded.engine.socket, CREATE, b" " * (16 << 20) + json.dumps(BAD).encode()))
    assert post(guarded.engine.socket, CREATE, {"Image": IMAGE})[0] == 201


@pytest.mark.parametrize(
    ("size", "refusal"),
    [
        ((1 << 20) - 1, "request.unreadable"),
        (512 << 10, "request.body"),
        (255 << 10, "create.privileged"),
    ],
)
def test_the_biggest_bodies_that_are_shown(guarded: Guarded, size: int, refusal: str) -> None:
    body = json.dumps(BAD).encode()
    assert _denied(post(guarded.engine.socket, CREATE, body + b" " * (size - len(body))))
    assert guarded.rules() == [refusal]


def test_bodies_that_do_not_announce_their_length(guarded: Guarded) -> None:
    """A2, CVE-2024-41110: Content-Length 0, chunked, HTTP/1.0."""
    body = json.dumps(BAD).encode()
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    head = f"POST {CREATE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
    socket = guarded.engine.socket
    assert _denied(raw(socket, head + b"Content-Length: 0\r\n\r\n" + body))
    assert _denied(raw(socket, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked))
    assert _denied(raw(socket, head + b"Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked))
    old = f"POST {CREATE} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    assert _denied(raw(socket, old + body))


@pytest.mark.parametrize(
    "kind",
    [
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/json\r\nContent-Type: text/plain",
        "text/plain\r\nContent-Type: application/json",
        "application/json; =",
        "application/x-www-form-urlencoded\r\nContent-Type: application/json",
    ],
)
def test_content_types(guarded: Guarded, kind: str) -> None:
    """A4, A5."""
    status, _ = post(guarded.engine.socket, CREATE, BAD, Content_Type=kind)
    assert status == 403


def test_a_form_in_the_body_that_beats_the_query_of_a_pull(guarded: Guarded) -> None:
    """The engine would fetch from the URL in the form; of two content types it tells plugins the second."""
    form = b"fromSrc=http%3A%2F%2F127.0.0.1%3A1%2Fx.tar&fromImage="
    head = "POST /v1.41/images/create?fromImage=x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    kinds = "Content-Type: application/x-www-form-urlencoded\r\nContent-Type: text/plain\r\n\r\n"
    answer = raw(guarded.engine.socket, f"{head}{kinds}".encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(form), form))
    assert _denied(answer)
    assert b"request.unseen-body" in answer[1]


@pytest.mark.parametrize(
    "target",
    [
        f"{CREATE}?x=/auth",
        f"{CREATE}?name=a&name=b",
        "/v1.41/containers/%63reate",
        "/v1.41%2fcontainers%2fcreate",
        "http://any/v1.41/containers/create",
        "foo://auth/v1.41/containers/create",
        "/containers/create",
        "/v1.041/containers/create",
        "/v01.41/containers/create",
        "/v1.41.0/containers/create",
        "/v1.12/containers/create",
        "/v1.23/containers/create",
        "//containers/create",
        "/v1.41//containers/create",
        "/v1.41/./containers/create",
        "/v1.41/images/../containers/create",
        "/v1.41/images/%2e%2e/containers/create",
        "/v1..41/containers/create",
        "/v2/containers/create",
        "/v1.41/Containers/Create",
    ],
)
def test_targets(guarded: Guarded, target: str) -> None:
    """A3, A7 to A11, A18."""
    status, _ = post(guarded.engine.socket, target, BAD)
    assert status in {301, 400, 403, 404}


@pytest.mark.parametrize(
    "request_line", [f"post {CREATE} HTTP/1.1", "PRI * HTTP/2.0", f"POST {CREATE} HTTP/1.2", f"GET {CREATE} HTTP/1.1"]
)
def test_request_lines(guarded: Guarded, request_line: str) -> None:
    """A13, A16, A18."""
    body = json.dumps(BAD).encode()
    head = f"{request_line}\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    status, _ = raw(guarded.engine.socket, head.encode() + body)
    assert status in {0, 301, 400, 403, 404, 405, 505}


@pytest.mark.parametrize(
    "body",
    [
        '{"image":"%s","hostconfig":{"privileged":true}}',
        '{"Image":"%s","Ho\u017ftConfig":{"Privileged":true}}',
        '{"Image":"%s","Ho\\u017ftConfig":{"Privileged":true}}',
        '{"Image":"%s","HostConfig":{"Networ\u212aMode":"host"}}',
        '{"Image":"%s","HostConfig":{"Privileged":true},"HostConfig":{"Memory":8000000}}',
        '{"Image":"%s","HostConfig":{"Privileged":true,"Privileged":null}}',
        '{"Image":"%s","HostConfig":{"Privileged":true,"privileged":null}}',
        '{"Image":"%s","Privileged":true,"Binds":["/:/h"],"PidMode":"host"}',
        '{"Image":"%s","Privileged":true,"HostConfig":null}',
        '{"Image":"%s","HostConfig":{"Privileged":true}}{"Image":"%s"}',
        '{"Image":"%s","HostConfig":{"Privileged":true}} zzz',
        '{"Image":"%s","HostConfig":{"CapAdd":"all"}}',
        '{"Image":"%s","HostConfig":{"Binds":["/proc/self/root/etc:/h"]}}',
        '{"Image":"%s","HostConfig":{"Mounts":[{"type":"bind","SOURCE":"/","target":"/h"}]}}',
        '{"Image":""}',
        '{"Cmd":["x"]}',
        "[]",
        "",
    ],
)
def test_bodies(guarded: Guarded, body: str) -> None:
    """B1 to B9, C1."""
    assert _denied(post(guarded.engine.socket, CREATE, body.replace("%s", IMAGE).encode()))


def test_settings_in_the_body_of_a_start(guarded: Guarded) -> None:
    """B7."""
    status, answer = post(guarded.engine.socket, CREATE, {"Image": IMAGE, "Cmd": ["true"]})
    assert status == 201
    container = json.loads(answer)["Id"]
    for version in ("v1.23", "v1.12", "v1.41"):
        start = f"/{version}/containers/{container}/start"
        assert _denied(post(guarded.engine.socket, start, {"Binds": ["/:/host"]}))
        assert _denied(post(guarded.engine.socket, start, {"HostConfig": {"Binds": ["/:/host"]}}))
    chunked = b'15\r\n{"Binds":["/:/host"]}\r\n0\r\n\r\n'
    head = f"POST /v1.23/containers/{container}/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    assert _denied(raw(guarded.engine.socket, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunked))


def test_the_engine_makes_nothing_forbidden_of_what_the_guard_lets_through(guarded: Guarded) -> None:
    """Random spellings, repetitions and nulls; the fixture looks at what came to be."""
    chance = random.Random(20)
    members = [
        ("Privileged", "true"),
        ("Privileged", "false"),
        ("Binds", '["/:/h"]'),
        ("PidMode", '"host"'),
        ("PidMode", '""'),
        ("CapAdd", '["SYS_ADMIN"]'),
        ("NetworkMode", '"none"'),
        ("Memory", "8000000"),
    ]

    def spelled(name: str) -> str:
        kinds = [name, name, name, name.lower(), name.upper(), name.replace("s", "\u017f"), name.replace("k", "\u212a")]
        return chance.choice(kinds)

    def host() -> str:
        chosen = [chance.choice(members) for _ in range(chance.randint(0, 3))]
        return "{" + ",".join(f'"{spelled(name)}":{chance.choice([value, "null"])}' for name, value in chosen) + "}"

    answers = []
    for _ in range(150):
        inner = [
            f'"{spelled("HostConfig")}":{chance.choice([host(), host(), "null"])}' for _ in range(chance.randint(0, 2))
        ]
        inner += [f'"{spelled(name)}":{value}' for name, value in members if chance.random() < 0.03]
        body = f'{{"Image":"{IMAGE}"' + "".join(f",{member}" for member in inner) + "}"
        answers.append(post(guarded.engine.socket, CREATE, body.encode())[0])
    assert answers.count(201) > 10
    assert answers.count(403) > 10


def test_the_host_network_under_another_name(guarded: Guarded, attacker: docker.DockerClient) -> None:
    """Engines take "host" by this name alone; by its id they make a network namespace with nothing in it."""
    host = attacker.networks.get("host").id
    ways: list[dict[str, Any]] = [
        {"HostConfig": {"NetworkMode": host}},
        {"NetworkingConfig": {"EndpointsConfig": {"host": {}}}},
        {"HostConfig": {"NetworkMode": "none"}, "NetworkingConfig": {"EndpointsConfig": {host: {}}}},
    ]
    for settings in ways:
        status, answer = post(guarded.engine.socket, CREATE, {"Image": IMAGE, "Cmd": ["ip", "addr"], **settings})
        assert status == 201
        container = attacker.containers.get(json.loads(answer)["Id"])
        container.start()
        container.wait()
        assert b"docker0" not in container.logs()
        with pytest.raises(docker.errors.APIError):
            attacker.networks.get("host").connect(container)
