"""What nobody is waiting for, and must happen all the same (P10): run by workers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from market.shared.clock import Clock
from market.shared.errors import MarketError
from market.shared.ids import PaymentId

from .history import Door
from .ports import Cancellations, Hint, Inbox, Payments, Purchases
from .refunds import RefundService
from .service import PaymentService

Item = TypeVar("Item")

AT_ONCE = 100
# How many batches a job takes up in a row when it has fallen behind.
BATCHES = 5
SIDE_BY_SIDE = 4
_log = structlog.get_logger()


class Sweep:
    """Finds what is due and does it, a few at a time; what fails stays due and hinders no other.

    Everything here can be done twice or by two workers at once: the rows' locks and states decide.
    """

    def __init__(
        self,
        payments: Payments,
        cancellations: Cancellations,
        purchases: Purchases,
        inbox: Inbox,
        looking: PaymentService,
        refunds: RefundService,
        clock: Clock,
    ) -> None:
        self._payments = payments
        self._cancellations = cancellations
        self._purchases = purchases
        self._inbox = inbox
        self._looking = looking
        self._refunds = refunds
        self._clock = clock

    async def hints(self) -> int:
        """Looks at the payments that webhooks spoke of."""
        return await self._each(await self._inbox.waiting(AT_ONCE), self._follow)

    async def holds(self) -> int:
        """Ends holds that ran out."""
        return await self._each(await self._purchases.due(AT_ONCE), self._refunds.expire_hold)

    async def cancellations(self) -> int:
        """Sends money back, and asks again where no answer came."""
        due = await self._cancellations.due(self._clock.now(), AT_ONCE)
        return await self._each(due, self._refunds.settle)

    async def payments(self) -> int:
        """Looks at unfinished payments whose webhook may have been lost."""
        due = await self._payments.due(self._clock.now(), AT_ONCE)
        return await self._each(due, self._looking.synchronize)

    async def checks(self) -> int:
        """Looks once a day at all money that is there, of any age: what somebody did in a gateway's
        console is in no list for sure, and its webhook may be lost."""
        done = 0
        for _ in range(BATCHES):
            due = await self._payments.due_for_check(self._clock.now(), AT_ONCE)
            done += await self._each(due, self._check)
            if len(due) < AT_ONCE:
                break
        return done

    async def overdue(self) -> int:
        """Tells operators of what holds money or a unit for too long."""
        return await self._refunds.report_overdue()

    async def _check(self, id: PaymentId) -> None:
        await self._looking.synchronize(id)
        await self._payments.checked(id, self._clock.now())

    async def everything(self) -> int:
        """One round of all of it; how many things could be done."""
        return (
            await self.hints()
            + await self.holds()
            + await self.cancellations()
            + await self.payments()
            + await self.checks()
        )

    async def reconcile(self) -> tuple[int, int]:
        """Looks at every payment that is not finished, due or not; how many of how many."""
        looked = found = 0
        async for ids in self._payments.open_ids(AT_ONCE):
            looked += await self._each(ids, self._looking.synchronize)
            found += len(ids)
        return looked, found

    async def _follow(self, hint: Hint) -> None:
        payment = await self._payments.find(hint.payment_id) if hint.payment_id else None
        if payment is None:
            await self._inbox.handled(hint.id)  # not one of ours: nothing to look at
        else:
            await self._looking.synchronize(payment.id, hint, Door.WEBHOOK)

    async def _each(self, items: Sequence[Item], do: Callable[[Item], Awaitable[object]]) -> int:
        """Does it to all of them, a few side by side so that a slow gateway holds up few; to how
        many it could be done."""
        turns = asyncio.Semaphore(SIDE_BY_SIDE)
        done = await asyncio.gather(*(self._try(turns, item, do) for item in items))
        return sum(done)

    async def _try(
        self, turns: asyncio.Semaphore, item: Item, do: Callable[[Item], Awaitable[object]]
    ) -> bool:
        async with turns:
            try:
                await do(item)
            except MarketError as trouble:
                _log.warning("sweep_left", doing=do.__name__, item=str(item), trouble=trouble.code)
                return False
            except Exception:
                _log.exception("sweep_failed", doing=do.__name__, item=str(item))
                return False
        return True
