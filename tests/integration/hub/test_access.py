"""Who gets in, and who does not."""

import time

import pytest

from pratique.hub.table import ACTIONS, ENDPOINTS, PAGES
from tests.integration.hub.conftest import CUCKOO, HOST, ORIGIN, Site, token_of
from tests.unit.store.values import CHECKOUT

API = "/api/v1"
GETS = [endpoint.path for endpoint in ENDPOINTS.values() if endpoint.method == "GET"]
POSTS = [endpoint.path for endpoint in ENDPOINTS.values() if endpoint.method == "POST"]


def _filled(path: str) -> str:
    return path.replace("{id}", "1" if "alerts" in path else "e" * 12)


@pytest.mark.parametrize("path", GETS)
def test_api_answers_nobody_who_is_not_known(shared: Site, path: str) -> None:
    answer = shared.client().get(API + _filled(path))
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", [page.path for page in PAGES])
def test_a_page_leads_to_the_login(shared: Site, path: str) -> None:
    answer = shared.client().get(_filled(path))
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


def test_events_need_a_login(shared: Site) -> None:
    assert shared.client().get("/events").status_code == 401


def test_a_ticket_logs_in_once(site: Site) -> None:
    now = time.time()
    ticket = site.store.tokens.create_ticket("operator", now, now + 60)
    first, second = (site.client(Origin=ORIGIN).post("/login", data={"token": ticket}) for _ in range(2))
    assert (first.status_code, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert second.status_code == 401
    assert "set-cookie" not in second.headers


@pytest.mark.parametrize("age", [61.0, 3600.0])
def test_an_expired_ticket_logs_nobody_in(shared: Site, age: float) -> None:
    ticket = shared.store.tokens.create_ticket("operator", time.time() - age, time.time() - age + 60)
    assert shared.client(Origin=ORIGIN).post("/login", data={"token": ticket}).status_code == 401


@pytest.mark.parametrize("token", ["", "wrong", "\0", "é" * 300, "a" * 5000])
def test_a_wrong_ticket_logs_nobody_in(site: Site, token: str) -> None:
    assert site.client(Origin=ORIGIN).post("/login", data={"token": token}).status_code == 401


def test_wrong_tickets_are_answered_ever_more_curtly_and_a_right_one_still_works(site: Site) -> None:
    client = site.client(Origin=ORIGIN)
    told = [client.post("/login", data={"token": "wrong"}).status_code for _ in range(8)]
    assert told[0] == 401
    assert told[-1] == 429
    site.log_in()


def test_a_program_s_token_is_no_ticket(site: Site) -> None:
    token = site.store.tokens.create("ci", "operator", time.time(), None)
    assert site.client(Origin=ORIGIN).post("/login", data={"token": token}).status_code == 401


def test_a_ticket_is_no_program_s_token(site: Site) -> None:
    now = time.time()
    ticket = site.store.tokens.create_ticket("operator", now, now + 60)
    answer = site.client(Authorization=f"Bearer {ticket}").get(f"{API}/overview")
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Origin": f"{ORIGIN}.evil.example"},
        {"Origin": f"http://{HOST}@evil.example"},
        {"Origin": "http://evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_another_site_cannot_log_a_browser_in(shared: Site, headers: dict[str, str]) -> None:
    now = time.time()
    ticket = shared.store.tokens.create_ticket("operator", now, now + 60)
    assert shared.client(**headers).post("/login", data={"token": ticket}).status_code == 403
    assert shared.store.tokens.redeem(ticket, now) == "operator"  # and the ticket is not used up


@pytest.mark.parametrize("path", [action.path for action in ACTIONS])
def test_a_form_without_the_session_s_token_changes_nothing(shared: Site, path: str) -> None:
    client = shared.log_in()
    before = shared.policy_path.read_bytes()
    for fields in ({}, {"csrf": ""}, {"csrf": "wrong"}, {"csrf": token_of(shared.log_in().get("/").text)}):
        answer = client.post(_filled(path), data={"image": CHECKOUT.id, "rules": '{"to":"10.9.9.9"}', **fields})
        assert answer.status_code == 403
    assert shared.policy_path.read_bytes() == before
    assert shared.store.quarantines.all() == []


@pytest.mark.parametrize("path", POSTS)
def test_a_script_without_the_session_s_token_changes_nothing(shared: Site, path: str) -> None:
    client = shared.log_in()
    assert client.post(API + _filled(path), json={"image": CHECKOUT.id}).status_code == 403
    assert shared.store.quarantines.all() == []


def test_another_site_s_form_changes_nothing_even_with_the_token(site: Site) -> None:
    client = site.log_in()
    token = token_of(client.get("/").text)
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = client.post(f"/containers/{CUCKOO.id}/quarantine", data={"csrf": token}, headers=headers)
        assert answer.status_code == 403
    assert site.store.quarantines.all() == []


@pytest.mark.parametrize("path", POSTS)
def test_a_viewer_changes_nothing(shared: Site, path: str) -> None:
    client = shared.log_in("viewer")
    token = token_of(client.get("/").text)
    by_script = client.post(API + _filled(path), json={"image": CHECKOUT.id}, headers={"X-CSRF-Token": token})
    by_form = client.post(_filled(path), data={"image": CHECKOUT.id, "csrf": token})
    by_program = shared.client(
        Authorization=f"Bearer {shared.store.tokens.create('ci', 'viewer', time.time(), None)}"
    ).post(API + _filled(path), json={"image": CHECKOUT.id})
    assert [answer.status_code for answer in (by_script, by_form, by_program)] == [403, 403, 403]
    assert shared.store.quarantines.all() == []


def test_a_viewer_sees_everything(shared: Site) -> None:
    client = shared.log_in("viewer")
    edge = "?source=image:x&target=internet:internet&protocol=tcp&port=1"
    for page in PAGES:
        answer = client.get(_filled(page.path) + (edge if page.endpoint == "edge" else ""))
        assert answer.status_code == (404 if page.endpoint == "edge" else 200), page.path


def test_a_program_s_token_works_until_it_expires_or_is_revoked(site: Site) -> None:
    now = time.time()
    good = site.store.tokens.create("good", "viewer", now, now + 60)
    old = site.store.tokens.create("old", "viewer", now - 60, now - 1)
    with_good = site.client(Authorization=f"Bearer {good}")
    assert with_good.get(f"{API}/overview").status_code == 200
    assert site.client(Authorization=f"Bearer {old}").get(f"{API}/overview").status_code == 401
    assert site.client(Authorization=f"Basic {good}").get(f"{API}/overview").status_code == 401
    assert site.store.tokens.revoke("good") == 1
    assert with_good.get(f"{API}/overview").status_code == 401


def test_the_decision_log_names_the_token_that_changed_something(site: Site) -> None:
    token = site.store.tokens.create("deployer", "operator", time.time(), None)
    answer = site.client(Authorization=f"Bearer {token}").post(f"{API}/containers/{CUCKOO.id}/quarantine", json={})
    assert answer.status_code == 200
    assert site.store.quarantines.all()[0].source == "console token deployer"


def test_a_second_login_in_a_browser_ends_the_first_session(site: Site) -> None:
    client = site.log_in()
    first = client.cookies["pratique_8470"]
    now = time.time()
    client.post("/login", data={"token": site.store.tokens.create_ticket("viewer", now, now + 60)})
    assert client.cookies["pratique_8470"] != first
    assert site.client(Cookie=f"pratique_8470={first}").get(f"{API}/overview").status_code == 401


def test_logging_out_ends_the_session_for_good(site: Site) -> None:
    client = site.log_in()
    cookie = client.cookies["pratique_8470"]
    token = token_of(client.get("/").text)
    assert client.post("/logout", data={"csrf": token}).status_code == 303
    again = site.client(Cookie=f"pratique_8470={cookie}")
    assert again.get("/").headers["location"] == "/login"


@pytest.mark.parametrize(
    "cookie", ["", "pratique_8470=", "pratique_8470=wrong", "=;;,\x7f", "pratique_8470=" + "a" * 4000]
)
def test_a_wrong_cookie_is_nobody(shared: Site, cookie: str) -> None:
    assert shared.client(Cookie=cookie).get(f"{API}/overview").status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8470", "127.0.0.1.evil.example", "", "[::1", "a:b:c", "127.0.0.1:x"]
)
def test_a_name_of_somebody_else_that_points_here_is_refused(shared: Site, host: str) -> None:
    client = shared.log_in()
    for path in ("/", "/login", "/healthz", f"{API}/overview", "/api/openapi.json"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == 421


@pytest.mark.parametrize("host", [HOST, "localhost:8470", "LOCALHOST", "console.example"])
def test_its_own_names_are_answered(shared: Site, host: str) -> None:
    assert shared.client().get("/healthz", headers={"Host": host}).status_code == 200
