"""The tables, as the newest migration leaves them; a test compares the two."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

HEAD: Final = "0005"
"""The newest revision under ``migrations/versions``."""

METADATA: Final = MetaData()

SERIAL: Final = BigInteger().with_variant(Integer, "sqlite")
"""A number that the database gives: PostgreSQL spends one for each upsert, so 32 bits would last weeks."""

STATE: Final = Table(
    "state",
    METADATA,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

IMAGES: Final = Table(
    "images",
    METADATA,
    Column("id", String, primary_key=True),
    Column("identity", LargeBinary, nullable=False),
    Column("first_seen", Float, nullable=False),
    Column("last_seen", Float, nullable=False),
    Index("ix_images_last_seen", "last_seen", "id"),
)

REPORTS: Final = Table(
    "reports",
    METADATA,
    Column("image", String, primary_key=True),
    Column("scanned_at", Float, nullable=False),
    Column("packages", Integer, nullable=False),
    Column("malware", Integer, nullable=False),
    Column("secrets", Integer, nullable=False),
    Column("misconfigurations", Integer, nullable=False),
    Column("critical", Integer, nullable=False),
    Column("high", Integer, nullable=False),
    Column("medium", Integer, nullable=False),
    Column("low", Integer, nullable=False),
    Column("unread", Integer, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

CONTAINERS: Final = Table(
    "containers",
    METADATA,
    Column("id", String, primary_key=True),
    Column("image", String, nullable=False),
    Column("policy", String, nullable=False),
    Column("admitted", Boolean, nullable=False),
    Column("first_seen", Float, nullable=False),
    Column("last_seen", Float, nullable=False),
    Column("gone_at", Float, nullable=True),
    Column("document", LargeBinary, nullable=False),
    Index("ix_containers_first_seen", "first_seen", "id"),
    Index("ix_containers_admitted", "gone_at", "admitted"),
)

FLOWS: Final = Table(
    "flows",
    METADATA,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("container", String, nullable=False),
    Column("image", String, nullable=False),
    Column("direction", String, nullable=False),
    Column("protocol", String, nullable=False),
    Column("address", String, nullable=False),
    Column("port", Integer, nullable=False),
    Column("verdict", String, nullable=False),
    Column("packets", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("first_seen", Float, nullable=False),
    Column("last_seen", Float, nullable=False),
    Column("command", String, nullable=False),
    UniqueConstraint("container", "image", "direction", "protocol", "address", "port", "verdict", name="uq_flows"),
    Index("ix_flows_last_seen", "last_seen"),
    sqlite_autoincrement=True,
)

ALERTS: Final = Table(
    "alerts",
    METADATA,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("key", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("last_at", Float, nullable=False),
    Column("times", Integer, nullable=False),
    Column("rule", String, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("image", String, nullable=False),
    Column("container", String, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Index("ix_alerts_key", "key", "at"),
    Index("ix_alerts_last_at", "last_at"),
    Index("ix_alerts_container", "container", "id"),
    sqlite_autoincrement=True,
)

DECISIONS: Final = Table(
    "decisions",
    METADATA,
    Column("id", SERIAL, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("verdict", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("source", String, nullable=False),
    Column("image", String, nullable=False),
    Column("container", String, nullable=False),
    Column("hash", String, nullable=False),
    Index("ix_decisions_at", "at"),
)

POLICIES: Final = Table(
    "policies",
    METADATA,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("sha256", String, nullable=False),
    Column("text", String, nullable=False),
    sqlite_autoincrement=True,
)

DETONATIONS: Final = Table(
    "detonations",
    METADATA,
    Column("image", String, primary_key=True),
    Column("detonated_at", Float, nullable=False),
    Column("verdict", String, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

FAMILIES: Final = Table(
    "families",
    METADATA,
    Column("image", String, primary_key=True),
    Column("at", Float, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

FAMILY_BANDS: Final = Table(
    "family_bands",
    METADATA,
    Column("band", Integer, primary_key=True),
    Column("bucket", BigInteger, primary_key=True),
    Column("image", String, primary_key=True),
    Index("ix_family_bands_image", "image"),
)

CONDEMNED: Final = Table(
    "condemned",
    METADATA,
    Column("image", String, primary_key=True),
    Column("at", Float, nullable=False),
    Column("reason", String, nullable=False),
    Column("source", String, nullable=False),
)

IMAGE_CODE: Final = Table(
    "image_code",
    METADATA,
    Column("image", String, primary_key=True),
    Column("at", Float, nullable=False),
    Column("document", LargeBinary, nullable=False),
)
"""The paths of the code of an image's packages."""

LOADABLE: Final = Table(
    "loadable",
    METADATA,
    Column("image", String, primary_key=True),
    Column("package", String, primary_key=True),
    Column("source", String, primary_key=True),
)
"""The packages that have a path there."""

OPENED: Final = Table(
    "opened",
    METADATA,
    Column("container", String, primary_key=True),
    Column("package", String, primary_key=True),
    Column("source", String, primary_key=True),
    Column("version", String, nullable=False),
    Column("path", String, nullable=False),
    Column("at", Float, nullable=False),
    Index("ix_opened_package", "package"),
)

WATCHED: Final = Table(
    "watched",
    METADATA,
    Column("container", String, primary_key=True),
    Column("image", String, nullable=False),
    Column("since", Float, nullable=False),
)
"""Containers that are watched from their start on."""

QUARANTINES: Final = Table(
    "quarantines",
    METADATA,
    Column("container", String, primary_key=True),
    Column("at", Float, nullable=False),
    Column("reason", String, nullable=False),
    Column("source", String, nullable=False),
)

PLANS: Final = Table(
    "plans",
    METADATA,
    Column("id", String, primary_key=True),
    Column("at", Float, nullable=False),
    Column("state", String, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

TOKENS: Final = Table(
    "tokens",
    METADATA,
    Column("sha256", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("role", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=True),
)
