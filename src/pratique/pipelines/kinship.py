"""Who is condemned, who is kin of the condemned, and who is a new version of a listed image."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from pratique.family import Fingerprint, Kin, find_kin, own_elements, succession
from pratique.model import FindingKind, ImageIdentity, Report
from pratique.pipelines.lineage import Lineage, read_lineage
from pratique.pipelines.memory import Memory
from pratique.pipelines.recorder import Recorder
from pratique.policy import Document, judge_report, may_inherit
from pratique.store import Store

HEIR_SHARE: Final = 0.6
"""So much must an image and a listed one have in common, both ways, for it to count as a new version of that."""
_REMEMBERED_FINGERPRINTS: Final = 32
_REMEMBERED_STANDINGS: Final = 20_000


class Heir(Struct, frozen=True):
    """A new version of a listed image."""

    ancestor: str
    """The listed image's id."""
    name: str
    """That of the ancestor's entry in the policy."""
    share: float

    @property
    def text(self) -> str:
        """For people."""
        return f"inherited from {self.name} (share {self.share:.2f})"


class Standing(Struct, frozen=True):
    """What an image's family says about it."""

    condemned: str = ""
    """Why it is condemned itself."""
    kin: Kin | None = None
    """The condemned image that it is kin of."""
    heir: Heir | None = None

    @property
    def objection(self) -> str:
        """Why it may not run, whatever its report says; empty when it may."""
        if self.condemned:
            return f"it is condemned for: {self.condemned}"
        return f"it is {self.kin.text}" if self.kin is not None else ""


class Kinship:
    """The book of families.

    Verdicts may come from elsewhere (``pratique condemn``) and the policy may change: :meth:`refresh` finds both.
    """

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        document: Callable[[], Document],
        inherit: Callable[[str, Heir | None], None],
    ) -> None:
        """Bind the book to its surroundings.

        :param document: returns the policy in force
        :param inherit: is told of which listed image an image is a new version
        """
        self._store = store
        self._recorder = recorder
        self._document = document
        self._inherit = inherit
        self._lineage = Lineage()
        self._read_for: object = None
        self._fresh: Memory[str, Fingerprint] = Memory(_REMEMBERED_FINGERPRINTS)
        self._standings: Memory[str, Standing] = Memory(_REMEMBERED_STANDINGS)
        self._lock = asyncio.Lock()

    def learn(self, fingerprint: Fingerprint) -> None:
        """Take in what an image is made of."""
        self._fresh[fingerprint.image] = fingerprint
        self._standings.pop(fingerprint.image, None)
        own = own_elements(fingerprint).elements
        self._recorder.call(lambda store: store.families.put(fingerprint, own))

    async def knows(self, image_id: str) -> bool:
        """Tell whether it is known what an image is made of."""
        return image_id in self._fresh or await asyncio.to_thread(self._store.families.has, image_id)

    def reported(self, report: Report) -> None:
        """Condemn an image in which malware was found, unless the policy lists it: then a person vouched for it."""
        malware = [finding for finding in report.findings if finding.kind is FindingKind.MALWARE]
        if malware and self._document().image(report.image.id) is None:
            first = malware[0]
            where = f" in {first.path}" if first.path else ""
            self.condemn(report.image.id, f"malware: {first.title} ({first.rule}){where}", "malware")

    def condemn(self, image_id: str, reason: str, source: str) -> None:
        """Condemn an image; see :meth:`pratique.store.families.Families.condemn`."""
        at = time.time()
        self._recorder.call(lambda store: store.families.condemn(image_id, at, reason, source))

    async def standing(self, report: Report) -> Standing:
        """Return what an image's family says about it.

        :raises StoreError: when the store cannot be read
        """
        image = report.image
        await self.refresh()
        known = self._standings.get(image.id)
        if known is None:
            async with self._lock:
                known = await asyncio.to_thread(self._judge, report, self._fresh.get(image.id), self._lineage)
                self._standings[image.id] = known
            self._inherit(image.id, known.heir)
        return known

    async def refresh(self) -> bool:
        """Read verdicts and innocents anew if either changed; return whether they did.

        :raises StoreError: when the store cannot be read
        """
        async with self._lock:
            document = self._document()
            now = document, await asyncio.to_thread(self._store.families.verdicts)
            if now == self._read_for:
                return False
            self._lineage = await asyncio.to_thread(read_lineage, self._store, document)
            self._read_for = now
            self._standings.clear()
            return True

    def _judge(self, report: Report, fresh: Fingerprint | None, lineage: Lineage) -> Standing:
        image, document = report.image, self._document()
        verdict = lineage.verdicts.get(image.id)
        if verdict is not None and lineage.is_condemned(image.id):
            return Standing(condemned=verdict.reason)
        if document.image(image.id) is not None:
            return Standing()
        fingerprint = fresh or self._store.families.fingerprint(image.id)
        if fingerprint is None:
            return Standing()
        kin = find_kin(fingerprint, lineage.marrows) if verdict is None else None
        if kin is not None or judge_report(report, document.admission):
            return Standing(kin=kin)
        return Standing(heir=self._heir(fingerprint, image, document, lineage))

    def _heir(
        self, fingerprint: Fingerprint, image: ImageIdentity, document: Document, lineage: Lineage
    ) -> Heir | None:
        """Return of which listed image this one is a new version, the nearest one."""
        names = {
            listed: entry.name
            for entry in document.images
            for listed in entry.ids
            if not lineage.is_condemned(listed)
            and may_inherit(document.unlisted.inherit, entry, lineage.identity(listed), image)
        }
        if not names:
            return None
        own = own_elements(fingerprint, depth=lineage.base_depth(fingerprint.layers))
        near = [one for one in self._store.families.candidates(fingerprint) if one in names]
        heirs = []
        for old in self._store.families.fingerprints(near):
            old_own = own_elements(old, depth=lineage.base_depth(old.layers))
            share = succession(old, old_own, fingerprint, own)
            if share >= HEIR_SHARE:
                heirs.append(Heir(old.image, names[old.image], share))
        return max(heirs, key=lambda heir: heir.share, default=None)
