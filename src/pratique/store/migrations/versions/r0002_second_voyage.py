"""Detonations, families, quarantines, plans, tokens."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "detonations",
        sa.Column("image", sa.String(), primary_key=True),
        _column("detonated_at", sa.Float()),
        _column("verdict", sa.String()),
        _column("document", sa.LargeBinary()),
    )
    _create_families()
    op.create_table(
        "quarantines",
        sa.Column("container", sa.String(), primary_key=True),
        _column("at", sa.Float()),
        _column("reason", sa.String()),
        _column("source", sa.String()),
    )
    op.create_table(
        "plans",
        sa.Column("id", sa.String(), primary_key=True),
        _column("at", sa.Float()),
        _column("state", sa.String()),
        _column("document", sa.LargeBinary()),
    )
    op.create_table(
        "tokens",
        sa.Column("sha256", sa.String(), primary_key=True),
        _column("name", sa.String()),
        _column("role", sa.String()),
        _column("created_at", sa.Float()),
        sa.Column("expires_at", sa.Float(), nullable=True),
    )


def _create_families() -> None:
    op.create_table(
        "families",
        sa.Column("image", sa.String(), primary_key=True),
        _column("at", sa.Float()),
        _column("document", sa.LargeBinary()),
    )
    op.create_table(
        "family_bands",
        sa.Column("band", sa.Integer(), primary_key=True),
        sa.Column("bucket", sa.BigInteger(), primary_key=True),
        sa.Column("image", sa.String(), primary_key=True),
    )
    op.create_index("ix_family_bands_image", "family_bands", ["image"])
    op.create_table(
        "condemned",
        sa.Column("image", sa.String(), primary_key=True),
        _column("at", sa.Float()),
        _column("reason", sa.String()),
        _column("source", sa.String()),
    )


def _column(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)
