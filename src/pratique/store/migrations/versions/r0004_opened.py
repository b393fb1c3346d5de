"""Which packages' code containers opened."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "image_code",
        sa.Column("image", sa.String(), primary_key=True),
        _column("at", sa.Float()),
        _column("document", sa.LargeBinary()),
    )
    op.create_table(
        "loadable",
        sa.Column("image", sa.String(), primary_key=True),
        sa.Column("package", sa.String(), primary_key=True),
        sa.Column("source", sa.String(), primary_key=True),
    )
    op.create_table(
        "opened",
        sa.Column("container", sa.String(), primary_key=True),
        sa.Column("package", sa.String(), primary_key=True),
        sa.Column("source", sa.String(), primary_key=True),
        _column("version", sa.String()),
        _column("path", sa.String()),
        _column("at", sa.Float()),
    )
    op.create_index("ix_opened_package", "opened", ["package"])
    op.create_table(
        "watched",
        sa.Column("container", sa.String(), primary_key=True),
        _column("image", sa.String()),
        _column("since", sa.Float()),
    )


def _column(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)
