"""Background work on PgQueuer: wake-ups are enqueued in the transaction that causes them, and
workers run the handlers that wake-ups and the schedule name."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import timedelta
from typing import Any

import structlog
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import QueryQueueBuilder
from pgqueuer.models import Job, Schedule
from pgqueuer.ports.driver import NotifyCallback

from market.shared import log_context

from .db.connection import CONNECTION_ERRORS, BoundedConnection, Pooling, close
from .db.database import Database
from .db.pool import Pool
from .db.purge import BATCH_SIZE, drop

_log = structlog.get_logger()

RECONNECT_AFTER_S = 1.0
# How long a worker that hears nothing waits for a wake-up; and one that could not hear of any.
LISTENING = timedelta(seconds=30)
NOT_LISTENING = timedelta(seconds=1)
# A worker reports once a second that it still runs a schedule. After five seconds without a report
# another worker may take the schedule over; PgQueuer by itself would wait for half a minute.
_LEFT_BEHIND = """
    UPDATE pgqueuer_schedules SET status = 'queued'
    WHERE status = 'picked' AND heartbeat < now() - interval '5 seconds'
"""
# What an earlier release did at another time, or not at all any more.
_NO_LONGER = """
    DELETE FROM pgqueuer_schedules s WHERE NOT EXISTS (
        SELECT FROM unnest($1::text[], $2::text[]) AS t (entrypoint, expression)
        WHERE (t.entrypoint, t.expression) = (s.entrypoint, s.expression))
"""

Work = Callable[[], Awaitable[object]]
# A context instrument each job, made from its name and its headers.
Instrument = Callable[[str, Mapping[str, Any] | None], AbstractContextManager[None]]


def not_instrumented(_: str, __: Mapping[str, Any] | None) -> AbstractContextManager[None]:
    return nullcontext()


class JobQueue:
    """Wakes workers, on the connection of the transaction that is open.

    PgQueuer's own `Queries` wants a connection for good; its statement is all that is needed here.
    """

    def __init__(self, db: Database, trace_headers: Callable[[], Mapping[str, str]] = dict) -> None:
        """`trace_headers` is the trace that a job was enqueued in."""
        self._db = db
        self._trace_headers = trace_headers
        self._insert = QueryQueueBuilder().build_enqueue_query("raise")

    async def enqueue(self, name: str) -> None:
        """Lets a worker run `name` as soon as this transaction has committed."""
        told = json.dumps(dict(self._trace_headers()))
        await self._db.execute(self._insert, [0], [name], [None], [timedelta()], [None], [told])


class _Driver(AsyncpgDriver):
    """Where each transaction may go to another server, nobody can listen: a channel that one of
    them was told to listen on would stay with whoever comes next."""

    def __init__(self, connection: BoundedConnection, *, listens: bool) -> None:
        super().__init__(connection)
        self._listens = listens

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        if self._listens:
            await super().add_listener(channel, callback)


class SqlJobLog:
    """What PgQueuer has written of jobs: three rows for each that was done. Operators are shown
    those that failed; nobody asks for the others again."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def purge_expired(self, limit: int = BATCH_SIZE) -> int:
        """Drops at most so many of its rows: of jobs that were done after a day, of those that
        failed after a month; how many."""
        old = """
            created < now() - interval '1 day' AND (
                status NOT IN ('exception', 'failed') OR created < now() - interval '30 days')
        """
        return await drop(self._db, "pgqueuer_log", old, limit)

    async def purge_statistics(self, limit: int = BATCH_SIZE) -> int:
        """Drops at most so many of the sums PgQueuer once made of it; how many. Nobody asks for
        them, so none are made any more."""
        return await drop(self._db, "pgqueuer_statistics", "true", limit)


async def run_worker(
    pool: Pool,
    handlers: Mapping[str, Work],
    schedule: Mapping[tuple[str, str], Work],
    stop: asyncio.Event,
    grace: timedelta,
    instrument: Instrument = not_instrumented,
) -> None:
    """Runs until `stop`, on a connection beside the pool: `handlers` by name, `schedule` by (name,
    cron expression). What runs then has `grace` to come to an end; after that it is broken off.

    Comes back by itself when the database was away.
    """
    while not stop.is_set():
        try:
            await _work_while_connected(pool, handlers, schedule, stop, grace, instrument)
        except CONNECTION_ERRORS as trouble:
            _log.warning("worker_lost_the_database", trouble=repr(trouble))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RECONNECT_AFTER_S)


async def _work_while_connected(
    pool: Pool,
    handlers: Mapping[str, Work],
    schedule: Mapping[tuple[str, str], Work],
    stop: asyncio.Event,
    grace: timedelta,
    instrument: Instrument,
) -> None:
    connection = await pool.beside("market jobs")
    try:
        await connection.execute(_LEFT_BEHIND)
        await connection.execute(_NO_LONGER, *map(list, zip(*schedule, strict=True)))
        listens = pool.pooling is not Pooling.TRANSACTION
        queuer = PgQueuer(_Driver(connection, listens=listens))
        for name, run in handlers.items():
            queuer.entrypoint(name)(_on_job(name, run, instrument))
        for (name, cron), run in schedule.items():
            queuer.schedule(name, cron)(_on_schedule(name, run))
        wait = LISTENING if listens else NOT_LISTENING
        no_statistics = timedelta()
        running = asyncio.create_task(
            queuer.run(dequeue_timeout=wait, log_aggregation_interval=no_statistics)
        )
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        queuer.shutdown.set()
        if stop.is_set():
            _log.info("worker_stopping")
        over = asyncio.timeout(grace.total_seconds())
        try:
            async with over:
                await running
        except TimeoutError:
            if not over.expired():
                raise  # it is the database that did not answer in time
            _log.warning("worker_broke_off", after_s=grace.total_seconds())
    finally:
        await close(connection)


def _on_job(name: str, run: Work, instrument: Instrument) -> Callable[[Job], Awaitable[None]]:
    async def on_job(job: Job) -> None:
        with log_context.bound(job=name), instrument(name, job.headers):
            await run()

    return on_job


def _on_schedule(name: str, run: Work) -> Callable[[Schedule], Awaitable[None]]:
    async def on_schedule(_: Schedule) -> None:
        with log_context.bound(job=name):
            await run()

    return on_schedule
