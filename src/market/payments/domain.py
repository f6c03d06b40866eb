"""A payment, a cancellation of it, and what the gateway's record can do to them.

    READY ─▶ VIRTUAL_ACCOUNT_ISSUED ─┬──▶ PAID ──▶ PARTIALLY_CANCELLED ──▶ CANCELLED
      │ └────────────┼───────────────┤      └────────────────────────────────▲
      ├──────────────┼─▶ FAILED  ────┤  (may turn out paid)
      └──────────────┴─▶ EXPIRED ────┘  (may turn out paid)

The gateway's record is the only witness (P3): `apply` moves a payment to what the record shows,
ignores what it knew, and never moves back, so the order and number of looks don't matter (P5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Self

from market.shared.banking import Bank, RefundAccount, VirtualAccount
from market.shared.errors import Conflict, Invalid, InvalidTransition
from market.shared.ids import CancellationId, MemberId, PaymentId, TradeId
from market.shared.money import Money
from market.shared.people import Party
from market.shared.purchase import Invoice

from .record import ANY_TILL, Seen, Snapshot, Till


class BankNeeded(Invalid):
    """Choose a bank for the virtual account."""

    code: ClassVar[str] = "bank_needed"


class ExceedsCancellable(Conflict):
    """That much is not there to be cancelled."""

    code: ClassVar[str] = "amount_exceeds_cancellable"


class RefundAccountNeeded(Invalid):
    """A deposit can only go back to an account of the buyer's: say which."""

    code: ClassVar[str] = "refund_account_needed"


class CancellationInProgress(Conflict):
    """Another cancellation of this payment is under way."""

    code: ClassVar[str] = "cancellation_in_progress"


class Method(StrEnum):
    CARD = "CARD"
    VIRTUAL_ACCOUNT = "VIRTUAL_ACCOUNT"


class Status(StrEnum):
    READY = "READY"
    VIRTUAL_ACCOUNT_ISSUED = "VIRTUAL_ACCOUNT_ISSUED"
    PAID = "PAID"
    PARTIALLY_CANCELLED = "PARTIALLY_CANCELLED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


# The whole machine (Q2). A failed or expired attempt can still turn out paid: the window may have
# been open elsewhere, and some providers report a success after a failure.
TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.READY: frozenset(
        {Status.VIRTUAL_ACCOUNT_ISSUED, Status.PAID, Status.FAILED, Status.EXPIRED}
    ),
    Status.VIRTUAL_ACCOUNT_ISSUED: frozenset({Status.PAID, Status.FAILED, Status.EXPIRED}),
    Status.FAILED: frozenset({Status.PAID}),
    Status.EXPIRED: frozenset({Status.PAID}),
    Status.PAID: frozenset({Status.PARTIALLY_CANCELLED, Status.CANCELLED}),
    Status.PARTIALLY_CANCELLED: frozenset({Status.CANCELLED}),
    Status.CANCELLED: frozenset(),
}

# Waiting for money: a trade has at most one such payment at a time.
OPEN = (Status.READY, Status.VIRTUAL_ACCOUNT_ISSUED)

# The ages at which an unfinished payment is looked at unasked: soon, then ever more rarely.
# What shows up later still is found by a webhook, or by the buyer who comes back.
LOOK_AT_AGES: Sequence[timedelta] = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(hours=1),
    timedelta(days=1),
    timedelta(days=2),
    timedelta(days=3),
)
# How long after each try an unanswered cancellation is tried again; the last repeats for ever.
TRY_AGAIN_AFTER: Sequence[timedelta] = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(hours=1),
    timedelta(days=1),
)


@dataclass(frozen=True, slots=True)
class Captured:
    """Money arrived. `mismatch` says what is wrong with it, if anything (P4)."""

    amount: Money
    at: datetime
    mismatch: str | None


@dataclass(frozen=True, slots=True)
class Returned:
    """Money went back: `amount` now, `total` with all before; `everything` when none is left."""

    amount: Money
    total: int
    everything: bool


Event = Captured | Returned


@dataclass(slots=True)
class Payment:
    """One attempt to pay for a trade. `amount` is what we ask for, and nobody else's to say (P2).

    `captured` is what the gateway took, and `cancelled` how much of that it gave back, in minor
    units; `look_at` is when to ask the gateway again unasked, None for never.
    """

    id: PaymentId
    trade_id: TradeId
    payer: MemberId
    title: str
    gateway: str
    method: Method
    amount: Money
    status: Status
    created_at: datetime
    look_at: datetime | None
    bank: Bank | None = None
    account: VirtualAccount | None = None
    captured: Money | None = None
    cancelled: int = 0
    reference: str | None = None
    paid_at: datetime | None = None
    failure: str | None = None
    version: int = 0

    @classmethod
    def ask(
        cls, id: PaymentId, invoice: Invoice, gateway: str, means: "Means", now: datetime
    ) -> Self:
        """Asks for an invoice's total, on the gateway version that is configured today."""
        return cls(
            id=id,
            trade_id=invoice.trade_id,
            payer=invoice.buyer_id,
            title=invoice.title,
            gateway=gateway,
            method=means.method,
            bank=means.bank,
            amount=invoice.total,
            status=Status.READY,
            created_at=now,
            look_at=now + LOOK_AT_AGES[0],
        )

    @property
    def cancellable(self) -> int:
        """How much of the captured money is still there, in minor units."""
        return self.captured.amount - self.cancelled if self.captured else 0

    def apply(self, seen: Snapshot | None, now: datetime, till: Till = ANY_TILL) -> list[Event]:
        """Moves forward to what the gateway's record shows; what happened since the last look.

        None: the gateway has no record, the checkout window was never opened. Money that is not in
        `till` arrived all the same, and is to go back (P4).
        """
        events: list[Event] = []
        if seen is not None:
            events += self._capture(seen, now, till)
            events += self._give_back(seen)
            self._await_deposit(seen)
            if seen.state is Seen.FAILED and self.status in OPEN:
                self._move(Status.FAILED)
                self.failure = seen.failure
        self._schedule(now)
        return events

    def expire(self) -> None:
        """Its trade no longer waits for it. Money that comes all the same goes back."""
        if self.status in OPEN:
            self._move(Status.EXPIRED)

    def is_by(self, means: "Means") -> bool:
        """Whether it goes the way that is asked for."""
        return (self.method, self.bank) == (means.method, means.bank)

    def cancel(
        self,
        id: CancellationId,
        amount: int | None,
        reason: str,
        by: Party,
        now: datetime,
        account: RefundAccount | None = None,
    ) -> "Cancellation":
        """Asks for `amount` minor units back, None for all that is left (P7).

        A deposit goes back to the buyer's `account` (P6): the buyer must say which; others can't
        know, and their cancellation waits until the buyer does. Raises InvalidTransition when
        nothing is there, ExceedsCancellable when that much is not, RefundAccountNeeded.
        """
        left = self.cancellable
        if left == 0:
            raise InvalidTransition(payment_id=self.id, status=self.status)
        wanted = left if amount is None else amount
        # 0 would mean "everything" to the gateway (V1): never let it through.
        if not 0 < wanted <= left:
            raise ExceedsCancellable(payment_id=self.id, cancellable=left)
        to_account = self.method is Method.VIRTUAL_ACCOUNT
        if to_account and account is None and by is Party.BUYER:
            raise RefundAccountNeeded(payment_id=self.id)
        waits = to_account and account is None
        return Cancellation(
            id,
            self.id,
            wanted,
            left,
            reason,
            by,
            now,
            try_at=None if waits else now,
            account=account if to_account else None,
        )

    def _await_deposit(self, seen: Snapshot) -> None:
        if seen.account is None or self.status is not Status.READY:
            return
        if seen.state is Seen.UNPAID:
            self._move(Status.VIRTUAL_ACCOUNT_ISSUED)
            self.account = seen.account
            self.reference = seen.reference

    def _capture(self, seen: Snapshot, now: datetime, till: Till) -> list[Event]:
        if seen.state is not Seen.PAID or self.captured is not None:
            return []
        self._move(Status.PAID)
        self.captured = seen.captured
        self.reference = seen.reference
        self.paid_at = seen.paid_at or now
        self.failure = None
        return [Captured(seen.captured, self.paid_at, self._mismatch(seen, till))]

    def _give_back(self, seen: Snapshot) -> list[Event]:
        # The total only grows; a smaller one is an older record that arrived late.
        if self.captured is None or seen.returned <= self.cancelled:
            return []
        more = Money(seen.returned - self.cancelled, self.captured.currency)
        self.cancelled = seen.returned
        everything = self.cancellable <= 0
        self._move(Status.CANCELLED if everything else Status.PARTIALLY_CANCELLED)
        return [Returned(more, self.cancelled, everything)]

    def _mismatch(self, seen: Snapshot, till: Till) -> str | None:
        """What is wrong with money that arrived, the gravest first."""
        wrongs = {
            "order": seen.order_id != self.id,
            "store": till.store is not None and seen.store != till.store,
            # Play money never buys goods, nor real money a rehearsal; unsaid counts as wrong.
            "channel": till.test is not None and seen.test is not till.test,
            "currency": seen.captured.currency != self.amount.currency,
            "amount": seen.captured.amount != self.amount.amount,
        }
        return next((what for what, wrong in wrongs.items() if wrong), None)

    def _schedule(self, now: datetime) -> None:
        if self.status in {*OPEN, Status.FAILED, Status.EXPIRED}:
            times = (self.created_at + age for age in LOOK_AT_AGES)
            self.look_at = next((time for time in times if time > now), None)
        else:
            self.look_at = None

    def _move(self, to: Status) -> None:
        if to is self.status:
            return
        if to not in TRANSITIONS[self.status]:
            raise InvalidTransition(payment_id=self.id, status=self.status)
        self.status = to


@dataclass(frozen=True, slots=True)
class Means:
    """How somebody wants to pay: by card, or into a virtual account at a bank.

    Raises BankNeeded for an account nowhere.
    """

    method: Method
    bank: Bank | None = None

    def __post_init__(self) -> None:
        if (self.method is Method.VIRTUAL_ACCOUNT) != (self.bank is not None):
            raise BankNeeded


class CancellationStatus(StrEnum):
    """REQUESTED also means: asked, and no answer yet."""

    REQUESTED = "REQUESTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(slots=True)
class Cancellation:
    """Money to be sent back: recorded before the gateway is asked, and settled by looking.

    `balance` is what we believe is there to cancel, in minor units: the gateway refuses when it
    knows better, so that of two that race, or a repeat of one whose answer was lost, one counts.
    """

    id: CancellationId
    payment_id: PaymentId
    amount: int
    balance: int
    reason: str
    by: Party
    created_at: datetime
    try_at: datetime | None
    status: CancellationStatus = CancellationStatus.REQUESTED
    tries: int = 0
    settled_at: datetime | None = None
    failure: str | None = None
    account: RefundAccount | None = None

    @property
    def is_open(self) -> bool:
        return self.status is CancellationStatus.REQUESTED

    @property
    def waits_for_account(self) -> bool:
        """Money lies at the gateway, and nobody has said yet where it is to go."""
        return self.is_open and self.try_at is None

    def send_to(self, account: RefundAccount, now: datetime) -> None:
        """The buyer says where the money is to go: it can be sent now."""
        if self.waits_for_account:
            self.account = account
            self.try_at = now

    def tried(self, now: datetime) -> None:
        """The gateway is about to be asked; if no answer comes, ask again later."""
        self.try_at = now + TRY_AGAIN_AFTER[min(self.tries, len(TRY_AGAIN_AFTER) - 1)]
        self.tries += 1

    def settle(self, payment: Payment, now: datetime) -> bool:
        """Succeeds once the payment shows that the money went back; True when it just did."""
        if not self.is_open or payment.cancellable > self.balance - self.amount:
            return False
        self._end(CancellationStatus.SUCCEEDED, now)
        return True

    def rebalance(self, payment: Payment) -> bool:
        """Money went back behind our back: asks for what is still missing; False if none did."""
        if not self.is_open or payment.cancellable == self.balance:
            return False
        kept = self.balance - self.amount
        self.balance = payment.cancellable
        self.amount = self.balance - kept
        return True

    @property
    def may_be_final(self) -> bool:
        """Whether a refusal now ends it. Not while an earlier try, whose answer is missing, may
        still succeed; and never for what we owe back ourselves: that is asked for until it goes.
        """
        return self.by is not Party.MARKET and self.tries == 1

    def refuse(self, why: str, now: datetime) -> bool:
        """The gateway said no, and its record shows that nothing went back; True if just now."""
        if not self.is_open:
            return False
        self._end(CancellationStatus.FAILED, now)
        self.failure = why
        return True

    def _end(self, status: CancellationStatus, now: datetime) -> None:
        self.status = status
        self.settled_at = now
        self.try_at = None
        self.account = None  # it has served its purpose
