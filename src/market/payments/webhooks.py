"""Keeps webhooks about payments of ours, and no others."""

from collections.abc import Mapping

from market.shared import log_context
from market.shared.errors import NotFound
from market.shared.ids import PaymentId, well_formed

from .limits import PaymentLimits
from .ports import Gateways, Inbox, Payments


class WebhookReceiver:
    """Takes webhooks in. One about an order that is not ours leaves nothing behind."""

    def __init__(
        self, payments: Payments, inbox: Inbox, limits: PaymentLimits, gateways: Gateways
    ) -> None:
        self._payments = payments
        self._inbox = inbox
        self._limits = limits
        self._gateways = gateways

    async def unsigned(self, order: str, body: Mapping[str, str], address: str) -> None:
        """V1's, which anybody can send from `address`. Raises RateLimited, and NotFound where V1 is
        not in use."""
        payment_id = await self._known("V1", order)
        if payment_id is not None:
            after = await self._limits.webhook(payment_id)
            await self._inbox.add("V1", payment_id, body, after)
        # safeguard: no V1 webhooks where V1 is not in use
        elif self._gateways.today.version != "V1":
            raise NotFound
        else:
            # safeguard: webhooks of unknown orders limited
            await self._limits.unknown_webhook(address)

    async def signed(self, order: str, body: Mapping[str, str]) -> None:
        """V2's, which the gateway has signed."""
        payment_id = await self._known("V2", order)
        if payment_id is not None:
            await self._inbox.add("V2", payment_id, body)

    async def _known(self, gateway: str, order: str) -> PaymentId | None:
        if not well_formed(order):
            return None
        log_context.bind(payment_id=order)
        payment = await self._payments.find(PaymentId(order))
        return payment.id if payment is not None and payment.gateway == gateway else None
