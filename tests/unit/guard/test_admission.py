"""Create and start need a passing report of what the engine resolved; nothing waits for ever, nothing fails open."""

import asyncio
from typing import Any

import pytest

from pratique.errors import EngineError, ImageError, StoreError
from pratique.guard import OWN_HEADER
from pratique.model import Decision, ImageId, ImageIdentity, Report, Verdict
from pratique.policy import Access, Admission, Document, Permit
from pratique.runtime import OWN_CALL_HEADER
from tests.unit.guard.asking import BAD, GOOD, World, question, rule

CREATE = question("POST", "/v1.41/containers/create", {"Image": "good:1"})
START = question("POST", "/v1.41/containers/web/start")


def test_an_image_whose_report_fails_is_neither_created_nor_started(world: World) -> None:
    decision = world.ask("POST", "/v1.41/containers/create", {"Image": "evil:1"})
    assert rule(decision) == "start.report"
    assert "malware" in decision.reason
    assert "/usr/bin/xmrig" in decision.reason
    assert decision.image == BAD
    world.container("web", image=BAD)
    assert rule(world.ask_bytes(START)) == "start.report"
    assert world.admitted == []


def test_an_image_that_the_engine_does_not_have_is_left_to_its_404(world: World) -> None:
    """Otherwise ``docker run`` would never pull; start judges whatever came."""
    asked = ("POST", "/v1.41/containers/create", {"Image": "absent:1"})
    assert rule(world.ask(*asked)) == "allow"
    assert rule(world.ask("POST", "/v1.41/containers/absent/start")) == "allow"


def test_an_image_that_comes_in_this_moment_has_no_permits_yet(world: World) -> None:
    """A name that comes and goes beside the request must not let a forbidden container come to be."""
    world.permit(Permit.PRIVILEGED)
    asked = {"Image": "absent:1", "HostConfig": {"Privileged": True}}
    decision = world.ask("POST", "/v1.41/containers/create", asked)
    assert rule(decision) == "create.privileged"
    assert "pull the image first" in decision.reason


def test_what_is_admitted_is_told_before_the_start_is_answered(world: World) -> None:
    world.container("web")
    assert rule(world.ask_bytes(START)) == "allow"
    assert world.admitted == [("web" * 8, GOOD)]


def test_a_start_is_refused_when_admission_fails(world: World) -> None:
    async def fail(container: str, image: ImageId) -> None:
        msg = f"no room for {container} {image}"
        raise RuntimeError(msg)

    world.container("web")
    assert rule(_once(world, START, on_admitted=fail)) == "guard.failed"


def test_a_container_whose_image_is_gone_is_not_started(world: World) -> None:
    world.container("web", image="sha256:" + "c" * 64)
    assert rule(world.ask_bytes(START)) == "start.no-report"


def test_unpausing_what_runs_already_needs_no_second_look(world: World) -> None:
    assert rule(world.ask("POST", "/v1.41/containers/web/unpause")) == "allow"


class SlowScan(World):
    """A world whose scanner waits until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.document = Document(admission=Admission(scan_deadline_s=0.1))
        self.scans = 0
        self.go = asyncio.Event()

    async def report(self, image: ImageIdentity) -> Report:
        self.scans += 1
        await self.go.wait()
        return await super().report(image)


def test_a_scan_that_takes_too_long_goes_on_while_the_client_is_told_to_try_again() -> None:
    async def story() -> None:
        world = SlowScan()
        async with world.guard() as guard:
            first = await asyncio.gather(*(guard.decide(CREATE) for _ in range(5)))
            assert {rule(decision) for decision in first} == {"start.scanning"}
            assert "try again in a moment" in first[0].reason
            assert world.scans == 1
            world.go.set()
            assert rule(await guard.decide(CREATE)) == "allow"

    asyncio.run(story())


def test_the_guard_ends_with_a_scan_still_running() -> None:
    async def story() -> None:
        world = SlowScan()
        async with world.guard() as guard:
            await guard.decide(CREATE)

    asyncio.run(story())


def test_an_image_that_cannot_be_scanned_does_not_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(image: ImageIdentity) -> Report:
        msg = f"layer 1 of {image.name} is truncated"
        raise ImageError(msg, hint="load it again")

    monkeypatch.setattr(world, "report", broken)
    decision = world.ask_bytes(CREATE)
    assert rule(decision) == "start.no-report"
    assert "truncated" in decision.reason
    assert "load it again" in decision.reason


def test_a_scanner_that_crashes_does_not_open_the_gate(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(image: ImageIdentity) -> Report:
        raise RuntimeError(image.name)

    monkeypatch.setattr(world, "report", crash)
    assert rule(world.ask_bytes(CREATE)) == "start.no-report"


def test_a_scan_that_was_stopped_is_no_report(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stopped(image: ImageIdentity) -> Report:
        raise asyncio.CancelledError(image.name)

    monkeypatch.setattr(world, "report", stopped)
    assert rule(world.ask_bytes(CREATE)) == "start.no-report"


def test_an_incomplete_report_is_refused_unless_the_policy_takes_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pratique.model import Unread

    async def partly(image: ImageIdentity) -> Report:
        return Report(image=image, scanned_at=0, duration_s=0, unread=(Unread("/x", "truncated"),))

    monkeypatch.setattr(world, "report", partly)
    assert rule(world.ask_bytes(CREATE)) == "start.report"
    world.document = Document(admission=Admission(incomplete=Access.ALLOW))
    assert rule(world.ask_bytes(CREATE)) == "allow"


def test_an_engine_that_does_not_answer_the_guard_ends_in_a_refusal(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(_: str) -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr(world, "image", silent)
    assert rule(_once(world, CREATE, deadline_s=0.05)) == "guard.deadline"


def test_an_engine_that_answers_with_an_error_ends_in_a_refusal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def error(_: str) -> Any:
        msg = "the engine cannot be reached"
        raise EngineError(msg)

    monkeypatch.setattr(world, "image", error)
    decision = world.ask_bytes(CREATE)
    assert rule(decision) == "guard.failed"
    assert "cannot be reached" in decision.reason


@pytest.mark.parametrize(
    "answer", [{"Id": "x", "Image": 5}, {"Id": "x", "HostConfig": []}, {}, {"Id": "x", "Mounts": "x"}]
)
def test_an_engine_that_answers_nonsense_ends_in_a_refusal(world: World, answer: dict[str, Any]) -> None:
    world.containers["web"] = answer
    assert rule(world.ask_bytes(START)) == "guard.failed"


def test_a_log_that_cannot_be_written_does_not_stop_the_api(world: World) -> None:
    def full(_: Decision) -> None:
        raise OSError(28, "No space left on device")

    assert rule(_once(world, CREATE, record=full)) == "allow"


def test_decisions_are_recorded_except_for_reading(world: World) -> None:
    world.ask("GET", "/v1.41/containers/json")
    world.ask("GET", "/debug/vars")
    world.ask("POST", "/v1.41/containers/web/kill")
    assert [(decision.verdict, decision.rule) for decision in world.recorded] == [
        (Verdict.DENY, "debug.denied"),
        (Verdict.ALLOW, "change.allowed"),
    ]


def test_what_a_client_wrote_is_shown_without_queries_and_control_codes(world: World) -> None:
    decision = world.ask("POST", "/v1.41/build?buildargs=%7B%22TOKEN%22:%22secret%22%7D")
    assert "secret" not in repr(decision)
    decision = world.create({"Binds": ["/etc/\x1b[2J:/x"]})
    assert "\x1b" not in decision.reason
    decision = world.ask("GET", "/debug/vars\x1b[2J")
    assert "\x1b" not in decision.subject + decision.reason


def test_a_pull_is_told_with_its_image(world: World) -> None:
    assert world.ask("POST", "/v1.41/images/create?fromImage=a/b&tag=1", Content_Length="0").subject == "pull a/b 1"


def test_the_probe_of_guard_status_is_refused_and_not_recorded(world: World) -> None:
    assert rule(world.ask("GET", "/v1.0/_ping")) == "guard.probe"
    assert world.recorded == []


def test_the_agents_own_calls_are_known_by_their_token(world: World) -> None:
    asked = question("GET", "/v1.41/debug/vars", **{OWN_HEADER: "secret"})
    assert rule(_once(world, asked, own_token="secret")) == "allow"
    assert rule(_once(world, asked, own_token="other")) == "debug.denied"
    assert rule(_once(world, asked)) == "debug.denied"
    empty = question("GET", "/v1.41/debug/vars", **{OWN_HEADER: ""})
    assert rule(_once(world, empty)) == "debug.denied"
    assert OWN_HEADER == OWN_CALL_HEADER


def _once(world: World, asked: bytes, **options: Any) -> Decision:
    async def ask() -> Decision:
        async with world.guard(**options) as guard:
            return await guard.decide(asked)

    return asyncio.run(ask())


def test_an_image_against_which_there_is_an_objection_does_not_run_although_its_report_passes(world: World) -> None:
    world.objections[GOOD] = "it is kin of condemned image evil/kit:1 (0123456789ab): 93% of its own content"
    world.container("web")
    for asked in (CREATE, START):
        decision = world.ask_bytes(asked)
        assert rule(decision) == "start.condemned"
        assert "evil/kit:1" in decision.reason
        assert "pratique pardon" in decision.reason
    assert world.admitted == []


def test_whoever_cannot_tell_the_family_lets_nobody_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(report: Report) -> str:
        del report
        msg = "the store is locked"
        raise StoreError(msg)

    monkeypatch.setattr(world, "objection", broken)
    assert rule(world.ask_bytes(CREATE)) == "guard.failed"
