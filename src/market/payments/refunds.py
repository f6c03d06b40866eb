"""How purchases end without a sale: called off, run out of time, their money sent back (P7)."""

import structlog

from market.shared.banking import RefundAccount
from market.shared.clock import Clock
from market.shared.errors import GatewayTrouble, InvalidTransition, NotFound
from market.shared.ids import CancellationId, Ids, MemberId, PaymentId, TradeId
from market.shared.people import Party
from market.shared.transactions import Transactions

from .domain import Cancellation, Payment
from .ports import (
    Cancellations,
    GatewayRefused,
    Gateways,
    Incidents,
    Payments,
    Purchases,
)
from .service import PaymentService

_log = structlog.get_logger()


class RefundService:
    """Calls purchases off and sees every cancellation to its end.

    A cancellation is committed before the gateway is asked, and settled only by looking at the
    gateway's record: whatever happens to the answer in between, a later try finds out.
    """

    def __init__(
        self,
        transactions: Transactions,
        payments: Payments,
        cancellations: Cancellations,
        purchases: Purchases,
        gateways: Gateways,
        incidents: Incidents,
        looking: PaymentService,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._transactions = transactions
        self._payments = payments
        self._cancellations = cancellations
        self._purchases = purchases
        self._gateways = gateways
        self._incidents = incidents
        self._looking = looking
        self._clock = clock
        self._ids = ids

    async def cancel_purchase(
        self, id: TradeId, by: MemberId, reason: str, account: RefundAccount | None = None
    ) -> None:
        """Calls a trade off; if it holds money, asks the gateway at once to send it back (P8).

        A deposit goes to the buyer's `account`. When the gateway brings no answer, a worker goes
        on. Raises NotFound, InvalidTransition, RefundAccountNeeded.
        """
        party = await self._purchases.party(id, by)
        async with self._transactions.transaction():
            payment_id = await self._purchases.cancel(id, by, reason)
            if payment_id is None:
                closed = await self._looking.expire_open(id)
            else:
                cancellation = await self._ask_back(payment_id, reason, party, account)
        if payment_id is None:
            await self._looking.shut(closed)
        elif not cancellation.waits_for_account:
            await self.settle(cancellation.id)

    async def send_to(self, id: PaymentId, buyer: MemberId, account: RefundAccount) -> Payment:
        """The buyer says where money that came too late or wrong is to go back to (P6).

        Raises NotFound, InvalidTransition when none waits for that.
        """
        payment = await self._payments.get(id)
        if payment.payer != buyer:
            raise NotFound
        async with self._transactions.transaction():
            await self._purchases.lock(payment.trade_id)
            payment = await self._payments.get_for_update(id)
            waiting = await self._cancellations.find_open_for_update(id)
            if waiting is None or not waiting.waits_for_account:
                raise InvalidTransition(payment_id=id, status=payment.status)
            waiting.send_to(account, self._clock.now())
            await self._cancellations.save(waiting)
        await self.settle(waiting.id)
        return await self._payments.get(id)

    async def expire_hold(self, id: TradeId) -> None:
        """Ends a hold that ran out, unless its payment turns out to have come."""
        payment = await self._payments.find_open(id)
        if payment is not None:
            try:
                await self._looking.synchronize(payment.id)
            except GatewayTrouble:
                # A dead gateway must not keep goods off the market: money that did come, and is
                # found later, goes back in full.
                _log.warning("hold_expires_unlooked", trade_id=id, payment_id=payment.id)
        async with self._transactions.transaction():
            ended = await self._purchases.expire(id)
            closed = await self._looking.expire_open(id) if ended else None
        await self._looking.shut(closed)

    async def settle(self, id: CancellationId) -> None:
        """Takes a cancellation one step further. Passing trouble leaves it for the next try."""
        cancellation = await self._cancellations.get(id)
        try:
            if cancellation.tries:
                # The answer to an earlier try was lost: it may have been a yes.
                await self._looking.synchronize(cancellation.payment_id)
            trying = await self._begin_try(cancellation)
            if trying is None:
                return
            try:
                await self._gateways.of(trying[0]).cancel(*trying)
            except GatewayRefused as refusal:
                await self._refused(cancellation, refusal)
            else:
                await self._looking.synchronize(cancellation.payment_id)
        except GatewayTrouble as trouble:
            _log.warning("cancellation_unanswered", cancellation_id=id, trouble=trouble.code)

    async def _ask_back(
        self, payment_id: PaymentId, reason: str, by: Party, account: RefundAccount | None
    ) -> Cancellation:
        payment = await self._payments.get_for_update(payment_id)
        underway = await self._cancellations.find_open_for_update(payment_id)
        if underway is not None:
            if account is not None and by is Party.BUYER:
                underway.send_to(account, self._clock.now())
                await self._cancellations.save(underway)
            return underway
        mine = account if by is Party.BUYER else None
        cancellation = payment.cancel(
            CancellationId(self._ids.new()), None, reason, by, self._clock.now(), mine
        )
        await self._cancellations.add(cancellation)
        return cancellation

    async def _begin_try(self, cancellation: Cancellation) -> tuple[Payment, Cancellation] | None:
        """Notes that the gateway is about to be asked; None when there is nothing left to ask."""
        async with self._transactions.transaction():
            payment = await self._payments.get(cancellation.payment_id)
            current = await self._cancellations.find_open_for_update(payment.id)
            if current is None or current.id != cancellation.id:
                return None
            current.tried(self._clock.now())
            await self._cancellations.save(current)
            return payment, current

    async def _refused(self, cancellation: Cancellation, refusal: GatewayRefused) -> None:
        """The gateway said no: because it was done already, or the balance moved, or for good."""
        payment = await self._looking.synchronize(cancellation.payment_id)
        async with self._transactions.transaction():
            await self._purchases.lock(payment.trade_id)
            payment = await self._payments.get_for_update(payment.id)
            current = await self._cancellations.find_open_for_update(payment.id)
            if current is None or current.id != cancellation.id:
                return
            if current.rebalance(payment):
                current.try_at = self._clock.now()
            else:
                current.refuse(refusal.detail, self._clock.now())
                await self._purchases.refund_failed(payment.trade_id)
                await self._incidents.report("refund_refused", payment, {"why": refusal.detail})
            await self._cancellations.save(current)
