"""A payment, and what the gateway's record can do to it.

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
from market.shared.clock import is_ahead
from market.shared.contracts import AmountDue
from market.shared.errors import AmountChanged, Conflict, Invalid, InvalidTransition
from market.shared.ids import CancellationId, MemberId, PaymentId, TradeId
from market.shared.money import Money
from market.shared.principals import Party

from .buyer import NOBODY, Buyer
from .cancellation import TRY_AGAIN_AFTER, Cancellation
from .record import ANY_TILL, Seen, Snapshot, Till, Transfer
from .record import Method as Method  # noqa: PLC0414 # callers have it from here


class BankNeeded(Invalid):
    code: ClassVar[str] = "bank_needed"
    message: ClassVar[str] = "Choose a bank for the virtual account."


class ExceedsCancellable(Conflict):
    code: ClassVar[str] = "amount_exceeds_cancellable"
    message: ClassVar[str] = "The amount exceeds what can be refunded."


class RefundAccountNeeded(Invalid):
    code: ClassVar[str] = "refund_account_needed"
    message: ClassVar[str] = (
        "A deposit can only be refunded to a bank account of the buyer's. Add a refund account."
    )


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

# How a buyer may ask to pay; what they then do at the checkout window is told by the record.
OFFERED = (Method.CARD, Method.VIRTUAL_ACCOUNT)

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

# How often an account that takes deposits still is looked at beyond those ages.
LOOK_AT_ACCOUNT = timedelta(hours=20)

# How often a refund is looked at that the bank has not sent on to the buyer's account.
LOOK_AT_TRANSFER = timedelta(minutes=50)

# How long one caller alone may have a payment's account opened: longer than a gateway is waited
# for, so that it runs out only when that caller died.
ISSUE_LEASE = timedelta(seconds=90)


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


@dataclass(frozen=True, slots=True)
class AccountIssued:
    """A deposit is awaited now, which takes longer than a card."""


@dataclass(frozen=True, slots=True)
class DepositedTwice:
    """A bank let more through than the payment took: `total` minor units in all."""

    total: int


Event = Captured | Returned | AccountIssued | DepositedTwice


@dataclass(slots=True)
class Payment:
    """One attempt to pay for a trade. `amount` is what we ask for, and nobody else's to say (P2).

    `method` and `bank` are what its buyer chose here; `used` is how it was really paid, which the
    gateway's record alone tells. Money that came under an `order` besides is a payment of its own.

    `captured` is what the gateway took, and `cancelled` how much of that it gave back, in minor
    units; `look_at` is when to ask the gateway again unasked, None for never. Only one that is
    `registered` may be paid at a window. `issuing_until` is how long somebody has its account
    opened; `answers` counts the calls about it that were refused. `buyer` is what the payment
    company is told of who pays, as long as it is READY. `transfer` is how far the bank has come
    with the last refund to the buyer's account; None where the gateway does not tell.
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
    order: PaymentId | None = None
    used: Method | None = None
    registered: bool = False
    issuing_until: datetime | None = None
    answers: int = 0
    version: int = 0
    buyer: Buyer = NOBODY
    transfer: Transfer | None = None

    @classmethod
    def ask(
        cls,
        id: PaymentId,
        invoice: AmountDue,
        gateway: str,
        means: "Means",
        now: datetime,
        buyer: Buyer = NOBODY,
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
            buyer=buyer,
        )

    @classmethod
    def found(cls, id: PaymentId, order: "Payment", now: datetime) -> Self:
        """Under an order that has its money, the gateway took more: that goes its own way."""
        return cls(
            id=id,
            order=order.order_id,
            trade_id=order.trade_id,
            payer=order.payer,
            title=order.title,
            gateway=order.gateway,
            method=order.method,
            bank=order.bank,
            amount=order.amount,
            status=Status.EXPIRED,  # nobody waits for it
            created_at=now,
            look_at=None,
        )

    @property
    def order_id(self) -> PaymentId:
        """Our id for it at the gateway."""
        return self.order or self.id

    @property
    def paid_with(self) -> Method:
        """How it is paid, as far as that is known."""
        return self.used or self.method

    @property
    def deposit_account(self) -> VirtualAccount | None:
        """Where to deposit, as long as a deposit is awaited."""
        return self.account if self.status is Status.VIRTUAL_ACCOUNT_ISSUED else None

    @property
    def cancellable(self) -> int:
        """How much of the captured money is still there, in minor units."""
        return self.captured.amount - self.cancelled if self.captured else 0

    @property
    def transfer_waits(self) -> bool:
        """Whether a refund that the gateway has booked is still to reach its buyer's account."""
        return self.transfer in {Transfer.PENDING, Transfer.FAILED}

    @property
    def opens_window(self) -> bool:
        """Whether it can be paid at a checkout window: not before the gateway knows the amount
        (P2)."""
        return self.method is Method.CARD and self.status is Status.READY and self.registered

    def lease_issue(self, now: datetime) -> bool:
        """Lets one caller at a time have its account opened (P6); False for all others."""
        until = self.issuing_until
        leased = until is not None and is_ahead(until, now, ISSUE_LEASE)
        # safeguard: one caller at a time has an account opened
        if self.status is not Status.READY or leased:
            return False
        self.issuing_until = now + ISSUE_LEASE
        return True

    def end_issue(self) -> None:
        """Its account was opened, or could not be: others may try."""
        self.issuing_until = None

    def refused(self) -> None:
        """The gateway answered a call about it with a no: the next one is another call, by its
        key, where a lost answer is asked for with the same key; perhaps with another buyer."""
        self.answers += 1
        if self.method is Method.VIRTUAL_ACCOUNT:
            self.buyer = NOBODY

    def apply(self, seen: Snapshot | None, now: datetime, till: Till = ANY_TILL) -> list[Event]:
        """Moves forward to what the gateway's record shows; what happened since the last look.

        None: the gateway has no record, the checkout window was never opened. Money that is not in
        `till` arrived all the same, and is to go back (P4).
        """
        events: list[Event] = []
        if seen is not None:
            events += self._capture(seen, now, till)
            events += self._give_back(seen)
            if self.cancelled and seen.transfer is not None:
                self.transfer = seen.transfer
            events += self._see_deposits(seen)
            events += self._await_deposit(seen)
            if seen.state is Seen.FAILED and self.status in OPEN:
                self._move(Status.FAILED)
                self.failure = seen.failure
        self._schedule(now, waiting=seen is not None and seen.awaits_deposit)
        return events

    def expire(self, look_at: datetime | None = None) -> None:
        """Its trade no longer waits for it; it is looked at once more at `look_at`. Money that
        comes all the same goes back."""
        if self.status in OPEN:
            self._move(Status.EXPIRED)
            self.look_at = look_at or self.look_at

    def say_of_buyer(self, buyer: Buyer) -> bool:
        """What the buyer says of themselves by now; True if that is news.

        A call for an account whose answer was lost is repeated as it was: another one with the
        same key might open a second account.
        """
        asked = self.method is Method.VIRTUAL_ACCOUNT and self.buyer != NOBODY
        if self.status is not Status.READY or asked or buyer in {NOBODY, self.buyer}:
            return False
        self.buyer = buyer
        return True

    def is_by(self, means: "Means") -> bool:
        """Whether it goes the way that is asked for."""
        return (self.method, self.bank) == (means.method, means.bank)

    def check_left(self, expected: int | None) -> None:
        """Raises AmountChanged when no longer `expected` minor units can be sent back."""
        # safeguard: the amount a refund's sender saw compared
        if expected not in {None, self.cancellable}:
            raise AmountChanged(payment_id=self.id, amount=self.cancellable)

    def cancel(
        self,
        id: CancellationId,
        amount: int | None,
        reason: str,
        by: Party,
        now: datetime,
        account: RefundAccount | None = None,
    ) -> Cancellation:
        """Asks for `amount` minor units back, None for all that is left (P7).

        A deposit goes back to the buyer's `account` (P6): the buyer must say which, and an
        operator may; without it a cancellation waits until one does. Who asks sends it at once: a
        worker takes up what we owe, and what is left when they died. Raises InvalidTransition when
        nothing is there, ExceedsCancellable when that much is not, RefundAccountNeeded.
        """
        left = self.cancellable
        if left == 0:
            raise InvalidTransition(payment_id=self.id, status=self.status)
        wanted = left if amount is None else amount
        # 0 would mean "everything" to the gateway (V1): never let it through.
        if not 0 < wanted <= left:
            raise ExceedsCancellable(payment_id=self.id, cancellable=left)
        known = account if by in {Party.BUYER, Party.OPERATOR} else None  # nobody else's to say
        to_account = self.paid_with is Method.VIRTUAL_ACCOUNT
        if to_account and known is None and by is Party.BUYER:
            raise RefundAccountNeeded(payment_id=self.id)
        waits = to_account and known is None
        at = now if by is Party.MARKET else now + TRY_AGAIN_AFTER[0]
        return Cancellation(
            id,
            self.id,
            wanted,
            left,
            reason,
            by,
            now,
            try_at=None if waits else at,
            account=known if to_account else None,
            asked=None if wanted == left else amount,
        )

    def _await_deposit(self, seen: Snapshot) -> list[Event]:
        if seen.account is None or self.status is not Status.READY:
            return []
        if seen.state is not Seen.UNPAID:
            return []
        self._move(Status.VIRTUAL_ACCOUNT_ISSUED)
        self.used = Method.VIRTUAL_ACCOUNT
        self.account = seen.account
        self.reference = seen.reference
        return [AccountIssued()]

    def _capture(self, seen: Snapshot, now: datetime, till: Till) -> list[Event]:
        if seen.state is not Seen.PAID or self.captured is not None:
            return []
        self._move(Status.PAID)
        self.captured = seen.captured
        # Where a record does not say how it was paid, an account in it does.
        self.used = seen.method or (Method.VIRTUAL_ACCOUNT if seen.account else self.used)
        self.reference = seen.reference
        self.paid_at = seen.paid_at or now
        self.failure = None
        return [Captured(seen.captured, self.paid_at, self._mismatch(seen, till))]

    def _give_back(self, seen: Snapshot) -> list[Event]:
        # The total only grows; a smaller one is an older record that arrived late. More back than
        # ever came is no record to believe: the comparison reports it.
        if self.captured is None or not self.cancelled < seen.returned <= self.captured.amount:
            return []
        more = Money(seen.returned - self.cancelled, self.captured.currency)
        self.cancelled = seen.returned
        everything = self.cancellable == 0
        self._move(Status.CANCELLED if everything else Status.PARTIALLY_CANCELLED)
        return [Returned(more, self.cancelled, everything)]

    def _see_deposits(self, seen: Snapshot) -> list[Event]:
        """What was captured is booked once; what a bank lets through beyond it is for people."""
        if self.captured is None or (seen.deposited or 0) <= self.captured.amount:
            return []
        return [DepositedTwice(seen.deposited or 0)]

    def _mismatch(self, seen: Snapshot, till: Till) -> str | None:
        """What is wrong with money that arrived, the gravest first."""
        wrongs = {
            "order": seen.order_id != self.order_id,
            "store": till.store is not None and seen.store != till.store,
            # Play money never buys goods, nor real money a rehearsal; unsaid counts as wrong.
            "channel": till.test is not None and seen.test is not till.test,
            "currency": seen.captured.currency != self.amount.currency,
            "amount": seen.captured.amount != self.amount.amount,
        }
        return next((what for what, wrong in wrongs.items() if wrong), None)

    def _schedule(self, now: datetime, *, waiting: bool) -> None:
        if self.status in {*OPEN, Status.FAILED, Status.EXPIRED}:
            times = (self.created_at + age for age in LOOK_AT_AGES)
            # An account may take a deposit for as long as the gateway has it open.
            later = now + LOOK_AT_ACCOUNT if waiting else None
            self.look_at = next((time for time in times if time > now), later)
        else:
            self.look_at = now + LOOK_AT_TRANSFER if self.transfer_waits else None

    def _move(self, to: Status) -> None:
        if to is self.status:
            return
        if to not in TRANSITIONS[self.status]:
            raise InvalidTransition(payment_id=self.id, status=self.status)
        self.status = to
        self.buyer = NOBODY  # told by now, or never to be


@dataclass(frozen=True, slots=True)
class Means:
    """How somebody wants to pay: by card, or into a virtual account at a bank.

    Raises BankNeeded for an account nowhere, Invalid for a method that is not offered.
    """

    method: Method
    bank: Bank | None = None

    def __post_init__(self) -> None:
        if self.method not in OFFERED:
            raise Invalid("Pay by card, or into a virtual account.")
        if (self.method is Method.VIRTUAL_ACCOUNT) != (self.bank is not None):
            raise BankNeeded
