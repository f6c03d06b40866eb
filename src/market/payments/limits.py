"""How often one member may cause calls of the gateway, and one address send us webhooks."""

from datetime import timedelta

from market.shared.errors import RateLimited
from market.shared.ids import MemberId, PaymentId
from market.shared.rate_limit import RateLimit

from .ports import RateLimits

# Each begins, ends or moves something at the gateway. A seller of many things calls off more
# trades in a row than anybody buys.
BEGIN_BY_MEMBER = RateLimit(60, timedelta(minutes=10))
COMPLETE_BY_MEMBER = RateLimit(300, timedelta(minutes=10))
CANCEL_BY_MEMBER = RateLimit(120, timedelta(minutes=10))
# PortOne sends a handful of webhooks about one payment, and none about orders that are not ours,
# unless another system shares our account there.
WEBHOOKS_OF_PAYMENT = RateLimit(30, timedelta(minutes=10))
UNKNOWN_FROM_ADDRESS = RateLimit(60, timedelta(minutes=10))


class PaymentLimits:
    """Counts turns, never within a transaction. Methods raise RateLimited."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits

    async def begin(self, member: MemberId) -> None:
        """Beginning to pay."""
        await self._limits.take([(BEGIN_BY_MEMBER, f"begin\0{member}")])

    async def complete(self, member: MemberId) -> None:
        """Saying that it is paid."""
        await self._limits.take([(COMPLETE_BY_MEMBER, f"complete\0{member}")])

    async def cancel(self, member: MemberId) -> None:
        """Calling off, sending back, saying where to."""
        await self._limits.take([(CANCEL_BY_MEMBER, f"cancel\0{member}")])

    async def webhook(self, payment: PaymentId) -> timedelta:
        """An unsigned webhook about a payment of ours: how long it is to wait for its turn. It is
        not refused, since forged ones would then silence the gateway's own."""
        try:
            await self._limits.take([(WEBHOOKS_OF_PAYMENT, f"webhook\0{payment}")])
        except RateLimited as haste:
            # safeguard: webhooks of one payment limited
            return timedelta(seconds=haste.retry_after)
        return timedelta()

    async def unknown_webhook(self, address: str) -> None:
        """An unsigned webhook about an order that is not ours; `address` comes from
        `ClientIpResolver.rate_limit_key`."""
        await self._limits.take([(UNKNOWN_FROM_ADDRESS, f"unknown webhook\0{address}")])
