"""Who a container runs as: an image's ``User``, looked up in the image's own files as the engines do."""

from typing import Final

from msgspec import Struct

_HIGHEST: Final = 65_535
_MAX_LINES: Final = 10_000
_MAX_GROUPS: Final = 64


class Account(Struct, frozen=True):
    """Ids in the container."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/root"


def find_account(user: str, passwd: str, group: str) -> Account | None:
    """Return the account that ``USER[:GROUP]`` names, or None when there is none.

    :param passwd: content of ``/etc/passwd``: passwd(5)
    :param group: content of ``/etc/group``: group(5)
    """
    name, _, group_name = (user or "0").partition(":")
    users = [fields for fields in _records(passwd, 6) if _number(fields[2]) is not None]
    found = next((fields for fields in users if fields[0] == name), None)
    if found is None:
        found = next((fields for fields in users if fields[2] == name), None)
    uid = _number(name) if found is None else _number(found[2])
    if uid is None:
        return None
    gid = 0 if found is None else _number(found[3]) or 0
    home = "/" if found is None or not found[5].startswith("/") else found[5]
    groups = [fields for fields in _records(group, 3) if _number(fields[2]) is not None]
    if group_name:
        named = next((fields for fields in groups if fields[0] == group_name), None)
        chosen = _number(group_name) if named is None else _number(named[2])
        return None if chosen is None else Account(uid, chosen, (), home)
    login = name if found is None else found[0]
    more = [_number(fields[2]) or 0 for fields in groups if len(fields) > 3 and login in fields[3].split(",")]
    return Account(uid, gid, tuple(more[:_MAX_GROUPS]), home)


def _records(text: str, least: int) -> list[list[str]]:
    return [fields for fields in (line.split(":") for line in text.splitlines()[:_MAX_LINES]) if len(fields) >= least]


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        return None
    return int(text) if int(text) <= _HIGHEST else None
