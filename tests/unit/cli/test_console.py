import os
import re
import socket
import time
from pathlib import Path

import pytest

from pratique.cli import run
from pratique.config import load
from pratique.store import Store


def _store() -> Store:
    return Store.open(load().store)


def test_login_prints_a_link_that_is_good_once(host: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del host
    assert run(["console", "login", "--role", "viewer"]) == 0
    link = capsys.readouterr().out.strip()
    match = re.fullmatch(r"http://127\.0\.0\.1:8470/login#([\w-]{43})", link)
    assert match
    with _store() as store:
        assert store.tokens.redeem(match[1], time.time()) == "viewer"
        assert store.tokens.redeem(match[1], time.time()) is None


def test_token_is_made_listed_and_revoked(host: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del host
    assert run(["console", "token", "create", "--name", "ci", "--expires", "1d"]) == 0
    token = capsys.readouterr().out.strip()
    with _store() as store:
        found = store.tokens.find(token, time.time())
        assert found is not None
        assert (found.name, found.role) == ("ci", "viewer")
        assert store.tokens.find(token, time.time() + 86_401) is None
    assert run(["console", "token", "list"]) == 0
    listed = capsys.readouterr().out
    assert re.search(r"^ci +viewer", listed, re.MULTILINE)
    assert token not in listed
    assert run(["console", "token", "revoke", "ci"]) == 0
    with _store() as store:
        assert store.tokens.find(token, time.time()) is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["token", "create", "--name", ""],
        ["token", "create", "--name", "ci", "--role", "root"],
        ["token", "create", "--name", "ci", "--expires", "soon"],
        ["token", "revoke", "nobody"],
        ["login", "--role", "root"],
    ],
)
def test_what_cannot_be_is_one_line(host: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    del host
    assert run(["console", *arguments]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_two_tokens_have_two_names(host: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del host
    assert run(["console", "token", "create", "--name", "ci"]) == 0
    assert run(["console", "token", "create", "--name", "ci"]) == 1
    assert "a token needs a name that no other one has" in capsys.readouterr().err


@pytest.mark.parametrize(
    "address", ["off", "8470", "localhost:8470", "127.0.0.1:0", "127.0.0.1:99999", "[::1", "1.2.3:4"]
)
def test_an_address_that_is_none_is_told(
    host: Path, address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del host
    monkeypatch.setenv("PRATIQUE_CONSOLE", address)
    for command in ("login", "serve"):
        assert run(["console", command]) == 1
        assert "hint:" in capsys.readouterr().err


@pytest.mark.usefixtures("root")  # to take the part of another user
@pytest.mark.parametrize("listening", [("127.0.0.1", socket.AF_INET), ("::", socket.AF_INET6)])
def test_no_link_is_made_for_a_port_that_another_user_has_taken(
    host: Path,
    listening: tuple[str, socket.AddressFamily],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    del host
    address, family = listening
    os.seteuid(65534)
    try:
        taken = socket.create_server((address, 0), family=family)
    finally:
        os.seteuid(0)
    with taken:
        monkeypatch.setenv("PRATIQUE_CONSOLE", f"127.0.0.1:{taken.getsockname()[1]}")
        assert run(["console", "login"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "user 65534 listens on port" in told.err
