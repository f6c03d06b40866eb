"""`market`: everything that can be started or asked from a shell."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import NoReturn, TypeVar

import asyncpg
import click

from market import demo, server, shown, worker
from market.app import Market, open_market
from market.kit.db import embedded
from market.kit.db.migrate import migrate
from market.kit.observability import logging
from market.kit.tcp import PortInUse
from market.payments.comparison import DAYS_BACK, Outcome
from market.payments.incident import Incident
from market.settings import Settings, SettingsError, from_environment
from market.shared.errors import MarketError, Unavailable
from market.shared.money import KRW
from market.verify import INVARIANTS, broken

T = TypeVar("T")

MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])
LARGEST_ID = 2**63 - 1  # of a bigint


class _Commands(click.Group):
    """Tells a wrong setting, a taken port or a refusal in one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, Unavailable) as error:
            click.echo(f"Error: the database can't be asked: {error}", err=True)
            sys.exit(2)
        except (SettingsError, PortInUse, MarketError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Wanted Market: members sell goods to each other, and every purchase is really paid for.

    Settings are environment variables; docs/operations.md lists them.
    """
    logging.configure()


@main.command("demo")
def demo_() -> None:
    """Market, worker, sandbox and a PostgreSQL of its own, with sample members and goods."""
    sys.exit(demo.run(from_environment()))


@main.command()
def serve() -> None:
    """The HTTP server, with MARKET_WORKERS processes on MARKET_PORT."""
    settings = from_environment()
    server.serve(settings, _dsn(settings))


@main.command("worker")
def worker_() -> None:
    """The worker: holds that run out, webhooks, refunds, the sweep."""
    settings = from_environment()
    asyncio.run(worker.run(settings, _dsn(settings)))


@main.command()
def sandbox() -> NoReturn:
    """The PortOne sandbox, a program of its own: see `portone-sandbox --help`."""
    os.environ.setdefault("SANDBOX_DATA", str(from_environment().sandbox_state))
    os.execv(sys.executable, [sys.executable, "-m", "portone_sandbox"])  # noqa: S606 # fixed words


@main.command("migrate")
def migrate_() -> None:
    """Brings the database's schema up to date."""
    migrate(_dsn(from_environment()))
    click.echo("The schema is up to date.")


@main.command()
def verify() -> None:
    """Checks every invariant on the live database; names what is broken and exits with 1.

    Exits with 2 when the database can't be asked.
    """
    found = _ask(lambda market: broken(market.db))
    for line in shown.broken(found):
        click.echo(line)
    if found:
        sys.exit(1)
    click.echo(f"All {len(INVARIANTS)} invariants hold.")


@main.command()
@click.option("--days", default=DAYS_BACK, show_default=True, help="Whole days before today.")
def reconcile(days: int) -> None:
    """Asks the gateway about every unfinished payment, applies what it says, and compares its
    list with our payments. Exits with 1 when something is left to do."""
    looked, all_of_them, outcome = _ask(lambda market: _reconcile(market, days))
    click.echo(f"Looked at {looked} of {all_of_them} unfinished payments.")
    click.echo(
        f"Compared {outcome.records} of the gateway's records and {outcome.payments} payments:"
        f" {outcome.repaired} repaired, {outcome.incidents} new incidents,"
        f" {outcome.unanswered} questions without an answer."
    )
    if looked < all_of_them or outcome.incidents or outcome.unanswered:
        sys.exit(1)


async def _reconcile(market: Market, days: int) -> tuple[int, int, Outcome]:
    looked, all_of_them = await market.sweep.reconcile()
    return looked, all_of_them, await market.comparison.recent(days)


@main.group(invoke_without_command=True)
@click.option("--all", "settled_too", is_flag=True, help="Settled ones as well.")
@click.pass_context
def incidents(context: click.Context, *, settled_too: bool) -> None:
    """What the market could not put right by itself; docs/operations.md says what to do."""
    if context.invoked_subcommand is None:
        found = _ask(lambda market: _incidents(market, settled_too=settled_too))
        for line in shown.incidents(found):
            click.echo(line)


@incidents.command()
@click.argument("id", type=click.IntRange(min=1, max=LARGEST_ID))
@click.option("--by", required=True, help="Who answers for it.")
@click.option("--how", required=True, help="What was done, or why nothing is to be done.")
def settle(id: int, by: str, how: str) -> None:
    """Closes an incident for good."""
    incident = _ask(lambda market: market.operators.settle(id, by, how))
    click.echo(f"Incident {incident.id} is settled.")


@main.command()
@click.argument("email")
@click.option("--revoke", is_flag=True, help="Make them a plain member again.")
@click.option("--by", required=True, help="Who decides it.")
@click.option("--why", required=True, help="For the audit log.")
def operator(email: str, *, revoke: bool, by: str, why: str) -> None:
    """Makes a member an operator, who may send any money back and settle incidents."""
    member = _ask(lambda market: market.members.set_operator(email, by, why, operator=not revoke))
    click.echo(f"{member.email} is {'no longer' if revoke else 'now'} an operator.")


@main.command()
@click.argument("account", required=False)
@click.option("--from", "since", type=MOMENT, help="From this moment (UTC) on.")
@click.option("--to", "until", type=MOMENT, help="Until just before this moment (UTC).")
@click.option("--currency", default=KRW, show_default=True)
def statement(
    account: str | None, since: datetime | None, until: datetime | None, currency: str
) -> None:
    """What happened to an ACCOUNT of the ledger, by the time it happened; without one, the
    balances of all. In minor units; + is what the account received."""
    if account is None:
        lines = list(shown.balances(_ask(lambda market: market.ledger.balances())))
    else:
        name, start, end = account, _utc(since), _utc(until)
        lines = _ask(lambda market: _statement(market, name, start, end, currency))
    for line in lines:
        click.echo(line)


async def _incidents(market: Market, *, settled_too: bool) -> Sequence[Incident]:
    return [found async for found in market.operators.incidents(settled_too=settled_too)]


async def _statement(
    market: Market, account: str, since: datetime | None, until: datetime | None, currency: str
) -> list[str]:
    pages = [page async for page in market.ledger.pages(account, since, until, currency)]
    return list(shown.statement(pages))


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


def _dsn(settings: Settings) -> str:
    """DATABASE_URL, or else a PostgreSQL of our own under MARKET_DATA, started if need be."""
    return settings.database_url or embedded.start(settings.postgres_directory)


def _ask(question: Callable[[Market], Awaitable[T]]) -> T:
    settings = from_environment()
    dsn = _dsn(settings)

    async def ask() -> T:
        async with open_market(settings, dsn, "market cli") as market:
            return await question(market)

    return asyncio.run(ask())
