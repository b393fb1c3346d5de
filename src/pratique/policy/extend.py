"""Adds an image id to the entry of another, and takes it away again, in the text that a person wrote. Pure."""

import re
from contextlib import suppress

import msgspec

from pratique.errors import PolicyError
from pratique.policy.document import Document, parse
from pratique.policy.write import render


def add_id(text: bytes, old: str, new: str) -> bytes:
    """Return a policy in which ``new`` is listed in the entry of ``old``; comments and layout stay where they can.

    :raises PolicyError: when the text is no valid policy
    """
    document = parse(text)
    if document.image(old) is None or document.image(new) is not None:
        return text
    entries = (
        msgspec.structs.replace(entry, ids=(*entry.ids, new)) if old in entry.ids else entry
        for entry in document.images
    )
    wanted = msgspec.structs.replace(document, images=tuple(entries))
    source = text.decode()
    on_a_line = re.sub(rf"(?m)^([ \t]*-[ \t]*)([\"']?){old}\2([ \t]*(?:#.*)?)$", rf"\g<0>\n\g<1>{new}", source)
    in_a_row = re.sub(rf"([\"']?){old}\1(?=[ \t]*[,\]])", rf"\g<0>, {new}", source)
    return _first_equal(wanted, on_a_line, in_a_row)


def remove_id(text: bytes, image_id: str) -> bytes:
    """Return a policy in which an image id is no longer listed; the last id of an entry stays, as an entry needs one.

    :raises PolicyError: when the text is no valid policy
    """
    document = parse(text)
    entry = document.image(image_id)
    if entry is None or entry.ids == (image_id,):
        return text
    entries = (
        msgspec.structs.replace(one, ids=tuple(name for name in one.ids if name != image_id)) for one in document.images
    )
    wanted = msgspec.structs.replace(document, images=tuple(entries))
    source = text.decode()
    on_a_line = re.sub(rf"(?m)^[ \t]*-[ \t]*([\"']?){image_id}\1[ \t]*(?:#.*)?\n", "", source)
    in_a_row = re.sub(rf",[ \t]*([\"']?){image_id}\1|([\"']?){image_id}\2[ \t]*,[ \t]*", "", source)
    return _first_equal(wanted, on_a_line, in_a_row)


def _first_equal(wanted: Document, *candidates: str) -> bytes:
    """Return the first text that says what is wanted, or a new one that does."""
    for candidate in candidates:
        with suppress(PolicyError):
            if parse(candidate.encode()) == wanted:
                return candidate.encode()
    return render(wanted).encode()
