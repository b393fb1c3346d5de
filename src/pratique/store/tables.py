"""The tables of the inventory: what is where, what it carries, and who talks to whom.

Long texts (digests, paths, names) are numbered once, so that the large tables hold numbers only. What questions about
many containers need is counted when it is written: ``placements`` by image and service, ``service_edges`` by service.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, String, Table, UniqueConstraint

from pratique.store.schema import METADATA, SERIAL

SERVICES: Final = Table(
    "services",
    METADATA,
    Column("number", SERIAL, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    UniqueConstraint("kind", "name", name="uq_services"),
)
"""Services, and what outside of all containers is talked to (kinds ``internet``, ``network``, ``host``)."""

KNOWN_IMAGES: Final = Table(
    "known_images",
    METADATA,
    Column("number", SERIAL, primary_key=True, autoincrement=True),
    Column("image", String, nullable=False),
    Column("name", String, nullable=False),
    Column("scanned_at", Float, nullable=True),
    Column("files_at", Float, nullable=True),
    Column("severity", Integer, nullable=False),
    UniqueConstraint("image", name="uq_known_images"),
)
"""``scanned_at``: of the report behind its rows; ``files_at``: of its programs; ``severity``: of its worst flaw."""

IMAGE_NAMES: Final = Table(
    "image_names",
    METADATA,
    Column("name", String, primary_key=True),
    Column("image", BigInteger, primary_key=True, autoincrement=False),
    Index("ix_image_names_image", "image"),
    sqlite_with_rowid=False,
)
"""References and repository digests, as the engine last told them."""

KNOWN_LAYERS: Final = Table(
    "known_layers",
    METADATA,
    Column("number", SERIAL, primary_key=True, autoincrement=True),
    Column("digest", String, nullable=False),
    UniqueConstraint("digest", name="uq_known_layers"),
)

IMAGE_LAYERS: Final = Table(
    "image_layers",
    METADATA,
    Column("image", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("layer", BigInteger, nullable=False),
    Index("ix_image_layers_layer", "layer", "image"),
    sqlite_with_rowid=False,
)
"""``position`` 0 is the base."""

KNOWN_PATHS: Final = Table(
    "known_paths",
    METADATA,
    Column("number", SERIAL, primary_key=True, autoincrement=True),
    Column("path", String, nullable=False),
    UniqueConstraint("path", name="uq_known_paths"),
)

KNOWN_PACKAGES: Final = Table(
    "known_packages",
    METADATA,
    Column("number", SERIAL, primary_key=True, autoincrement=True),
    Column("ecosystem", String, nullable=False),
    Column("name", String, nullable=False),
    Column("version", String, nullable=False),
    Column("source_name", String, nullable=False),
    Column("source_version", String, nullable=False),
    Column("lookup", String, nullable=False),
    Column("source_lookup", String, nullable=False),
    UniqueConstraint("name", "version", "ecosystem", "source_name", "source_version", name="uq_known_packages"),
    Index("ix_known_packages_lookup", "lookup"),
    Index("ix_known_packages_source_lookup", "source_lookup"),
)
"""``lookup``: the name as it is asked for, see :func:`pratique.inventory.lookup_name`."""

IMAGE_PACKAGES: Final = Table(
    "image_packages",
    METADATA,
    Column("package", BigInteger, primary_key=True, autoincrement=False),
    Column("image", BigInteger, primary_key=True, autoincrement=False),
    Column("path", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, nullable=False),
    Index("ix_image_packages_image", "image"),
    sqlite_with_rowid=False,
)
"""``path``: the file that says so; ``position``: of the layer that brought it, -1 when not known."""

KNOWN_FLAWS: Final = Table(
    "known_flaws",
    METADATA,
    Column("number", SERIAL, primary_key=True, autoincrement=True),
    Column("rule", String, nullable=False),
    Column("ecosystem", String, nullable=False),
    Column("package", String, nullable=False),
    Column("version", String, nullable=False),
    Column("fixed", String, nullable=False),
    Column("severity", Integer, nullable=False),
    UniqueConstraint("rule", "package", "version", "ecosystem", name="uq_known_flaws"),
    Index("ix_known_flaws_package", "package", "version"),
)
"""A vulnerability in one version of one package; ``package`` is the source package where there is one."""

FLAW_NAMES: Final = Table(
    "flaw_names",
    METADATA,
    Column("name", String, primary_key=True),
    Column("rule", String, primary_key=True),
    sqlite_with_rowid=False,
)
"""Every name of a vulnerability, its own included, to the one it is stored under."""

IMAGE_FLAWS: Final = Table(
    "image_flaws",
    METADATA,
    Column("flaw", BigInteger, primary_key=True, autoincrement=False),
    Column("image", BigInteger, primary_key=True, autoincrement=False),
    Index("ix_image_flaws_image", "image"),
    sqlite_with_rowid=False,
)

LAYER_FILES: Final = Table(
    "layer_files",
    METADATA,
    Column("layer", BigInteger, primary_key=True, autoincrement=False),
    Column("path", BigInteger, primary_key=True, autoincrement=False),
    Column("sha256", LargeBinary, nullable=False),
    Index("ix_layer_files_sha256", "sha256"),
    sqlite_with_rowid=False,
)
"""Programs and libraries of a layer that some image shows."""

HIDDEN_FILES: Final = Table(
    "hidden_files",
    METADATA,
    Column("layer", BigInteger, primary_key=True, autoincrement=False),
    Column("path", BigInteger, primary_key=True, autoincrement=False),
    Column("image", BigInteger, primary_key=True, autoincrement=False),
    Index("ix_hidden_files_image", "image"),
    sqlite_with_rowid=False,
)
"""Files of a layer that one image does not show: a later layer of it removes or replaces them."""

PRESENT: Final = Table(
    "present",
    METADATA,
    Column("image", BigInteger, primary_key=True, autoincrement=False),
    Column("service", BigInteger, primary_key=True, autoincrement=False),
    Column("rank", Integer, primary_key=True, autoincrement=False),
    Column("container", String, primary_key=True),
    Column("host", String, nullable=False),
    Column("name", String, nullable=False),
    Column("since", Float, nullable=False),
    Index("ix_present_container", "container", unique=True),
    Index("ix_present_name", "name"),
    sqlite_with_rowid=False,
)
"""Containers that are not gone. ``rank``: 0 exposed and running, 1 exposed, 2 running, 3 neither: the most urgent stand
first. ``since``: first seen."""

PLACEMENTS: Final = Table(
    "placements",
    METADATA,
    Column("image", BigInteger, primary_key=True, autoincrement=False),
    Column("service", BigInteger, primary_key=True, autoincrement=False),
    Column("present", Integer, nullable=False),
    Column("running", Integer, nullable=False),
    Column("exposed", Integer, nullable=False),
    Column("first_seen", Float, nullable=False),
    Index("ix_placements_service", "service"),
    Index("ix_placements_exposed", "exposed", "service"),
    sqlite_with_rowid=False,
)
"""How many containers of an image are in a service: ``present`` of them, ``running`` and ``exposed`` of these."""

ADDRESSES: Final = Table(
    "addresses",
    METADATA,
    Column("address", String, primary_key=True),
    Column("host", String, primary_key=True),
    Column("container", String, primary_key=True),
    Column("service", BigInteger, nullable=False),
    Column("since", Float, nullable=False),
    Column("until", Float, nullable=True),
    Index("ix_addresses_container", "container"),
    sqlite_with_rowid=False,
)
"""Who had an address, and when; ``container`` empty: the host itself, whose published ports then decide."""

PUBLISHED_PORTS: Final = Table(
    "published_ports",
    METADATA,
    Column("port", Integer, primary_key=True, autoincrement=False),
    Column("protocol", String, primary_key=True),
    Column("host", String, primary_key=True),
    Column("container", String, primary_key=True),
    Column("service", BigInteger, nullable=False),
    Column("address", String, nullable=False),
    Column("since", Float, nullable=False),
    Column("until", Float, nullable=True),
    Index("ix_published_ports_container", "container"),
    sqlite_with_rowid=False,
)

SERVICE_EDGES: Final = Table(
    "service_edges",
    METADATA,
    Column("source", BigInteger, primary_key=True, autoincrement=False),
    Column("target", BigInteger, primary_key=True, autoincrement=False),
    Column("protocol", String, primary_key=True),
    Column("port", Integer, primary_key=True, autoincrement=False),
    Column("verdict", String, primary_key=True),
    Column("packets", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("first_seen", Float, nullable=False),
    Column("last_seen", Float, nullable=False),
    Column("image", String, nullable=False),
    Column("address", String, nullable=False),
    Index("ix_service_edges_target", "target"),
    Index("ix_service_edges_last_seen", "last_seen"),
    sqlite_with_rowid=False,
)
"""Flows by service; ``image`` and ``address`` are those of the newest flow: whose policy decided, about whom."""
