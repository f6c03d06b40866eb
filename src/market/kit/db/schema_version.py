"""Which schema this code needs, told by the names of its migrations: asking Alembic would import
all of it into every server."""

from functools import cache
from pathlib import Path

import asyncpg

from market.shared.errors import Unavailable

from .database import Database

_CHECKOUT = Path(__file__).parents[4] / "migrations"
_INSTALLED = Path(__file__).parents[2] / "migrations"
SCRIPTS = _CHECKOUT if _CHECKOUT.is_dir() else _INSTALLED


class SchemaOutdated(Unavailable):
    code = "schema_outdated"
    message = "The database schema is older than this release needs. Run `market migrate`."


@cache
def revisions() -> tuple[str, ...]:
    """Every revision this code knows, the one it needs last."""
    names = (SCRIPTS / "versions").glob("[0-9]*.py")
    return tuple(sorted(path.stem.partition("_")[0] for path in names))


async def require_schema(db: Database) -> None:
    """Raises SchemaOutdated, or Unavailable when the database can't be asked.

    One newer than this code is fine, for migrations only add (expand, then contract).
    """
    try:
        found = await db.fetch_value("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        found = None
    if found is None or found in revisions()[:-1]:
        raise SchemaOutdated(needed=revisions()[-1], found=found or "none")
