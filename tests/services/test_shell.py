"""What operators ask from a shell, and how it reads."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from click.testing import CliRunner, Result

from market.app import Market
from market.cli import main
from market.kit.db.database import Database
from market.payments.incident_book import SqlIncidents
from market.settings import Settings
from tests.sandbox.process import free_port
from tests.support.acts import Acts

Shell = Callable[..., Awaitable[Result]]


@pytest.fixture
def shell(dsn: str, settings: Settings) -> Shell:
    """`market …` on the test's database; its gateway is not there."""
    env = {
        "DATABASE_URL": dsn,
        "MARKET_DATA": str(settings.data),
        "MARKET_SECRET": "x" * 32,
        "SANDBOX_PORT": str(free_port()),
    }

    async def run(*words: str) -> Result:
        # A thread of its own: every command runs an event loop of its own.
        return await asyncio.to_thread(CliRunner().invoke, main, words, env=env)

    return run


async def test_incidents_are_listed_and_settled_in_words(shell: Shell, db: Database) -> None:
    assert (await shell("incidents")).output == "No incidents.\n"
    seen = {"gateway": "V1", "captured": "700 KRW", "reference": None}
    await SqlIncidents(db).report("unknown_here", None, seen, "V1:imp_1")
    listed = await shell("incidents")
    first, second = listed.output.splitlines()
    assert first.startswith("1  20")
    assert first.endswith("Z  unknown_here  V1:imp_1")
    assert second == "    seen: gateway V1, captured 700 KRW, reference none"
    settled = await shell("incidents", "settle", "1", "--by", "bora", "--how", "sent back")
    assert (settled.exit_code, settled.output) == (0, "Incident 1 is settled.\n")
    assert (await shell("incidents")).output == "No incidents.\n"
    assert (await shell("incidents", "--all")).output.splitlines()[2].endswith("by bora: sent back")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("7", "--by", "bora", "--how", "x"), "Not found"),
        (("1", "--by", " ", "--how", "x"), "Say who settles it, and how."),
        (("1", "--by", "bora"), "Missing option '--how'"),
    ],
)
async def test_what_can_not_be_settled_is_said_in_one_line(
    shell: Shell, db: Database, words: tuple[str, ...], says: str
) -> None:
    await SqlIncidents(db).report("unknown_here", None, {}, "V1:imp_1")
    answer = await shell("incidents", "settle", *words)
    assert answer.exit_code != 0
    assert says in answer.output
    assert "Traceback" not in answer.output


async def test_statements_read_from_opening_to_closing(
    shell: Shell, acts: Acts, market: Market
) -> None:
    assert (await shell("statement")).output == "The ledger is empty.\n"
    trade, payment_id = await acts.paid_trade()
    await market.trades.approve(trade.id, trade.seller.id)
    await market.trades.confirm(trade.id, trade.buyer.id)
    balances = (await shell("statement")).output.splitlines()
    assert [line.split() for line in balances[:3]] == [
        ["escrow", "+0", "KRW"],
        ["fees", "+35", "KRW"],
        ["gateway", "-1,000", "KRW"],
    ]
    head, opening, *lines, closing = (await shell("statement", "escrow")).output.splitlines()
    assert head == "escrow in KRW"
    assert (opening.split()[-1], closing.split()[-1]) == ("+0", "+0")
    assert [line.split()[6] for line in lines] == ["+1,000", "-965", "-35"]
    assert lines[0].endswith(f"gateway  {payment_id}")
    before = await shell("statement", "escrow", "--to", "2026-01-01")
    assert len(before.output.splitlines()) == 3
    after = await shell("statement", "escrow", "--from", "2026-01-01T00:00")
    assert len(after.output.splitlines()) == 6


async def test_verify_names_what_is_broken_and_fails(
    shell: Shell, acts: Acts, db: Database
) -> None:
    await acts.trade(quantity=3)
    assert (await shell("verify")).exit_code == 0
    await db.execute("UPDATE products SET taken = 2")
    answer = await shell("verify")
    await db.execute("UPDATE products SET taken = 1")
    assert answer.exit_code == 1
    first, second, last = answer.output.splitlines()
    assert first == "BROKEN: a product's taken units are its live trades"
    assert second.endswith("taken 2, live 1")
    assert last == "Invariants broken: 1; by so many things: 1."


async def test_reconciling_without_a_gateway_says_that_it_could_not(
    shell: Shell, acts: Acts
) -> None:
    await acts.paid_trade()
    answer = await shell("reconcile", "--days", "0")
    assert answer.exit_code == 1
    assert "Looked at 0 of 1 unfinished payments." in answer.output
    assert "1 payments: 0 repaired, 0 new incidents, 2 questions" in answer.output
