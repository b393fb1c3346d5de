"""The vulnerability database: import, query, version order.

In: OSV documents, catalogues of exploitation, packages. Out: findings. Never: opens images.
"""

from pratique.advisories.archive import ArchiveLimits, BrokenEntry
from pratique.advisories.build import Imported, Source, build
from pratique.advisories.compare import fits
from pratique.advisories.database import Database, Exploited, Feed
from pratique.advisories.ecosystem import DEFAULT_FAMILIES

__all__ = [
    "DEFAULT_FAMILIES",
    "ArchiveLimits",
    "BrokenEntry",
    "Database",
    "Exploited",
    "Feed",
    "Imported",
    "Source",
    "build",
    "fits",
]
