"""How purchases end without a sale: called off, run out of time, their money sent back (P7)."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import structlog

from market.shared import log_context
from market.shared.audit import Audit
from market.shared.banking import RefundAccount
from market.shared.clock import Clock
from market.shared.errors import Conflict, GatewayUnavailable, Invalid, InvalidTransition, NotFound
from market.shared.ids import CancellationId, Ids, MemberId, PaymentId, TradeId
from market.shared.principals import Party
from market.shared.text import line
from market.shared.transactions import Transactions

from .cancellation import USUAL_CANCELS, Cancellation, CancellationInProgress, Parts
from .demands import Demands
from .domain import Method, Payment
from .history import Door, Entry, What
from .incident import REFUND_GIVEN_UP, REFUND_OVERDUE, TRADE_OVERDUE, OwnTrade
from .patience import after, answered_soon, in_time, patience
from .ports import (
    Cancellations,
    GatewayRefused,
    Gateways,
    Incidents,
    OutcomeUnknown,
    Payments,
    Purchases,
)
from .record import Transfer
from .service import PaymentService

_log = structlog.get_logger()

# How long holds that have run out wait for the gateway to say whether their payments came; and then
# for their accounts to be closed. What is not done by then is a worker's, by another look.
PATIENCE_S = 3.0
CLOSING_S = 3.0
# How long a refund may take from when it was asked for, and a paid trade to go on, before operators
# are told; how many they are told of at once.
REFUND_DEADLINE, TRADE_DEADLINE = timedelta(days=7), timedelta(days=30)
AT_ONCE = 100


class RefundService:
    """Calls purchases off and sees every cancellation to its end; of `allowed` cancels that the
    gateway lets happen to one payment, the last is kept for the whole.

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
        allowed: int = USUAL_CANCELS,
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
        self._allowed = allowed

    @answered_soon
    async def cancel_purchase(
        self,
        id: TradeId,
        by: MemberId,
        reason: str,
        account: RefundAccount | None = None,
        wish: CancellationId | None = None,
        *,
        payment_id: PaymentId | None = None,
        operator: bool = False,
    ) -> bool:
        """Calls a trade off; if it holds money, asks the gateway at once to send it back (P8).

        True while the money is on its way. A deposit goes to the buyer's `account`. When the
        gateway brings no answer, a worker goes on. Who asks for the money of `payment_id` means
        that one and no other of the trade's.
        Raises NotFound, InvalidTransition, RefundAccountNeeded, RefundRefused.
        """
        party = await self._purchases.party(id, by, operator=operator)
        async with self._transactions.transaction():
            payment_id = await self._purchases.cancel(id, party, reason, payment_id)
            # Under the trade's lock: of two clicks at once the second one does, and notes, nothing.
            # safeguard: a refund request is carried out once
            if wish is not None and await self._cancellations.find(wish) is not None:
                raise CancellationInProgress(trade_id=id)
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
            await self._settle_asked(fresh.id)
        return await self._cancellations.is_open(payment_id)

    @answered_soon
    async def cancel(
        self,
        id: PaymentId,
        by: MemberId,
        amount: int | None,
        reason: str,
        account: RefundAccount | None,
        wish: CancellationId | None = None,
        *,
        expected: int | None = None,
        operator: bool = False,
    ) -> Payment:
        """Sends `amount` minor units back, None for all that is left (P7, P8).

        All of it calls the trade off; a part lets it go on for less: with `expected`, only if so
        much is left still (D5). A `wish` that was recorded before is not another one: it is
        answered by what has become of it. Raises NotFound, InvalidTransition, ExceedsCancellable,
        AmountChanged, TooManyRefunds, RefundTooSmall, CancellationInProgress, RefundAccountNeeded,
        AlreadyAsked, RefundRefused.
        """
        payment = await self._payments.get(id)
        party = await self._purchases.party(payment.trade_id, by, operator=operator)
        # Asked first of all: what is left by now decides nothing about a wish that was granted.
        if wish is not None and await self._is_repeat(wish, id, amount):
            return payment
        try:
            return await self._cancel(payment, by, party, amount, reason, account, wish, expected)
        except Conflict:
            # Of two that come at once the second finds what the first has recorded meanwhile.
            if wish is None or not await self._is_repeat(wish, id, amount):
                raise
            return await self._payments.get(id)

    async def _is_repeat(self, wish: CancellationId, id: PaymentId, amount: int | None) -> bool:
        """Whether it was recorded before. Raises AlreadyAsked, RefundRefused."""
        known = await self._cancellations.find(wish)
        if known is not None:
            known.repeat(id, amount, self._clock.now())
        return known is not None

    async def _cancel(
        self,
        payment: Payment,
        by: MemberId,
        party: Party,
        amount: int | None,
        reason: str,
        account: RefundAccount | None,
        wish: CancellationId | None,
        expected: int | None,
    ) -> Payment:
        id, operator = payment.id, party is Party.OPERATOR
        if account is not None and await self._cancellations.waits_for_account(id):
            return await self.send_to(id, by, account, operator=operator)
        owed = operator and await self._cancellations.is_owed(id)
        if not owed and (amount is None or amount == payment.cancellable):
            # Under no lock: if some of it is refunded in between, the rest is all that is wanted.
            payment.check_left(expected)
            trade = payment.trade_id
            await self.cancel_purchase(
                trade, by, reason, account, wish, payment_id=id, operator=operator
            )
        else:
            await self._send_back(
                payment, by, party, amount, reason, account, wish, expected, owed=owed
            )
        return await self._payments.get(id)

    async def _send_back(
        self,
        payment: Payment,
        by: MemberId,
        party: Party,
        amount: int | None,
        reason: str,
        account: RefundAccount | None,
        wish: CancellationId | None,
        expected: int | None,
        *,
        owed: bool,
    ) -> None:
        """A part of a trade's money; or some or all of what the market `owed` and gave up."""
        id = payment.id
        async with self._transactions.transaction():
            if owed:  # it never was the trade's money, and is no matter of it
                await self._purchases.lock(payment.trade_id)
            else:
                await self._purchases.refund_part(payment.trade_id, party, id)
            await self._note(party, by, f"send back {amount or 'all'}", f"payment {id}", reason)
            payment = await self._payments.get_for_update(id)
            payment.check_left(expected)
            self._check(payment, account)
            cancellation = payment.cancel(
                wish or CancellationId(self._ids.new()),
                amount,
                reason,
                party,
                self._clock.now(),
                account,
            )
            if cancellation.keeps:
                parts = Parts(*await self._cancellations.count_parts(id), self._allowed)
                parts.check_one_more(party, cancellation.amount, payment.amount.amount)
            await self._looking.record(payment, cancellation)
        if not cancellation.waits_for_account:
            await self._settle_asked(cancellation.id)

    async def demands_of(self, id: PaymentId) -> Demands:
        """What must be known to refund a payment. Raises NotFound."""
        return self._gateways.of(await self._payments.get(id)).demands

    async def is_under_way(self, id: PaymentId) -> bool:
        """Whether money of a payment is still on its way back."""
        return await self._cancellations.is_open(id)

    async def waiting_for_account(self, id: TradeId) -> PaymentId | None:
        """Whichever payment of a trade can't go back until the buyer says where to."""
        return await self._cancellations.find_waiting(id)

    @answered_soon
    async def send_to(
        self, id: PaymentId, by: MemberId, account: RefundAccount, *, operator: bool = False
    ) -> Payment:
        """The buyer, or an operator whom they told, says where money is to go back to (P6); or
        where else, when the gateway would not send it there.

        Raises NotFound, InvalidTransition when none waits for that, RefundRefused.
        """
        payment = await self._payments.get(id)
        party = await self._purchases.party(payment.trade_id, by, operator=operator)
        if party is Party.SELLER:
            raise NotFound
        self._check(payment, account)
        async with self._transactions.transaction():
            await self._purchases.lock(payment.trade_id)
            await self._note(party, by, "name a refund account", f"payment {id}", "the buyer's")
            payment = await self._payments.get_for_update(id)
            waiting = await self._waiting(id)
            if waiting is None:
                raise InvalidTransition(payment_id=id, status=payment.status)
            waiting.send_to(account, self._clock.now())
            await self._cancellations.save(waiting)
            await self._payments.remember(id, Entry.of(What.ACCOUNT_NAMED, payment))
        if waiting.is_open:
            await self._settle_asked(waiting.id)
        return await self._payments.get(id)

    async def _waiting(self, id: PaymentId) -> Cancellation | None:
        """Whichever waits to be told where its money is to go; within a transaction."""
        unfinished = await self._unfinished(id)
        return next((one for one in unfinished if one.waits_for_account), None)

    async def give_up(self, id: PaymentId, by: MemberId, reason: str) -> Payment:
        """An operator decides that a refund which does not end is asked for no more: its trade goes
        on, its unit is free to be decided about, and money that goes back all the same is found.

        The record is looked at first, for it may have ended by now. Raises NotFound, OwnTrade,
        Invalid without a reason, InvalidTransition when none is under way.
        """
        payment = await self._payments.get(id)
        party = await self._purchases.party(payment.trade_id, by, operator=True)
        if party is not Party.OPERATOR:
            raise OwnTrade(trade_id=payment.trade_id)
        if not (why := line(reason)):
            raise Invalid("Say why.", payment_id=id)
        with suppress(GatewayUnavailable):
            await self._looking.synchronize(id, door=Door.OPERATOR)
        async with self._transactions.transaction():
            await self._purchases.lock(payment.trade_id)
            payment = await self._payments.get_for_update(id)
            given_up = await self._unfinished(id)
            if not given_up:
                raise InvalidTransition(payment_id=id, status=payment.status)
            await self._note(party, by, "give up a refund", f"payment {id}", why)
            for refund in given_up:
                await self._end(payment, refund, by, why)
        return await self._payments.get(id)

    async def _end(self, payment: Payment, refund: Cancellation, by: MemberId, why: str) -> None:
        was_open = refund.is_open
        refund.give_up(by, why, self._clock.now())
        await self._cancellations.save(refund)
        gone = Entry.of(What.REFUND_GIVEN_UP, payment, amount=refund.amount, note=why)
        await self._payments.remember(payment.id, gone)
        await self._looking.end_incidents(refund, REFUND_GIVEN_UP)
        if was_open:
            # What never was the trade's money is no matter of its parties' trade.
            both = (Party.BUYER, Party.SELLER)
            told, amount = () if refund.by is Party.MARKET else both, refund.amount
            await self._purchases.refund_failed(
                payment.trade_id, payment.id, told, amount, why, refund.id
            )

    async def _unfinished(self, id: PaymentId) -> Sequence[Cancellation]:
        """All of a payment that have not ended, or not reached their account; locked."""
        underway = await self._cancellations.find_open_for_update(id)
        booked = await self._cancellations.find_untransferred_for_update(id)
        return [*booked, *([underway] if underway else [])]

    async def account_to_pay(self, id: PaymentId, by: MemberId) -> RefundAccount:
        """Where an operator is to send by hand what a bank could not; written down, as every sight
        of an account. Raises NotFound, OwnTrade, InvalidTransition when there is nothing to send.
        """
        payment = await self._payments.get(id)
        party = await self._purchases.party(payment.trade_id, by, operator=True)
        if party is not Party.OPERATOR:
            raise OwnTrade(trade_id=payment.trade_id)
        async with self._transactions.transaction():
            await self._payments.get_for_update(id)
            booked = await self._cancellations.find_untransferred_for_update(id)
            named = [one.account for one in booked if one.account and one.failure is None]
            if payment.transfer is not Transfer.FAILED or not named:
                raise InvalidTransition(payment_id=id, status=payment.status)
            await self._note(party, by, "see a refund account", f"payment {id}", "to send it")
        return named[-1]

    async def report_overdue(self) -> int:
        """Tells operators of refunds that should have ended days ago, and of paid trades that
        nobody takes further, once each; how many."""
        now, found = self._clock.now(), 0
        for refund in await self._cancellations.overdue(now - REFUND_DEADLINE, AT_ONCE):
            payment = await self._payments.get(refund.payment_id)
            facts = {"amount": refund.amount, "since": str(refund.created_at)}
            found += await self._incidents.report(REFUND_OVERDUE, payment, facts, refund.subject)
        for id in await self._payments.overdue(now - TRADE_DEADLINE, AT_ONCE):
            payment = await self._payments.get(id)
            facts = {"amount": payment.cancellable, "since": str(payment.paid_at)}
            found += await self._incidents.report(TRADE_OVERDUE, payment, facts)
        return found

    async def expire_hold(self, id: TradeId, until: float | None = None) -> None:
        """Ends a hold that ran out, unless its payment turns out to have come: the gateway is asked
        no longer than `until`, on the clock of `patience.after`."""
        log_context.bind(trade_id=id)
        until = after(PATIENCE_S) if until is None else until
        payment = await self._payments.find_open(id)
        looked = payment is None or await self._look_in_time(payment.id, until)
        async with self._transactions.transaction():
            ended = await self._purchases.expire(id)
            closed = await self._looking.expire_open(id, looked=looked) if ended else None
        with patience(until + CLOSING_S):
            await self._looking.shut(closed)

    async def _look_in_time(self, id: PaymentId, until: float) -> bool:
        try:
            with patience(until):
                await self._looking.synchronize(id)
        except Exception as trouble:  # whatever it is, the hold ends
            # A gateway that is dead or hangs must not keep goods off the market: money that did
            # come, and is found later, goes back in full.
            _log.warning("hold_ends_unlooked", payment_id=id, trouble=repr(trouble))
            return False
        return True

    async def settle(self, id: CancellationId) -> Cancellation | None:
        """Takes a cancellation one step further: as it is then, if the gateway refused it. Passing
        trouble leaves it for the next try."""
        cancellation = await self._cancellations.get(id)
        log_context.bind(payment_id=cancellation.payment_id)
        try:
            if cancellation.tries or not cancellation.is_open:
                # The answer to an earlier try was lost, and may have been a yes; or it came, and
                # the end of it is still to come.
                await self._looking.synchronize(cancellation.payment_id, door=Door.REFUND)
            if not cancellation.is_open:
                await self._watch(cancellation)
                return None
            trying = await self._begin_try(cancellation)
            return await self._try(*trying) if trying is not None else None
        except GatewayUnavailable as trouble:
            _log.warning("cancellation_unanswered", cancellation_id=id, trouble=trouble.code)
        return None

    async def _try(self, payment: Payment, trying: Cancellation) -> Cancellation | None:
        """Asks the gateway. Raises GatewayUnavailable."""
        try:
            async with in_time():
                await self._gateways.of(payment).cancel(payment, trying)
        except GatewayRefused as refusal:
            return await self._refused(payment, trying, refusal)
        except OutcomeUnknown:
            raise
        except GatewayUnavailable:
            await self._change(trying, Cancellation.never_left)
            raise
        looked = await self._looking.synchronize(payment.id, door=Door.REFUND)
        if looked.cancellable > trying.keeps:
            await self._change(trying, lambda current: current.taken_up(self._clock.now()))
        return None

    async def _settle_asked(self, id: CancellationId) -> None:
        """For its asker, who is to hear of the gateway's no. Raises RefundRefused."""
        refused = await self.settle(id)
        if refused is not None:
            refused.check_not_refused()

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
        self._check(payment, account)
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
            await self._looking.record(payment, cancellation)
            return None if cancellation.waits_for_account else cancellation
        if underway.keeps:  # a part is on its way: first that, then all
            raise CancellationInProgress(payment_id=payment_id)
        if account is None or by is Party.SELLER or not underway.waits_for_account:
            return None
        underway.send_to(account, self._clock.now())
        await self._cancellations.save(underway)
        await self._payments.remember(payment_id, Entry.of(What.ACCOUNT_NAMED, payment))
        return underway

    def _check(self, payment: Payment, account: RefundAccount | None) -> None:
        """Refuses an account that the payment company can't refund to, before anything is
        cancelled. Raises BankRefused, RefundPhoneNeeded."""
        if account is not None and payment.paid_with is Method.VIRTUAL_ACCOUNT:
            self._gateways.of(payment).demands.check_refund(account)

    async def _note(self, party: Party, by: MemberId, act: str, subject: str, reason: str) -> None:
        """An operator's act is written down for good; members answer for their own trades."""
        if party is Party.OPERATOR:
            await self._audit.record(by, act, subject, reason)

    async def _begin_try(self, cancellation: Cancellation) -> tuple[Payment, Cancellation] | None:
        """Notes that the gateway is about to be asked; None when there is nothing left to ask, or
        not now: it is at it, or has just refused."""
        async with self._transactions.transaction():
            current = await self._current(cancellation)
            if current is None or current[1].answers != cancellation.answers:
                return None
            payment, trying = current
            asking = trying.try_again(self._clock.now())
            await self._cancellations.save(trying)
            if asking:
                tried = Entry.of(What.REFUND_TRIED, payment, amount=trying.amount)
                await self._payments.remember(payment.id, tried)
        return current if asking else None

    async def _watch(self, cancellation: Cancellation) -> None:
        """When to look again after one that has ended."""
        async with self._transactions.transaction():
            await self._payments.get_for_update(cancellation.payment_id)
            ended = await self._cancellations.get_for_update(cancellation.id)
            ended.watch(self._clock.now())
            await self._cancellations.save(ended)

    async def _change(
        self, cancellation: Cancellation, change: Callable[[Cancellation], None]
    ) -> None:
        """Notes what came of a try, unless it has ended meanwhile."""
        async with self._transactions.transaction():
            current = await self._current(cancellation)
            if current is not None:
                change(current[1])
                await self._cancellations.save(current[1])

    async def _current(self, cancellation: Cancellation) -> tuple[Payment, Cancellation] | None:
        """As it is under the locks; None when it has ended."""
        # Its payment first, as everywhere: adding to a payment's history locks that too.
        payment = await self._payments.get_for_update(cancellation.payment_id)
        current = await self._cancellations.find_open_for_update(payment.id)
        if current is None or current.id != cancellation.id:
            return None
        return payment, current

    async def _refused(
        self, payment: Payment, trying: Cancellation, refusal: GatewayRefused
    ) -> Cancellation | None:
        """The gateway said no: because it was done already, or the balance moved, or another refund
        is under way, or for good."""
        repeats = self._gateways.of(payment).repeats_answers
        await self._change(trying, lambda current: current.answered_no(repeats=repeats))
        await self._looking.synchronize(payment.id, door=Door.REFUND)
        async with self._transactions.transaction():
            await self._purchases.lock(payment.trade_id)
            if (current := await self._current(trying)) is None:
                return None
            payment, refused = current
            if refused.rebalance(payment.cancellable):
                refused.try_at = self._clock.now()
            else:
                await self._looking.refuse(payment, refused, refusal.detail)
            await self._cancellations.save(refused)
        return refused
