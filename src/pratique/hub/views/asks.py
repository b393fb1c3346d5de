"""What several endpoints are asked alike."""

from typing import Annotated, Any

from msgspec import Meta, Struct

Limit = Annotated[int, Meta(ge=1, le=200, description="How many at most")]
Cursor = Annotated[str, Meta(max_length=200, description="The 'next' of the page before; empty: from the newest on")]
Hours = Annotated[int, Meta(ge=1, le=24 * 31, description="How many hours to look back")]
Text = Annotated[str, Meta(max_length=200)]
ImageKey = Annotated[str, Meta(max_length=100, pattern="^(sha256:)?[0-9a-f]{12,64}$", description="An image id")]
ContainerKey = Annotated[
    str, Meta(pattern="^[0-9a-f]{12,64}$", max_length=64, description="A container id, or its first 12 digits or more")
]


class Nothing(Struct, frozen=True):
    """Nothing to ask."""


def next_of(items: list[Any], limit: int) -> str:
    """Return the cursor behind records that are in order of their number; ``""`` when no more can follow."""
    return str(items[-1].id) if len(items) == limit else ""
