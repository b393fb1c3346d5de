"""What pages are read by."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("ix_containers_first_seen", "containers", ["first_seen", "id"])
    op.create_index("ix_containers_admitted", "containers", ["gone_at", "admitted"])
    op.create_index("ix_images_last_seen", "images", ["last_seen", "id"])
    op.create_index("ix_alerts_container", "alerts", ["container", "id"])
