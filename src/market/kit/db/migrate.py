"""Brings a database's schema up to date with Alembic; and what its migrations share."""

from dataclasses import dataclass
from pathlib import Path

from alembic import command, op
from alembic.config import Config

from .schema_version import SCRIPTS


@dataclass(frozen=True, slots=True)
class LockRetryPolicy:
    """How long a migration waits for a lock before it lets others through, and how often it tries.

    By default a minute and a half in all: a reader that takes longer is somebody's report.
    """

    # Below PostgreSQL's deadlock_timeout of a second: where a migration and a request wait for each
    # other, the migration has stood aside before anybody looks for somebody to break off.
    lock_timeout_ms: int = 500
    pause_s: float = 1.0
    attempts: int = 60


def migrate(
    dsn: str,
    *,
    to: str = "head",
    scripts: Path = SCRIPTS,
    lock_retry: LockRetryPolicy = LockRetryPolicy(),
) -> None:
    """Runs every migration that was not run yet; two callers at once wait for each other.

    Raises asyncpg.LockNotAvailableError when one got no lock in the end; those before it stand.
    Blocks, and starts an event loop of its own: not to be called from within one.
    """
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.attributes |= {"dsn": dsn, "lock_retry": lock_retry}
    command.upgrade(config, to)


def create_index_concurrently(name: str, on: str, *, unique: bool = False) -> None:
    """For a migration: builds an index that may take long, `name` ON `on`, while everybody trades.

    Without a transaction, and so without the limit that one has for locks: it waits for old ones as
    long as they take. What a try that was broken off has left of it is dropped first.
    """
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.execute(f"CREATE {'UNIQUE ' if unique else ''}INDEX CONCURRENTLY {name} ON {on}")
