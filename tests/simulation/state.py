"""The market as plain data: what the model remembers. Amounts are minor units of KRW unless a
currency stands beside them."""

from dataclasses import dataclass, field
from datetime import datetime

from market.payments.record import Transfer

BUYER, SELLER, MARKET = "BUYER", "SELLER", "MARKET"
AWAITING, PAID, APPROVED = "AWAITING_PAYMENT", "PAID", "SALE_APPROVED"
CONFIRMED, CANCELLED = "PURCHASE_CONFIRMED", "CANCELLED"
READY, ISSUED = "READY", "VIRTUAL_ACCOUNT_ISSUED"
CARD = ("CARD", None)
Means = tuple[str, str | None]


class Refused(Exception):
    """What a caller must be told instead of a yes; `code` as in the market's errors.

    `late` when what went before it was committed all the same.
    """

    def __init__(self, code: str, *, late: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.late = late


@dataclass(eq=False)
class Product:
    id: str
    seller: str
    price: int
    quantity: int
    taken: int = 0
    confirmed: int = 0
    revision: int = 0
    trades: list["Trade"] = field(default_factory=list)


@dataclass(eq=False)
class Trade:
    id: str
    product: Product
    buyer: str
    price: int
    fee: int
    created_at: datetime
    hold_until: datetime
    status: str = AWAITING
    paid_by: "Payment | None" = None
    cancel_by: str | None = None
    refunded: int = 0
    refunding: bool = False
    payments: list["Payment"] = field(default_factory=list)

    def party(self, member: str) -> str:
        if member == self.buyer:
            return BUYER
        if member == self.product.seller:
            return SELLER
        raise Refused("not_found")

    def the(self, party: str, member: str) -> None:
        if self.party(member) != party:
            raise Refused("not_your_part")

    @property
    def holds_money(self) -> bool:
        return self.status in {PAID, APPROVED}

    @property
    def is_cancelling(self) -> bool:
        return self.cancel_by is not None and self.status != CANCELLED

    @property
    def open_payment(self) -> "Payment | None":
        return next((p for p in self.payments if p.status in {READY, ISSUED}), None)

    @property
    def held(self) -> int:
        return self.price - self.refunded

    def step(self, before: str, after: str, expected: int | None) -> None:
        if self.status != before or self.is_cancelling or self.refunding:
            raise Refused("invalid_transition")
        if expected not in {None, self.held}:
            raise Refused("amount_changed")
        self.status = after

    def may_cancel(self, party: str) -> bool:
        return self.status in {AWAITING, PAID, *([APPROVED] if party != BUYER else [])}


@dataclass(eq=False)
class Payment:
    id: str
    trade: Trade
    means: Means
    created_at: datetime
    look_at: datetime | None
    # Itself, and what was found under its order besides.
    order: list["Payment"]
    status: str = READY
    reference: str | None = None
    used: str | None = None
    captured: tuple[int, str] | None = None
    cancelled: int = 0
    transfer: Transfer | None = None
    has_account: bool = False
    registered: bool = False
    issuing_until: datetime | None = None
    # What the last look showed of it, as its history keeps it.
    told: tuple[object, ...] | None = None
    cancellations: list["Cancellation"] = field(default_factory=list)

    @property
    def by_deposit(self) -> bool:
        return (self.used or self.means[0]) == "VIRTUAL_ACCOUNT"

    @property
    def left(self) -> int:
        return self.captured[0] - self.cancelled if self.captured else 0

    @property
    def unfinished(self) -> list["Cancellation"]:
        """Refunds that have not ended, or not reached their account: the open one last."""
        booked = [c for c in self.cancellations if c.status == "SUCCEEDED" and c.account]
        booked.sort(key=lambda c: (c.settled_at or c.payment.created_at, c.id))
        return booked + [c for c in self.cancellations if c.status == "REQUESTED"]

    @property
    def waiting(self) -> "Cancellation | None":
        """Whichever waits to be told where its money is to go."""
        return next((c for c in self.unfinished if c.waits), None)

    @property
    def open_cancellation(self) -> "Cancellation | None":
        return next((c for c in self.cancellations if c.status == "REQUESTED"), None)


@dataclass(eq=False)
class Cancellation:
    id: str
    payment: Payment
    amount: int
    balance: int
    by: str
    try_at: datetime | None
    account: bool
    status: str = "REQUESTED"
    tries: int = 0
    refused: bool = False
    answers: int = 0
    sent_at: datetime | None = None
    lost_at: datetime | None = None
    taken_up_at: datetime | None = None
    settled_at: datetime | None = None
    given_up: bool = False

    @property
    def waits(self) -> bool:
        """For the buyer to say where to, or where else."""
        unnamed = self.status == "REQUESTED" and not self.try_at
        return unnamed or (self.account and self.refused)

    @property
    def is_part(self) -> bool:
        return self.amount < self.balance

    def end(self, status: str, now: datetime, *, keeps_account: bool = False) -> None:
        self.status, self.try_at, self.settled_at = status, None, now
        self.account = self.account and keeps_account
        if status == "SUCCEEDED":
            self.refused = False


@dataclass(eq=False)
class Hint:
    """A webhook in the inbox; `about` is a payment's id, whether we know it or not."""

    about: str
    try_at: datetime
    tries: int = 0
    handled: bool = False
