"""A notice, as its member reads it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from market.shared.ids import TradeId
from market.shared.notification import NotificationKind

# So long after the approval a buyer who has not confirmed is asked to, once.
CONFIRMATION_REMINDER_AFTER = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Notification:
    """Something happened to a trade of the member's; `buying` says on which side they are. `amount`
    is in minor units, `reason` somebody's words or a code of ours."""

    id: str
    kind: NotificationKind
    trade_id: TradeId
    product_name: str
    buying: bool
    created_at: datetime
    read_at: datetime | None
    amount: int | None
    reason: str | None
