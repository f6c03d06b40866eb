"""What notices need of the outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from market.shared.ids import MemberId, TradeId
from market.shared.notification import NotificationKind
from market.shared.pagination import Page, PageRequest

from .domain import Notification


class Notifications(Protocol):
    """Keeps notices: one per member, trade, kind and source, by constraint."""

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
        """Those up to the notice `until`."""
        ...

    async def open(self, member: MemberId, id: str, now: datetime) -> TradeId | None:
        """Marks one of the member's notices as read, and the earlier ones of its trade; that trade,
        None when the member has no such notice."""
        ...

    async def unconfirmed(
        self, approved_before: datetime, limit: int
    ) -> Sequence[tuple[TradeId, MemberId]]:
        """Trades approved so long ago and still not confirmed, whose buyers were not yet asked."""
        ...
