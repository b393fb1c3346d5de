"""Keeps an eye on the families of the images that are here: whoever is condemned later is told today."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final

from pratique.detections import image_condemned, image_kin
from pratique.errors import StoreError
from pratique.model import Alert, Container, Decision, ImageId, Report, Verdict
from pratique.pipelines.account import Account
from pratique.pipelines.admit import Admissions
from pratique.pipelines.kinship import Heir, Kinship, Standing
from pratique.pipelines.recorder import Recorder
from pratique.store import Store

_LOOK_EVERY_S: Final = 0.5


class FamilyWatch:
    """Judges every image that is here once, and again when a verdict or the policy changed."""

    def __init__(
        self,
        kinship: Kinship,
        admissions: Admissions,
        present: Callable[[], frozenset[ImageId]],
        store: Store,
        recorder: Recorder,
        account: Account,
    ) -> None:
        """Bind the watch to its surroundings.

        :param present: returns the ids of the images that are on this host
        """
        self._kinship = kinship
        self._admissions = admissions
        self._present = present
        self._store = store
        self._recorder = recorder
        self._account = account
        self._told: dict[ImageId, Standing] = {}
        self._failed = False

    async def settle(self, images: Iterable[ImageId]) -> None:
        """Find out of whom images are new versions, before anything is enforced.

        :raises StoreError: when the store cannot be read
        """
        for image_id in images:
            report = await self._admissions.known(image_id)
            if report is not None:
                await self._kinship.standing(report)

    async def run(self) -> None:
        """Watch for ever."""
        while True:
            try:
                await self._look()
                self._failed = False
            except StoreError as error:
                if not self._failed:
                    self._account.warn(f"families are not watched: {error.what}", error.hint)
                self._failed = True
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _look(self) -> None:
        changed = await self._kinship.refresh()
        present = self._present()
        self._told = {image: told for image, told in self._told.items() if image in present}
        for image_id in present if changed else present - self._told.keys():
            report = await self._admissions.known(image_id)
            if report is not None:
                await self._tell(report)

    async def _tell(self, report: Report) -> None:
        standing = await self._kinship.standing(report)
        before = self._told.get(report.image.id)
        self._told[report.image.id] = standing
        if standing.heir is not None and (before is None or before.heir != standing.heir):
            self._recorder.decision(_inherited(report, standing.heir))
        if not standing.objection or (before is not None and before.objection == standing.objection):
            return
        records = await asyncio.to_thread(self._store.containers, images=(report.image.id,))
        for alert in _alerts(report, standing, [record.container for record in records]):
            self._recorder.alert(alert)


def _inherited(report: Report, heir: Heir) -> Decision:
    return Decision(
        at=time.time(),
        verdict=Verdict.ALLOW,
        rule="family.inherited",
        subject=f"policy of {report.image.name}",
        reason=heir.text,
        source="agent",
        image=report.image.id,
    )


def _alerts(report: Report, standing: Standing, containers: list[Container]) -> list[Alert]:
    if standing.kin is None:
        return image_condemned(report.image, standing.condemned, time.time(), containers)
    kin = standing.kin
    evidence = {
        "condemned": f"{kin.name} ({kin.condemned})",
        "share": f"{kin.share:.2f}",
        "by": kin.by,
        "reason": kin.reason,
    }
    return image_kin(report.image, evidence, time.time(), containers)
