"""The gateway's own record of a payment, in our words: the only witness there is (P3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from market.shared.banking import VirtualAccount
from market.shared.money import Money


class Seen(StrEnum):
    """What the gateway says of an attempt to pay, in our words; UNKNOWN is a word it has not told
    us the meaning of."""

    UNPAID = "UNPAID"
    PAID = "PAID"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class Method(StrEnum):
    """How a payment is paid. We offer the first two; a checkout window may let a buyer choose
    another, and only the record tells which."""

    CARD = "CARD"
    VIRTUAL_ACCOUNT = "VIRTUAL_ACCOUNT"
    TRANSFER = "TRANSFER"
    MOBILE = "MOBILE"
    EASY_PAY = "EASY_PAY"
    OTHER = "OTHER"


class Transfer(StrEnum):
    """How far the bank has come with sending a deposit back to its buyer's account."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class RefundState(StrEnum):
    REQUESTED = "REQUESTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class RefundSeen:
    """One refund in the gateway's record, under its own id there; `amount` in minor units.
    REQUESTED means that it was taken up, and that it may still succeed or fail."""

    id: str
    state: RefundState
    amount: int


@dataclass(frozen=True, slots=True)
class Till:
    """Where at the gateway our money must arrive, by configuration: in which of its stores, and
    whether through a test channel. None: that does not matter."""

    store: str | None = None
    test: bool | None = None


ANY_TILL = Till()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The gateway's own record of one attempt to pay an order, at one moment.

    `captured` and `returned` are amounts in minor units of `currency`; which of the captured money
    is still there is their difference, whatever word the gateway has for it. `order_id` is our
    payment id as the gateway has it, `reference` its own name for the attempt. `store` and `test`
    say where the money went; None where the gateway does not tell. `account` is where a deposit
    is awaited, or came; `deposited` is all that ever came to it, where the gateway tells: a bank
    may let more through than the payment took. `method` is how it was paid, `refunds` what is
    known of each refund, `transfer` whether a refund has reached the buyer's account; None where
    the gateway does not tell. `trouble` says why a record can't be read.
    """

    order_id: str
    reference: str
    state: Seen
    captured: Money
    returned: int
    paid_at: datetime | None = None
    failure: str | None = None
    store: str | None = None
    test: bool | None = None
    account: VirtualAccount | None = None
    deposited: int | None = None
    method: Method | None = None
    refunds: Sequence[RefundSeen] | None = None
    transfer: Transfer | None = None
    trouble: str | None = None

    @property
    def nonsense(self) -> str | None:
        """Which kind of incident it is, if it makes no sense: then nothing in it is believed."""
        if self.trouble is not None:
            return "unreadable_record"
        if self.state is Seen.UNKNOWN:
            return "unknown_status"
        if self.state is not Seen.PAID:
            return None
        if self.captured.amount <= 0:
            return "wrong_amount"
        return None if 0 <= self.returned <= self.captured.amount else "more_back_than_came"

    @property
    def is_paid(self) -> bool:
        return self.state is Seen.PAID and self.nonsense is None

    @property
    def awaits_deposit(self) -> bool:
        """Whether whoever deposits into its account pays it."""
        return self.state is Seen.UNPAID and self.account is not None and self.nonsense is None

    @property
    def returning(self) -> bool | None:
        """Whether a refund is under way there; None where the gateway does not tell."""
        if self.refunds is None:
            return None
        return any(refund.state is RefundState.REQUESTED for refund in self.refunds)
