"""Notifying members, and their inboxes."""

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
    """A member's inbox; each entry is written in the transaction of its event (Q3)."""

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
        """Notifies each of them once per `source`, the cause's id, for example a payment's.
        `amount` is in minor units. Call it in the transaction of the event."""
        now = self._clock.now()
        for member in to:
            await self._notifications.add(member, trade_id, kind, source, now, amount, reason)

    async def page(self, member: MemberId, wanted: PageRequest) -> Page[Notification]:
        return await self._notifications.page(member, wanted)

    async def unread(self, member: MemberId) -> int:
        return await self._notifications.unread(member)

    async def mark_read(self, member: MemberId, until: str) -> None:
        """Marks everything up to this notification as read."""
        await self._notifications.mark_read(member, until, self._clock.now())

    async def open(self, member: MemberId, id: str) -> TradeId:
        """The trade of a notification. Its page shows all of its events, so this notification and
        the earlier ones of that trade are marked as read. Raises NotFound."""
        trade_id = await self._notifications.open(member, id, self._clock.now())
        if trade_id is None:
            raise NotFound
        return trade_id

    async def send_reminders(self) -> int:
        """Reminds buyers who have not confirmed for days, once per trade; returns how many."""
        before, asked = self._clock.now() - CONFIRMATION_REMINDER_AFTER, 0
        while late := await self._notifications.unconfirmed(before, self._batch_size):
            for trade_id, buyer in late:
                await self.notify(
                    trade_id, NotificationKind.CONFIRMATION_REMINDER, [buyer], "approved"
                )
            asked += len(late)
        return asked
