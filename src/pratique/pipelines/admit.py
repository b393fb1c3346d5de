"""Whether an image may run: from its report, scanned on demand."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from pratique.errors import PratiqueError
from pratique.model import Detonation, ImageId, ImageIdentity, Report
from pratique.pipelines.account import Account
from pratique.pipelines.behaviours import Behaviours
from pratique.pipelines.kinship import Kinship
from pratique.pipelines.memory import Memory
from pratique.pipelines.recorder import Recorder
from pratique.policy import Document, explain_fault, judge_report
from pratique.store import Store

_REMEMBERED_REPORTS: Final = 512
_SCANS_AT_ONCE: Final = 2


class Admissions:
    """The book of reports. One scan an image at a time, a few at once; what is known is answered at once."""

    def __init__(
        self,
        scan: Callable[[ImageId], Awaitable[Report]],
        store: Store,
        recorder: Recorder,
        document: Callable[[], Document],
        account: Account,
        advisories: Path,
        kinship: Kinship,
        behaviours: Behaviours,
    ) -> None:
        self._kinship = kinship
        self._behaviours = behaviours
        self._advisories = advisories
        self._advisories_at = _modified(advisories)
        self._scan = scan
        self._store = store
        self._recorder = recorder
        self._document = document
        self._account = account
        self._reports: Memory[ImageId, Report] = Memory(_REMEMBERED_REPORTS)
        self._running: dict[ImageId, asyncio.Task[Report]] = {}
        self._slots = asyncio.Semaphore(_SCANS_AT_ONCE)

    async def report(self, image: ImageIdentity, *, fresh: bool = False) -> Report:
        """Return an image's report, scanning the image when there is none.

        A caller that stops waiting does not stop the scan: the next one finds it further on.

        :param fresh: scan even when there is a report
        :raises PratiqueError: when the scan failed
        """
        if not fresh and (known := await self.known(image.id)) is not None:
            return known
        task = self._running.get(image.id)
        if task is None:
            task = asyncio.ensure_future(self._scanned(image.id))
            self._running[image.id] = task
            task.add_done_callback(lambda done: self._finished(image.name, image.id, done))
        return await asyncio.shield(task)

    async def detonation(self, image: ImageIdentity) -> Detonation:
        """Return what an image did in the sandbox, detonating it when that is not known.

        :raises PratiqueError: when it cannot be detonated
        """
        return await self._behaviours.detonation(image)

    async def current(self, image: ImageIdentity) -> Report:
        """Return an image's report as the advisories there are now would have it.

        :raises PratiqueError: when the scan failed
        """
        known = await self.known(image.id)
        stale = known is not None and known.scanned_at < _modified(self._advisories)
        return await self.report(image, fresh=stale)

    def advisories_changed(self) -> bool:
        """Tell whether the advisory database is another than at the last call."""
        before, self._advisories_at = self._advisories_at, _modified(self._advisories)
        return self._advisories_at != before

    async def known(self, image_id: ImageId) -> Report | None:
        """Return the report that is there already, or None."""
        report = self._reports.get(image_id)
        if report is None:
            stored = await asyncio.to_thread(self._store.report, image_id)
            if stored is not None and not await self._kinship.knows(image_id):
                stored = None  # it was scanned before anybody asked what images are made of
            report = self._reports.get(image_id, stored)  # a scan may have ended in the meantime
            if report is not None:
                self._reports[report.image.id] = report
        return report

    def fault(self, report: Report) -> str:
        """Return why the report of an image does not pass under the policy in force, or ``""``."""
        return explain_fault(judge_report(report, self._document().admission))

    async def objection(self, report: Report) -> str:
        """Return why an image may not run although its report passes: it is condemned, or kin of a condemned one.

        :raises StoreError: when that cannot be known
        """
        return (await self._kinship.standing(report)).objection

    async def stop(self) -> None:
        """End the scans and detonations that are under way."""
        await self._behaviours.stop()
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _scanned(self, image_id: ImageId) -> Report:
        async with self._slots:
            report = await self._scan(image_id)
        self._reports[report.image.id] = report
        self._recorder.call(lambda store: store.put_report(report))
        self._kinship.reported(report)
        standing = await self._kinship.standing(report)
        self._account.scanned(report, self.fault(report) or standing.objection)
        if standing.heir is not None:
            self._account.say(f"image {report.image.name}: policy {standing.heir.text}")
        return report

    def _finished(self, name: str, image_id: ImageId, task: asyncio.Task[Report]) -> None:
        self._running.pop(image_id, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            hint = error.hint if isinstance(error, PratiqueError) else ""
            self._account.warn(f"image {name} was not scanned: {error}", hint)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
