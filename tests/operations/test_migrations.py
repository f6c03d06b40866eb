"""`market migrate` on a market that is open: nobody waits long for it, and nobody is refused."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

import market
from market.app import Market
from market.kit.db.database import Database
from market.kit.db.migrate import LockRetryPolicy, migrate
from market.kit.db.schema_version import SCRIPTS, revisions
from market.trades.domain import Trade
from tests.support.acts import Acts
from tests.support.barrier import Held
from tests.support.databases import Databases

EXPANDING = """
from alembic import op

revision, down_revision = {revision!r}, {before!r}


def upgrade() -> None:
    op.execute("ALTER TABLE {table} ADD COLUMN more text NOT NULL DEFAULT ''")
"""
INDEXING = """
from alembic import op
from market.kit.db.migrate import create_index_concurrently

revision, down_revision = "9999", {before!r}


def upgrade() -> None:
    create_index_concurrently("products_by_age", "products (created_at)")
"""
CHAIR = """
    WITH seller AS (INSERT INTO members (id, email, nickname, password_hash, created_at)
                    VALUES (gen_random_uuid(), 's@example.com', 's', '', now()) RETURNING id)
    INSERT INTO products (id, seller_id, name, description, price, currency, quantity, created_at)
    SELECT gen_random_uuid(), id, 'chair', '', 1, 'KRW', 1, now() FROM seller
"""
GROWING = ("members", "sessions", "products", "payments", "cancellations", "trades")
HASTY = LockRetryPolicy(lock_timeout_ms=50, pause_s=0.05, attempts=2)


@pytest.fixture
def more(tmp_path: Path) -> Path:
    """Our migrations, and one more for each table that is locked or joined: it gets a column."""
    scripts = tmp_path / "migrations"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    before = revisions()[-1]
    for number, table in enumerate(GROWING):
        revision = f"999{number}"
        text = EXPANDING.format(revision=revision, before=before, table=table)
        (scripts / "versions" / f"{revision}_{table}.py").write_text(text)
        before = revision
    return scripts


@asynccontextmanager
async def another(dsn: str, sql: str) -> AsyncIterator[Held]:
    """A transaction of somebody else's, which has run this and stays open for the block."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute(sql)
            yield Held(connection)
    finally:
        await connection.close()


MIGRATING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'market migrate'
"""


async def until_migrating(dsn: str, count: int) -> None:
    """Returns when so many are there to migrate."""
    connection = await asyncpg.connect(dsn)
    async with asyncio.timeout(100):  # programs must start first
        while await connection.fetchval(MIGRATING) < count:
            """They will."""
    await connection.close()


async def has_grown(db: Database) -> bool:
    """Whether the last of them was run."""
    sql = """
        SELECT EXISTS (SELECT FROM information_schema.columns
                       WHERE table_name = $1 AND column_name = 'more')
    """
    return bool(await db.fetch_value(sql, GROWING[-1]))


async def test_two_that_migrate_at_once_wait_for_each_other(databases: Databases) -> None:
    async with databases.empty() as dsn:
        async with another(dsn, "SELECT pg_advisory_xact_lock(20261122)"):
            both = [
                await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "market", "migrate"),
                    env={**os.environ, "DATABASE_URL": dsn, "MARKET_SECRET": "x" * 32},
                )
                for _ in range(2)
            ]
            await until_migrating(dsn, 2)
        assert [await each.wait() for each in both] == [0, 0]


async def test_who_waits_for_another_that_migrates_does_not_give_up(
    dsn: str, more: Path, db: Database
) -> None:
    lock = "SELECT pg_advisory_xact_lock(20261122)"
    async with another(dsn, lock):
        waiting = asyncio.create_task(
            asyncio.to_thread(migrate, dsn, scripts=more, lock_retry=HASTY)
        )
        await until_migrating(dsn, 1)
        # Whoever had come with that little patience has left by now.
        with pytest.raises(asyncpg.LockNotAvailableError):
            async with another(dsn, f"SET LOCAL lock_timeout = '100ms'; {lock}"):
                """Never entered."""
    await waiting
    assert await has_grown(db)


async def test_a_migration_that_gets_no_lock_holds_nobody_up(
    dsn: str, more: Path, db: Database
) -> None:
    """A long report reads trades; a purchase that came behind a waiting ALTER would wait too."""
    async with another(dsn, "SELECT FROM trades"):
        with pytest.raises(asyncpg.LockNotAvailableError):
            await asyncio.to_thread(migrate, dsn, scripts=more, lock_retry=HASTY)
        assert await db.fetch_value("SELECT count(*) FROM trades") == 0
    assert not await has_grown(db)


async def test_a_migration_tries_again_when_the_lock_is_free(
    dsn: str, more: Path, db: Database
) -> None:
    patient = LockRetryPolicy(lock_timeout_ms=50, pause_s=0.01, attempts=10_000)
    async with another(dsn, "SELECT FROM trades") as held:
        trying = asyncio.create_task(
            asyncio.to_thread(migrate, dsn, scripts=more, lock_retry=patient)
        )
        await held.until_waiting(1)
        # It was there once, and stood aside: now this one gets the lock that it could not share.
        with pytest.raises(asyncpg.LockNotAvailableError):
            async with another(
                dsn, "SET LOCAL lock_timeout = '200ms'; LOCK trades IN ACCESS EXCLUSIVE MODE"
            ):
                """Never entered."""
        assert not trying.done()
    await trying
    assert await has_grown(db)


async def test_no_request_fails_while_the_schema_grows(
    acts: Acts, market: Market, dsn: str, more: Path, db: Database
) -> None:
    """The running code reads and writes tables that get a column meanwhile (expand, then
    contract): what it had prepared must go on working, inside transactions too."""

    async def trading(rounds: int) -> list[Trade]:
        done = []
        for _ in range(rounds):
            trade, _ = await acts.paid_trade()
            await market.trades.approve(trade.id, trade.seller.id)
            done.append(await market.trades.confirm(trade.id, trade.buyer.id))
        return done

    # Every connection of the pool knows every statement by then.
    await asyncio.gather(*(trading(2) for _ in range(5)))
    growing = asyncio.create_task(asyncio.to_thread(migrate, dsn, scripts=more))
    while not growing.done():
        await asyncio.gather(*(trading(1) for _ in range(5)))
    await growing
    await asyncio.gather(*(trading(1) for _ in range(5)))
    assert await has_grown(db)


async def test_an_index_is_built_while_the_market_trades(
    dsn: str, acts: Acts, db: Database, tmp_path: Path
) -> None:
    """However long somebody's transaction keeps it waiting, nobody waits for it."""
    scripts = tmp_path / "migrations"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "9999_index.py").write_text(INDEXING.format(before=revisions()[-1]))
    async with another(dsn, "UPDATE products SET name = name WHERE false") as held:
        building = asyncio.create_task(asyncio.to_thread(migrate, dsn, scripts=scripts))
        await held.until_waiting(1)
        await acts.trade()
        assert not building.done()
    await building
    ready = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'products_by_age'::regclass"
    assert await db.fetch_value(ready) is True


async def test_what_an_index_knows_of_its_words_is_known_at_once(databases: Databases) -> None:
    """Without statistics every word would seem as rare, and an index be asked for all of them."""
    async with databases.empty() as dsn:
        await asyncio.to_thread(migrate, dsn, to="0017")
        async with another(dsn, CHAIR):
            """Listed before there was the index."""
        await asyncio.to_thread(migrate, dsn, to="0018")
        connection = await asyncpg.connect(dsn)
        known = "SELECT count(*) FROM pg_stats WHERE tablename = 'products_by_pieces'"
        assert await connection.fetchval(known) == 1
        await connection.close()


def test_columns_are_asked_for_by_name() -> None:
    """With `*` a prepared statement fails once, in the transaction it is needed in, after each
    migration that adds a column."""
    source = Path(market.__file__).parent
    starred = re.compile(r"SELECT (\w+\.)?\*|, \w+\.\*")
    for path in (*source.glob("*/sql.py"), *source.glob("payments/*.py")):
        assert not starred.search(path.read_text().replace("SELECT * FROM entries", "")), path
