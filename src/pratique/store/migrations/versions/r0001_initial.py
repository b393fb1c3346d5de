"""The first schema."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table."""
    op.create_table("state", sa.Column("key", sa.String(), primary_key=True), _column("value", sa.String()))
    _create_inventory()
    _create_journal()


def _create_inventory() -> None:
    op.create_table(
        "images",
        sa.Column("id", sa.String(), primary_key=True),
        _column("identity", sa.LargeBinary()),
        _column("first_seen", sa.Float()),
        _column("last_seen", sa.Float()),
    )
    counts = ("packages", "malware", "secrets", "misconfigurations", "critical", "high", "medium", "low", "unread")
    op.create_table(
        "reports",
        sa.Column("image", sa.String(), primary_key=True),
        _column("scanned_at", sa.Float()),
        *(_column(name, sa.Integer()) for name in counts),
        _column("document", sa.LargeBinary()),
    )
    op.create_table(
        "containers",
        sa.Column("id", sa.String(), primary_key=True),
        _column("image", sa.String()),
        _column("policy", sa.String()),
        _column("admitted", sa.Boolean()),
        _column("first_seen", sa.Float()),
        _column("last_seen", sa.Float()),
        sa.Column("gone_at", sa.Float(), nullable=True),
        _column("document", sa.LargeBinary()),
    )
    op.create_table(
        "policies",
        sa.Column("id", _SERIAL, primary_key=True, autoincrement=True),
        _column("at", sa.Float()),
        _column("sha256", sa.String()),
        _column("text", sa.String()),
        sqlite_autoincrement=True,
    )


def _create_journal() -> None:
    op.create_table(
        "flows",
        sa.Column("id", _SERIAL, primary_key=True, autoincrement=True),
        *(_column(name, sa.String()) for name in ("container", "image", "direction", "protocol", "address")),
        _column("port", sa.Integer()),
        _column("verdict", sa.String()),
        _column("packets", sa.BigInteger()),
        _column("bytes", sa.BigInteger()),
        _column("first_seen", sa.Float()),
        _column("last_seen", sa.Float()),
        _column("command", sa.String()),
        sa.UniqueConstraint(
            "container", "image", "direction", "protocol", "address", "port", "verdict", name="uq_flows"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_flows_last_seen", "flows", ["last_seen"])
    op.create_table(
        "alerts",
        sa.Column("id", _SERIAL, primary_key=True, autoincrement=True),
        _column("key", sa.String()),
        _column("at", sa.Float()),
        _column("last_at", sa.Float()),
        _column("times", sa.Integer()),
        _column("rule", sa.String()),
        _column("rank", sa.Integer()),
        _column("image", sa.String()),
        _column("container", sa.String()),
        _column("document", sa.LargeBinary()),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alerts_key", "alerts", ["key", "at"])
    op.create_index("ix_alerts_last_at", "alerts", ["last_at"])
    op.create_table(
        "decisions",
        sa.Column("id", _SERIAL, primary_key=True, autoincrement=False),
        _column("at", sa.Float()),
        *(
            _column(name, sa.String())
            for name in ("verdict", "rule", "subject", "reason", "source", "image", "container", "hash")
        ),
    )
    op.create_index("ix_decisions_at", "decisions", ["at"])


def _column(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)
