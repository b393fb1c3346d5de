"""What pages, the API and the events tell, over a real store."""

import time

import jsonschema_rs
import msgspec
import pytest
from msgspec.structs import replace

from pratique.hub.desk import Desk, Memory
from pratique.hub.events import Looker
from pratique.hub.pages import Pages
from pratique.hub.table import ENDPOINTS, PAGES
from pratique.model import EgressMode, FlowVerdict, Verdict
from pratique.policy import parse
from tests.integration.hub.conftest import CUCKOO, STRANGER, Site, token_of
from tests.unit.store import values
from tests.unit.store.values import CHECKOUT, CONTAINER

API = "/api/v1"


def _desk(site: Site) -> Desk:
    return Desk(store=site.store, policy_path=site.policy_path, run_dir=site.policy_path.parent, memory=Memory())


def test_openapi_document_describes_every_endpoint(shared: Site) -> None:
    answer = shared.client().get("/api/openapi.json")
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(endpoint.method, API + endpoint.path) for endpoint in ENDPOINTS.values()}
    ids = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))
    _references_resolve(document, document)


def _references_resolve(node: object, document: dict[str, object]) -> None:
    if isinstance(node, dict):
        if "$ref" in node:
            place: object = document
            for part in str(node["$ref"]).removeprefix("#/").split("/"):
                assert isinstance(place, dict)
                place = place[part]
        for inner in node.values():
            _references_resolve(inner, document)
    elif isinstance(node, list):
        for inner in node:
            _references_resolve(inner, document)


def test_every_answer_is_as_the_openapi_document_says(shared: Site) -> None:
    client = shared.log_in()
    document = client.get("/api/openapi.json").json()
    edge = "?source=image:sha256:aaaaaaaaaaaa&target=internet:internet&protocol=tcp&port=3333"
    for path, methods in document["paths"].items():
        if "get" not in methods:
            continue
        concrete = path.replace("{id}", "1" if "alerts" in path else "e" * 12) + (
            edge if path.endswith("/edge") else ""
        )
        answer = client.get(concrete)
        assert answer.status_code == 200, answer.text
        schema = methods["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": document["components"]}
        jsonschema_rs.validator_for(whole).validate(answer.json())


def test_every_page_has_its_data_in_the_api() -> None:
    assert {page.endpoint for page in PAGES} <= set(ENDPOINTS)


def test_lists_come_a_page_at_a_time_and_lose_nothing(site: Site) -> None:
    client = site.log_in()
    now = time.time()
    site.store.add_alerts([values.alert(f"k{number}", at=now) for number in range(25)])
    for number in range(5):
        site.store.put_container(replace(CONTAINER, id=f"{number}" * 64), "unlisted", True, now)
    for kind, count in (("alerts", 26), ("containers", 7), ("images", 2), ("flows", 3), ("decisions", 1)):
        seen, cursor = [], ""
        while True:
            page = client.get(f"{API}/{kind}", params={"limit": 2, "cursor": cursor}).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next"]
            if not cursor:
                break
        assert len(seen) == len(set(seen)) == count, kind


def test_images_are_found_by_a_part_of_their_name(shared: Site) -> None:
    client = shared.log_in()
    found = client.get(f"{API}/images", params={"q": "CHECK"}).json()["items"]
    assert [item["id"] for item in found] == [CHECKOUT.id]


def test_overview_counts_what_was_stopped(shared: Site) -> None:
    told = shared.log_in().get(f"{API}/overview").json()
    assert (told["flows_refused"], told["containers"], told["unadmitted"]) == (1, 2, 1)
    assert sum(hour["flows"] for hour in told["hours"]) == 1
    assert told["policy"] == {"sha256": told["policy"]["sha256"], "live": False, "agent": False}


def test_a_container_tells_its_processes_and_what_happened_when(shared: Site) -> None:
    told = shared.log_in().get(f"{API}/containers/{CUCKOO.id[:12]}").json()
    assert told["policy"]["listed"] is False
    assert {moment["kind"] for moment in told["timeline"]} == {"begin", "alert", "flow"}
    assert told["processes"][0]["children"][0]["pid"] == "7"


def test_a_proposal_that_is_accepted_is_in_the_policy_file(site: Site) -> None:
    client = site.log_in()
    token = token_of(client.get("/review").text)
    review = client.get(f"{API}/policy/proposals", params={"image": CHECKOUT.id}).json()
    (image,) = review["images"]
    assert {(one["rule"]["to"], one["refused"]) for one in image["proposals"]} == {
        ("10.0.0.2", False),
        ("9.9.9.9", True),
    }
    rule = next(one["rule"] for one in image["proposals"] if not one["refused"])
    answer = client.post(
        "/policy/allow",
        data={
            "csrf": token,
            "image": CHECKOUT.id,
            "expected": review["sha256"],
            "rules": msgspec.json.encode(rule).decode(),
        },
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/review")
    document = parse(site.policy_path.read_bytes())
    entry = document.image(CHECKOUT.id)
    assert entry is not None
    assert [(allowed.to, allowed.port) for allowed in entry.allow] == [("10.0.0.2", 6379)]
    assert "it holds as soon as an agent runs" in client.get("/review").text
    assert "it holds as soon as an agent runs" not in client.get("/review").text  # it is said once
    (decision,) = [record.decision for record in site.store.decisions() if record.decision.rule == "policy.allow"]
    assert "tcp 10.0.0.2:6379" in decision.subject
    assert decision.source.startswith("console session")


def test_a_proposal_made_for_another_policy_is_a_conflict(site: Site) -> None:
    client = site.log_in()
    headers = {"X-CSRF-Token": token_of(client.get("/").text)}
    body = {"image": CHECKOUT.id, "rules": [{"to": "10.0.0.2"}], "expected": "0" * 64}
    before = site.policy_path.read_bytes()
    assert client.post(f"{API}/policy/allow", json=body, headers=headers).status_code == 409
    assert site.policy_path.read_bytes() == before


@pytest.mark.parametrize("rule", [{"to": "nowhere"}, {"to": "10.0.0.1", "port": 80}, {"to": "fe80::1%eth0"}])
def test_a_rule_that_cannot_be_leaves_the_policy_as_it_is(site: Site, rule: dict[str, object]) -> None:
    client = site.log_in()
    headers = {"X-CSRF-Token": token_of(client.get("/").text)}
    before = site.policy_path.read_bytes()
    answer = client.post(f"{API}/policy/allow", json={"image": CHECKOUT.id, "rules": [rule]}, headers=headers)
    assert answer.status_code == 422
    assert site.policy_path.read_bytes() == before


def test_an_image_that_is_not_listed_gets_an_entry_as_strict_as_before(site: Site) -> None:
    client = site.log_in()
    headers = {"X-CSRF-Token": token_of(client.get("/").text)}
    body = {"image": STRANGER.id, "rules": [{"to": "10.0.0.9", "port": 53, "protocol": "udp"}]}
    assert client.post(f"{API}/policy/allow", json=body, headers=headers).json()["live"] is False
    document = parse(site.policy_path.read_bytes())
    entry = document.image(STRANGER.id)
    assert entry is not None
    assert (entry.egress, entry.drift, entry.permit) == (document.unlisted.egress, document.unlisted.drift, ())
    assert len(entry.allow) == 1


def test_a_list_is_enforced_from_a_person_s_word_on(site: Site) -> None:
    client = site.log_in()
    headers = {"X-CSRF-Token": token_of(client.get("/").text)}
    client.post(f"{API}/policy/allow", json={"image": CHECKOUT.id, "enforce": True}, headers=headers)
    entry = parse(site.policy_path.read_bytes()).image(CHECKOUT.id)
    assert entry is not None
    assert entry.egress is EgressMode.ENFORCE


def test_what_a_person_goes_on_refusing_is_not_proposed_again(site: Site) -> None:
    client = site.log_in()
    headers = {"X-CSRF-Token": token_of(client.get("/").text)}
    rule = {"to": "9.9.9.9", "port": 3333, "protocol": "tcp"}
    body = {"image": CHECKOUT.id, "rules": [rule]}
    assert client.post(f"{API}/policy/refuse", json=body, headers=headers).status_code == 200
    review = client.get(f"{API}/policy/proposals", params={"image": CHECKOUT.id}).json()
    assert [one["rule"]["to"] for one in review["images"][0]["proposals"]] == ["10.0.0.2"]
    assert site.store.decisions()[-1].decision.verdict is Verdict.DENY


def test_quarantine_and_release_are_asked_for_in_the_store(site: Site) -> None:
    client = site.log_in()
    token = token_of(client.get("/").text)
    page = f"/containers/{CUCKOO.id}"
    answer = client.post(f"{page}/quarantine", data={"csrf": token, "reason": "it mines"})
    assert (answer.status_code, answer.headers["location"]) == (303, page)
    (wanted,) = site.store.quarantines.all()
    assert (wanted.container, wanted.reason) == (CUCKOO.id, "it mines")
    assert client.get(f"{API}/containers").json()["items"][0]["quarantined"] is True
    client.post(f"{page}/release", data={"csrf": token})
    assert site.store.quarantines.all() == []


def test_an_edge_tells_the_rule_or_that_there_is_none(shared: Site) -> None:
    client = shared.log_in()
    drawn = client.get(f"{API}/services/map").json()
    edges = {(edge["target"], edge["port"]): edge for edge in drawn["edges"] if "aaaa" in edge["source"]}
    refused = edges["internet:internet", 3333]
    assert refused["refused"] > 0
    assert client.get(refused["href"]).status_code == 200
    ask = dict(pair.split("=") for pair in refused["href"].partition("?")[2].split("&"))
    assert ask["port"] == "3333"
    detail = client.get(refused["href"].replace("/map/edge", f"{API}/services/edge")).json()
    assert detail["verdicts"][0]["rule"] is None
    assert detail["verdicts"][0]["entry"] == CHECKOUT.name


def test_the_map_is_the_same_when_it_is_loaded_again_and_what_is_new_moves_nothing(site: Site) -> None:
    client = site.log_in()
    first, second = (client.get(f"{API}/services/map").json()["nodes"] for _ in range(2))
    assert first == second
    site.store.add_flows([values.flow("192.168.7.7", 5432, at=time.time())])
    later = client.get(f"{API}/services/map?hours=25").json()  # not the answer that is kept for a second
    third = {node["id"]: (node["x"], node["y"]) for node in later["nodes"]}
    assert all(third[node["id"]] == (node["x"], node["y"]) for node in first)
    assert len(set(third.values())) == len(third) == len(first) + 1


def _told(looker: Looker, *kinds: bytes) -> list[bytes]:
    """Look until one event of each kind came, and return the first of each."""
    deadline = time.monotonic() + 20
    found: dict[bytes, bytes] = {}
    while len(found) < len(kinds):
        assert time.monotonic() < deadline, sorted(found)
        for event in looker.look():
            found.setdefault(event.partition(b"\n")[0].removeprefix(b"event: "), event)
    return [found[kind] for kind in kinds]


def test_what_is_new_is_told_once_and_repetitions_as_they_come(site: Site) -> None:
    looker = Looker(_desk(site), Pages("host").row)
    looker.look()
    assert looker.look() == []
    now = time.time()
    refused = replace(values.alert("again", at=now), evidence={"address": "8.8.8.8", "port": "53", "protocol": "udp"})
    refused = replace(refused, container=CONTAINER.id)
    site.store.add_alerts([refused])
    # The row, and the edge on the map before any counter of the kernel is there.
    (row, _) = _told(looker, b"alert", b"flow")
    assert b'"count":1' in row
    site.store.add_alerts([refused])
    (row, edge) = _told(looker, b"alert", b"flow")
    assert b'"count":2' in row
    assert b'"struck":true' in edge
    site.store.add_flows([values.flow("8.8.8.8", 53, at=now, verdict=FlowVerdict.DENIED)])
    site.store.append_decisions([values.decision(9, at=now)])
    site.store.put_container(replace(CONTAINER, running=False), "unlisted", True, now)
    assert len(_told(looker, b"flow", b"decision", b"container")) == 3


def test_of_a_flood_the_newest_is_told(site: Site) -> None:
    looker = Looker(_desk(site), Pages("host").row)
    looker.look()
    now = time.time()
    site.store.add_alerts([values.alert(f"flood {number}", at=now + number / 1000) for number in range(1000)])
    newest = max(record.id for record in site.store.alerts())
    told = [event for event in looker.look() if event.startswith(b"event: alert")]
    assert len(told) == 100
    assert f'"id":{newest},'.encode() in told[-1]


def test_a_part_of_a_page_has_no_frame_and_leaves_the_notice_to_the_next_page(site: Site) -> None:
    client = site.log_in()
    token = token_of(client.get("/").text)
    client.post(f"/containers/{CUCKOO.id}/quarantine", data={"csrf": token})
    edge = client.get(f"{API}/services/map").json()["edges"][0]
    part = client.get(edge["href"], headers={"HX-Request": "true"}).text
    assert "<html" not in part
    assert "quarantine of" not in part
    assert "quarantine of" in client.get("/").text


def test_a_form_leads_back_to_the_list_it_was_on_and_nowhere_else(site: Site) -> None:
    client = site.log_in()
    token = token_of(client.get("/").text)
    fields = {"csrf": token, "image": CHECKOUT.id, "rules": '{"to":"10.0.0.2"}'}
    for referer, then in (
        ("http://127.0.0.1:8470/map?hours=1", "/map?hours=1"),
        ("http://evil.example/map", "/review"),
        ("http://127.0.0.1:8470/images", "/review"),
        ("http://127.0.0.1:8470//evil.example/map", "/review"),
    ):
        answer = client.post("/policy/allow", data=fields, headers={"Referer": referer})
        assert answer.headers["location"] == then
