"""Telling members, and what they have been told."""

from collections.abc import Sequence

from market.shared.clock import Clock
from market.shared.errors import NotFound
from market.shared.ids import MemberId, TradeId
from market.shared.notification import NotificationKind
from market.shared.pagination import Page, PageRequest

from .domain import CONFIRMATION_REMINDER_AFTER, Notification
from .ports import Notifications

BATCH_SIZE = 500


class NotificationService:
    """A member's inbox, written in the transactions of what it tells of (Q3)."""

    def __init__(
        self, notifications: Notifications, clock: Clock, batch_size: int = BATCH_SIZE
    ) -> None:
        self._notifications = notifications
        self._clock = clock
        self._batch_size = batch_size

    async def notify(
        self,
        trade_id: TradeId,
        kind: NotificationKind,
        to: Sequence[MemberId],
        source: str,
        amount: int | None = None,
        reason: str | None = None,
    ) -> None:
        """Tells each of them, once per `source`: what it came of, as a payment's id; how much it is
        about, in minor units, and why. Within the transaction of what is told."""
        now = self._clock.now()
        for member in to:
            await self._notifications.add(member, trade_id, kind, source, now, amount, reason)

    async def page(self, member: MemberId, wanted: PageRequest) -> Page[Notification]:
        return await self._notifications.page(member, wanted)

    async def unread(self, member: MemberId) -> int:
        return await self._notifications.unread(member)

    async def mark_read(self, member: MemberId, until: str) -> None:
        """The member has seen everything up to this notice."""
        await self._notifications.mark_read(member, until, self._clock.now())

    async def open(self, member: MemberId, id: str) -> TradeId:
        """The trade that a notice tells of, whose page says all that was told of it so far: this
        notice and the earlier ones of that trade are read. Raises NotFound."""
        trade_id = await self._notifications.open(member, id, self._clock.now())
        if trade_id is None:
            raise NotFound
        return trade_id

    async def send_reminders(self) -> int:
        """Asks buyers who have not confirmed for days, each once per trade; how many."""
        before, asked = self._clock.now() - CONFIRMATION_REMINDER_AFTER, 0
        while late := await self._notifications.unconfirmed(before, self._batch_size):
            for trade_id, buyer in late:
                await self.notify(
                    trade_id, NotificationKind.CONFIRMATION_REMINDER, [buyer], "approved"
                )
            asked += len(late)
        return asked
