"""A guard in a process of its own, so that a test can kill it: ``python mortal.py URL SOCKET PAUSE``."""

import asyncio
import sys
from pathlib import Path

from pratique.guard import Guard, serve
from pratique.policy import Document
from pratique.runtime import Engine
from tests.integration.guard.guarded import Shelf


async def main(url: str, path: Path, pause_s: float) -> None:
    """Answer until killed; say so when ready."""
    shelf = Shelf()
    shelf.pause_s = pause_s
    async with Engine.connect(url, token="mortal") as engine:
        guard = Guard(Document, engine, shelf, lambda _: None, own_token="mortal")
        async with guard, serve(guard, path):
            print("ready", flush=True)  # noqa: T201  # the test waits for it
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
