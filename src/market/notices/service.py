"""Telling members, and what they have been told."""

from collections.abc import Sequence

from market.shared.clock import Clock
from market.shared.errors import NotFound
from market.shared.ids import MemberId, TradeId
from market.shared.notice import Kind
from market.shared.page import Page, Slice

from .domain import CONFIRM_PLEASE_AFTER, Notice
from .ports import Notices

AT_ONCE = 500


class NoticeService:
    """A member's inbox, written in the transactions of what it tells of (Q3)."""

    def __init__(self, notices: Notices, clock: Clock, at_once: int = AT_ONCE) -> None:
        self._notices = notices
        self._clock = clock
        self._at_once = at_once

    async def tell(
        self,
        trade_id: TradeId,
        kind: Kind,
        to: Sequence[MemberId],
        source: str,
        amount: int | None = None,
        reason: str | None = None,
    ) -> None:
        """Tells each of them, once per `source`: what it came of, as a payment's id; how much it is
        about, in minor units, and why. Within the transaction of what is told."""
        now = self._clock.now()
        for member in to:
            await self._notices.add(member, trade_id, kind, source, now, amount, reason)

    async def page(self, member: MemberId, wanted: Slice) -> Page[Notice]:
        return await self._notices.page(member, wanted)

    async def unread(self, member: MemberId) -> int:
        return await self._notices.unread(member)

    async def mark_read(self, member: MemberId, until: str) -> None:
        """The member has seen everything up to this notice."""
        await self._notices.mark_read(member, until, self._clock.now())

    async def open(self, member: MemberId, id: str) -> TradeId:
        """The trade that a notice tells of, whose page says all that was told of it so far: this
        notice and the earlier ones of that trade are read. Raises NotFound."""
        trade_id = await self._notices.open(member, id, self._clock.now())
        if trade_id is None:
            raise NotFound
        return trade_id

    async def remind(self) -> int:
        """Asks buyers who have not confirmed for days, each once per trade; how many."""
        before, asked = self._clock.now() - CONFIRM_PLEASE_AFTER, 0
        while late := await self._notices.unconfirmed(before, self._at_once):
            for trade_id, buyer in late:
                await self.tell(trade_id, Kind.CONFIRM_PLEASE, [buyer], "approved")
            asked += len(late)
        return asked
