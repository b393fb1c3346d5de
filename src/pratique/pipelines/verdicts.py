"""Condemns and pardons images on a person's word; what was decided goes into the log."""

import re
import time
from typing import Final

from pratique.errors import UsageError
from pratique.model import Decision, Verdict
from pratique.store import Store
from pratique.text import printable

_IMAGE_ID: Final = re.compile(r"sha256:[0-9a-f]{64}")
PERSON: Final = "person"


def condemn(store: Store, name: str, reason: str, source: str) -> str:
    """Condemn the image that a name stands for, and return its id; a running agent acts on it within a moment.

    :param source: who asks, for the decision log
    :raises UsageError: when the name stands for no image, or for several
    """
    image_id, at = resolve(store, name), time.time()
    store.families.condemn(image_id, at, reason, PERSON)
    _log(store, Verdict.DENY, "family.condemned", f"condemn {name}", reason, source, image_id)
    return image_id


def pardon(store: Store, name: str, reason: str, source: str) -> str:
    """Vouch for the image that a name stands for, and return its id; see :func:`condemn`."""
    image_id, at = resolve(store, name), time.time()
    store.families.pardon(image_id, at, reason)
    _log(store, Verdict.ALLOW, "family.pardoned", f"pardon {name}", reason, source, image_id)
    return image_id


def resolve(store: Store, name: str) -> str:
    """Return the id of the one image that a name stands for; an image need not be here to be named by its full id.

    :raises UsageError: when there is none, or more than one
    """
    ids = store.image_ids(name)
    if not ids and _IMAGE_ID.fullmatch(name):
        return name
    if not ids:
        msg = f"no image '{printable(name)}' is known"
        raise UsageError(msg, hint="'pratique images' lists the names and ids")
    if len(ids) > 1:
        msg = f"'{printable(name)}' stands for {len(ids)} images"
        raise UsageError(msg, hint=f"name one by its id: {', '.join(one[7:19] for one in ids[:5])}")
    return ids[0]


def _log(store: Store, verdict: Verdict, rule: str, subject: str, reason: str, source: str, image_id: str) -> None:
    decision = Decision(
        at=time.time(),
        verdict=verdict,
        rule=rule,
        subject=printable(subject),
        reason=printable(reason),
        source=source,
        image=image_id,
    )
    store.append_decisions([decision])
