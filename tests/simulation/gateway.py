"""A payment gateway with a truth of its own, and every way to hide it.

The truth is what buyers, consoles and our own calls did; `look` tells it, when it can be told.
A call may be lost before it acted or after, act only much later, be refused, or meet an error that
says nothing; webhooks about what happened are dropped, doubled, late, out of order, or forged.
"""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from market.kit.db import in_transaction
from market.payments.cancellation import Cancellation
from market.payments.demands import NO_DEMANDS, Demands
from market.payments.domain import Payment
from market.payments.ports import Checkout, GatewayRefused, OutcomeUnknown
from market.payments.record import ANY_TILL, Seen, Snapshot, Till
from market.shared.banking import VirtualAccount
from market.shared.clock import Clock
from market.shared.errors import GatewayTrouble, MarketError
from market.shared.money import Money
from market.shared.people import Party

from .protocol import Heard, Point
from .stage import Diverged, Stage


@dataclass(frozen=True)
class Weather:
    """How often, in a hundred calls, each fault happens."""

    before: int = 0
    after: int = 0
    late: int = 0
    refused: int = 0


# As many as the market is told by default.
MOST_CANCELS = 5
CALM = Weather(1, 1, 0, 1)
BAD = Weather(12, 12, 6, 6)
DEAD = Weather(before=100)
HEALED = Weather()


@dataclass
class Record:
    """What the gateway knows of one payment; amounts in minor units of `currency`."""

    id: str
    amount: int
    attempt: int = 0
    state: Seen | None = None
    captured: int = 0
    currency: str = "KRW"
    returned: int = 0
    account: VirtualAccount | None = None
    closed: bool = False
    cancels: int = 0
    paid_at: datetime | None = None
    changed_at: datetime | None = None

    @property
    def left(self) -> int:
        return self.captured - self.returned

    def snapshot(self) -> Snapshot | None:
        if self.state is None:
            return None
        return Snapshot(
            self.id,
            f"ref{self.id}{self.attempt}",
            self.state,
            Money(self.captured, self.currency),
            self.returned,
            paid_at=self.paid_at,
            failure="declined" if self.state is Seen.FAILED else None,
            account=self.account,
        )


@dataclass
class SimulatedGateway:
    stage: Stage
    rng: random.Random
    clock: Clock
    version: str = "V1"
    till: Till = ANY_TILL
    sdk_url: str = "sdk"
    demands: Demands = NO_DEMANDS
    weather: Weather = CALM
    records: dict[str, Record] = field(default_factory=dict)
    webhooks: list[str] = field(default_factory=list)
    late: list[tuple[str, Callable[[], None]]] = field(default_factory=list)

    # ── what the market calls ──

    async def register(self, payment: Payment) -> None:
        await self._call("register", payment, lambda: self._register(payment))

    def checkout(self, payment: Payment) -> Checkout:
        return Checkout(self.version, self.sdk_url, "imp", {"merchant_uid": payment.id})

    async def look(self, payment: Payment) -> Snapshot | None:
        return await self._call("look", payment, lambda: self._look(payment.id))

    async def approve(self, payment: Payment, token: str) -> None:
        await self._call("approve", payment, lambda: self._approve(payment, token))

    async def issue_account(self, payment: Payment, due_at: datetime) -> None:
        await self._call("issue_account", payment, lambda: self._issue(payment, due_at))

    async def close_account(self, payment: Payment) -> None:
        await self._call("close_account", payment, lambda: self._close(payment.id))

    async def cancel(self, payment: Payment, cancellation: Cancellation) -> None:
        amount, balance = cancellation.amount, cancellation.balance
        about = f"{payment.id}:{amount} of {balance}"
        await self._call("cancel", payment, lambda: self._cancel(payment, cancellation), about)

    async def listed(self, since: datetime, until: datetime) -> AsyncIterator[Snapshot]:
        """May leave out and repeat, as lists do."""
        assert not in_transaction()
        if self._fails(self.weather.before):
            raise GatewayTrouble
        for record in list(self.records.values()):
            seen = record.snapshot()
            if seen and record.changed_at and since <= record.changed_at < until:
                for _ in range(self._times()):
                    yield seen

    async def _call(
        self,
        kind: str,
        payment: Payment,
        act: Callable[[], Snapshot | None],
        about: str | None = None,
    ) -> Snapshot | None:
        assert not in_transaction(), "a gateway call inside a transaction"
        await self.stage.begin()
        try:
            self.stage.may_die()
            seen, trouble = self._happens(kind, payment.id, act)
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
        self, kind: str, id: str, act: Callable[[], Snapshot | None]
    ) -> tuple[Snapshot | None, MarketError | None]:
        moves = kind in {"approve", "issue_account", "cancel"}
        unknown = OutcomeUnknown() if moves else GatewayTrouble()
        weather, chance = self.weather, self.rng.random() * 100
        if (chance := chance - weather.before) < 0:
            return None, GatewayTrouble() if chance < -weather.before / 2 else unknown
        if (chance := chance - weather.refused) < 0 and kind != "look":
            return None, GatewayRefused("not today")
        if (chance := chance - weather.late) < 0 and moves:
            self.late.append((id, lambda: self._too_late(act)))
            return None, unknown
        if kind == "cancel" and any(about == id for about, _ in self.late):
            return None, GatewayRefused("another cancellation is in progress")
        try:
            seen = act()
        except GatewayRefused as refusal:
            return None, refusal
        return (None, unknown) if chance - weather.after < 0 else (seen, None)

    def _too_late(self, act: Callable[[], Snapshot | None]) -> None:
        with suppress(GatewayRefused):  # nobody is there to hear it
            act()

    # ── what it does ──

    def _register(self, payment: Payment) -> None:
        known = self.records.setdefault(payment.id, Record(payment.id, payment.amount.amount))
        assert known.amount == payment.amount.amount

    def _look(self, id: str) -> Snapshot | None:
        record = self.records.get(id)
        return record.snapshot() if record else None

    def _approve(self, payment: Payment, token: str) -> None:
        record = self.records.get(payment.id)
        if record is None or token != f"token {payment.id}" or record.state is Seen.PAID:
            raise GatewayRefused("no such token")
        self.pay(record, record.amount)

    def _issue(self, payment: Payment, due_at: datetime) -> None:
        if payment.id in self.records:
            raise GatewayRefused("there is an account already")
        assert payment.bank is not None
        account = VirtualAccount(payment.bank, payment.id[-12:], "the market", due_at)
        self.records[payment.id] = record = Record(payment.id, payment.amount.amount)
        record.account = account
        self._changed(record, Seen.UNPAID)

    def _close(self, id: str) -> None:
        record = self.records[id]
        if record.closed or record.state is Seen.PAID:
            raise GatewayRefused("closed or paid")
        record.closed = True

    def _cancel(self, payment: Payment, cancellation: Cancellation) -> None:
        record = self.records[payment.id]
        if record.left != cancellation.balance:
            raise GatewayRefused("the balance is another")
        if record.account is not None and cancellation.account is None:
            raise GatewayRefused("where to?")
        # What members asked for has left one for the whole. (What the market owes back is asked for
        # as often as the console changes it.)
        if record.cancels >= MOST_CANCELS and cancellation.by is not Party.MARKET:
            raise Diverged(f"no cancel of {payment.id} was left for the whole")
        record.cancels += 1
        self.give_back(record, cancellation.amount)

    # ── what happens without us ──

    def pay(self, record: Record, amount: int, currency: str = "KRW") -> None:
        record.captured, record.currency = amount, currency
        record.paid_at = self.clock.now()
        self._changed(record, Seen.PAID)

    def fail(self, record: Record) -> None:
        record.attempt += 1
        self._changed(record, Seen.FAILED)

    def give_back(self, record: Record, amount: int) -> None:
        assert 0 < amount <= record.left, "more than is there"
        record.returned += amount
        self._changed(record, Seen.PAID)

    def _changed(self, record: Record, state: Seen) -> None:
        record.state, record.changed_at = state, self.clock.now()
        self.webhooks += [record.id] * self._times()

    def _times(self) -> int:
        """Nothing, once, or twice."""
        if self.weather is HEALED:
            return 1
        return self.rng.choices((0, 1, 2), (2, 6, 2))[0]

    def _fails(self, percent: int) -> bool:
        return self.rng.random() * 100 < percent
