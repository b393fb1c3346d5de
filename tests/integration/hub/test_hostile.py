"""What strangers wrote is only text; what strangers ask is bounded."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from pratique.hub import assets
from pratique.hub.desk import Desk, Memory
from pratique.hub.events import Looker
from pratique.hub.gate import MAX_BODY_BYTES, MAX_TARGET_BYTES
from pratique.hub.pages import Pages
from pratique.hub.views import policy
from tests.integration.hub.conftest import CUCKOO, ORIGIN, SCRIPT, STRANGER, Site, token_of
from tests.unit.store import values

PATHS = (
    "/",
    "/images",
    f"/images/{STRANGER.id}",
    "/containers",
    f"/containers/{CUCKOO.id}",
    "/alerts",
    "/alerts/1",
    "/flows",
    "/map",
    "/map?view=table",
    "/review",
    "/policy",
    "/decisions",
)
ESCAPED = "&lt;script&gt;"


@pytest.mark.parametrize("path", PATHS)
def test_script_of_a_stranger_is_text_in_a_page(shared: Site, path: str) -> None:
    page = shared.log_in().get(path)
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "\u202e" not in page.text
    if path != "/policy":
        assert ESCAPED in page.text


def test_script_in_what_is_asked_is_text_in_the_answer(shared: Site) -> None:
    client = shared.log_in()
    for path in (
        f"/alerts?rule={SCRIPT}",
        f"/images?q={SCRIPT}",
        f"/{SCRIPT}",
        f"/alerts?{SCRIPT}=1",
        f"/images/{SCRIPT}",
    ):
        assert "<script>alert" not in client.get(path).text


def test_script_of_a_stranger_is_text_in_an_event(site: Site) -> None:
    desk = Desk(store=site.store, policy_path=site.policy_path, run_dir=site.policy_path.parent, memory=Memory())
    looker = Looker(desk, Pages("host").row)
    site.store.add_alerts([replace(values.alert(at=time.time()), title=SCRIPT, container_name=SCRIPT)])
    told = b"".join(looker.look()).decode()
    assert ESCAPED in told
    assert '"html":"<tr' in told
    assert "<script>alert" not in "".join(part.partition('","data"')[0] for part in told.split('"html":"')[1:])


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/x/../../app.py",
        "/static/{version}/../../app.py",
        "/static/{version}/%2e%2e/%2e%2e/app.py",
        "/static/{version}//etc/passwd",
        "/static/{version}/..%2f..%2fapp.py",
        "/static/{version}/css/console.css%00",
        "/static/wrong/css/console.css",
        "/static/{version}/css",
        "/static/{version}/",
    ],
)
def test_no_path_leads_out_of_the_files_that_are_served(shared: Site, path: str) -> None:
    answer = shared.client().get(path.replace("{version}", assets.load().version))
    assert answer.status_code in {303, 404}
    assert "import" not in answer.text
    assert "root:" not in answer.text


def test_a_file_is_cached_for_ever_under_its_version(shared: Site) -> None:
    answer = shared.client().get(assets.load().url("css/console.css"))
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_every_answer_has_the_headers_that_keep_others_out(shared: Site) -> None:
    client = shared.log_in()
    for path in ("/", "/login", "/api/v1/overview", "/nonsense", "/api/v1/nonsense", "/static/x/y", "/healthz"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
    assert client.get("/").headers["cache-control"] == "no-store"


def test_a_long_address_is_refused(shared: Site) -> None:
    assert shared.client().get("/login?x=" + "a" * MAX_TARGET_BYTES).status_code == 414


def test_a_large_body_is_refused_whether_it_says_its_length_or_not(shared: Site) -> None:
    client = shared.log_in()

    def pieces() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 1024 + 2):
            yield b"a" * 1024

    said = client.post("/login", content=b"a" * (MAX_BODY_BYTES + 1))
    unsaid = client.post("/login", content=pieces())
    assert (said.status_code, unsaid.status_code) == (413, 413)


@pytest.mark.parametrize("length", ["-1", "x", "1, 2", "9" * 30])
def test_a_length_that_is_none_is_refused(shared: Site, length: str) -> None:
    assert shared.client(Origin=ORIGIN).post("/login", headers={"Content-Length": length}).status_code == 413


def test_many_fields_are_refused(shared: Site) -> None:
    client = shared.log_in()
    many = "&".join("verdict=denied" for _ in range(200))
    assert client.get(f"/api/v1/flows?{many}").status_code == 200
    body = "&".join(f"f{number}=1" for number in range(2000))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/policy/allow", content=body, headers=headers).status_code == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(shared: Site, method: str) -> None:
    assert shared.client().request(method, "/").status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/alerts?limit=0",
        "/api/v1/alerts?limit=201",
        "/api/v1/alerts?limit=x",
        "/api/v1/alerts?cursor=x",
        "/api/v1/alerts?cursor=99999999999999999999999",
        "/api/v1/alerts?severity=terrible",
        "/api/v1/alerts?hours=-1",
        "/api/v1/alerts?hours=1&hours=2",
        "/api/v1/containers?cursor=1",
        "/api/v1/containers?cursor=nan~x%00",
        "/api/v1/images?unknown=1",
        "/api/v1/images/..%2f",
        "/api/v1/images/zzzzzzzzzzzz",
        "/api/v1/containers/'%20OR%201=1",
        "/api/v1/alerts/0",
        "/api/v1/alerts/x",
        "/api/v1/services/edge?source=a&target=b&protocol=tcp&port=99999",
        "/api/v1/flows?verdict=nothing",
    ],
)
def test_what_cannot_be_asked_is_one_problem_that_says_why(shared: Site, path: str) -> None:
    answer = shared.log_in().get(path)
    assert answer.status_code in {400, 404}
    told = answer.json()
    assert told["status"] == answer.status_code
    assert told["detail"]


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b"\xff", b"[" * 20_000, b'{"image":1}', b'{"image":"x","more":1}', b"null"]
)
def test_a_broken_body_is_one_problem(shared: Site, body: bytes) -> None:
    client = shared.log_in()
    token = token_of(client.get("/").text)
    answer = client.post("/api/v1/policy/allow", content=body, headers={"X-CSRF-Token": token})
    assert answer.status_code == 400
    assert answer.json()["title"] == "Bad Request"


@pytest.mark.parametrize("to", ["", "nowhere", "10.0.0.1\n", "10.0.0.1\0", "\x1b[2J", "10.0.0.1; allow all"])
def test_what_is_no_address_is_not_refused_or_logged(site: Site, to: str) -> None:
    client = site.log_in()
    headers = {"X-CSRF-Token": token_of(client.get("/").text)}
    before = site.store.decisions()
    for verb in ("allow", "refuse"):
        answer = client.post(
            f"/api/v1/policy/{verb}", json={"image": STRANGER.id, "rules": [{"to": to}]}, headers=headers
        )
        assert answer.status_code in {400, 422}
    assert site.store.decisions() == before


def test_of_refusals_at_the_same_time_none_is_forgotten(site: Site) -> None:
    desk = Desk(store=site.store, policy_path=site.policy_path, run_dir=site.policy_path.parent, memory=Memory())

    def refuse(number: int) -> None:
        policy.refuse(desk, policy.RefuseAsk(STRANGER.id, (policy.AllowRule(f"10.0.0.{number}"),)))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(refuse, range(1, 25)))
    kept = site.store.state("console_refused")
    assert kept is not None
    assert len(json.loads(kept)) == 24


def test_a_page_that_was_made_for_another_policy_allows_nothing(site: Site) -> None:
    client = site.log_in()
    body = {"image": STRANGER.id, "rules": [{"to": "9.9.9.9"}]}
    body["expected"] = client.get("/api/v1/policy/proposals").json()["sha256"]
    site.policy_path.write_text(f"# by hand\n{site.policy_path.read_text()}")
    headers = {"X-CSRF-Token": token_of(client.get("/").text)}
    assert client.post("/api/v1/policy/allow", json=body, headers=headers).status_code == 409
    assert site.policy_path.read_text().startswith("# by hand")


@pytest.mark.parametrize(
    "referer", ["http://[", "http://evil.example/map", f"{ORIGIN}//evil.example/map", f"{ORIGIN}/map?x"]
)
def test_a_form_leads_back_to_a_page_of_the_console_alone(site: Site, referer: str) -> None:
    client = site.log_in()
    fields = {"csrf": token_of(client.get("/").text), "image": STRANGER.id, "rules": '{"to":"9.9.9.9"}'}
    answer = client.post("/policy/refuse", data=fields, headers={"Referer": referer})
    assert answer.status_code == 303
    assert answer.headers["location"] in {"/review", "/map?x"}
