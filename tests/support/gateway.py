"""A payment gateway in memory, for tests of services; contracts and stories use the real wire."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from market.kit.db.database import in_transaction
from market.payments.cancellation import Cancellation
from market.payments.demands import NO_DEMANDS, Demands
from market.payments.domain import Payment
from market.payments.ports import Checkout, GatewayRefused, OutcomeUnknown
from market.payments.record import ANY_TILL, RefundSeen, RefundState, Seen, Snapshot, Till, Transfer
from market.shared.banking import RefundAccount, VirtualAccount
from market.shared.errors import GatewayUnavailable
from market.shared.money import Money


async def nothing() -> None:
    """A hook that does nothing."""


def held(record: Snapshot) -> int:
    """What refunds under way keep back."""
    under_way = [one for one in record.refunds or () if one.state is RefundState.REQUESTED]
    return sum(one.amount for one in under_way)


async def unanswered() -> None:
    """A hook that leaves a call without an answer."""
    raise OutcomeUnknown


@dataclass
class MemoryGateway:
    """Keeps records as a gateway would; `dead` and `lose_answer` make it misbehave."""

    version: str = "V1"
    till: Till = ANY_TILL
    sdk_url: str = "https://sdk.example/v1.js"
    demands: Demands = NO_DEMANDS
    repeats_answers: bool = False
    records: dict[str, Snapshot] = field(default_factory=dict)
    registered: dict[str, Money] = field(default_factory=dict)
    cancels: list[tuple[str, int]] = field(default_factory=list)
    sent_to: list[RefundAccount | None] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    dead: bool = False
    lose_answer: bool = False
    refuse: str | None = None
    take_up: bool = False
    keeps_accounts: bool = False
    refunds_wait: bool = False
    tells_refunds: bool = True
    most_cancels: int = 100
    unlisted: set[str] = field(default_factory=set)
    extra: list[Snapshot] = field(default_factory=list)
    beside: dict[str, list[Snapshot]] = field(default_factory=dict)
    before_answer: Callable[[], Awaitable[None]] = nothing
    before_cancel: Callable[[], Awaitable[None]] = nothing
    before_issue: Callable[[], Awaitable[None]] = nothing

    async def register(self, payment: Payment) -> None:
        self._reach()
        self.registered[payment.id] = payment.amount

    def checkout(self, payment: Payment) -> Checkout:
        return Checkout(self.version, self.sdk_url, "imp", {"merchant_uid": payment.id})

    async def look(self, payment: Payment) -> Sequence[Snapshot]:
        self._reach()
        last = self.records.get(payment.order_id)
        seen = [*([last] if last else []), *self.beside.get(payment.order_id, [])]
        await self.before_answer()
        return seen

    async def approve(self, payment: Payment, token: str) -> None:
        self._reach()
        if token != "token":
            raise GatewayRefused("an unknown token")
        self.pay(payment.id, payment.amount.amount)
        if self.lose_answer:
            raise OutcomeUnknown

    async def issue_account(self, payment: Payment, due_at: datetime) -> None:
        self._reach()
        if self.refuse:
            raise GatewayRefused(self.refuse)
        await self.before_issue()
        assert payment.bank is not None
        self.issued.append(payment.id)
        number = str(len(self.records) + 10_000_000)
        account = VirtualAccount(payment.bank, number, "the market", due_at)
        self.records[payment.id] = Snapshot(
            payment.id, f"ref{payment.id}", Seen.UNPAID, Money(0), 0, account=account
        )
        if self.lose_answer:
            raise OutcomeUnknown

    async def close_account(self, payment: Payment, reference: str) -> None:
        self._reach()
        if self.keeps_accounts:
            raise GatewayRefused("an account stays open")
        self.closed.append(payment.id if reference == payment.reference else reference)
        for order, shown in [*self._shown()]:
            if shown.reference == reference and shown.awaits_deposit:
                self._show(order, replace(shown, state=Seen.FAILED))

    async def cancel(self, payment: Payment, cancellation: Cancellation) -> None:
        self._reach()
        if self.refuse:
            raise GatewayRefused(self.refuse)
        await self.before_cancel()
        if sum(id == payment.id for id, _ in self.cancels) >= self.most_cancels:
            raise GatewayRefused("no more cancels of this payment")
        record = self._attempt(payment.reference or "")
        if record.captured.amount - record.returned - held(record) != cancellation.balance:
            raise GatewayRefused("the balance is another")
        self.cancels.append((payment.id, cancellation.amount))
        self.sent_to.append(cancellation.account)
        if self.take_up:
            self._take_up(payment, cancellation)
        else:
            self.give_back(payment.order_id, cancellation.amount, record.reference)
        if self.lose_answer:
            raise OutcomeUnknown

    async def listed(self, since: datetime, until: datetime) -> AsyncIterator[Snapshot]:
        """Everything, whenever it happened, but what is `unlisted`; and `extra`, which no look
        finds. A list is allowed to show too much."""
        self._reach()
        for record in [*(shown for _, shown in self._shown()), *self.extra]:
            if record.order_id not in self.unlisted:
                yield record

    def pay_beside(self, payment_id: str, reference: str, amount: int) -> None:
        """Another attempt under the same order takes money."""
        paid = Snapshot(payment_id, reference, Seen.PAID, Money(amount), 0)
        self._show(payment_id, paid)

    def _shown(self) -> list[tuple[str, Snapshot]]:
        """Every attempt, with its order."""
        beside = [(order, one) for order, found in self.beside.items() for one in found]
        return [*self.records.items(), *beside]

    def _attempt(self, reference: str) -> Snapshot:
        return next(one for _, one in self._shown() if one.reference == reference)

    def _show(self, order: str, shown: Snapshot) -> None:
        """From now on: in place of the attempt of that name, or beside the others."""
        if (last := self.records.get(order)) and last.reference == shown.reference:
            self.records[order] = shown
            return
        others = [one for one in self.beside.get(order, []) if one.reference != shown.reference]
        self.beside[order] = [shown, *others]

    def pay(self, payment_id: str, amount: int, currency: str = "KRW") -> None:
        """The buyer pays so much."""
        money = Money(amount, currency)
        self.records[payment_id] = Snapshot(payment_id, f"ref{payment_id}", Seen.PAID, money, 0)

    def deposit_again(self, payment_id: str) -> None:
        """A second deposit of the same amount arrives, which the payment takes no notice of."""
        record = self.records[payment_id]
        twice = 2 * record.captured.amount
        self.records[payment_id] = replace(record, deposited=twice)

    def fail(self, payment_id: str, failure: str = "declined") -> None:
        """The buyer's card is declined."""
        self.records[payment_id] = Snapshot(
            payment_id, f"bad{payment_id}", Seen.FAILED, Money(0), 0, failure=failure
        )

    def give_back(self, payment_id: str, amount: int, reference: str | None = None) -> None:
        """So much goes back, asked for by us or in the gateway's own console."""
        record = self._attempt(reference) if reference else self.records[payment_id]
        waiting = Transfer.PENDING if self.refunds_wait else record.transfer
        self._show(payment_id, replace(record, returned=record.returned + amount, transfer=waiting))

    def _take_up(self, payment: Payment, cancellation: Cancellation) -> None:
        record = self._attempt(payment.reference or "")
        taken = RefundSeen(cancellation.id, RefundState.REQUESTED, cancellation.amount)
        if self.tells_refunds:
            self._show(payment.order_id, replace(record, refunds=(*(record.refunds or ()), taken)))

    def transfer(self, payment_id: str, how_far: Transfer) -> None:
        """How far the bank has come with sending a refund on."""
        self.records[payment_id] = replace(self.records[payment_id], transfer=how_far)

    def finish(self, payment_id: str, state: RefundState) -> None:
        """What was taken up ends, so or so."""
        record = self.records[payment_id]
        ended = [one for one in record.refunds or () if one.state is RefundState.REQUESTED]
        back = sum(one.amount for one in ended) if state is RefundState.SUCCEEDED else 0
        others = [one for one in record.refunds or () if one not in ended]
        refunds = (*others, *(replace(one, state=state) for one in ended))
        self.records[payment_id] = replace(record, refunds=refunds, returned=record.returned + back)

    def _reach(self) -> None:
        assert not in_transaction(), "a gateway call inside a transaction"
        if self.dead:
            raise GatewayUnavailable
