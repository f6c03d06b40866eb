"""How purchases end without a sale: called off, run out of time, their money sent back (P7)."""

import asyncio

import structlog

from market.shared import about
from market.shared.audit import Audit
from market.shared.banking import RefundAccount
from market.shared.clock import Clock
from market.shared.errors import GatewayTrouble, InvalidTransition, NotFound
from market.shared.ids import CancellationId, Ids, MemberId, PaymentId, TradeId
from market.shared.people import Party
from market.shared.transactions import Transactions

from .cancellation import Cancellation, CancellationInProgress
from .domain import Payment
from .history import Door, Entry, What
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

# How long a hold that has run out waits for the gateway to say whether its payment came.
PATIENCE_S = 3.0


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
        audit: Audit,
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
        self._audit = audit
        self._looking = looking
        self._clock = clock
        self._ids = ids

    async def cancel_purchase(
        self,
        id: TradeId,
        by: MemberId,
        reason: str,
        account: RefundAccount | None = None,
        wish: CancellationId | None = None,
        *,
        operator: bool = False,
    ) -> bool:
        """Calls a trade off; if it holds money, asks the gateway at once to send it back (P8).

        True while the money is on its way. A deposit goes to the buyer's `account`. When the
        gateway brings no answer, a worker goes on.
        Raises NotFound, InvalidTransition, RefundAccountNeeded.
        """
        party = await self._purchases.party(id, by, operator=operator)
        async with self._transactions.transaction():
            payment_id = await self._purchases.cancel(id, party, reason)
            await self._note(party, by, "cancel", f"trade {id}", reason)
            if payment_id is None:
                closed = await self._looking.expire_open(id)
            else:
                closed = None
                fresh = await self._ask_back(payment_id, reason, party, account, wish)
        if payment_id is None:
            await self._looking.shut(closed)
            return False
        if fresh is not None:
            await self.settle(fresh.id)
        return await self._cancellations.is_open(payment_id)

    async def cancel(
        self,
        id: PaymentId,
        by: MemberId,
        amount: int | None,
        reason: str,
        account: RefundAccount | None,
        wish: CancellationId | None = None,
        *,
        operator: bool = False,
    ) -> Payment:
        """Sends `amount` minor units back, None for all that is left (P7, P8).

        All of it calls the trade off; a part lets it go on for less. A `wish` that was recorded
        before is not another one, whatever became of its answer. Raises NotFound,
        InvalidTransition, ExceedsCancellable, CancellationInProgress, RefundAccountNeeded.
        """
        payment = await self._payments.get(id)
        party = await self._purchases.party(payment.trade_id, by, operator=operator)
        # Asked first of all: what is left by now decides nothing about a wish that was granted.
        if wish is not None and await self._cancellations.is_known(wish, id):
            return payment
        if account is not None and await self._cancellations.waits_for_account(id):
            return await self.send_to(id, by, account, operator=operator)
        if amount is None or amount == payment.cancellable:
            trade = payment.trade_id
            await self.cancel_purchase(trade, by, reason, account, wish, operator=operator)
            return await self._payments.get(id)
        async with self._transactions.transaction():
            await self._purchases.refund_part(payment.trade_id, party)
            await self._note(party, by, f"send back {amount}", f"payment {id}", reason)
            payment = await self._payments.get_for_update(id)
            cancellation = payment.cancel(
                wish or CancellationId(self._ids.new()),
                amount,
                reason,
                party,
                self._clock.now(),
                account,
            )
            await self._cancellations.add(cancellation)
        if not cancellation.waits_for_account:
            await self.settle(cancellation.id)
        return await self._payments.get(id)

    async def is_under_way(self, id: PaymentId) -> bool:
        """Whether money of a payment is still on its way back."""
        return await self._cancellations.is_open(id)

    async def waits_for_account(self, id: PaymentId) -> bool:
        """Whether money waits to go back until the buyer says where to."""
        return await self._cancellations.waits_for_account(id)

    async def send_to(
        self, id: PaymentId, by: MemberId, account: RefundAccount, *, operator: bool = False
    ) -> Payment:
        """The buyer, or an operator whom they told, says where money that came too late or wrong is
        to go back to (P6).

        Raises NotFound, InvalidTransition when none waits for that.
        """
        payment = await self._payments.get(id)
        party = await self._purchases.party(payment.trade_id, by, operator=operator)
        if party is Party.SELLER:
            raise NotFound
        async with self._transactions.transaction():
            await self._purchases.lock(payment.trade_id)
            await self._note(party, by, "name a refund account", f"payment {id}", "the buyer's")
            payment = await self._payments.get_for_update(id)
            waiting = await self._cancellations.find_open_for_update(id)
            if waiting is None or not waiting.waits_for_account:
                raise InvalidTransition(payment_id=id, status=payment.status)
            waiting.send_to(account, self._clock.now())
            await self._cancellations.save(waiting)
            await self._payments.remember(id, Entry.of(What.ACCOUNT_NAMED, payment))
        await self.settle(waiting.id)
        return await self._payments.get(id)

    async def expire_hold(self, id: TradeId) -> None:
        """Ends a hold that ran out, unless its payment turns out to have come."""
        about.add(trade_id=id)
        payment = await self._payments.find_open(id)
        if payment is not None:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._looking.synchronize(payment.id)
            except Exception as trouble:  # whatever it is, the hold ends
                # A gateway that is dead or hangs must not keep goods off the market: money that
                # did come, and is found later, goes back in full.
                _log.warning("hold_ends_unlooked", payment_id=payment.id, trouble=repr(trouble))
        async with self._transactions.transaction():
            ended = await self._purchases.expire(id)
            closed = await self._looking.expire_open(id) if ended else None
        await self._looking.shut(closed)

    async def settle(self, id: CancellationId) -> None:
        """Takes a cancellation one step further. Passing trouble leaves it for the next try."""
        cancellation = await self._cancellations.get(id)
        about.add(payment_id=cancellation.payment_id)
        try:
            if cancellation.tries:
                # The answer to an earlier try was lost: it may have been a yes.
                await self._looking.synchronize(cancellation.payment_id, door=Door.REFUND)
            trying = await self._begin_try(cancellation)
            if trying is None:
                return
            try:
                await self._gateways.of(trying[0]).cancel(*trying)
            except GatewayRefused as refusal:
                await self._refused(cancellation, refusal)
            else:
                await self._looking.synchronize(cancellation.payment_id, door=Door.REFUND)
        except GatewayTrouble as trouble:
            _log.warning("cancellation_unanswered", cancellation_id=id, trouble=trouble.code)

    async def _ask_back(
        self,
        payment_id: PaymentId,
        reason: str,
        by: Party,
        account: RefundAccount | None,
        wish: CancellationId | None,
    ) -> Cancellation | None:
        """Records that all is to go back; None when there is nothing to try at once: one that is
        under way is not tried by a second, whose refusal would say nothing of the first."""
        payment = await self._payments.get_for_update(payment_id)
        underway = await self._cancellations.find_open_for_update(payment_id)
        if underway is None:
            cancellation = payment.cancel(
                wish or CancellationId(self._ids.new()),
                None,
                reason,
                by,
                self._clock.now(),
                account,
            )
            await self._cancellations.add(cancellation)
            if not cancellation.waits_for_account:
                return cancellation
            await self._purchases.account_needed(payment.trade_id, payment_id)
            return None
        if underway.keeps:  # a part is on its way: first that, then all
            raise CancellationInProgress(payment_id=payment_id)
        if account is None or by is Party.SELLER or not underway.waits_for_account:
            return None
        underway.send_to(account, self._clock.now())
        await self._cancellations.save(underway)
        await self._payments.remember(payment_id, Entry.of(What.ACCOUNT_NAMED, payment))
        return underway

    async def _note(self, party: Party, by: MemberId, act: str, subject: str, reason: str) -> None:
        """An operator's act is written down for good; members answer for their own trades."""
        if party is Party.OPERATOR:
            await self._audit.record(by, act, subject, reason)

    async def _begin_try(self, cancellation: Cancellation) -> tuple[Payment, Cancellation] | None:
        """Notes that the gateway is about to be asked; None when there is nothing left to ask."""
        async with self._transactions.transaction():
            # Locked before its cancellation, as everywhere: adding to its history locks it too.
            payment = await self._payments.get_for_update(cancellation.payment_id)
            current = await self._cancellations.find_open_for_update(payment.id)
            if current is None or current.id != cancellation.id:
                return None
            current.tried(self._clock.now())
            await self._cancellations.save(current)
            trying = Entry.of(What.REFUND_TRIED, payment, amount=current.amount)
            await self._payments.remember(payment.id, trying)
            return payment, current

    async def _refused(self, cancellation: Cancellation, refusal: GatewayRefused) -> None:
        """The gateway said no: because it was done already, or the balance moved, or for good."""
        payment = await self._looking.synchronize(cancellation.payment_id, door=Door.REFUND)
        async with self._transactions.transaction():
            await self._purchases.lock(payment.trade_id)
            payment = await self._payments.get_for_update(payment.id)
            current = await self._cancellations.find_open_for_update(payment.id)
            if current is None or current.id != cancellation.id:
                return
            if current.rebalance(payment.cancellable):
                current.try_at = self._clock.now()
            else:
                await self._incidents.report("refund_refused", payment, {"why": refusal.detail})
                refused = Entry.of(What.REFUND_REFUSED, payment, note=refusal.detail)
                await self._payments.remember(payment.id, refused)
                if current.may_be_final:
                    current.refuse(refusal.detail, self._clock.now())
                    await self._purchases.refund_failed(payment.trade_id)
            await self._cancellations.save(current)
