"""Whether a vulnerable file is loaded: from a real container's opens to the answer in the store."""

import time
from collections.abc import Iterator

import docker
import msgspec
import pytest

from pratique.model import DriftMode
from pratique.policy import Document, Unlisted, render
from pratique.store import Store
from testbed import images
from testbed.engine import ThrowAwayEngine
from testbed.protection import Protection

PATIENCE_S = 30.0
SITE = "usr/lib/python3/site-packages"
RECORD = b"used/__init__.py,sha256=x,1\nused/core.py,,\nused-1.dist-info/METADATA,,\n"
APK = """\
P:libused
V:1.0-r0
A:x86_64
o:used-src
F:usr/lib
R:libused.so.1

P:idle
V:2.0-r0
A:x86_64
F:usr/bin
R:idle

"""
FILES = {
    f"{SITE}/used/__init__.py": b"",
    f"{SITE}/used/core.py": b"print('core')\n",
    f"{SITE}/used-1.dist-info/METADATA": b"Name: used\nVersion: 1.0\n\n",
    f"{SITE}/used-1.dist-info/RECORD": RECORD,
    "node_modules/left/package.json": b'{"name": "left", "version": "1.0.0"}',
    "node_modules/left/index.js": b"module.exports = 1\n",
    "usr/lib/libused.so.1": b"\x7fELF library",
    "usr/bin/idle": b"#!/bin/sh\n",
    "lib/apk/db/installed": APK.encode(),
}


@pytest.fixture(scope="module")
def protected(root: None) -> Iterator[Protection]:
    del root
    with ThrowAwayEngine() as engine:
        client = engine.client()
        images.base().load(client)
        images.derived("shop/app:1", FILES, Cmd=["/bin/sleep", "1000"]).load(client)
        client.close()
        policy = render(Document(unlisted=Unlisted(drift=DriftMode.ALERT)))
        with Protection(engine, policy) as protection:
            yield protection


@pytest.fixture
def client(protected: Protection) -> Iterator[docker.DockerClient]:
    client = protected.engine.client()
    yield client
    client.close()


def loaded(protected: Protection, container: str, *names: str) -> bool | None:
    with Store.open(protected.policy_path.parent / "pratique.db", read_only=True) as store:
        return store.opened.loaded([container], names).get(container)


def blast(protected: Protection, package: str) -> dict[str, str]:
    """What the blast radius says of each container."""
    answer = msgspec.json.decode(protected.run("blast", f"package:{package}", "-f", "json"))
    return {one["id"]: one["loaded"] for one in answer["containers"]}


def wait_for(protected: Protection, container: str, name: str, wanted: bool) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while loaded(protected, container, name) is not wanted:
        assert time.monotonic() < deadline, (name, loaded(protected, container, name))
        time.sleep(0.1)


def test_what_a_container_opened_is_loaded_and_what_it_did_not_is_not(
    protected: Protection, client: docker.DockerClient
) -> None:
    container = client.containers.run("shop/app:1", detach=True)
    try:
        wait_for(protected, str(container.id), "idle", wanted=False)
        assert loaded(protected, str(container.id), "used") is False
        container.exec_run(["cat", f"/{SITE}/used-1.dist-info/METADATA", "/node_modules/left/package.json"])
        container.exec_run(["cat", "/usr/lib/libused.so.1", f"/{SITE}/used/core.py"])
        wait_for(protected, str(container.id), "libused", wanted=True)
        wait_for(protected, str(container.id), "used", wanted=True)
        assert loaded(protected, str(container.id), "used-src") is True
        assert loaded(protected, str(container.id), "left") is False  # its manifest alone is no use of it
        assert loaded(protected, str(container.id), "idle") is False
        assert loaded(protected, str(container.id), "nobody") is None
        assert blast(protected, "libused") == {container.id: "yes"}
        assert blast(protected, "idle") == {container.id: "no"}
    finally:
        container.remove(force=True)
