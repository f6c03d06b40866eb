"""The worker: what must happen though no request asks for it."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, TypeAlias

import structlog

from market.app import Market, open_market, traced
from market.kit import jobs
from market.kit.db.connection import warn_of_pooling
from market.kit.db.purge import purge
from market.payments.ports import WAKE
from market.settings import Settings

if TYPE_CHECKING:
    from market.kit.observability.tracing import Tracing

# Cron with seconds in the sixth field: a hold ends within a second or two of its deadline.
EVERY_SECOND = "* * * * * */1"
EVERY_FEW_SECONDS = "* * * * * */5"
EVERY_MINUTE = "* * * * *"
EVERY_HOUR = "7 * * * *"
# 04:17 and 04:37 in Seoul, whose clocks are never changed: cron counts in UTC.
EVERY_NIGHT = "17 19 * * *"
EVERY_NIGHT_LATER = "37 19 * * *"

_log = structlog.get_logger()

Opening: TypeAlias = Callable[
    [Settings, str, str, "Tracing | None"], AbstractAsyncContextManager[Market]
]


async def run(settings: Settings, dsn: str, opening: Opening = open_market) -> None:
    """Works until SIGTERM or SIGINT. What is in hand then is finished first; what takes longer than
    `stop_within` is left as it is, and due again for another worker."""
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    tracing = traced(settings)
    async with opening(settings, dsn, "market worker", tracing) as market:
        sweep = market.sweep
        warn_of_pooling(market.db.pool.pooling)
        _log.info("worker_ready")
        await jobs.run_worker(
            market.db.pool,
            handlers={WAKE: sweep.hints},
            schedule={
                ("holds", EVERY_SECOND): sweep.holds,
                ("cancellations", EVERY_SECOND): sweep.cancellations,
                ("hints_again", EVERY_MINUTE): sweep.hints,
                ("payments", EVERY_FEW_SECONDS): sweep.payments,
                ("checks", EVERY_MINUTE): sweep.checks,
                ("overdue", EVERY_HOUR): sweep.overdue,
                ("reminders", EVERY_HOUR): market.notifications.send_reminders,
                ("comparison", EVERY_NIGHT_LATER): market.comparison.daily,
                ("nickname_keys", EVERY_NIGHT): market.members.add_nickname_keys,
                ("forget", EVERY_NIGHT): lambda: forget(market, stop.is_set),
            },
            stop=stop,
            grace=settings.stop_within,
            instrument=tracing.job if tracing else jobs.not_instrumented,
        )


async def forget(market: Market, stopping: Callable[[], bool] = lambda: False) -> None:
    """Drops what has served its time: answers to old keys, sessions that ended, limits that
    are free again, codes nobody took, forms nobody sent again, what jobs have left in their log."""
    await purge(
        {
            "idempotency_keys": market.idempotency.purge_expired,
            "sessions": market.sessions.purge_expired,
            "webhooks": market.inbox.forget_handled,
            "limits": market.rate_limits.purge_expired,
            "codes": market.codes.purge_expired,
            "drafts": market.drafts.purge_expired,
            "job_log": market.job_log.purge_expired,
            "job_statistics": market.job_log.purge_statistics,
        },
        stopping=stopping,
    )
