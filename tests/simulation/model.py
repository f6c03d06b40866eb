"""What must be true: each rule of the market in as few lines as possible, over plain data.

No database, no clock of its own, no network. Every function is one transaction: it refuses before
it changes anything. Which transactions and gateway calls follow each other is in `protocol`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from market.payments.cancellation import (
    LONGEST_CALL,
    LOOK_AFTER_FAILURE,
    LOOK_WHILE_TAKEN_UP,
    RECORD_LAGS,
    TRY_AGAIN_AFTER,
)
from market.payments.domain import ISSUE_LEASE, LOOK_AT_ACCOUNT, LOOK_AT_AGES, LOOK_AT_TRANSFER
from market.payments.record import Seen, Snapshot, Transfer
from market.shared.clock import Clock

from .state import (
    APPROVED,
    AWAITING,
    BUYER,
    CANCELLED,
    CONFIRMED,
    ISSUED,
    MARKET,
    PAID,
    READY,
    SELLER,
    Cancellation,
    Hint,
    Means,
    Payment,
    Product,
    Refused,
    Trade,
)

CLAIM = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@dataclass
class Model:
    clock: Clock
    hold: timedelta
    deposit: timedelta
    fee_bps: int
    cancels: int
    repeats: bool
    products: dict[str, Product] = field(default_factory=dict)
    trades: dict[str, Trade] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    cancellations: dict[str, Cancellation] = field(default_factory=dict)
    hints: list[Hint] = field(default_factory=list)
    revived: int = 0
    incidents: set[tuple[str, str]] = field(default_factory=set)
    senseless: set[tuple[str, str]] = field(default_factory=set)
    # (kind, source) → debit, credit, amount, currency
    ledger: dict[tuple[str, str], tuple[str, str, int, str]] = field(default_factory=dict)

    # ── products and trades ──

    def change(
        self, product: Product, by: str, price: int | None, quantity: int | None, seen: int | None
    ) -> None:
        if by != product.seller:
            raise Refused("not_your_product")
        if seen not in {None, product.revision}:
            raise Refused("stale")
        if quantity is not None and quantity < product.taken:
            raise Refused("quantity_below_taken")
        product.price = price or product.price
        product.quantity = quantity or product.quantity
        product.revision += 1

    def buy(self, product: Product, buyer: str, expected: int | None, made: Sequence[str]) -> None:
        if buyer == product.seller:
            raise Refused("own_product")
        if self._has_live(product, buyer):
            raise Refused("already_bought")
        if product.taken == product.quantity:
            raise Refused("sold_out")
        if expected not in {None, product.price}:
            raise Refused("price_changed")
        now, price = self.clock.now(), product.price
        fee = price * self.fee_bps // 10_000
        trade = Trade(_id(made), product, buyer, price, fee, now, now + self.hold)
        product.taken += 1
        product.trades.append(trade)
        self.trades[trade.id] = trade

    def approve(self, trade: Trade, by: str, expected: int | None) -> None:
        trade.the(SELLER, by)
        trade.step(PAID, APPROVED, expected)

    def confirm(self, trade: Trade, by: str, expected: int | None) -> None:
        trade.the(BUYER, by)
        trade.step(APPROVED, CONFIRMED, expected)
        trade.product.confirmed += 1
        held = trade.held
        fee = trade.fee * held // trade.price
        self._book("SETTLED", trade.id, "escrow", f"seller:{trade.product.seller}", held - fee)
        self._book("FEE", trade.id, "escrow", "fees", fee)

    def expire(self, trade: Trade) -> bool:
        if trade.status != AWAITING or trade.hold_until > self.clock.now():
            return False
        trade.cancel_by = MARKET
        self._die(trade)
        return True

    # ── paying ──

    def invoice(self, trade: Trade, payer: str) -> None:
        trade.the(BUYER, payer)
        if trade.status != AWAITING:
            raise Refused("invalid_transition")
        if trade.hold_until <= self.clock.now():
            raise Refused("hold_expired")

    def begin(
        self, trade: Trade, payer: str, means: Means, now: datetime, made: Sequence[str]
    ) -> Payment | None:
        self.invoice(trade, payer)
        if trade.open_payment is not None:
            return None
        payment = Payment(_id(made), trade, means, now, now + LOOK_AT_AGES[0], order=[])
        payment.order.append(payment)
        trade.payments.append(payment)
        self.payments[payment.id] = payment
        return payment

    def expire_open(self, trade: Trade) -> Payment | None:
        payment = trade.open_payment
        if payment is not None:
            payment.status = "EXPIRED"
        return payment

    def lease_issue(self, payment: Payment) -> bool:
        now = self.clock.now()
        if payment.issuing_until is not None and now < payment.issuing_until:
            return False
        self.invoice(payment.trade, payment.trade.buyer)
        payment.issuing_until = now + ISSUE_LEASE
        return True

    def see(
        self, order: list[Payment], attempts: Sequence[Snapshot], made: Sequence[str]
    ) -> Payment | None:
        """The gateway's record is the only witness, forward only (P3, P5): each attempt that took
        money is a payment. The other attempt at a trade that was paid, which is closed with it."""
        trade, ids = order[0].trade, iter(made)
        unpaid = trade.paid_by is None
        self.report_senseless(order, attempts)
        good = [a for a in attempts if not _senseless(a)]
        found = {p.reference for p in order[1:]}
        mine = [a for a in good if a.reference not in found]
        took = sorted((a for a in mine if a.state is Seen.PAID), key=_when)
        for payment in list(order):
            own = self._own(payment, attempts)
            payment.told = _told(own)
            self._apply(payment, own, ids)
        for attempt in took:
            if attempt.reference not in {p.reference for p in order}:
                twin = Payment(next(ids), trade, order[0].means, self.clock.now(), None, order)
                twin.status = "EXPIRED"
                order.append(twin)
                trade.payments.append(twin)
                self.payments[twin.id] = twin
                self.incidents.add(("paid_twice", twin.id))
                twin.told = _told(attempt)
                self._apply(twin, attempt, ids)
        return self.expire_open(trade) if unpaid and trade.paid_by is not None else None

    def is_news(self, order: list[Payment], attempts: Sequence[Snapshot]) -> bool:
        """Whether these attempts change anything, or tell what no look has told before."""
        if any(_senseless(a) for a in attempts):
            return True
        known = {p.reference for p in order if p.captured}
        if any(a.state is Seen.PAID and a.reference not in known for a in attempts):
            return True
        return any(self._is_news_of(payment, attempts) for payment in order)

    def _is_news_of(self, payment: Payment, attempts: Sequence[Snapshot]) -> bool:
        own = self._own(payment, attempts)
        told = _told(own)
        asked = payment.open_cancellation
        if told != payment.told or (asked is not None and asked.try_at is not None):
            return True
        if asked is not None and payment.left <= asked.balance - asked.amount:
            return True
        if own is not None and payment.cancelled and own.transfer not in {None, payment.transfer}:
            return True
        if own is None or payment.captured:
            return False
        awaits = _awaits(own) and payment.status == READY
        return awaits or (own.state is Seen.FAILED and payment.status in {READY, ISSUED})

    def _own(self, payment: Payment, attempts: Sequence[Snapshot]) -> Snapshot | None:
        """Of a payment that no money has come for yet, or of one that has taken it."""
        good = [a for a in attempts if not _senseless(a)]
        own = [a for a in good if a.reference == payment.reference]
        if payment is payment.order[0] and not payment.captured:
            found = {p.reference for p in payment.order[1:]}
            mine = [a for a in good if a.reference not in found]
            took = sorted((a for a in mine if a.state is Seen.PAID), key=_when)
            own = took or [a for a in own if _awaits(a)] or mine
        return own[0] if own else None

    def unwanted(self, order: list[Payment], attempts: Sequence[Snapshot]) -> list[str]:
        """Accounts that nobody is to pay into any more."""
        wanted = {p.reference for p in order if p.status in {READY, ISSUED}}
        return [a.reference for a in attempts if _awaits(a) and a.reference not in wanted]

    def report_senseless(self, order: list[Payment], attempts: Sequence[Snapshot]) -> None:
        for a in attempts:
            if kind := _senseless(a):
                facts = (a.reference, a.captured.amount, a.returned, a.trouble or a.state)
                which = f"{order[0].id}: {' '.join(map(str, facts))}"
                self.senseless.add((kind, which))

    def _apply(self, payment: Payment, seen: Snapshot | None, ids: Iterator[str]) -> None:
        transfer = payment.transfer
        if seen is not None:
            arrived = seen.state is Seen.PAID and payment.captured is None
            if arrived:
                payment.captured = (seen.captured.amount, seen.captured.currency)
                payment.reference, payment.used = seen.reference, seen.method
            back = seen.returned - payment.cancelled if payment.captured else 0
            payment.cancelled += max(back, 0)
            if payment.cancelled and seen.transfer:
                payment.transfer = seen.transfer
            if arrived:
                self._arrived(payment, ids)
            if back > 0:
                self._went_back(payment, back)
            self._unpaid(payment, seen)
        if payment.captured:
            part = "PARTIALLY_CANCELLED" if payment.cancelled else PAID
            payment.status = part if payment.left else CANCELLED
        payment.look_at = self._next_look(payment, seen)
        asked = payment.open_cancellation
        if asked is not None:
            self._follow(asked, seen)
        if payment.transfer is not transfer:
            self._follow_transfer(payment)

    def _unpaid(self, payment: Payment, seen: Snapshot) -> None:
        """It waits for a deposit now, or has failed."""
        if _awaits(seen) and payment.status == READY:
            payment.status, payment.has_account = ISSUED, True
            payment.reference, payment.used = seen.reference, "VIRTUAL_ACCOUNT"
            trade = payment.trade
            trade.hold_until = max(trade.hold_until, trade.created_at + self.deposit)
        if seen.state is Seen.FAILED and payment.status in {READY, ISSUED}:
            payment.status = "FAILED"

    def _next_look(self, payment: Payment, seen: Snapshot | None) -> datetime | None:
        now = self.clock.now()
        if payment.captured:
            waits = payment.transfer in {Transfer.PENDING, Transfer.FAILED}
            return now + LOOK_AT_TRANSFER if waits else None
        ages = (payment.created_at + age for age in LOOK_AT_AGES)
        while_open = now + LOOK_AT_ACCOUNT if seen and seen.awaits_deposit else None
        return next((at for at in ages if at > now), while_open)

    def _follow_transfer(self, payment: Payment) -> None:
        booked = [c for c in payment.unfinished if c.status == "SUCCEEDED"]
        if payment.transfer is Transfer.COMPLETED:
            for refund in booked:
                if refund is booked[-1] or not refund.refused:
                    refund.account = refund.refused = False
        elif payment.transfer is Transfer.FAILED:
            which = f"{payment.id}: {booked[-1].id}" if booked else payment.id
            self.incidents.add(("refund_transfer_failed", which))
            if booked:
                booked[-1].refused = True

    def give_up(self, payment: Payment) -> None:
        """An operator decides that nothing more is asked for."""
        unfinished, now = payment.unfinished, self.clock.now()
        if not unfinished:
            raise Refused("invalid_transition", late=True)
        for refund in unfinished:
            refund.given_up = True
            if refund.status == "SUCCEEDED":
                refund.account = refund.refused = False
                continue
            refund.end("FAILED", now)
            self.watch(refund)
            self._goes_on(payment)

    def _arrived(self, payment: Payment, ids: Iterator[str]) -> None:
        assert payment.captured
        trade, (amount, currency) = payment.trade, payment.captured
        self._book("CAPTURED", payment.id, "gateway", "escrow", amount, currency)
        if (amount, currency) != (trade.price, "KRW"):
            wrong = "currency" if currency != "KRW" else "amount"
            self.incidents.add((f"wrong_{wrong}", payment.id))
        elif trade.status == AWAITING or self._revived(trade, payment):
            trade.status, trade.paid_by = PAID, payment
            return
        if payment.left:
            self.ask_back(payment, None, MARKET, account=False, made=[next(ids)])

    def _revived(self, trade: Trade, payment: Payment) -> bool:
        """Only a deposit, only what ran out, only if a unit is left (P6)."""
        product = trade.product
        ran_out = trade.status == CANCELLED and trade.cancel_by == MARKET and not trade.paid_by
        if not payment.by_deposit or not ran_out or self._has_live(product, trade.buyer):
            return False
        if product.taken == product.quantity:
            return False
        product.taken += 1
        trade.cancel_by = None
        self.revived += 1
        return True

    def _went_back(self, payment: Payment, amount: int) -> None:
        assert payment.captured
        trade, source = payment.trade, f"{payment.id}:{payment.cancelled}"
        settled = trade.status == CONFIRMED and trade.paid_by is payment
        debit = "claims" if settled else "escrow"
        self._book("RETURNED", source, debit, "gateway", amount, payment.captured[1])
        if settled:
            which = f"{payment.id}: {payment.cancelled} back"
            self.incidents.add(("returned_after_settlement", which))
        elif trade.paid_by is payment and payment.left:
            trade.refunded = payment.cancelled
        elif trade.paid_by is payment and trade.holds_money:
            trade.cancel_by = trade.cancel_by or MARKET
            self._die(trade)

    # ── sending back ──

    def call_off(self, trade: Trade, by: str, payment: Payment | None = None) -> bool:
        """True when its money, or that of this very payment, must go back first (P7, P8)."""
        party = trade.party(by)
        if payment is not None and trade.paid_by not in {None, payment}:
            raise Refused("invalid_transition")
        again = trade.status == CANCELLED and trade.cancel_by == party
        if not (trade.is_cancelling or again):
            if not trade.may_cancel(party):
                raise Refused("invalid_transition")
            trade.cancel_by = party
            if not trade.holds_money:
                self._die(trade)
        return trade.is_cancelling

    def ask_back(
        self, payment: Payment, amount: int | None, by: str, *, account: bool, made: Sequence[str]
    ) -> Cancellation:
        if payment.left == 0:
            raise Refused("invalid_transition")
        wanted = payment.left if amount is None else amount
        if not 0 < wanted <= payment.left:
            raise Refused("amount_exceeds_cancellable")
        deposit = payment.by_deposit
        if deposit and not account and by == BUYER:
            raise Refused("refund_account_needed")
        if wanted < payment.left:
            self._check_part(payment, wanted, by)
        if payment.open_cancellation is not None:
            raise Refused("cancellation_in_progress")
        # Who asks sends it at once; a worker what the market owes.
        soon = timedelta() if by == MARKET else TRY_AGAIN_AFTER[0]
        try_at = None if deposit and not account else self.clock.now() + soon
        asked = Cancellation(
            _id(made), payment, wanted, payment.left, by, try_at, deposit and account
        )
        if try_at is None:
            self.incidents.add(("refund_account_needed", f"{payment.id}: {asked.id}"))
        payment.cancellations.append(asked)
        self.cancellations[asked.id] = asked
        return asked

    def _check_part(self, payment: Payment, amount: int, by: str) -> None:
        """Neither party uses up what the gateway allows (D5): the last is kept for the whole."""
        parts = [c for c in payment.cancellations if c.is_part and c.status != "FAILED"]
        if len(parts) >= min(3, self.cancels - 1):
            raise Refused("too_many_refunds")
        if amount < max(100, -(-payment.trade.price // 100)):
            raise Refused("refund_too_small")

    def _follow(self, asked: Cancellation, seen: Snapshot | None) -> None:
        """The record shows it back, or under way, or, if it was under way, that it has failed."""
        payment, now = asked.payment, self.clock.now()
        if payment.left <= asked.balance - asked.amount:
            waits = payment.transfer in {Transfer.PENDING, Transfer.FAILED}
            asked.end("SUCCEEDED", now, keeps_account=waits)
            if payment.trade.paid_by is payment:
                payment.trade.refunding = False
            return
        under_way = seen.returning if seen else None
        if asked.try_at is None:
            return
        if under_way:
            asked.taken_up_at, asked.try_at = asked.taken_up_at or now, now + LOOK_WHILE_TAKEN_UP
        elif under_way is False and asked.taken_up_at and now >= asked.taken_up_at + RECORD_LAGS:
            asked.taken_up_at = None
            if asked.sent_at is None and asked.lost_at is None:
                asked.try_at = now
            else:
                asked.try_at = now + _pause(asked)
                self.answered_no(asked, repeats=True)
                self._refuse(asked)

    def try_again(self, asked: Cancellation) -> bool:
        now = self.clock.now()
        if asked.taken_up_at is not None:
            asked.try_at = now + LOOK_WHILE_TAKEN_UP
            return False
        asked.try_at = now + _pause(asked)
        asked.tries += 1
        asked.refused = False
        asked.lost_at, asked.sent_at = asked.sent_at or asked.lost_at, now
        return True

    def taken_up(self, asked: Cancellation) -> None:
        asked.taken_up_at = self.clock.now()
        asked.try_at = asked.taken_up_at + LOOK_WHILE_TAKEN_UP

    def answered_no(self, asked: Cancellation, *, repeats: bool) -> None:
        asked.answers += 1
        asked.sent_at = None
        if repeats:
            asked.lost_at = None

    def refused(self, asked: Cancellation) -> bool:
        """The gateway said no, and we looked again: whether it is a no to what is left."""
        payment = asked.payment
        if payment.left != asked.balance:
            asked.amount -= asked.balance - payment.left
            asked.balance, asked.try_at = payment.left, self.clock.now()
            asked.lost_at = None
            return False
        return self._refuse(asked)

    def _refuse(self, asked: Cancellation) -> bool:
        payment, now = asked.payment, self.clock.now()
        if asked.taken_up_at is not None:
            return False
        self.incidents.add(("refund_refused", f"{payment.id}: {asked.id}"))
        asked.refused = True
        if asked.lost_at is not None and now < asked.lost_at + LONGEST_CALL:
            asked.try_at = asked.lost_at + LONGEST_CALL
        elif asked.by != MARKET:
            asked.end("FAILED", now)
            self.watch(asked)
            self._goes_on(payment)
        return True

    def _goes_on(self, payment: Payment) -> None:
        """Its money can't go back: the trade is where it was."""
        if payment.trade.paid_by is payment:
            payment.trade.refunding = False
            if payment.trade.is_cancelling:
                payment.trade.cancel_by = None

    def watch(self, asked: Cancellation) -> None:
        """A company that refused may have done it all the same."""
        if asked.status == "FAILED" and asked.settled_at:
            times = (asked.settled_at + age for age in LOOK_AFTER_FAILURE)
            asked.try_at = next((at for at in times if at > self.clock.now()), None)

    def send_to(self, asked: Cancellation) -> None:
        """The buyer says where to, or where else."""
        if asked.status == "REQUESTED":
            asked.try_at = self.clock.now() + TRY_AGAIN_AFTER[0]
        asked.account, asked.refused = True, False

    # ── what is due ──

    def hinted(self, about: str) -> None:
        if not any(h.about == about and not h.handled and not h.tries for h in self.hints):
            self.hints.append(Hint(about, self.clock.now()))

    def due_hints(self) -> list[Hint]:
        now = self.clock.now()
        return [hint for hint in self.hints if not hint.handled and hint.try_at <= now]

    def due_holds(self) -> list[Trade]:
        now = self.clock.now()
        return [t for t in self.trades.values() if t.status == AWAITING and t.hold_until <= now]

    def due_cancellations(self) -> list[Cancellation]:
        now = self.clock.now()
        return [c for c in self.cancellations.values() if c.try_at and c.try_at <= now]

    def due_payments(self) -> list[Payment]:
        now = self.clock.now()
        return [p for p in self.payments.values() if p.look_at and p.look_at <= now]

    def take_up(self, due: Hint | Cancellation | Payment) -> None:
        """Whoever takes it up has it to himself for a while."""
        now = self.clock.now()
        match due:
            case Hint():
                due.try_at = now + min(HOUR, timedelta(seconds=2 * 2 ** min(due.tries, 12)))
                due.tries += 1
            case Cancellation():
                due.try_at = now + CLAIM
            case Payment():
                due.look_at = now + CLAIM

    def unfinished(self) -> list[Payment]:
        """What a reconciliation looks at."""
        return [
            p
            for p in self.payments.values()
            if p.look_at or p.open_cancellation or (p.trade.paid_by is p and p.trade.holds_money)
        ]

    # ── what they share ──

    def _has_live(self, product: Product, buyer: str) -> bool:
        return any(t.buyer == buyer and t.status != CANCELLED for t in product.trades)

    def _die(self, trade: Trade) -> None:
        trade.status = CANCELLED
        trade.product.taken -= 1

    def _book(
        self, kind: str, source: str, debit: str, credit: str, amount: int, currency: str = "KRW"
    ) -> None:
        if amount:
            assert (kind, source) not in self.ledger, f"{kind} {source} is booked twice"
            self.ledger[kind, source] = (debit, credit, amount, currency)


def _pause(asked: Cancellation) -> timedelta:
    return TRY_AGAIN_AFTER[min(asked.tries, len(TRY_AGAIN_AFTER) - 1)]


def _senseless(seen: Snapshot) -> str | None:
    return "unreadable_record" if seen.trouble else None


def _awaits(seen: Snapshot) -> bool:
    return seen.state is Seen.UNPAID and seen.account is not None and not _senseless(seen)


def _when(seen: Snapshot) -> tuple[datetime, str]:
    assert seen.paid_at
    return seen.paid_at, seen.reference


def _id(made: Sequence[str]) -> str:
    assert made, "something new should have been made"
    return made[-1]


def _told(seen: Snapshot | None) -> tuple[object, ...] | None:
    """What a payment's history keeps of a record."""
    if seen is None:
        return None
    captured = seen.captured
    return (seen.state, captured.amount, seen.returned, captured.currency, seen.reference)
