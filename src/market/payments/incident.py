"""Incidents: what the market found and could not put right by itself (P4, P10)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from market.shared.errors import Conflict, Forbidden, Invalid
from market.shared.ids import PaymentId, TradeId
from market.shared.text import line

# What the comparison with the gateway's list leaves behind; docs/operations.md says what to do.
UNKNOWN_AT_GATEWAY = "unknown_at_gateway"
UNKNOWN_HERE = "unknown_here"
AMOUNTS_DIFFER = "amounts_differ"
# One order, and more than one attempt at it that took money.
PAID_TWICE = "paid_twice"
# Money that is owed back, and can't go; both end by themselves once it has gone.
ACCOUNT_NEEDED = "refund_account_needed"
REFUND_REFUSED = "refund_refused"
# A refund was booked, and the bank could not send it on to the buyer's account.
TRANSFER_FAILED = "refund_transfer_failed"
# What has not ended for so long that somebody must decide.
REFUND_OVERDUE, TRADE_OVERDUE = "refund_overdue", "trade_overdue"
# Whom the market names when what an incident told of came to an end by itself.
BY_ITSELF = "the market"
# By what: a code, which pages put into words.
REFUND_DONE, REFUND_GIVEN_UP = "refund_done", "refund_given_up"
REFUND_FAILED = "refund_failed"


class AlreadySettled(Conflict):
    code: ClassVar[str] = "incident_already_settled"
    message: ClassVar[str] = "This incident is resolved already."


class OwnTrade(Forbidden):
    code: ClassVar[str] = "own_trade"
    message: ClassVar[str] = (
        "Operators cannot act on their own trades here. "
        "Use the trade's page, or ask another operator."
    )


@dataclass(frozen=True, slots=True)
class Settlement:
    """Who answers for the end of an incident, and how it ended."""

    at: datetime
    by: str
    how: str


@dataclass(slots=True)
class Incident:
    """Something an operator must look at; `seen` is what was found, `subject` where.

    The subject is a payment, or what the gateway calls money that no payment of ours stands for.
    """

    id: int
    kind: str
    subject: str
    seen: Mapping[str, Any]
    reported_at: datetime
    payment_id: PaymentId | None = None
    trade_id: TradeId | None = None
    settlement: Settlement | None = None

    def settle(self, by: str, how: str, now: datetime) -> None:
        """Closes it, once, by somebody and with a reason. Raises Invalid, AlreadySettled."""
        by, how = line(by), line(how)
        if not by or not how:
            raise Invalid("Say who settles it, and how.", incident_id=self.id)
        if self.settlement is not None:
            raise AlreadySettled(incident_id=self.id)
        self.settlement = Settlement(now, by, how)
