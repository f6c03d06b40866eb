"""What nobody is waiting for, and must happen all the same (P10): run by workers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from market.shared.clock import Clock
from market.shared.errors import MarketError
from market.shared.ids import PaymentId, TradeId

from .history import Door
from .patience import after
from .ports import Cancellations, Hint, Inbox, Payments, Purchases
from .refunds import PATIENCE_S, RefundService
from .service import PaymentService

Item = TypeVar("Item")

AT_ONCE = 100
# How many batches a job takes up in a row when it has fallen behind.
BATCHES = 5
# All jobs of a worker together wait for no more answers than it has connections to the gateway.
SIDE_BY_SIDE = 4
LOOKS_SIDE_BY_SIDE = 8
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
        return await self._batches(lambda _: self._inbox.waiting(AT_ONCE), self._follow)

    async def holds(self) -> int:
        """Ends holds that ran out. They wait for the gateway side by side, and no longer than one
        of them would: a slow one keeps no goods off the market."""
        until = after(PATIENCE_S)

        async def end_hold(id: TradeId) -> None:
            await self._refunds.expire_hold(id, until)

        # What can't be ended stays the first that is due: the next batch begins behind it.
        return await self._batches(
            lambda failed: self._purchases.due(AT_ONCE, failed), end_hold, AT_ONCE
        )

    async def cancellations(self) -> int:
        """Sends money back, and asks again where no answer came."""
        return await self._batches(
            lambda _: self._cancellations.due(self._clock.now(), AT_ONCE), self._refunds.settle
        )

    async def payments(self) -> int:
        """Looks at unfinished payments whose webhook may have been lost."""
        return await self._batches(
            lambda _: self._payments.due(self._clock.now(), AT_ONCE),
            self._looking.synchronize,
            LOOKS_SIDE_BY_SIDE,
        )

    async def checks(self) -> int:
        """Looks once a day at all money that is there, of any age: what somebody did in a gateway's
        console is in no list for sure, and its webhook may be lost."""
        return await self._batches(
            lambda _: self._payments.due_for_check(self._clock.now(), AT_ONCE), self._check
        )

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

    async def _batches(
        self,
        due: Callable[[int], Awaitable[Sequence[Item]]],
        do: Callable[[Item], Awaitable[object]],
        side_by_side: int = SIDE_BY_SIDE,
    ) -> int:
        """Catches up in batches, of which there are only so many in a row; to how many it could be
        done. `due` is told how many of those before could not be done."""
        done = seen = 0
        for _ in range(BATCHES):
            items = await due(seen - done)
            seen += len(items)
            done += await self._each(items, do, side_by_side)
            if len(items) < AT_ONCE:
                break
        return done

    async def _each(
        self,
        items: Sequence[Item],
        do: Callable[[Item], Awaitable[object]],
        side_by_side: int = SIDE_BY_SIDE,
    ) -> int:
        """Does it to all of them, some side by side so that a slow gateway holds up few; to how
        many it could be done."""
        turns = asyncio.Semaphore(side_by_side)
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
