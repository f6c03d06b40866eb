"""The market's server and worker on adapters that pass the marked points:
`python -m tests.kills.process serve|worker`."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels
from litestar import Litestar

from market import worker
from market.app import Market, assemble, web_app
from market.kit.clock import SystemClock, TimeOrderedIds
from market.kit.db.database import Database, Row, in_transaction
from market.kit.observability import logging
from market.outside import portone
from market.payments.domain import Payment
from market.payments.portone.transport import connections
from market.payments.ports import Checkout, Gateways, PaymentGateway
from market.payments.record import Snapshot
from market.settings import Settings, from_environment

from .points import reach

_names: ContextVar[list[str] | None] = ContextVar("transactions_by_name", default=None)


def _whose() -> str:
    """The method of the market's that asks the database."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        module = str(frame.f_globals.get("__name__"))
        if module.startswith("market.") and module != "market.kit.db.database":
            return frame.f_code.co_qualname
    return "nobody"


class MortalDatabase(Database):
    """Passes a point before and after each commit. What runs in the transaction of an
    Idempotency-Key goes by its own name."""

    @asynccontextmanager
    async def transaction(self, *, retryable: bool = False) -> AsyncIterator[None]:
        outer = _names.get()
        if outer is not None:
            outer.append(_whose())
            async with super().transaction(retryable=retryable):
                yield
            return
        names = [_whose()]
        token = _names.set(names)
        try:
            async with super().transaction(retryable=retryable):
                yield
                reach(f"before the commit of {_name(names)}")
        finally:
            _names.reset(token)
        reach(f"after the commit of {_name(names)}")

    async def execute(self, sql: str, *args: object) -> int:
        if in_transaction():
            return await super().execute(sql, *args)
        name = _whose()
        reach(f"before the commit of {name}")
        count = await super().execute(sql, *args)
        reach(f"after the commit of {name}")
        return count

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        """A claim is a commit, too: of a worker that takes up what is due."""
        if in_transaction() or "UPDATE" not in sql.split(None, 1)[0]:
            return await super().fetch(sql, *args)
        name = _whose()
        rows = await super().fetch(sql, *args)
        if rows:
            reach(f"before the commit of {name}")
            reach(f"after the commit of {name}")
        return rows


def _name(names: list[str]) -> str:
    keyed = names[0] in {"Idempotency._whole", "Idempotency.answer_all"} and len(names) > 1
    return names[1] if keyed else names[0]


class MortalGateway:
    """Passes a point before and after each call."""

    def __init__(self, inner: PaymentGateway) -> None:
        self._inner = inner
        self.version = inner.version
        self.till = inner.till
        self.sdk_url = inner.sdk_url
        self.demands = inner.demands
        self.repeats_answers = inner.repeats_answers

    async def register(self, payment: Payment) -> None:
        await self._call("register", payment)

    def checkout(self, payment: Payment) -> Checkout:
        return self._inner.checkout(payment)

    async def look(self, payment: Payment) -> Sequence[Snapshot]:
        seen: Sequence[Snapshot] = await self._call("look", payment)
        return seen

    async def approve(self, payment: Payment, token: str) -> None:
        await self._call("approve", payment, token)

    async def issue_account(self, payment: Payment, due_at: datetime) -> None:
        await self._call("issue_account", payment, due_at)

    async def close_account(self, payment: Payment, reference: str) -> None:
        await self._call("close_account", payment, reference)

    async def cancel(self, payment: Payment, cancellation: Any) -> None:
        await self._call("cancel", payment, cancellation)

    def listed(self, since: datetime, until: datetime) -> AsyncIterator[Snapshot]:
        return self._inner.listed(since, until)

    async def _call(self, name: str, *args: Any) -> Any:
        reach(f"before the gateway's {name}")
        answer = await getattr(self._inner, name)(*args)
        reach(f"after the gateway's {name}")
        return answer


@asynccontextmanager
async def open_mortal(
    settings: Settings, dsn: str, name: str, tracing: object = None
) -> AsyncIterator[Market]:
    """As `app.open_market`, on mortal adapters."""
    db = await MortalDatabase.connect(dsn, size=settings.pool_size, name=name)
    clock = SystemClock()
    try:
        async with connections() as to_v1, connections() as to_v2:
            real = portone(settings, to_v1, to_v2, clock)
            others = [MortalGateway(one) for one in real.all if one is not real.today]
            gateways = Gateways(MortalGateway(real.today), *others)
            yield assemble(settings, db, gateways, clock, TimeOrderedIds())
    finally:
        await db.close()


def app() -> Litestar:
    """What each worker process of the server runs."""
    logging.configure()
    settings = from_environment()

    def opening() -> AbstractAsyncContextManager[Market]:
        return open_mortal(settings, os.environ["DATABASE_URL"], "market server")

    return web_app(opening)


def main(role: str) -> None:
    logging.configure()
    settings = from_environment()
    if role == "worker":
        asyncio.run(worker.run(settings, os.environ["DATABASE_URL"], open_mortal))
        return
    Granian(
        "tests.kills.process:app",
        factory=True,
        interface=Interfaces.ASGI,
        address=settings.host,
        port=settings.port,
        workers=1,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
    ).serve()


if __name__ == "__main__":
    main(sys.argv[1])
