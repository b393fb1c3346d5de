"""What the argument TARGET of a command means: a file, a layout, or an image of the engine."""

from pathlib import Path
from typing import Final

from pratique.errors import UsageError

_ENGINE: Final = "docker:"
_FILES: Final = ("archive:", "oci:")


def path_of(target: str) -> Path | None:
    """Return the path that a target names, or None when it is a name for the engine.

    :raises UsageError: when a target says that it is a path and there is nothing
    """
    for prefix in _FILES:
        if target.startswith(prefix):
            path = Path(target.removeprefix(prefix))
            if not path.exists():
                msg = f"{path} does not exist"
                raise UsageError(msg)
            return path
    if target.startswith(_ENGINE):
        return None
    path = Path(target)
    if path.exists():
        return path
    if target.startswith((".", "/")):
        msg = f"{path} does not exist"
        raise UsageError(msg)
    return None


def name_of(target: str) -> str:
    """Return the name for the engine that a target is."""
    return target.removeprefix(_ENGINE)
