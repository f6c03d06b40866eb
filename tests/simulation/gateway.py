"""A payment gateway with a truth of its own, and every way to hide it.

The truth is what buyers, consoles and our own calls did; `look` tells it, when it can be told.
A call may be lost before it acted or after, act only much later, be refused, or meet an error that
says nothing; a refund may be taken up, and succeed or fail another day; webhooks about what
happened are dropped, doubled, late, out of order, or forged.
"""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from market.kit.db.database import in_transaction
from market.payments.cancellation import Cancellation
from market.payments.demands import NO_DEMANDS, Demands
from market.payments.domain import Payment
from market.payments.ports import Checkout, GatewayRefused, OutcomeUnknown
from market.payments.record import (
    ANY_TILL,
    Method,
    RefundSeen,
    RefundState,
    Seen,
    Snapshot,
    Till,
    Transfer,
)
from market.shared.banking import VirtualAccount
from market.shared.clock import Clock
from market.shared.errors import GatewayUnavailable, MarketError
from market.shared.money import Money
from market.shared.principals import Party

from .protocol import Heard, Point
from .stage import Diverged, Stage


@dataclass(frozen=True)
class Weather:
    """How often, in a hundred calls, each fault happens, and a refund is only taken up."""

    before: int = 0
    after: int = 0
    late: int = 0
    refused: int = 0
    taken_up: int = 0


# As many as the market is told by default.
MOST_CANCELS = 5
Act = Callable[[], Sequence[Snapshot] | None]
# How long an account lives that a buyer chose at a window, whatever our hold is.
WINDOW_ACCOUNT = timedelta(days=7)
CALM = Weather(1, 1, 0, 1, 10)
BAD = Weather(12, 12, 6, 6, 30)
DEAD = Weather(before=100)
HEALED = Weather()


@dataclass(eq=False)
class Refund:
    """One that the gateway took up. Amounts in minor units."""

    attempt: "Attempt"
    id: str
    amount: int
    state: RefundState = RefundState.REQUESTED

    @property
    def is_open(self) -> bool:
        return self.state is RefundState.REQUESTED


@dataclass(eq=False)
class Attempt:
    """One attempt to pay an order: a window, or an account. Amounts in minor units."""

    order: "Record"
    reference: str
    state: Seen = Seen.UNPAID
    captured: int = 0
    currency: str = "KRW"
    returned: int = 0
    account: VirtualAccount | None = None
    cancels: int = 0
    refunds: list[Refund] = field(default_factory=list)
    transfer: Transfer | None = None
    paid_at: datetime | None = None
    changed_at: datetime | None = None
    # A record in which nothing makes sense, for as long as this says why.
    trouble: str | None = None

    @property
    def left(self) -> int:
        """What can be sent back: what a refund under way holds is not."""
        return self.held - sum(refund.amount for refund in self.refunds if refund.is_open)

    @property
    def held(self) -> int:
        return self.captured - self.returned

    @property
    def method(self) -> Method:
        return Method.VIRTUAL_ACCOUNT if self.account else Method.CARD

    def snapshot(self) -> Snapshot:
        return Snapshot(
            self.order.id,
            self.reference,
            self.state,
            Money(self.captured, self.currency),
            self.returned,
            paid_at=self.paid_at,
            failure="declined" if self.state is Seen.FAILED else None,
            account=self.account,
            method=self.method,
            refunds=self._told() if self.order.tells_refunds else None,
            transfer=self.transfer,
            trouble=self.trouble,
        )

    def _told(self) -> Sequence[RefundSeen]:
        return tuple(RefundSeen(one.id, one.state, one.amount) for one in self.refunds)


@dataclass(eq=False)
class Record:
    """What the gateway knows of one order: its amount, and the attempts at it, oldest first."""

    id: str
    amount: int
    tells_refunds: bool = False
    attempts: list[Attempt] = field(default_factory=list)

    def begin(self, account: VirtualAccount | None = None) -> Attempt:
        attempt = Attempt(self, f"ref{self.id}{len(self.attempts)}", account=account)
        self.attempts.append(attempt)
        return attempt

    def named(self, reference: str | None) -> Attempt | None:
        return next((each for each in self.attempts if each.reference == reference), None)

    @property
    def is_paid(self) -> bool:
        return any(each.state is Seen.PAID for each in self.attempts)

    def snapshots(self) -> list[Snapshot]:
        return [each.snapshot() for each in reversed(self.attempts)]


@dataclass
class SimulatedGateway:
    stage: Stage
    rng: random.Random
    clock: Clock
    version: str = "V1"
    till: Till = ANY_TILL
    sdk_url: str = "sdk"
    demands: Demands = NO_DEMANDS
    # As V2 does: a call repeated with its key gets its answer again, and records tell of refunds.
    repeats_answers: bool = False
    weather: Weather = CALM
    records: dict[str, Record] = field(default_factory=dict)
    webhooks: list[str] = field(default_factory=list)
    late: list[tuple[str, Callable[[], None]]] = field(default_factory=list)
    # By key, what was answered; None is a yes.
    answers: dict[str, GatewayRefused | None] = field(default_factory=dict)

    # ── what the market calls ──

    async def register(self, payment: Payment) -> None:
        await self._call("register", payment, lambda: self._register(payment))

    def checkout(self, payment: Payment) -> Checkout:
        return Checkout(self.version, self.sdk_url, "imp", {"merchant_uid": payment.id})

    async def look(self, payment: Payment) -> Sequence[Snapshot]:
        return await self._call("look", payment, lambda: self._look(payment.order_id))

    async def approve(self, payment: Payment, token: str) -> None:
        await self._call("approve", payment, lambda: self._approve(payment, token))

    async def issue_account(self, payment: Payment, due_at: datetime) -> None:
        await self._call("issue_account", payment, lambda: self._issue(payment, due_at))

    async def close_account(self, payment: Payment, reference: str) -> None:
        close = lambda: self._close(payment.order_id, reference)  # noqa: E731
        await self._call("close_account", payment, close, reference)

    async def cancel(self, payment: Payment, cancellation: Cancellation) -> None:
        amount, balance = cancellation.amount, cancellation.balance
        about = f"{payment.id}:{amount} of {balance}"
        wish = replace(cancellation)
        await self._call("cancel", payment, lambda: self._cancel_once(payment, wish), about)

    async def listed(self, since: datetime, until: datetime) -> AsyncIterator[Snapshot]:
        """May leave out and repeat, as lists do."""
        assert not in_transaction()
        if self._fails(self.weather.before):
            raise GatewayUnavailable
        for attempt in self.attempts():
            if attempt.changed_at and since <= attempt.changed_at < until:
                for _ in range(self._times()):
                    yield attempt.snapshot()

    def attempts(self) -> list[Attempt]:
        return [attempt for record in self.records.values() for attempt in record.attempts]

    async def _call(
        self,
        kind: str,
        payment: Payment,
        act: Act,
        about: str | None = None,
    ) -> Sequence[Snapshot]:
        assert not in_transaction(), "a gateway call inside a transaction"
        await self.stage.begin()
        try:
            self.stage.may_die()
            seen, trouble = self._happens(kind, payment.order_id, act)
        finally:
            self.stage.end()
        # The answer is under way: others may go on meanwhile, and it may find nobody at home.
        thread = await self.stage.begin()
        try:
            self.stage.may_die()
            code = trouble.code if trouble else None
            thread.hear(Point(kind, about or payment.id), Heard(seen=seen), code)
        except Diverged as wrong:
            self.stage.diverged = self.stage.diverged or wrong
            raise
        finally:
            self.stage.end()
        if trouble is not None:
            raise trouble
        return seen

    def _happens(
        self, kind: str, id: str, act: Act
    ) -> tuple[Sequence[Snapshot], MarketError | None]:
        moves = kind in {"approve", "issue_account", "cancel"}
        unknown = OutcomeUnknown() if moves else GatewayUnavailable()
        weather, chance = self.weather, self.rng.random() * 100
        if (chance := chance - weather.before) < 0:
            return (), GatewayUnavailable() if chance < -weather.before / 2 else unknown
        if (chance := chance - weather.refused) < 0 and kind != "look":
            return (), GatewayRefused("not today")
        if (chance := chance - weather.late) < 0 and moves:
            self.late.append((id, lambda: self._too_late(act)))
            return (), unknown
        if kind == "cancel" and any(about == id for about, _ in self.late):
            running = GatewayRefused("another cancellation is in progress")
            return (), unknown if self.repeats_answers else running
        try:
            seen = act()
        except GatewayRefused as refusal:
            return (), refusal
        return ((), unknown) if chance - weather.after < 0 else (seen or (), None)

    def _too_late(self, act: Act) -> None:
        with suppress(GatewayRefused):  # nobody is there to hear it
            act()

    # ── what it does ──

    def _register(self, payment: Payment) -> None:
        known = self._record(payment)
        assert known.amount == payment.amount.amount

    def _record(self, payment: Payment) -> Record:
        new = Record(payment.id, payment.amount.amount, self.repeats_answers)
        return self.records.setdefault(payment.id, new)

    def _look(self, id: str) -> Sequence[Snapshot]:
        record = self.records.get(id)
        return record.snapshots() if record else ()

    def _approve(self, payment: Payment, token: str) -> None:
        record = self.records.get(payment.id)
        if record is None or token != f"token {payment.id}" or record.is_paid:
            raise GatewayRefused("no such token")
        self.pay(self.window(record), record.amount)

    def _issue(self, payment: Payment, due_at: datetime) -> None:
        record = self._record(payment)
        if record.is_paid:
            raise GatewayRefused("paid already")
        assert payment.bank is not None
        number = f"{payment.id[-12:]}{len(record.attempts)}"
        account = VirtualAccount(payment.bank, number, "the market", due_at)
        self._changed(record.begin(account), Seen.UNPAID)

    def _close(self, id: str, reference: str) -> None:
        attempt = self.records[id].named(reference)
        if attempt is None or attempt.state is not Seen.UNPAID:
            raise GatewayRefused("closed or paid")
        self._changed(attempt, Seen.FAILED)

    def _cancel_once(self, payment: Payment, cancellation: Cancellation) -> None:
        """Where keys are kept, a repeat gets the answer of the first."""
        wish = cancellation
        key = f"{wish.id}:{wish.amount}:{wish.balance}:{wish.answers}:{wish.account is not None}"
        if not self.repeats_answers:
            self._cancel(payment, cancellation)
            return
        if key not in self.answers:
            self.answers[key] = None
            try:
                self._cancel(payment, cancellation)
            except GatewayRefused as refusal:
                self.answers[key] = refusal
        if (answer := self.answers[key]) is not None:
            raise GatewayRefused(answer.detail)

    def _cancel(self, payment: Payment, cancellation: Cancellation) -> None:
        attempt = self.records[payment.order_id].named(payment.reference)
        if attempt is None or attempt.left != cancellation.balance:
            raise GatewayRefused("the balance is another")
        if attempt.account is not None and cancellation.account is None:
            raise GatewayRefused("where to?")
        # What members asked for has left one for the whole. (What the market owes back is asked for
        # as often as the console changes it.)
        if attempt.cancels >= MOST_CANCELS and cancellation.by is not Party.MARKET:
            raise Diverged(f"no cancel of {payment.id} was left for the whole")
        attempt.cancels += 1
        if self._fails(self.weather.taken_up):
            refund = Refund(attempt, f"{cancellation.id}{attempt.cancels}", cancellation.amount)
            attempt.refunds.append(refund)
        else:
            self.give_back(attempt, cancellation.amount)

    # ── what happens without us ──

    def window(self, record: Record) -> Attempt:
        """The one that is open, or a new one."""
        waiting = [each for each in record.attempts if each.state is Seen.UNPAID]
        return next((each for each in waiting if each.account is None), None) or record.begin()

    def choose_account(self, attempt: Attempt) -> None:
        """At the window, the buyer has an account opened rather than pay by card."""
        due_at = self.clock.now() + WINDOW_ACCOUNT
        number = f"{attempt.order.id[-12:]}w{len(attempt.order.attempts)}"
        attempt.account = VirtualAccount("HANA", number, "the market", due_at)
        self._changed(attempt, Seen.UNPAID)

    def pay(self, attempt: Attempt, amount: int, currency: str = "KRW") -> None:
        attempt.captured, attempt.currency = amount, currency
        attempt.paid_at = self.clock.now()
        self._changed(attempt, Seen.PAID)

    def fail(self, attempt: Attempt) -> None:
        self._changed(attempt, Seen.FAILED)

    def give_back(self, attempt: Attempt, amount: int) -> None:
        assert 0 < amount <= attempt.left, "more than is there"
        attempt.returned += amount
        if attempt.account is not None and attempt.order.tells_refunds:
            attempt.transfer = Transfer.PENDING
        self._changed(attempt, Seen.PAID)

    def untransferred(self) -> list[Attempt]:
        """What a bank has still to send on to its buyer, or could not."""
        unsent = {Transfer.PENDING, Transfer.FAILED}
        return [attempt for attempt in self.attempts() if attempt.transfer in unsent]

    def under_way(self) -> list[Refund]:
        return [one for attempt in self.attempts() for one in attempt.refunds if one.is_open]

    def finish(self, refund: Refund, *, well: bool) -> None:
        """What was taken up succeeds, or fails; a gateway that does not tell of it never fails."""
        if well or not self.repeats_answers:
            refund.state = RefundState.SUCCEEDED
            self.give_back(refund.attempt, refund.amount)
            return
        refund.state = RefundState.FAILED
        refund.attempt.cancels -= 1

    def _changed(self, attempt: Attempt, state: Seen) -> None:
        attempt.state, attempt.changed_at = state, self.clock.now()
        self.webhooks += [attempt.order.id] * self._times()

    def _times(self) -> int:
        """Nothing, once, or twice."""
        if self.weather is HEALED:
            return 1
        return self.rng.choices((0, 1, 2), (2, 6, 2))[0]

    def _fails(self, percent: int) -> bool:
        return self.rng.random() * 100 < percent
