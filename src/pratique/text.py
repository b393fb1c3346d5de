"""Text from strangers, made fit to be shown. Below every room: errors and logs need it too."""


def printable(text: str) -> str:
    """Return text that a terminal only prints: control, format and invisible characters become escapes.

    So do bytes that are no UTF-8 (PEP 383) and halves of surrogate pairs; what is returned can always be encoded.
    """
    return text if text.isprintable() else "".join(map(_escaped, text))


def count(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 package``, ``2 packages``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
