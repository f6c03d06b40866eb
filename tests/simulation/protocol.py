"""In which order the market asks its gateway and commits: ARCHITECTURE.md's table, as scripts.

A script is told what happens to the real operation, and says what must come next. It yields the
next point (a transaction, or a call of the gateway about a payment) and is sent what came of it;
it raises `Refused` for what the caller must be refused, and returns the status the caller must
see, or None where that says nothing. What it does between two points is one indivisible segment.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from market.payments.record import Snapshot
from market.payments.service import ISSUE_PAUSES_S

from .model import Model
from .state import BUYER, CARD, READY, Cancellation, Hint, Means, Payment, Product, Refused, Trade


class Point(NamedTuple):
    """Where an operation meets the outside: a transaction's end, a gateway's answer, or how an
    order stands, which is read without a lock."""

    kind: str
    about: str = ""


@dataclass(frozen=True)
class Heard:
    """What came of a point: ids that were made since the last one, or the gateway's record."""

    made: Sequence[str] = ()
    seen: Sequence[Snapshot] = ()


TX = Point("transaction")
STANDINGS = Point("standings")
ANYTHING = Point("anything")
NEVER_LEFT = "gateway_unavailable"  # of what moves money: else its outcome is unknown
UNANSWERED = {NEVER_LEFT, "outcome_unknown"}
Script = Generator[Point, Any, str | None]


class Protocol:
    """Every operation of the market as a script."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def one(self, rule: Callable[[Sequence[str]], str | None]) -> Script:
        """One transaction, one rule."""
        heard: Heard = yield TX
        return rule(heard.made)

    def buy(self, product: Product, buyer: str, expected: int | None) -> Script:
        """One transaction, which many buyers may share: a refused one leaves nothing in it."""
        heard: Heard = yield TX
        try:
            self.model.buy(product, buyer, expected, heard.made)
        except Refused as refusal:
            raise Refused(refusal.code, late=True) from None
        except AssertionError:
            # Refused all the same: in a storm for what was so a moment before, else a difference.
            raise Refused("a reason of the market's own", late=True) from None
        return None

    def nothing(self) -> Script:
        """Neither transaction nor call."""
        yield from ()
        return None

    # ── paying ──

    def start(self, trade: Trade, payer: str, means: Means) -> Script:
        payment = yield from self._open_payment(trade, payer, means)
        if means == CARD:
            yield Point("register", payment.id)
            yield TX
            payment.registered = True
            return payment.status
        return (yield from self._issue_account(payment))

    def _issue_account(self, payment: Payment) -> Script:
        """One at a time asks, the others wait for it."""
        for _ in ISSUE_PAUSES_S:
            yield TX
            if payment.status != READY:
                return payment.status
            if self.model.lease_issue(payment):
                return (yield from self._issue_leased(payment))
        raise Refused(NEVER_LEFT, late=True)

    def _issue_leased(self, payment: Payment) -> Script:
        try:
            yield from self.look(payment)
            if payment.status == READY:
                yield Point("issue_account", payment.id)
                yield from self.look(payment)
        except Refused as refusal:
            yield TX
            payment.issuing_until = None
            raise Refused(refusal.code, late=True) from None
        status = payment.status
        if status == READY:
            yield TX
            payment.issuing_until = None
        return status

    def _open_payment(
        self, trade: Trade, payer: str, means: Means
    ) -> Generator[Point, Any, Payment]:
        again = False
        while True:
            try:
                self.model.invoice(trade, payer)
            except Refused as refusal:
                raise Refused(refusal.code, late=again) from None
            again, now = True, self.model.clock.now()
            heard: Heard = yield TX
            begun = self.model.begin(trade, payer, means, now, heard.made)
            if begun is not None:
                return begun
            known = trade.open_payment
            if known is not None and known.means == means:
                return known
            if known is not None:
                yield TX
                yield from self._shut(self.model.expire_open(trade))

    def _shut(self, payment: Payment | None) -> Generator[Point, Any, None]:
        if payment is not None and payment.has_account:
            yield from self._close(payment.reference)

    def _close(self, reference: str | None) -> Generator[Point, Any, None]:
        with suppress(Refused):  # a deposit that comes all the same is found
            yield Point("close_account", reference or "")

    def complete(self, payment: Payment, buyer: str, token: str | None) -> Script:
        if buyer != payment.trade.buyer:
            raise Refused("not_found")
        if token is not None and payment.status == READY:
            self.model.invoice(payment.trade, buyer)
            try:
                yield Point("approve", payment.id)
            except Refused as refusal:
                if refusal.code in UNANSWERED:
                    raise
                yield TX
                yield from self.look(payment)
                if payment.status == READY:
                    raise Refused(refusal.code, late=True) from None
        yield from self.look(payment)
        return payment.status

    def look(self, payment: Payment, hint: Hint | None = None) -> Script:
        heard: Heard = yield Point("look", payment.id)
        attempts, made = heard.seen, heard.made
        yield STANDINGS
        if self.model.is_news(payment.order, attempts):
            heard = yield TX
            made = heard.made
        closed = self.model.see(payment.order, attempts, made)
        unwanted = self.model.unwanted(payment.order, attempts)
        if hint is not None:
            hint.handled = True
        status = payment.status
        yield from self._shut(closed)
        for reference in unwanted:
            yield from self._close(reference)
        return status

    # ── sending back ──

    def call_off(
        self, trade: Trade, by: str, *, account: bool, payment: Payment | None = None
    ) -> Script:
        party = trade.party(by)
        heard: Heard = yield TX
        before = trade.cancel_by
        fresh = closed = None
        if self.model.call_off(trade, by, payment):
            try:
                fresh = self._ask_all(trade, party, account and party == BUYER, heard.made)
            except Refused:
                trade.cancel_by = before
                raise
        else:
            closed = self.model.expire_open(trade)
        yield from self._shut(closed)
        if fresh is not None:
            yield from self._settle_asked(fresh)
        return None

    def _ask_all(
        self, trade: Trade, party: str, account: bool, made: Sequence[str]
    ) -> Cancellation | None:
        payment = trade.paid_by
        assert payment is not None
        underway = payment.open_cancellation
        if underway is None:
            asked = self.model.ask_back(payment, None, party, account=account, made=made)
            return asked if asked.try_at else None
        if underway.amount < underway.balance:
            raise Refused("cancellation_in_progress")
        if not (account and underway.waits):
            return None
        self.model.send_to(underway)
        return underway

    def cancel(self, payment: Payment, by: str, amount: int | None, *, account: bool) -> Script:
        trade, party = payment.trade, payment.trade.party(by)
        if account and payment.waiting is not None:
            return (yield from self.send_to(payment, by))
        if amount is None or amount == payment.left:
            yield from self.call_off(trade, by, account=account, payment=payment)
            return payment.status
        heard: Heard = yield TX
        if not (trade.may_cancel(party) and trade.paid_by is payment):
            raise Refused("invalid_transition")
        if trade.is_cancelling or trade.refunding:
            raise Refused("invalid_transition")
        mine = account and party == BUYER
        asked = self.model.ask_back(payment, amount, party, account=mine, made=heard.made)
        trade.refunding = True
        if asked.try_at is not None:
            yield from self._settle_asked(asked)
        return payment.status

    def send_to(self, payment: Payment, buyer: str) -> Script:
        if buyer != payment.trade.buyer:
            raise Refused("not_found")
        yield TX
        waiting = payment.waiting
        if waiting is None:
            raise Refused("invalid_transition")
        self.model.send_to(waiting)
        if waiting.status == "REQUESTED":
            yield from self._settle_asked(waiting)
        return payment.status

    def give_up(self, payment: Payment) -> Script:
        with suppress(Refused):  # a dead gateway leaves it to the operator
            yield from self.look(payment)
        yield TX
        self.model.give_up(payment)
        return payment.status

    def settle(self, asked: Cancellation) -> Script:
        """A worker's: nobody hears what becomes of it."""
        yield from self._settle(asked)
        return None

    def _settle_asked(self, asked: Cancellation) -> Generator[Point, Any, None]:
        """Its asker hears the gateway's no."""
        if (yield from self._settle(asked)):
            raise Refused("refund_refused", late=True)

    def _settle(self, asked: Cancellation) -> Generator[Point, Any, bool]:
        """Whether the gateway refused it. What else goes wrong here is for the next try."""
        payment, answers = asked.payment, asked.answers
        over = asked.status != "REQUESTED"
        try:
            if asked.tries or over:
                yield from self.look(payment)
            yield TX
            if over:
                self.model.watch(asked)
                return False
            if payment.open_cancellation is not asked or asked.answers != answers:
                return False
            return self.model.try_again(asked) and (yield from self._try(asked))
        except Refused as trouble:
            if trouble.code not in UNANSWERED:
                raise
        return False

    def _try(self, asked: Cancellation) -> Generator[Point, Any, bool]:
        payment, keeps = asked.payment, asked.balance - asked.amount
        try:
            yield Point("cancel", f"{payment.id}:{asked.amount} of {asked.balance}")
        except Refused as refusal:
            if refusal.code == NEVER_LEFT:
                yield TX
                if payment.open_cancellation is asked:
                    asked.tries -= 1
                    asked.sent_at = None
            if refusal.code in UNANSWERED:
                raise
            yield TX
            if payment.open_cancellation is asked:
                self.model.answered_no(asked, repeats=self.model.repeats)
            yield from self.look(payment)
            yield TX
            return payment.open_cancellation is asked and self.model.refused(asked)
        yield from self.look(payment)
        if payment.left > keeps:
            yield TX
            if payment.open_cancellation is asked:
                self.model.taken_up(asked)
        return False

    # ── unasked ──

    def expire_hold(self, trade: Trade) -> Script:
        payment, looked = trade.open_payment, True
        if payment is not None:
            try:
                yield from self.look(payment)
            except Refused:  # a dead gateway keeps no goods off the market
                looked = False
        yield TX
        closed = self.model.expire_open(trade) if self.model.expire(trade) else None
        if closed is not None and (closed.has_account or not looked):
            closed.look_at = self.model.clock.now()
        yield from self._shut(closed)
        return None

    def follow(self, hint: Hint) -> Script:
        payment = self.model.payments.get(hint.about)
        if payment is None:
            hint.handled = True
            return None
        yield from self.look(payment, hint)
        return None

    def free_looks(self) -> Script:
        """The comparison: whichever payments it asks for, what it applies is what it saw last."""
        seen: dict[str, Sequence[Snapshot]] = {}
        last = ""
        while True:
            what, heard = yield ANYTHING
            if what.kind == "look":
                last = what.about
                seen[last] = heard.seen
                self.model.report_senseless(self.model.payments[last].order, heard.seen)
            elif what == STANDINGS:
                order = self.model.payments[last].order
                if not self.model.is_news(order, seen[last]):
                    self.model.see(order, seen[last], ())
            elif what == TX:
                self.model.see(self.model.payments[last].order, seen[last], heard.made)
