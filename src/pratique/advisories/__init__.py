"""The vulnerability database: import, query, version order.

In: OSV documents, packages. Out: findings. Never: opens images.
"""

from pratique.advisories.archive import ArchiveLimits, BrokenEntry
from pratique.advisories.build import Imported, Source, build
from pratique.advisories.database import Database, Feed
from pratique.advisories.ecosystem import DEFAULT_FAMILIES

__all__ = [
    "DEFAULT_FAMILIES",
    "ArchiveLimits",
    "BrokenEntry",
    "Database",
    "Feed",
    "Imported",
    "Source",
    "build",
]
