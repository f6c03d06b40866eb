"""The use cases of payments. Four doors (the buyer's completion, a webhook, the sweep, an answer
that was lost) lead to the one `synchronize`; no gateway call is made inside a transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from market.shared import log_context
from market.shared.clock import Clock
from market.shared.contracts import CAME_TOO_LATE, CANCELLED_AT_GATEWAY, FAILED_LATER, Refunded
from market.shared.errors import GatewayUnavailable, NotFound
from market.shared.ids import CancellationId, Ids, MemberId, PaymentId, TradeId
from market.shared.principals import Party
from market.shared.transactions import Transactions

from .buyer import NOBODY, Buyer
from .cancellation import Cancellation
from .demands import Demands
from .domain import (
    AccountIssued,
    Captured,
    DepositedTwice,
    Event,
    Means,
    Method,
    Payment,
    Returned,
    Status,
)
from .history import Door, Entry, What
from .incident import (
    ACCOUNT_NEEDED,
    PAID_TWICE,
    REFUND_DONE,
    REFUND_FAILED,
    REFUND_OVERDUE,
    REFUND_REFUSED,
    TRANSFER_FAILED,
)
from .news import without_news
from .order import Order
from .patience import answered_soon, in_time
from .ports import (
    Cancellations,
    Checkout,
    GatewayRefused,
    Gateways,
    Hint,
    Inbox,
    Incidents,
    Ledger,
    Payments,
    Purchases,
)
from .record import Snapshot, Till, Transfer

_log = structlog.get_logger()

# How long somebody waits, in seconds, for the account that another request has opened just now:
# ten in all, which is as long as anybody should wait for an answer.
ISSUE_PAUSES_S: Sequence[float] = (0.05, 0.1, 0.2, *(0.5,) * 19)


class PaymentService:
    """Pays for trades, and sends money back.

    Lock order, everywhere: product and trade (through Purchases), payment, cancellation.
    """

    def __init__(
        self,
        transactions: Transactions,
        payments: Payments,
        cancellations: Cancellations,
        purchases: Purchases,
        gateways: Gateways,
        ledger: Ledger,
        incidents: Incidents,
        inbox: Inbox,
        clock: Clock,
        ids: Ids,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._transactions = transactions
        self._payments = payments
        self._cancellations = cancellations
        self._purchases = purchases
        self._gateways = gateways
        self._ledger = ledger
        self._incidents = incidents
        self._inbox = inbox
        self._clock = clock
        self._ids = ids
        self._pause = pause

    # ── paying ──

    @answered_soon
    async def start(
        self, trade_id: TradeId, payer: MemberId, means: Means, buyer: Buyer = NOBODY
    ) -> Payment:
        """Asks for a trade's price: by card, registered with the gateway before any checkout, or
        into a virtual account made for it (P2, P6).

        Repeated, it finds the payment it began; by other means, it begins another. Raises
        NotFound, NotYourPart, InvalidTransition, HoldExpired, BuyerNeeded, BankRefused,
        GatewayRefused, GatewayUnavailable.
        """
        self.demands.check(means, buyer)
        # Committed before the gateway hears of it: a payment it knows and we don't can't exist.
        payment = await self._open_payment(trade_id, payer, means, buyer)
        log_context.bind(payment_id=payment.id, trade_id=trade_id)
        if payment.method is Method.VIRTUAL_ACCOUNT:
            return await self._issue_account(payment)
        async with in_time():
            await self._gateways.of(payment).register(payment)
        async with self._transactions.transaction():
            payment = await self._payments.get_for_update(payment.id)
            payment.registered = True
            await self._payments.save(payment, Entry.of(What.REGISTERED, payment))
        return payment

    async def _open_payment(
        self, trade_id: TradeId, payer: MemberId, means: Means, buyer: Buyer
    ) -> Payment:
        version, now = self._gateways.today.version, self._clock.now()
        await self._purchases.invoice(trade_id, payer)  # strangers lock nothing
        async with self._transactions.transaction():
            # Under the trade's lock: a payment for a trade that dies meanwhile would never end.
            await self._purchases.lock(trade_id)  # safeguard: trade locked while a payment begins
            invoice = await self._purchases.invoice(trade_id, payer)
            id = PaymentId(self._ids.new())
            payment = Payment.ask(id, invoice, version, means, now, buyer)
            if await self._payments.add(payment, Entry.asked(payment)):
                return payment
        existing = await self._payments.find_open(trade_id)
        if existing is not None and existing.is_by(means):
            # Mostly that is no news, and nothing to lock for.
            news = existing.say_of_buyer(buyer)
            return await self._say_of_buyer(existing.id, buyer) if news else existing
        if existing is not None:
            async with self._transactions.transaction():
                await self._purchases.lock(trade_id)
                closed = await self.expire_open(trade_id)
            await self.shut(closed)
        # Or it was settled in between: then the trade says what it is.
        return await self._open_payment(trade_id, payer, means, buyer)

    async def _say_of_buyer(self, id: PaymentId, buyer: Buyer) -> Payment:
        async with self._transactions.transaction():
            payment = await self._payments.get_for_update(id)
            if payment.say_of_buyer(buyer):
                await self._payments.save(payment)
            return payment

    async def _issue_account(self, payment: Payment) -> Payment:
        """Has one account opened, however many ask at once: one of them asks the gateway, after
        looking what earlier ones did; the others wait for it.

        Raises what `start` does.
        """
        for pause in ISSUE_PAUSES_S:
            payment, due_at = await self._lease_issue(payment.id)
            if due_at is not None:
                return await self._issue_leased(payment, due_at)
            if payment.status is not Status.READY:
                return payment
            await self._pause(pause)
        raise GatewayUnavailable(
            "The account is being opened. Try again shortly.", payment_id=payment.id
        )

    async def _lease_issue(self, id: PaymentId) -> tuple[Payment, datetime | None]:
        """The payment, and until when an account for it is to be opened by this caller; None when
        that is another's to do, or no account is needed any more."""
        async with self._transactions.transaction():
            # Locked: of two who find it free, one gets it.
            # safeguard: payment locked while its account is leased
            payment = await self._payments.get_for_update(id)
            if not payment.lease_issue(self._clock.now()):
                return payment, None
            # Others may have been long at it: the trade may have ended.
            await self._purchases.invoice(payment.trade_id, payment.payer)
            await self._payments.save(payment)
            return payment, await self._purchases.deposit_due(payment.trade_id)

    async def _issue_leased(self, payment: Payment, due_at: datetime) -> Payment:
        try:
            # An earlier try whose answer was lost may have done it.
            payment = await self.synchronize(payment.id, door=Door.BUYER)
            if payment.status is Status.READY:
                async with in_time():
                    await self._gateways.of(payment).issue_account(payment, due_at)
                payment = await self.synchronize(payment.id, door=Door.BUYER)
        except (GatewayRefused, GatewayUnavailable) as trouble:
            await self._end_issue(payment.id, refused=isinstance(trouble, GatewayRefused))
            raise
        if payment.status is Status.READY:
            await self._end_issue(payment.id, refused=False)
        return payment

    async def _end_issue(self, id: PaymentId, *, refused: bool) -> None:
        async with self._transactions.transaction():
            payment = await self._payments.get_for_update(id)
            payment.end_issue()
            if refused:
                payment.refused()
            await self._payments.save(payment)

    async def _answered(self, id: PaymentId) -> None:
        async with self._transactions.transaction():
            payment = await self._payments.get_for_update(id)
            payment.refused()
            await self._payments.save(payment)

    async def expire_open(self, trade_id: TradeId, *, looked: bool | None = None) -> Payment | None:
        """The trade waits for its open payment no longer; which that was. Within the transaction
        that decided so.

        Where nobody waits to see to the rest, `looked` says whether the gateway's record was seen:
        if it was not, or an account is to be closed, a worker looks at once.
        """
        found = await self._payments.find_open(trade_id)
        if found is None:
            return None
        payment = await self._payments.get_for_update(found.id)
        before = payment.status
        unfinished = looked is False or (looked and payment.account is not None)
        payment.expire(self._clock.now() if unfinished else None)
        await self._payments.save(payment, Entry.expired(payment, before))
        return payment

    async def shut(self, payment: Payment | None) -> None:
        """Has an expired payment's virtual account closed, if the gateway can be told. Money that
        comes all the same is found, and goes back."""
        if payment is not None and payment.account is not None and payment.reference is not None:
            await self._close(payment, payment.reference)

    async def _close(self, payment: Payment, reference: str) -> None:
        try:
            async with in_time():
                await self._gateways.of(payment).close_account(payment, reference)
        except (GatewayUnavailable, GatewayRefused) as trouble:
            _log.warning("account_left_open", payment_id=payment.id, trouble=trouble.code)

    async def see(self, id: PaymentId, viewer: MemberId, *, operator: bool = False) -> Payment:
        """A payment, for the parties of its trade and operators. Raises NotFound for others."""
        payment = await self._payments.get(id)
        await self._purchases.party(payment.trade_id, viewer, operator=operator)
        return payment

    @property
    def demands(self) -> Demands:
        """What whoever begins to pay today must be asked for."""
        return self._gateways.today.demands

    @property
    def sdk_url(self) -> str:
        """The script that opens the windows of payments begun today."""
        return self._gateways.today.sdk_url

    def checkout(self, payment: Payment) -> Checkout:
        """What the browser needs to go on with an unpaid payment."""
        return self._gateways.of(payment).checkout(payment)

    @answered_soon
    async def complete(self, id: PaymentId, buyer: MemberId, token: str | None = None) -> Payment:
        """The buyer says it is done: a hint to look (P3).

        With a `token` it is only authenticated, and charged now, if the unit is still held for it.
        Raises NotFound, InvalidTransition, HoldExpired, GatewayRefused, GatewayUnavailable.
        """
        payment = await self._payments.get(id)
        if payment.payer != buyer:
            raise NotFound
        log_context.bind(payment_id=id, trade_id=payment.trade_id)
        if token is not None and payment.status is Status.READY:
            await self._purchases.invoice(payment.trade_id, buyer)
            try:
                async with in_time():
                    await self._gateways.of(payment).approve(payment, token)
            except GatewayRefused:
                await self._answered(id)
                # Perhaps because an earlier try, whose answer was lost, had charged it.
                if (await self.synchronize(id, door=Door.BUYER)).status is Status.READY:
                    raise
        return await self.synchronize(id, door=Door.BUYER)

    # ── looking ──

    async def synchronize(
        self, id: PaymentId, hint: Hint | None = None, door: Door = Door.SWEEP
    ) -> Payment:
        """Looks at the gateway's record and applies what it shows; whoever hinted (P3, P5).

        Raises NotFound, GatewayUnavailable.
        """
        payment = await self._payments.get(id)
        log_context.bind(payment_id=id, trade_id=payment.trade_id)
        gateway = self._gateways.of(payment)
        async with in_time():
            attempts = await gateway.look(payment)
        # Whoever asks again and again without news must not hold up those who buy the product.
        known = await self._look_without_news(payment.order_id, attempts, gateway.till, hint)
        if known is not None:
            order, closed = known, None
        else:
            order, closed = await self._look(payment, attempts, gateway.till, hint, door)
        await self.shut(closed)
        for seen in order.unwanted():
            await self._close(order.payments[0], seen.reference)
        return next(each for each in order.payments if each.id == id)

    async def _look_without_news(
        self, order_id: PaymentId, attempts: Sequence[Snapshot], till: Till, hint: Hint | None
    ) -> Order | None:
        """The order if the look changes nothing of it: then it locks neither product nor trade."""
        standings = await self._payments.standings(order_id)
        order = without_news(standings, attempts, self._clock.now(), till)
        if order is None:
            return None
        for standing, payment in zip(standings, order.payments, strict=True):
            if payment.look_at != standing.payment.look_at:
                await self._payments.reschedule(payment, standing.payment.look_at)
        if hint is not None:
            await self._inbox.handled(hint.id)
        return order

    async def _look(
        self,
        payment: Payment,
        attempts: Sequence[Snapshot],
        till: Till,
        hint: Hint | None,
        door: Door,
    ) -> tuple[Order, Payment | None]:
        """The order, and which other attempt at its trade was expired by it."""
        async with self._transactions.transaction():
            # safeguard: product and trade locked before the payment
            await self._purchases.lock(payment.trade_id)
            payments = await self._payments.of_order_for_update(payment.order_id)
            order = Order(payments, attempts)
            closed = await self._apply(order, till, door)
            if hint is not None:
                await self._inbox.handled(hint.id)
        return order, closed

    async def _apply(self, order: Order, till: Till, door: Door) -> Payment | None:
        """What the record shows, to each payment of the order; which other attempt at the trade
        was expired by it."""
        paid: list[bool] = []
        for bad in order.senseless():
            await self.report_senseless(order.payments[0], bad)
        for payment, seen in order.shares():
            paid += await self._apply_to(payment, seen, till, door)
        for more in order.besides():
            found = await self._found(order.payments[0], more)
            paid += await self._apply_to(found, more, till, door)
        # A trade that is paid waits for no other attempt: nobody is to pay twice.
        return await self.expire_open(order.payments[0].trade_id) if any(paid) else None

    async def _apply_to(
        self, payment: Payment, seen: Snapshot | None, till: Till, door: Door
    ) -> Sequence[bool]:
        before, transfer = payment.status, payment.transfer
        events = payment.apply(seen, self._clock.now(), till)
        paid = [await self._record(payment, event) for event in events]
        await self._follow_refund(payment, seen)
        if payment.transfer is not transfer:
            await self._follow_transfer(payment)
        await self._payments.save(payment, Entry.looked(payment, before, seen, door))
        return paid

    async def _found(self, order: Payment, seen: Snapshot) -> Payment:
        """Money that came under an order besides is a payment of its own: it pays the trade if
        the other did not, or goes back."""
        found = Payment.found(PaymentId(self._ids.new()), order, self._clock.now())
        await self._payments.add(found, Entry.found(found))
        facts = {"reference": seen.reference, "amount": seen.captured.amount}
        await self._incidents.report(PAID_TWICE, found, facts)
        return found

    async def report_senseless(self, payment: Payment, seen: Snapshot) -> bool:
        """A record that makes no sense is not believed, and nothing of it is booked: operators are
        told, once for what it says. False for a repeat."""
        facts = {
            "reference": seen.reference,
            "captured": seen.captured.amount,
            "returned": seen.returned,
            "why": seen.trouble or seen.failure or seen.state.value,
        }
        which = f"{payment.id}: {' '.join(str(fact) for fact in facts.values())}"
        return await self._incidents.report(seen.nonsense or "", payment, facts, which)

    async def _record(self, payment: Payment, event: Event) -> bool:
        """Whether it has paid its trade."""
        match event:
            case Captured():
                await self._ledger.record_capture(payment.id, event.amount, event.at)
                return await self._hand_over(payment, event)
            case Returned():
                await self._take_back(payment, event)
            case AccountIssued():
                await self._purchases.wait_for_deposit(payment.trade_id)
            case DepositedTwice(total):
                which = f"{payment.id}: {total} deposited"
                await self._incidents.report("deposited_twice", payment, {"total": total}, which)
        return False

    async def _take_back(self, payment: Payment, event: Returned) -> None:
        now, trade_id = self._clock.now(), payment.trade_id
        settled = await self._purchases.is_settled(trade_id, payment.id)
        await self._ledger.record_refund(
            payment.id, event.amount, event.total, now, settled=settled
        )
        back = Refunded(event.amount.amount, event.total, await self._why_returned(payment, event))
        if settled:
            # The seller has been credited with it: for people to sort out.
            seen = {"amount": event.amount.amount}
            which = f"{payment.id}: {event.total} back"
            await self._incidents.report("returned_after_settlement", payment, seen, which)
            await self._purchases.returned_after_sale(trade_id, payment.id, back)
        elif event.everything:
            await self._purchases.money_returned(trade_id, payment.id, back, now)
        else:
            await self._purchases.partly_returned(trade_id, payment.id, back)

    async def _why_returned(self, payment: Payment, event: Returned) -> str | None:
        """The reason of the refund that this was, or a code of ours; None for what may be both."""
        asked = await self._cancellations.find_open_for_update(payment.id)
        if asked is None:
            return CANCELLED_AT_GATEWAY
        return asked.reason if asked.amount == event.amount.amount else None

    async def _hand_over(self, payment: Payment, captured: Captured) -> bool:
        """Gives the money to its trade; what is wrong or comes too late goes back in full (P4)."""
        if captured.mismatch is not None:
            await self._incidents.report(
                f"wrong_{captured.mismatch}",
                payment,
                {"amount": captured.amount.amount, "currency": captured.amount.currency},
            )
            await self._owe_back(payment, f"wrong_{captured.mismatch}")
            return False
        taken = await self._taken(payment, captured)
        if not taken:
            await self._owe_back(payment, CAME_TOO_LATE)
        return taken

    async def _taken(self, payment: Payment, captured: Captured) -> bool:
        trade = payment.trade_id
        if await self._purchases.accept_payment(trade, payment.id, captured.at):
            return True
        late_deposit = payment.paid_with is Method.VIRTUAL_ACCOUNT
        return late_deposit and await self._purchases.revive(trade, payment.id, captured.at)

    async def _owe_back(self, payment: Payment, reason: str) -> None:
        """Records that what is left of a payment is to go back; a worker sees to it."""
        if payment.cancellable == 0:
            return
        cancellation = payment.cancel(
            CancellationId(self._ids.new()), None, reason, Party.MARKET, self._clock.now()
        )
        await self.record(payment, cancellation)

    async def record(self, payment: Payment, cancellation: Cancellation) -> None:
        """Keeps a cancellation before the gateway hears of it. Where the buyer must say first where
        the money goes, they and the operators are told (P6)."""
        await self._cancellations.add(cancellation)
        if cancellation.waits_for_account:
            owed = {"amount": cancellation.amount}
            await self._incidents.report(ACCOUNT_NEEDED, payment, owed, cancellation.subject)
            await self._purchases.account_needed(payment.trade_id, cancellation.id)

    async def _follow_refund(self, payment: Payment, seen: Snapshot | None) -> None:
        """What the record shows of the refund that is under way."""
        refund = await self._cancellations.find_open_for_update(payment.id)
        if refund is None:
            return
        now, before = self._clock.now(), replace(refund)
        waits = payment.transfer_waits
        if refund.settle(payment.cancellable, now, transfer_waits=waits):
            await self._purchases.refund_settled(payment.trade_id, payment.id)
            await self.end_incidents(refund, REFUND_DONE)
        elif refund.see(seen.returning if seen else None, now):
            await self.refuse(payment, refund, FAILED_LATER)
        if refund != before:
            await self._cancellations.save(refund)

    async def _follow_transfer(self, payment: Payment) -> None:
        """How far the bank has come with a refund that the gateway has booked. It sends nothing
        twice by itself: where it failed, an operator does, to the account that the buyer names."""
        refunds = await self._cancellations.find_untransferred_for_update(payment.id)
        last = refunds[-1] if refunds else None
        about = last.subject if last else payment.id
        if payment.transfer is Transfer.COMPLETED:
            # It tells of the last one: an earlier one that failed is for people still.
            for refund in (one for one in refunds if one is last or one.failure is None):
                refund.transferred()
                await self._cancellations.save(refund)
            if last is not None:
                await self.end_incidents(last, REFUND_DONE)
            else:
                now = self._clock.now()
                await self._incidents.resolve(TRANSFER_FAILED, about, REFUND_DONE, now)
        elif payment.transfer is Transfer.FAILED:
            owed = {"amount": last.amount if last else payment.cancelled}
            await self._incidents.report(TRANSFER_FAILED, payment, owed, about)
            if last is not None and last.transfer_failed():
                again = f"{last.id}: not transferred"
                await self._purchases.account_needed(payment.trade_id, again)
                await self._cancellations.save(last)

    async def end_incidents(self, refund: Cancellation, how: str) -> None:
        """Whatever told of a refund ends with it."""
        now = self._clock.now()
        kinds = [ACCOUNT_NEEDED, REFUND_REFUSED, REFUND_OVERDUE]
        if refund.account is None:
            kinds.append(TRANSFER_FAILED)
        for kind in kinds:
            await self._incidents.resolve(kind, refund.subject, how, now)

    async def refuse(self, payment: Payment, refund: Cancellation, why: str) -> None:
        """The gateway has refused a refund, which operators are told; its parties too, if that ends
        it, and the buyer, if another account may help. Within a transaction that saves it."""
        ended = refund.refuse(why, self._clock.now())
        if refund.failure is None:
            return  # another one is under way there
        await self._incidents.report(REFUND_REFUSED, payment, {"why": why}, refund.subject)
        refusal = Entry.of(What.REFUND_REFUSED, payment, note=why)
        await self._payments.remember(payment.id, refusal)
        if ended:
            # Nobody waits for it any more: its refusal is what is left to be seen to.
            for kind in (ACCOUNT_NEEDED, REFUND_OVERDUE):
                now = self._clock.now()
                await self._incidents.resolve(kind, refund.subject, REFUND_FAILED, now)
            told, amount = refund.shown_to, refund.amount
            await self._purchases.refund_failed(
                payment.trade_id, payment.id, told, amount, why, refund.id
            )
        elif refund.waits_for_account:
            await self._purchases.account_needed(payment.trade_id, f"{refund.id}: refused")
