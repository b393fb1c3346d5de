"""The inventory: services, layers, packages, vulnerabilities, files, addresses, edges."""

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_KINDS: Final[dict[str, sa.types.TypeEngine[Any]]] = {
    "text": sa.String(),
    "long": sa.BigInteger(),
    "int": sa.Integer(),
    "real": sa.Float(),
    "bytes": sa.LargeBinary(),
}
_SERIAL: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    _create_dictionaries()
    _create_contents()
    _create_places()


def _create_dictionaries() -> None:
    _table("services", "", "kind name", kind="text", name="text")
    _table("known_images", "", "image", image="text", name="text", scanned_at="real?", files_at="real?", severity="int")
    _table("image_names", "name image", name="text", image="long")
    op.create_index("ix_image_names_image", "image_names", ["image"])
    _table("known_layers", "", "digest", digest="text")
    _table("known_paths", "", "path", path="text")
    _table(
        "known_packages",
        "",
        "name version ecosystem source_name source_version",
        ecosystem="text",
        name="text",
        version="text",
        source_name="text",
        source_version="text",
        lookup="text",
        source_lookup="text",
    )
    op.create_index("ix_known_packages_lookup", "known_packages", ["lookup"])
    op.create_index("ix_known_packages_source_lookup", "known_packages", ["source_lookup"])
    _table(
        "known_flaws",
        "",
        "rule package version ecosystem",
        rule="text",
        ecosystem="text",
        package="text",
        version="text",
        fixed="text",
        severity="int",
    )
    op.create_index("ix_known_flaws_package", "known_flaws", ["package", "version"])
    _table("flaw_names", "name rule", name="text", rule="text")


def _create_contents() -> None:
    _table("image_layers", "image position", image="long", position="int", layer="long")
    op.create_index("ix_image_layers_layer", "image_layers", ["layer", "image"])
    _table("image_packages", "package image path", package="long", image="long", path="long", position="int")
    op.create_index("ix_image_packages_image", "image_packages", ["image"])
    _table("image_flaws", "flaw image", flaw="long", image="long")
    op.create_index("ix_image_flaws_image", "image_flaws", ["image"])
    _table("layer_files", "layer path", layer="long", path="long", sha256="bytes")
    op.create_index("ix_layer_files_sha256", "layer_files", ["sha256"])
    _table("hidden_files", "layer path image", layer="long", path="long", image="long")
    op.create_index("ix_hidden_files_image", "hidden_files", ["image"])


def _create_places() -> None:
    _table(
        "present",
        "image service rank container",
        image="long",
        service="long",
        rank="int",
        container="text",
        host="text",
        name="text",
        since="real",
    )
    op.create_index("ix_present_container", "present", ["container"], unique=True)
    op.create_index("ix_present_name", "present", ["name"])
    _table(
        "placements",
        "image service",
        image="long",
        service="long",
        present="int",
        running="int",
        exposed="int",
        first_seen="real",
    )
    op.create_index("ix_placements_exposed", "placements", ["exposed", "service"])
    op.create_index("ix_placements_service", "placements", ["service"])
    _table(
        "addresses",
        "address host container",
        address="text",
        host="text",
        container="text",
        service="long",
        since="real",
        until="real?",
    )
    op.create_index("ix_addresses_container", "addresses", ["container"])
    _table(
        "published_ports",
        "port protocol host container",
        port="int",
        protocol="text",
        host="text",
        container="text",
        service="long",
        address="text",
        since="real",
        until="real?",
    )
    op.create_index("ix_published_ports_container", "published_ports", ["container"])
    _table(
        "service_edges",
        "source target protocol port verdict",
        source="long",
        target="long",
        protocol="text",
        port="int",
        verdict="text",
        packets="long",
        bytes="long",
        first_seen="real",
        last_seen="real",
        image="text",
        address="text",
    )
    op.create_index("ix_service_edges_last_seen", "service_edges", ["last_seen"])
    op.create_index("ix_service_edges_target", "service_edges", ["target"])


def _table(table: str, keys: str, unique: str = "", /, **columns: str) -> None:
    """Create a table; one without ``keys`` numbers its rows. A kind that ends in ``?`` may be null."""
    numbered = [] if keys else [sa.Column("number", _SERIAL, primary_key=True, autoincrement=True)]
    op.create_table(
        table,
        *numbered,
        *(
            sa.Column(column, _KINDS[kind], primary_key=True, autoincrement=False)
            if column in keys.split()
            else sa.Column(column, _KINDS[kind.rstrip("?")], nullable=kind.endswith("?"))
            for column, kind in columns.items()
        ),
        *([sa.UniqueConstraint(*unique.split(), name=f"uq_{table}")] if unique else []),
        sqlite_with_rowid=not keys,
    )
