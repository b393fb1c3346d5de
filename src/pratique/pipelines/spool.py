"""An engine's image as a file in a private directory, for as long as it is needed."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from pratique import image as images
from pratique.errors import ImageError
from pratique.model import ImageId
from pratique.runtime import Engine

_WRITE_BYTES: Final = 4 << 20


@asynccontextmanager
async def spooled(engine: Engine, image_id: ImageId, options: images.Options) -> AsyncIterator[Path]:
    """Hold an engine's export of an image in a file, which is gone when the block is left or cancelled.

    :raises EngineError: when the engine does not hand it out
    :raises ImageError: when it is too large, or there is no room
    """
    with tempfile.TemporaryDirectory(prefix="pratique-", dir=images.spool_directory(options.spool_dir)) as directory:
        path = Path(directory) / "image.tar"
        await _write(engine.export(image_id), path, options)
        yield path


async def _write(export: AsyncIterator[bytes], path: Path, options: images.Options) -> None:
    written = 0
    pending: list[bytes] = []
    try:
        with path.open("xb", buffering=0) as file:
            async for chunk in export:
                written += len(chunk)
                if written > options.max_image_bytes:
                    msg = f"the engine's export is larger than {options.max_image_bytes} bytes"
                    raise ImageError(msg)
                pending.append(chunk)
                if sum(map(len, pending)) >= _WRITE_BYTES:
                    await asyncio.to_thread(
                        images.write_spool, file.fileno(), b"".join(pending), options.min_free_bytes
                    )
                    pending.clear()
            await asyncio.to_thread(images.write_spool, file.fileno(), b"".join(pending), options.min_free_bytes)
    except OSError as error:
        msg = f"the engine's export cannot be kept in {path.parent}: {error.strerror}"
        raise ImageError(msg, hint=images.ROOM_HINT) from error
