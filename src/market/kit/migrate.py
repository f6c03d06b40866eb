"""Brings a database's schema up to date with Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config

_CHECKOUT = Path(__file__).parents[3] / "migrations"
_INSTALLED = Path(__file__).parents[1] / "migrations"


def migrate(dsn: str) -> None:
    """Runs every migration that was not run yet; two callers at once wait for each other.

    Blocks, and starts an event loop of its own: not to be called from within one.
    """
    config = Config()
    config.set_main_option("script_location", str(_CHECKOUT if _CHECKOUT.is_dir() else _INSTALLED))
    config.attributes["dsn"] = dsn
    command.upgrade(config, "head")
