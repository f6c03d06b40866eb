"""What the console shows, and what it is read through. Amounts are in minor units, times in UTC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from market.shared.audit import AuditEntry
from market.shared.contracts import fee_due
from market.shared.ids import PaymentId, TradeId
from market.shared.pagination import Page, PageRequest
from market.shared.principals import MemberSummary


@dataclass(frozen=True, slots=True)
class PaymentLine:
    """A payment in a list; `needs_somebody` when an incident about it is open."""

    id: PaymentId
    trade_id: TradeId
    title: str
    gateway: str
    method: str
    status: str
    amount: int
    cancelled: int
    currency: str
    created_at: datetime
    buyer: MemberSummary
    seller: MemberSummary
    needs_somebody: bool


@dataclass(frozen=True, slots=True)
class Trader:
    """A party of a trade, as operators see them; somebody who signs in elsewhere may have no
    address here."""

    id: str
    nickname: str
    email: str | None


@dataclass(frozen=True, slots=True)
class TradeCase:
    """A trade, and its payments from the newest on as (id, status)."""

    id: TradeId
    product_id: str
    product_name: str
    status: str
    price: int
    fee: int
    currency: str
    refunded: int
    refunding: bool
    hold_expires_at: datetime
    cancelling: bool
    paid_by: PaymentId | None
    buyer: Trader
    seller: Trader
    payments: Sequence[tuple[PaymentId, str]]

    def is_of(self, member: str) -> bool:
        return member in {self.buyer.id, self.seller.id}

    @property
    def fee_due(self) -> int | None:
        """The fee that a confirmation books, or has booked; None for a cancelled trade."""
        if self.status == "CANCELLED":
            return None
        return fee_due(self.fee, self.price, self.refunded)

    @property
    def may_be_called_off(self) -> bool:
        """Whether an operator can end it though nothing of it is paid."""
        return self.status == "AWAITING_PAYMENT"


@dataclass(frozen=True, slots=True)
class PaymentCase:
    """A payment as it stands. Where a deposit goes is the buyer's to know: not which account."""

    id: PaymentId
    title: str
    gateway: str
    method: str
    status: str
    amount: int
    currency: str
    captured: int | None
    captured_currency: str | None
    cancelled: int
    reference: str | None
    failure: str | None
    bank: str | None
    deposit_due_at: datetime | None
    created_at: datetime
    paid_at: datetime | None
    look_at: datetime | None
    trade: TradeCase
    refund_under_way: bool
    waits_for_account: bool
    # A refund is booked, and has not reached its buyer's account.
    untransferred: bool
    # A bank could not send it, and the buyer has named another account.
    to_pay_by_hand: bool

    @property
    def may_be_given_up(self) -> bool:
        return self.refund_under_way or self.untransferred

    @property
    def cancellable(self) -> int:
        return (self.captured or 0) - self.cancelled

    @property
    def may_send_back(self) -> bool:
        return self.cancellable > 0 and not self.refund_under_way

    @property
    def by_deposit(self) -> bool:
        return self.method == "VIRTUAL_ACCOUNT"


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing of a history: from `source` (event, trade, cancellation, transfer, webhook,
    incident, act) it is told `what`, with `facts` by name; `actor` is whose act it was."""

    at: datetime
    source: str
    what: str
    facts: Mapping[str, Any]
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class IncidentLine:
    """An incident; `settled_by` is a nickname, or a name given in a shell; `parties` are the buyer
    and the seller of the trade it is about, if any."""

    id: int
    kind: str
    subject: str
    seen: Mapping[str, Any]
    reported_at: datetime
    payment_id: PaymentId | None
    settled_at: datetime | None
    settled_by: str | None
    settlement: str | None
    parties: Sequence[str]

    def is_of(self, member: str) -> bool:
        return member in self.parties


@dataclass(frozen=True, slots=True)
class CancellationLine:
    """Money that is, was, or should be on its way back."""

    id: str
    payment_id: PaymentId
    title: str
    buyer: MemberSummary
    amount: int
    currency: str
    reason: str
    asked_by: str
    status: str
    tries: int
    try_at: datetime | None
    created_at: datetime
    settled_at: datetime | None
    failure: str | None


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account of the ledger; `owner` is the seller whose it is."""

    account: str
    currency: str
    balance: int
    owner: str | None


@dataclass(frozen=True, slots=True)
class Day:
    """A day in Korea: what was paid and went back, what of sales was confirmed, and our fees."""

    day: datetime
    paid: int
    returned: int
    sold: int
    fees: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """A line of the workers' timetable."""

    name: str
    expression: str
    last_run: datetime | None
    next_run: datetime
    status: str


@dataclass(frozen=True, slots=True)
class Queued:
    """Jobs of one name in one state: how many, and since when the oldest is."""

    name: str
    status: str
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that ended badly: when, and by what kind of error. What the error said stays in the
    log, for it may say anything."""

    name: str
    at: datetime
    error: str | None


@dataclass(frozen=True, slots=True)
class Pending:
    """How much waits, each with the moment since when its oldest does."""

    name: str
    count: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class ActLine:
    """An operator's act; `who` is their nickname, or the name given in a shell."""

    act: AuditEntry
    who: str


class Console(Protocol):
    """Reads for operators alone: whoever asks has made sure that one is asking."""

    async def payments(self, q: str, status: str | None, wanted: PageRequest) -> Page[PaymentLine]:
        """Newest first; `q` is the id of a payment or its trade, the gateway's reference, or a
        part of a party's nickname or address."""
        ...

    async def payment(self, id: PaymentId) -> PaymentCase:
        """Raises NotFound."""
        ...

    async def trade(self, id: TradeId) -> TradeCase:
        """Raises NotFound."""
        ...

    async def history(self, id: PaymentId) -> Sequence[Moment]:
        """Everything that is known to have happened to a payment and its trade, in order of time;
        of very long ones the end."""
        ...

    async def incidents(self, *, settled: bool, wanted: PageRequest) -> Page[IncidentLine]:
        """Open ones the oldest first, settled ones the newest."""
        ...

    async def incident(self, id: int) -> IncidentLine:
        """Raises NotFound."""
        ...

    async def cancellations(self, state: str, wanted: PageRequest) -> Page[CancellationLine]:
        """In `state` under-way, waiting (for a refund account), failed or done."""
        ...

    async def accounts(self, wanted: PageRequest) -> Page[AccountLine]:
        """The market's own first, then sellers'; the sums of all transfers."""
        ...

    async def days(self, since: datetime, count: int) -> Sequence[Day]:
        """So many days of Korea from the one that `since` lies in, without a gap."""
        ...

    async def timetable(self) -> Sequence[Schedule]: ...

    async def queue(self) -> Sequence[Queued]: ...

    async def failures(self, limit: int) -> Sequence[Failure]:
        """The newest first."""
        ...

    async def pending(self, now: datetime) -> Sequence[Pending]:
        """What workers will take up, and what waits for people."""
        ...

    async def acts(self, wanted: PageRequest) -> Page[ActLine]:
        """The newest first."""
        ...
