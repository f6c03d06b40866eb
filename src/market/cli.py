"""`market`: everything that can be started or asked from a shell."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import click

from market import demo, server, worker
from market.app import Market, open_market
from market.kit import logs, postgres
from market.kit.migrate import migrate
from market.kit.ports import PortTaken
from market.payments.comparison import DAYS_BACK, Outcome
from market.settings import Settings, SettingsError, from_environment
from market.verify import INVARIANTS, broken

T = TypeVar("T")


class _Commands(click.Group):
    """Tells a wrong setting or a taken port in one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (SettingsError, PortTaken) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Wanted Market: members sell goods to each other, and every purchase is really paid for.

    Settings are environment variables; docs/operations.md lists them.
    """
    logs.configure()


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
    """Checks every invariant on the live database; names what is broken and exits with 1."""
    found = _ask(lambda market: broken(market.db))
    for item in found:
        click.echo(f"BROKEN: {item.invariant}: {dict(item.found)}")
    if found:
        sys.exit(1)
    click.echo(f"All {len(INVARIANTS)} invariants hold.")


@main.command()
@click.option("--days", default=DAYS_BACK, show_default=True, help="Whole days before today.")
def reconcile(days: int) -> None:
    """Asks the gateway about every unfinished payment, applies what it says, and compares its
    list with our payments. Exits with 1 when something is left to do."""
    looked, outcome = _ask(lambda market: _reconcile(market, days))
    click.echo(f"Looked at {looked} unfinished payments.")
    click.echo(
        f"Compared {outcome.records} of the gateway's records and {outcome.payments} payments:"
        f" {outcome.repaired} repaired, {outcome.incidents} new incidents,"
        f" {outcome.unanswered} questions without an answer."
    )
    if outcome.incidents or outcome.unanswered:
        sys.exit(1)


async def _reconcile(market: Market, days: int) -> tuple[int, Outcome]:
    return await market.sweep.reconcile(), await market.comparison.recent(days)


def _dsn(settings: Settings) -> str:
    """DATABASE_URL, or else a PostgreSQL of our own under MARKET_DATA, started if need be."""
    return settings.database_url or postgres.start(settings.postgres_directory)


def _ask(question: Callable[[Market], Awaitable[T]]) -> T:
    settings = from_environment()
    dsn = _dsn(settings)

    async def ask() -> T:
        async with open_market(settings, dsn, "market cli") as market:
            return await question(market)

    return asyncio.run(ask())
