"""What the commands that act share: which container is meant, and who asks."""

import asyncio
import getpass
import os

from pratique.config import Options
from pratique.errors import EmptyStoreError, EngineError, UsageError
from pratique.model import Container
from pratique.runtime import Engine
from pratique.store import Store
from pratique.text import printable


def find_container(options: Options, name: str) -> Container:
    """Return the container with a name, an id or the beginning of one: the engine's answer, else the store's.

    :raises UsageError: when there is none, or more than one in the store
    """
    try:
        found = asyncio.run(_ask(options.docker_host, name))
    except EngineError:
        found = _recorded(options, name)
    if found is None:
        msg = f"no container '{printable(name[:80])}' is known"
        raise UsageError(msg, hint="'pratique containers' lists the names and ids")
    return found


def asker() -> str:
    """Return who runs this command, for the decision log."""
    return f"user {os.environ.get('SUDO_USER') or getpass.getuser()}"


async def _ask(docker_host: str, name: str) -> Container | None:
    async with Engine.connect(docker_host) as engine:
        return await engine.container(name)


def _recorded(options: Options, name: str) -> Container | None:
    """Return what the store knows, for when the engine is away and containers go on."""
    try:
        with Store.open(options.store, read_only=True) as store:
            records = store.containers()
    except EmptyStoreError:
        return None
    found = [r.container for r in records if r.container.name == name or r.container.id.startswith(name)]
    if len(found) > 1:
        msg = f"{len(found)} containers begin with '{printable(name[:80])}'"
        raise UsageError(msg, hint="give more of the id")
    return found[0] if found else None
