"""Every kind of secret is found, none is ever shown, examples are left alone."""

import base64
import json
import random
import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.analyzers.secrets import Secrets, find_secrets
from pratique.analyzers.secrets.rules import entropy, rule_set
from pratique.image import Kind, Node
from pratique.model import Finding, FindingKind
from tests.unit.analyzers.context import context

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
URL64 = ALNUM + "_"


def word(count: int, alphabet: str = ALNUM) -> str:
    """Reproducible, and made here so that no secret scanner finds one in this file."""
    return "".join(random.Random(count * 31 + len(alphabet)).choices(alphabet, k=count))


def jwt() -> str:
    parts = [json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps({"sub": word(20), "iat": 1}), word(40)]
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


# rule → (text with %s, secret)
SAMPLES: dict[str, tuple[str, Callable[[], str]]] = {
    "aws-access-key-id": ("id = %s", lambda: "AKIA" + word(16, string.ascii_uppercase + "234567")),
    "aws-secret-access-key": ('AWS_SECRET_ACCESS_KEY="%s"', lambda: word(40)),
    "github-token": ("token: %s", lambda: "ghp_" + word(36)),
    "github-fine-grained-token": ("%s", lambda: f"github_pat_{word(22)}_{word(59)}"),
    "gitlab-token": ("%s", lambda: "glpat-" + word(20)),
    "slack-token": ("%s", lambda: "xoxb-" + word(12, string.digits) + "-" + word(24)),
    "slack-webhook": (
        "https://hooks.slack.com/services/%s",
        lambda: f"T{word(8, string.ascii_uppercase)}/B{word(8, string.ascii_uppercase)}/{word(24)}",
    ),
    "discord-webhook": ("https://discord.com/api/webhooks/%s", lambda: word(18, string.digits) + "/" + word(68)),
    "telegram-bot-token": ("%s", lambda: word(9, "2345678") + ":AA" + word(33)),
    "stripe-secret-key": ("%s", lambda: "sk_live_" + word(24)),
    "google-api-key": ("%s", lambda: "AIza" + word(35)),
    "google-oauth-client-secret": ("%s", lambda: "GOCSPX-" + word(28)),
    "google-service-account": ('{"private_key": "-----BEGIN PRIVATE KEY-----\\n%s"}', lambda: word(64)),
    "azure-storage-key": ("DefaultEndpointsProtocol=https;AccountKey=%s;", lambda: word(86) + "=="),
    "azure-client-secret": ("secret %s ", lambda: word(3) + "8Q~" + word(34)),
    "private-key": ("-----BEGIN RSA PRIVATE KEY-----\n%s", lambda: word(64)),
    "pgp-private-key": ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n%s", lambda: word(64)),
    "age-secret-key": ("%s", lambda: "AGE-SECRET-KEY-1" + word(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L")),
    "json-web-token": ("Authorization: Bearer %s", jwt),
    "npm-token": ("%s", lambda: "npm_" + word(36)),
    "npmrc-auth": ("//npm.shop.example/:_authToken=%s", lambda: word(36)),
    "pypi-token": ("%s", lambda: "pypi-AgEIcHlwaS5vcmc" + word(80)),
    "rubygems-key": ("%s", lambda: "rubygems_" + word(48, HEX)),
    "docker-hub-token": ("%s", lambda: "dckr_pat_" + word(27)),
    "docker-config-auth": (
        '{"auths": {"r.invalid": {"auth": "%s"}}}',
        lambda: base64.b64encode(f"robot:{word(20)}".encode()).decode(),
    ),
    "database-url": ("postgresql+psycopg://app:%s@db.internal/shop", lambda: word(16)),
    "web-url-password": ("https://bot:%s@git.company.invalid/x", lambda: word(16)),
    "sendgrid-key": ("%s", lambda: f"SG.{word(22)}.{word(43)}"),
    "mailgun-key": ('mailgun_key = "%s"', lambda: "key-" + word(32, HEX)),
    "twilio-auth-token": ("TWILIO_AUTH_TOKEN=%s", lambda: word(32, HEX)),
    "openai-key": ("%s", lambda: "sk-proj-" + word(40) + "T3BlbkFJ" + word(41)),
    "anthropic-key": ("%s", lambda: "sk-ant-api03-" + word(95)),
    "huggingface-token": ("%s", lambda: "hf_" + word(34, string.ascii_letters)),
    "digitalocean-token": ("%s", lambda: "dop_v1_" + word(64, HEX)),
    "vault-token": ("%s", lambda: "hvs." + word(90)),
    "terraform-token": ("%s", lambda: word(14) + ".atlasv1." + word(62)),
    "shopify-token": ("%s", lambda: "shpat_" + word(32, HEX)),
    "password-hash": ("root:%s:19000:0:99999:7:::", lambda: f"$6${word(16)}${word(86)}"),
}


def scan(path: str, content: bytes) -> list[Finding]:
    found = Secrets(context()).analyze(Node(path, Kind.FILE, 0, size=len(content)), content)
    return [fact for fact in found if isinstance(fact, Finding)]


def test_every_rule_has_a_sample() -> None:
    assert list(SAMPLES) == [rule.id for rule in rule_set().document.rules]


@pytest.mark.parametrize("rule", SAMPLES)
def test_secret_is_found_and_not_shown(rule: str) -> None:
    template, make = SAMPLES[rule]
    secret = make()
    text = "first line\n" + template % secret + "\nlast line\n"
    found = {finding.rule: finding for finding in scan("srv/app.conf", text.encode())}
    assert rule in found
    assert found[rule].kind is FindingKind.SECRET
    for finding in found.values():
        assert finding.evidence.startswith("line ")
        shown = finding.evidence.partition(": ")[2].partition("…")[0]
        assert len(shown) <= 16
        assert secret not in finding.evidence


@pytest.mark.parametrize("rule", SAMPLES)
def test_secret_is_found_in_the_middle_of_a_long_line(rule: str) -> None:
    template, make = SAMPLES[rule]
    start = "\n" if rule == "password-hash" else " "
    text = "x" * 200_000 + start + template % make() + " " + "y" * 200_000
    assert rule in {finding.rule for finding in scan("min.js", text.encode())}


@pytest.mark.parametrize(
    "text",
    [
        "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "postgres://user:password@localhost/db",
        "postgres://user:${DB_PASSWORD}@localhost/db",
        "postgres://user:<password>@localhost/db",
        "https://user:xxxxxxxxxxxx@example.com/",
        "ghp_" + "a" * 36,
        "sk_live_" + "0" * 24,
        "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\n" + word(64),
        "root:*:19000:0:99999:7:::",
        "root:x:0:0:root:/root:/bin/sh",
        '{"auth": "bm90LWEtcGFzc3dvcmQ="}',
        '{"auth": "required"}',
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlc2lnbmF0dXJl",
        "AccountKey=...;",
        "",
    ],
)
def test_example_or_placeholder_is_left_alone(text: str) -> None:
    assert scan("srv/app.conf", text.encode()) == []


def test_binary_file_and_documentation_are_left_alone() -> None:
    text = b"token: ghp_" + word(36).encode()
    assert scan("a.bin", b"\0" + text) == []
    analyzer = Secrets(context())
    for path in ("usr/share/doc/x/README", "srv/node_modules/x/test/key.pem", "opt/tests/a"):
        assert not analyzer.wants(Node(path, Kind.FILE, 0, size=100))
    assert analyzer.wants(Node("root/.docker/config.json", Kind.FILE, 0, size=100))


def test_same_secret_in_two_windows_is_one_finding() -> None:
    analyzer = Secrets(context())
    node = Node("a", Kind.FILE, 0, size=100)
    text = b"token: ghp_" + word(36).encode()
    assert len([*analyzer.analyze(node, text), *analyzer.analyze(node, text)]) == 1


@given(st.binary(max_size=500))
def test_any_bytes_give_hits_and_no_exception(content: bytes) -> None:
    for hit in find_secrets(content):
        assert hit.line >= 1


@given(st.text(min_size=1, max_size=50))
def test_entropy_is_between_none_and_that_of_all_different(text: str) -> None:
    assert 0 <= entropy(text) <= 6
