"""From opened files to packages, over a real store."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from pratique.detections import Subject
from pratique.model import CgroupEvent, Container, ImageCode, ImageId, LossEvent, OpenedEvent, PackageCode
from pratique.pipelines.loading import Loading
from pratique.pipelines.recorder import Recorder
from pratique.store import Store
from tests.unit.pipelines.listener import Listener

IMAGE = ImageId("sha256:" + "a" * 64)
WEB, OLD = "c" * 64, "d" * 64
SSL = PackageCode("libssl3", "3.0", "Debian:12", "openssl", ("usr/lib/libssl.so.3",))
REQUESTS = PackageCode("requests", "2.0", "PyPI", "", ("usr/lib/site/requests/api.py", "usr/lib/site/requests/x.py"))
CODE = ImageCode(IMAGE, 1.0, (SSL, REQUESTS))


def opened(path: str) -> OpenedEvent:
    return OpenedEvent(at=5.0, cgroup=1, pid=2, path=path)


def run(folder: Path, work: Callable[[Loading, Recorder], Awaitable[None]]) -> Store:
    async def story() -> None:
        with Store.open(folder / "s.db") as store:
            async with Recorder.opened(store, Listener()) as recorder:
                await work(Loading(store, recorder), recorder)

    asyncio.run(story())
    return Store.open(folder / "s.db")


def of(container: str) -> Subject:
    return Subject(container=container, image=IMAGE)


def test_the_first_file_of_each_package_is_kept_and_what_compiled_code_stands_for(tmp_path: Path) -> None:
    async def work(loading: Loading, recorder: Recorder) -> None:
        del recorder
        loading.learn(CODE)
        await loading.take(opened("/usr/lib/libssl.so.3"), of(WEB))
        await loading.take(opened("/usr/lib/site/requests/__pycache__/api.cpython-311.pyc"), of(WEB))
        await loading.take(opened("/usr/lib/site/requests/x.py"), of(WEB))
        await loading.take(opened("/etc/passwd"), of(WEB))

    with run(tmp_path, work) as store:
        kept = store.opened.opened([WEB], ["openssl", "requests"])
        assert [(one.package, one.path) for one in kept] == [
            ("libssl3", "usr/lib/libssl.so.3"),
            ("requests", "usr/lib/site/requests/api.py"),
        ]


def test_no_is_only_said_of_a_container_that_was_watched_from_its_start(tmp_path: Path) -> None:
    async def work(loading: Loading, recorder: Recorder) -> None:
        del recorder
        loading.learn(CODE)
        await loading.take(CgroupEvent(at=4.0, cgroup=1, container=WEB, created=True), of(WEB))
        for container in (WEB, OLD):
            await loading.take(opened("/usr/lib/libssl.so.3"), of(container))

    with run(tmp_path, work) as store:
        assert store.opened.loaded([WEB, OLD], ["openssl"]) == {WEB: True, OLD: True}
        assert store.opened.loaded([WEB, OLD], ["requests"]) == {WEB: False}
        assert store.opened.loaded([WEB, OLD], ["unknown"]) == {}


def test_after_a_loss_nobody_says_no(tmp_path: Path) -> None:
    async def work(loading: Loading, recorder: Recorder) -> None:
        loading.learn(CODE)
        await loading.take(CgroupEvent(at=4.0, cgroup=1, container=WEB, created=True), of(WEB))
        await loading.take(opened("/bin/sh"), of(WEB))
        await recorder.durable()
        await loading.take(LossEvent(at=6.0, source="opened/opened", count=1), Subject())

    with run(tmp_path, work) as store:
        assert store.opened.loaded([WEB], ["requests"]) == {}


def test_what_is_opened_before_the_image_was_scanned_is_not_known(tmp_path: Path) -> None:
    async def work(loading: Loading, recorder: Recorder) -> None:
        del recorder
        await loading.take(CgroupEvent(at=4.0, cgroup=1, container=WEB, created=True), of(WEB))
        await loading.take(opened("/usr/lib/libssl.so.3"), of(WEB))
        loading.learn(CODE)
        await loading.take(opened("/usr/lib/site/requests/x.py"), of(WEB))

    with run(tmp_path, work) as store:
        assert store.opened.loaded([WEB], ["openssl"]) == {}
        assert store.opened.loaded([WEB], ["requests"]) == {WEB: True}


def test_the_code_outlives_the_agent(tmp_path: Path) -> None:
    async def scan(loading: Loading, recorder: Recorder) -> None:
        del recorder
        loading.learn(CODE)

    async def use(loading: Loading, recorder: Recorder) -> None:
        del recorder
        await loading.take(opened("/usr/lib/libssl.so.3"), of(WEB))

    run(tmp_path, scan).close()
    with run(tmp_path, use) as store:
        assert store.opened.loaded([WEB], ["libssl3"]) == {WEB: True}


def test_what_removed_containers_opened_is_forgotten_in_time(tmp_path: Path) -> None:
    async def work(loading: Loading, recorder: Recorder) -> None:
        del recorder
        loading.learn(CODE)
        for container in (WEB, OLD):
            await loading.take(CgroupEvent(at=4.0, cgroup=1, container=container, created=True), of(container))
            await loading.take(opened("/usr/lib/libssl.so.3"), of(container))

    with run(tmp_path, work) as store:
        for container in (WEB, OLD):
            store.put_container(Container(id=container, name=container[:4], image=IMAGE), "unlisted", True, 4.0)
        store.container_gone(OLD, 10.0)
        store.prune(10.0 + 3 * 86_400, retention_days=2)
        assert store.opened.loaded([WEB, OLD], ["openssl", "requests"]) == {WEB: True}
