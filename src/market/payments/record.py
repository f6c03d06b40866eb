"""The gateway's own record of a payment, in our words: the only witness there is (P3)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from market.shared.banking import VirtualAccount
from market.shared.money import Money


class Seen(StrEnum):
    """What the gateway says of a payment, in our words."""

    UNPAID = "UNPAID"
    PAID = "PAID"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Till:
    """Where at the gateway our money must arrive, by configuration: in which of its stores, and
    whether through a test channel. None: that does not matter."""

    store: str | None = None
    test: bool | None = None


ANY_TILL = Till()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The gateway's own record of a payment at one moment.

    `captured` and `returned` are amounts in minor units of `currency`; which of the captured money
    is still there is their difference, whatever word the gateway has for it. `order_id` is our
    payment id as the gateway has it, `reference` its own name for the attempt. `store` and `test`
    say where the money went; None where the gateway does not tell. `account` is where a deposit
    is awaited, or came; `deposited` is all that ever came to it, where the gateway tells: a bank
    may let more through than the payment took.
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
