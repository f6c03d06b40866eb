"""Brings a database's schema up to date with Alembic."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

_CHECKOUT = Path(__file__).parents[3] / "migrations"
_INSTALLED = Path(__file__).parents[1] / "migrations"
SCRIPTS = _CHECKOUT if _CHECKOUT.is_dir() else _INSTALLED


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a migration waits for a lock before it lets others through, and how often it tries.

    By default a minute and a half in all: a reader that takes longer is somebody's report.
    """

    # Below PostgreSQL's deadlock_timeout of a second: where a migration and a request wait for each
    # other, the migration has stood aside before anybody looks for somebody to break off.
    lock_timeout_ms: int = 500
    pause_s: float = 1.0
    attempts: int = 60


def migrate(
    dsn: str, *, to: str = "head", scripts: Path = SCRIPTS, patience: Patience = Patience()
) -> None:
    """Runs every migration that was not run yet; two callers at once wait for each other.

    Raises asyncpg.LockNotAvailableError when one got no lock in the end; those before it stand.
    Blocks, and starts an event loop of its own: not to be called from within one.
    """
    config = _config(scripts)
    config.attributes |= {"dsn": dsn, "patience": patience}
    command.upgrade(config, to)


@cache
def revisions() -> frozenset[str]:
    """Every revision this code knows."""
    return frozenset(script.revision for script in _directory().walk_revisions())


@cache
def head() -> str:
    """The revision this code needs."""
    (revision,) = _directory().get_heads()
    return revision


def _directory() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(SCRIPTS))


def _config(scripts: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    return config
