"""Ports of the notifications module."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from market.shared.ids import MemberId, TradeId
from market.shared.notification import NotificationKind
from market.shared.pagination import Page, PageRequest

from .domain import Notification


class Notifications(Protocol):
    """Stores notifications: one per member, trade, kind and source, by constraint."""

    async def add(
        self,
        member: MemberId,
        trade_id: TradeId,
        kind: NotificationKind,
        source: str,
        now: datetime,
        amount: int | None,
        reason: str | None,
    ) -> None:
        """A repeat adds nothing."""
        ...

    async def page(self, member: MemberId, wanted: PageRequest) -> Page[Notification]: ...

    async def unread(self, member: MemberId) -> int: ...

    async def mark_read(self, member: MemberId, until: str, now: datetime) -> None:
        """Marks those up to the notification `until` as read."""
        ...

    async def open(self, member: MemberId, id: str, now: datetime) -> TradeId | None:
        """Marks a notification and the earlier ones of its trade as read. Returns the trade; None
        if the member has no such notification."""
        ...

    async def unconfirmed(
        self, approved_before: datetime, limit: int
    ) -> Sequence[tuple[TradeId, MemberId]]:
        """Trades approved before then and not confirmed, whose buyers got no reminder."""
        ...
