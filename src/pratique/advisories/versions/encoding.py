"""The two building blocks of a version key: numbers and texts as bytes that sort like them."""


def number(digits: str) -> bytes:
    """Encode a number, given as decimal digits: its length and then its digits, leading zeros dropped.

    Zero is one NUL byte. The first byte is at most 0xfa, so that callers have bytes above every number.
    """
    digits = digits.lstrip("0")
    length = len(digits)
    if length < 0xFA:
        return bytes((length,)) + digits.encode()
    return b"\xfa" + length.to_bytes(2, "big") + digits.encode()


def text(value: str) -> bytes:
    """Encode a text: UTF-8 and a NUL byte at its end; control characters become spaces."""
    return "".join(max(char, " ") for char in value).encode(errors="replace") + b"\0"
