"""A console over a real store that holds what strangers wrote, and ways to ask it."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace
from starlette.testclient import TestClient

from pratique.hub.app import Console, create_app
from pratique.hub.desk import Desk, Memory
from pratique.hub.gate import Names
from pratique.model import Container, FlowVerdict, ImageId, ImageIdentity
from pratique.policy import Document, ImagePolicy, render
from pratique.store import Store
from tests.unit.store import values

HOST = "127.0.0.1:8470"
ORIGIN = f"http://{HOST}"
SCRIPT = "<script>alert(1)</script>"
STRANGER = ImageIdentity(ImageId("sha256:" + "e" * 64), references=(f"{SCRIPT}\u202e:latest",))
CUCKOO = Container(
    id="e" * 64,
    name=f"{SCRIPT}name",
    image=STRANGER.id,
    image_reference=f"{SCRIPT}reference",
    running=True,
    labels={f"{SCRIPT}label": f"{SCRIPT}value"},
    addresses=("172.17.0.9",),
)


class Site(Struct, frozen=True):
    """A console and what is behind it."""

    app: Any
    store: Store
    policy_path: Path

    def client(self, **headers: str) -> TestClient:
        return TestClient(self.app, base_url=ORIGIN, headers=headers, follow_redirects=False)

    def log_in(self, role: str = "operator") -> TestClient:
        """Return a client that is logged in as a browser is."""
        client = self.client(**{"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"})
        now = time.time()
        ticket = self.store.tokens.create_ticket(role, now, now + 60)
        assert client.post("/login", data={"token": ticket}).status_code == 303
        return client


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a store and a policy; tests take copies."""
    folder = tmp_path_factory.mktemp("hub")
    now = time.time()
    entry = ImagePolicy(values.CHECKOUT.name, (values.CHECKOUT.id,))
    (folder / "policy.yaml").write_text(render(Document(images=(entry,))))
    with Store.open(folder / "pratique.db") as store:
        store.put_image(values.CHECKOUT, now)
        store.put_image(STRANGER, now)
        store.put_report(values.report(replace(values.finding(), title=SCRIPT, path=f"/{SCRIPT}"), at=now))
        store.put_report(values.report(replace(values.finding(), title=SCRIPT), at=now, image=STRANGER))
        store.put_container(values.CONTAINER, values.CHECKOUT.name, True, now - 60)
        store.put_container(CUCKOO, "unlisted", False, now - 30)
        store.add_flows(
            [
                values.flow(at=now, verdict=FlowVerdict.LEARNT),
                values.flow("9.9.9.9", 3333, at=now, verdict=FlowVerdict.DENIED, command=SCRIPT),
                replace(values.flow("9.9.9.9", 3333, at=now, image=STRANGER.id), container=CUCKOO.id),
            ]
        )
        evidence = {"file": f"/tmp/{SCRIPT}", "pid": "7", "parent": SCRIPT, "arguments": SCRIPT, "why": SCRIPT}
        hostile = replace(values.alert("x", at=now), title=SCRIPT, container=CUCKOO.id, container_name=SCRIPT)
        store.add_alerts([replace(hostile, evidence=evidence, image=STRANGER.id, image_name=SCRIPT)])
        store.append_decisions([replace(values.decision(at=now), subject=SCRIPT, reason=SCRIPT, source=SCRIPT)])
    return folder


@pytest.fixture
def site(recorded: Path, tmp_path: Path) -> Iterator[Site]:
    """Yield a console of the test's own; no agent runs beside it."""
    with _opened(recorded, tmp_path) as site:
        yield site


@pytest.fixture(scope="module")
def shared(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a console for tests that change nothing."""
    with _opened(recorded, tmp_path_factory.mktemp("shared")) as site:
        yield site


@contextmanager
def _opened(recorded: Path, folder: Path) -> Iterator[Site]:
    for file in recorded.iterdir():
        shutil.copy(file, folder)
    policy_path = folder / "policy.yaml"
    with Store.open(folder / "pratique.db") as store:
        desk = Desk(store=store, policy_path=policy_path, run_dir=folder / "run", memory=Memory())
        names = Names(frozenset({"127.0.0.1", "localhost", "console.example"}))
        app = create_app(Console(names=names, cookie="pratique_8470"), desk)
        with TestClient(app, base_url=ORIGIN):  # runs what runs as long as the console does
            yield Site(app, store, policy_path)


def token_of(page: str) -> str:
    """Return the synchroniser token in a page."""
    return page.partition('name="csrf-token" content="')[2].partition('"')[0]
