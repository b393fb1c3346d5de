"""Keeps the kernel in step with the policy document and with the containers there are."""

import hashlib
import time
from pathlib import Path

from pratique.errors import PolicyError, PratiqueError
from pratique.model import ImageId, KernelPolicy
from pratique.pipelines.account import Account
from pratique.pipelines.kinship import Heir
from pratique.pipelines.presence import APPLIED_STATE
from pratique.pipelines.recorder import Recorder
from pratique.policy import QUARANTINE, UNLISTED_POLICY, Document, compile_policies, parse
from pratique.sensor import Sensor

_Stamp = tuple[int, int, int]


class Enforcement:
    """The policy in force.

    An image's policy number is fixed for as long as a document is in force; a container is bound to the number of its
    image, or to that of the quarantine. What has no entry is under number 0.
    """

    def __init__(self, path: Path, recorder: Recorder, account: Account) -> None:
        self.document = Document()
        self._path = path
        self._recorder = recorder
        self._account = account
        self._compiled = compile_policies(self.document)
        self._images: dict[str, str] = {}
        self._heirs: dict[str, Heir] = {}
        self._isolated: frozenset[str] = frozenset()
        self._sensor: Sensor | None = None
        self._seen: _Stamp | None = None

    def policies(self) -> list[KernelPolicy]:
        """Return the kernel policies of the document in force, for everything else first, and the quarantine."""
        listed = {policy.id: policy for policy in (*self._compiled.values(), QUARANTINE)}
        return sorted(listed.values(), key=lambda policy: policy.id)

    def bindings(self) -> dict[str, int]:
        """Return the policy number of each known container."""
        return {container: self._number(container) for container in self._images.keys() | self._isolated}

    def images(self) -> frozenset[ImageId]:
        """Return the image ids of the known containers."""
        return frozenset(ImageId(image) for image in self._images.values())

    def attach(self, sensor: Sensor) -> None:
        """From now on keep this sensor in step."""
        self._sensor = sensor

    def bind(self, container_id: str, image_id: str) -> None:
        """Put a container under its image's policy, whatever cgroup it gets and however often it is restarted."""
        self._images[container_id] = image_id
        if self._sensor is not None:
            self._sensor.bind(container_id, self._number(container_id))

    def inherit(self, image_id: str, heir: Heir | None) -> None:
        """Put an unlisted image under the policy of the listed one that it is a new version of; None: of none."""
        if heir == self._heirs.get(image_id):
            return
        if heir is None:
            del self._heirs[image_id]
        else:
            self._heirs[image_id] = heir
        if self._sensor is not None:
            for container_id, image in self._images.items():
                if image == image_id:
                    self._sensor.bind(container_id, self._number(container_id))

    def policy_name(self, image_id: str) -> str:
        """Return the name of what an image is under, for people."""
        entry, heir = self.document.image(image_id), self._heirs.get(image_id)
        if entry is not None:
            return entry.name
        return heir.text if heir is not None and self.document.image(heir.ancestor) is not None else "unlisted"

    def isolate(self, container_ids: frozenset[str]) -> None:
        """Have these containers in quarantine, and no others: what ran under it goes back under its image's policy."""
        changed, self._isolated = self._isolated ^ container_ids, container_ids
        if self._sensor is None:
            return
        for container_id in changed:
            if container_id in container_ids or container_id in self._images:
                self._sensor.bind(container_id, self._number(container_id))
            else:
                self._sensor.unbind(container_id)

    def forget(self, container_id: str) -> None:
        """Take back a removed container's binding."""
        if self._images.pop(container_id, None) is not None and self._sensor is not None:
            self._sensor.unbind(container_id)

    def load(self) -> None:
        """Put the policy file into force.

        :raises PolicyError: when it cannot be read or is not valid; what was in force stays
        """
        self._seen = _stamp(self._path)
        try:
            text = self._path.read_bytes()
        except OSError as error:
            msg = f"policy {self._path} cannot be read: {error.strerror}"
            raise PolicyError(msg, hint="put a policy there: 'pratique policy init' prints one") from error
        self._apply(parse(text, name=str(self._path)), text)

    def reload_if_changed(self) -> None:
        """Put the policy file into force when it has changed; a bad one is told and the old one stays."""
        if _stamp(self._path) == self._seen:
            return
        try:
            self.load()
        except PratiqueError as error:
            self._account.warn(f"{error.what}; the old one stays in force", error.hint)

    def _apply(self, document: Document, text: bytes) -> None:
        """Put a document into force.

        :param text: the file that it was read from
        """
        self.document = document
        self._compiled = compile_policies(document)
        if self._sensor is not None:
            self._sensor.apply(self.policies(), self.bindings())
        digest = hashlib.sha256(text).hexdigest()
        now = time.time()
        self._recorder.call(lambda store: store.put_policy(text.decode(), digest, now))
        self._recorder.call(lambda store: store.set_state(APPLIED_STATE, digest))
        self._account.say(f"policy in force: {len(document.images)} images listed, builds {document.builds}")

    def _number(self, container_id: str) -> int:
        if container_id in self._isolated:
            return QUARANTINE.id
        image_id = self._images[container_id]
        policy = self._compiled.get(image_id)
        if policy is None and (heir := self._heirs.get(image_id)) is not None:
            policy = self._compiled.get(heir.ancestor)
        return policy.id if policy is not None else UNLISTED_POLICY


def _stamp(path: Path) -> _Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
