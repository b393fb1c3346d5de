import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pratique.errors import PolicyError, UsageError
from pratique.model import Verdict
from pratique.pipelines.change_policy import StaleError, await_live, change_policy, policy_decision
from pratique.policy import Allow, Builds, Document, allow_more, parse, render
from pratique.store import Store

IMAGE = "sha256:" + "a" * 64


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "pratique.db") as store:
        yield store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "policy.yaml"


DECISION = policy_decision(Verdict.ALLOW, "policy.allow", "allow", "test", image=IMAGE, reason="")


def test_many_changes_at_the_same_time_are_all_there_at_the_end(store: Store, path: Path) -> None:
    def change(number: int) -> str:
        rule = Allow(f"10.0.0.{number}")
        return change_policy(path, store, lambda document: allow_more(document, IMAGE, "a", [rule]), DECISION)

    with ThreadPoolExecutor(8) as pool:
        digests = list(pool.map(change, range(1, 13)))
    entry = parse(path.read_bytes()).image(IMAGE)
    assert entry is not None
    assert len(entry.allow) == 12
    assert hashlib.sha256(path.read_bytes()).hexdigest() in digests
    assert len(store.decisions()) == 12
    assert store.verify_decisions().broken == 0


def test_a_change_for_another_policy_writes_and_logs_nothing(store: Store, path: Path) -> None:
    path.write_text(render(Document()))
    with pytest.raises(StaleError):
        change_policy(path, store, lambda _: Document(builds=Builds.GATE), DECISION, expected="0" * 64)
    assert parse(path.read_bytes()) == Document()
    assert store.decisions() == []


def test_an_editor_that_saves_meanwhile_loses_nothing(store: Store, path: Path) -> None:
    path.write_text(render(Document()))

    def change(document: Document) -> Document:
        path.write_text("# by hand\nversion: 1\nbuilds: gate\n")
        return allow_more(document, IMAGE, "a", [Allow("10.0.0.1")])

    with pytest.raises(StaleError):
        change_policy(path, store, change, DECISION)
    assert path.read_text().startswith("# by hand")
    assert [record.decision.verdict for record in store.decisions()] == [Verdict.ALLOW, Verdict.DENY]


def test_a_change_for_this_policy_is_written(store: Store, path: Path) -> None:
    path.write_text("# mine\nversion: 1\n")
    seen = hashlib.sha256(path.read_bytes()).hexdigest()
    change_policy(path, store, lambda _: Document(builds=Builds.GATE), DECISION, expected=seen)
    assert parse(path.read_bytes()).builds is Builds.GATE


def test_what_would_not_be_valid_is_not_written(store: Store, path: Path) -> None:
    with pytest.raises(PolicyError):
        change_policy(path, store, lambda document: allow_more(document, IMAGE, "a", [Allow("nowhere")]), DECISION)
    assert not path.exists()
    assert store.decisions() == []


def test_a_file_that_is_broken_stays_as_it_is(store: Store, path: Path) -> None:
    path.write_text("version: [")
    with pytest.raises(PolicyError):
        change_policy(path, store, lambda document: document, DECISION)
    assert path.read_text() == "version: ["


def test_a_directory_that_cannot_be_made_is_one_error(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError):
        change_policy(tmp_path / "file" / "policy.yaml", store, lambda document: document, DECISION)


def test_without_an_agent_nothing_is_live(store: Store, tmp_path: Path) -> None:
    assert not await_live(store, tmp_path / "run", "0" * 64, 60.0)
