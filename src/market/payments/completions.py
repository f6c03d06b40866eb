"""Buyers' completions, paced for each buyer.

Each one is a call of the gateway. Whoever asks again and again without news waits between two of
them, and nobody else does.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from market.shared.errors import RateLimited
from market.shared.ids import MemberId, PaymentId

from .domain import Payment
from .limits import PaymentLimits
from .service import PaymentService

# So many looks in a row may bring no news at once; one more is free each time a pause is over.
FREE = 5
PAUSE_S = 1.0
# Whoever would wait longer is refused; not before a pause, or they would ask all the more often.
LONGEST_WAIT_S = 5.0
# Of each buyer, so many payments are known by what was told of them last.
MOST_KNOWN = 100
# Those who ask no more are forgotten, no sooner than there are twice as many.
BUYERS_KNOWN = 1_000


@dataclass(slots=True)
class _Buyer:
    """What one buyer waits for. `waiting` are looks that have not begun: they tell everybody who
    asked before they do. `free_at` is when the next look may begin if all free ones are spent."""

    turns: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: "dict[PaymentId, asyncio.Future[Payment]]" = field(default_factory=dict)
    known: dict[PaymentId, int] = field(default_factory=dict)
    inside: int = 0
    free_at: float = -math.inf


class Completions:
    """Looks at a payment when its buyer says that it is paid; in this process one at a time for
    each buyer, and once for all of that buyer's requests that wait for it."""

    def __init__(
        self,
        payments: PaymentService,
        limits: PaymentLimits,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._payments = payments
        self._limits = limits
        self._sleep = sleep
        self._now = now
        self._buyers: dict[MemberId, _Buyer] = {}
        self._most = 2 * BUYERS_KNOWN

    @property
    def buyers(self) -> int:
        """How many are known."""
        return len(self._buyers)

    async def complete(self, id: PaymentId, buyer: MemberId, token: str | None = None) -> Payment:
        """As `PaymentService.complete`. Raises RateLimited as well."""
        mine = self._buyers.setdefault(buyer, _Buyer())
        mine.inside += 1
        try:
            if token is not None:
                return await self._charge(mine, id, buyer, token)
            while (waiting := mine.waiting.get(id)) is not None:
                try:
                    return await asyncio.shield(waiting)
                except asyncio.CancelledError:
                    if not waiting.cancelled():
                        raise  # it is us who are broken off; else whoever would have looked was
            return await self._look_for_all(mine, id, buyer)
        finally:
            mine.inside -= 1
            if len(self._buyers) > self._most:
                self.forget_rested()

    async def _charge(self, mine: _Buyer, id: PaymentId, buyer: MemberId, token: str) -> Payment:
        async with mine.turns:
            return await self._ask(id, buyer, token)

    async def _look_for_all(self, mine: _Buyer, id: PaymentId, buyer: MemberId) -> Payment:
        """Tells everybody who asks before the look begins."""
        told = mine.waiting[id] = asyncio.get_running_loop().create_future()
        told.add_done_callback(_heard)
        try:
            payment = await self._in_turn(mine, id, buyer)
        except asyncio.CancelledError:
            told.cancel()
            raise
        except Exception as refusal:
            told.set_exception(refusal)
            raise
        else:
            told.set_result(payment)
            return payment
        finally:
            if mine.waiting.get(id) is told:
                del mine.waiting[id]

    async def _in_turn(self, mine: _Buyer, id: PaymentId, buyer: MemberId) -> Payment:
        wait_s = self._wait_s(mine)
        queued_s = wait_s + PAUSE_S * (len(mine.waiting) - 1)
        if wait_s > 0 and queued_s > LONGEST_WAIT_S:
            # safeguard: refused payment completions delayed
            await self._sleep(PAUSE_S)
            raise RateLimited(retry_after=1 + int(queued_s))
        async with mine.turns:
            # safeguard: repeated payment completions delayed
            await self._sleep(self._wait_s(mine))
            del mine.waiting[id]  # whoever comes now needs a look that is younger
            return await self._look(mine, id, buyer)

    async def _look(self, mine: _Buyer, id: PaymentId, buyer: MemberId) -> Payment:
        try:
            payment = await self._ask(id, buyer)
        except Exception:
            self._no_news(mine)
            raise
        if mine.known.get(id) == payment.version:
            self._no_news(mine)
        if len(mine.known) >= MOST_KNOWN:
            mine.known.clear()
        mine.known[id] = payment.version
        return payment

    async def _ask(self, id: PaymentId, buyer: MemberId, token: str | None = None) -> Payment:
        await self._limits.complete(buyer)  # safeguard: payment completions limited
        return await self._payments.complete(id, buyer, token)

    def _no_news(self, mine: _Buyer) -> None:
        slack_s = (FREE - 1) * PAUSE_S
        mine.free_at = max(mine.free_at, self._now() - slack_s) + PAUSE_S

    def _wait_s(self, mine: _Buyer) -> float:
        return max(0.0, mine.free_at - self._now())

    def forget_rested(self) -> None:
        """Keeps what is known of a buyer until their looks are all free again."""
        now = self._now() - FREE * PAUSE_S
        kept = {id: one for id, one in self._buyers.items() if one.inside or one.free_at > now}
        self._buyers = kept
        self._most = 2 * max(len(kept), BUYERS_KNOWN)


def _heard(told: "asyncio.Future[Payment]") -> None:
    """Nobody else may have waited for it: then its refusal is not left unheard."""
    if not told.cancelled():
        told.exception()
