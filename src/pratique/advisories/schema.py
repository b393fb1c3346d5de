"""The database file: one SQLite file that is built aside and renamed into place, and never changed after that.

Versions are stored as keys that compare byte by byte (:mod:`pratique.advisories.versions`), so one query tells which
advisories hold for a package: ``low <= key < high``.
"""

from typing import Final

APPLICATION_ID: Final = 0x50_72_41_64
"""``PrAd``, at offset 68 of the file."""
SCHEMA_VERSION: Final = 1

TABLES: Final = """
CREATE TABLE feed (
    family TEXT PRIMARY KEY, source TEXT NOT NULL, imported_at REAL NOT NULL, data_at REAL NOT NULL,
    advisories INTEGER NOT NULL, broken INTEGER NOT NULL
) STRICT;
CREATE TABLE advisory (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, aliases TEXT NOT NULL, title TEXT NOT NULL
) STRICT;
CREATE TABLE package (
    number INTEGER PRIMARY KEY, ecosystem TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (name, ecosystem)
) STRICT;
CREATE TABLE affected (
    package INTEGER NOT NULL, low BLOB NOT NULL, high BLOB, fixed TEXT NOT NULL, severity INTEGER NOT NULL,
    advisory INTEGER NOT NULL
) STRICT;
"""
EXPLOITS: Final = """
CREATE TABLE kev (cve TEXT PRIMARY KEY, added REAL NOT NULL, ransomware REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE epss (cve TEXT PRIMARY KEY, probability REAL NOT NULL, percentile REAL NOT NULL) STRICT, WITHOUT ROWID;
"""
"""What is known of exploitation. A database of an older program has no such tables."""
INDEXES: Final = "CREATE INDEX affected_package ON affected (package);"

FIND: Final = """
SELECT advisory.id, advisory.aliases, advisory.title, affected.severity, affected.fixed
FROM package CROSS JOIN affected ON affected.package = package.number
JOIN advisory ON advisory.number = affected.advisory
WHERE package.name = ? AND package.ecosystem = ?
  AND affected.low <= ?3 AND (affected.high IS NULL OR affected.high > ?3)
"""
