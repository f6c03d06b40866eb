"""Whether a look brings news: mostly it does not, and then nothing need be locked for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from .domain import Payment
from .history import Told, told_of
from .order import Order
from .record import Snapshot, Till


@dataclass(frozen=True, slots=True)
class Standing:
    """A payment as it stands, with what the last look showed of it.

    `trying` means that a refund of it is under way; `keeps` how much is to be left, in minor units,
    when one is done that waits for the buyer to name an account.
    """

    payment: Payment
    told: Told
    trying: bool = False
    keeps: int | None = None

    def is_changed(self, after: Payment, seen: Snapshot | None) -> bool:
        """Whether a look that leaves it as `after` changed more than when it is looked at again."""
        if replace(after, look_at=self.payment.look_at) != self.payment:
            return True
        done = self.keeps is not None and after.cancellable <= self.keeps
        return self.trying or done or self.told != told_of(seen)


def without_news(
    standings: Sequence[Standing], attempts: Sequence[Snapshot], now: datetime, till: Till
) -> Order | None:
    """The order as a look at these attempts leaves it; None when that changes anything but when its
    payments are looked at again."""
    order = Order([replace(standing.payment) for standing in standings], attempts)
    if order.senseless() or order.besides():
        return None
    for standing, (payment, seen) in zip(standings, order.shares(), strict=True):
        # safeguard: a sync that changes anything takes the locks
        if payment.apply(seen, now, till) or standing.is_changed(payment, seen):
            return None
    return order
