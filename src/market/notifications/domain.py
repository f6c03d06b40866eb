"""A notification, as its member reads it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from market.shared.ids import TradeId
from market.shared.notification import NotificationKind

# A buyer who has not confirmed this long after the approval gets one reminder.
CONFIRMATION_REMINDER_AFTER = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Notification:
    """An event of a member's trade; `buying` tells their side. `amount` is in minor units; `reason`
    is a person's words or one of our codes."""

    id: str
    kind: NotificationKind
    trade_id: TradeId
    product_name: str
    buying: bool
    created_at: datetime
    read_at: datetime | None
    amount: int | None
    reason: str | None
