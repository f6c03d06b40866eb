"""PgQueuer's tables: wake-ups and the timetable of workers."""

from pathlib import Path

from alembic import op
from sqlalchemy.util import await_only

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    script = Path(__file__).with_suffix(".sql").read_text()
    # Many statements in one text: asyncpg takes them on its plain connection only.
    connection = op.get_bind().connection.driver_connection
    await_only(connection.execute(script))
