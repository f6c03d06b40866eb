"""Everything that the gateway has under one order id, beside the payments we know of it.

A payment asks for money under an order id. The gateway may have several attempts under it: V1 a
window opened twice or two accounts, V2 transactions of one payment. Money in any of them pays the
trade or goes back (P3), so each attempt that took money is a payment of ours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from .domain import OPEN, Payment
from .record import Snapshot

_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Order:
    """`payments` is the one that was begun, and then those for money that came under its order
    besides; `attempts` are the gateway's, the newest first."""

    payments: Sequence[Payment]
    attempts: Sequence[Snapshot]

    def shares(self) -> Iterator[tuple[Payment, Snapshot | None]]:
        """Each payment with the attempt that is its own."""
        for payment in self.payments:
            yield payment, self._attempt_of(payment)

    def besides(self) -> Sequence[Snapshot]:
        """Attempts that took money, and are no payment of ours yet; the first to be paid first."""
        taken = {seen.reference for _, seen in self.shares() if seen is not None}
        found = [seen for seen in self.attempts if seen.is_paid and seen.reference not in taken]
        return sorted(found, key=_paid_at)

    def senseless(self) -> Sequence[Snapshot]:
        """Attempts in which nothing is to be believed."""
        return [seen for seen in self.attempts if seen.nonsense is not None]

    def unwanted(self) -> Sequence[Snapshot]:
        """Attempts with an account that nobody is to pay into any more. To be asked once the
        payments are what the attempts made of them."""
        wanted = {payment.reference for payment in self.payments if payment.status in OPEN}
        return [
            seen for seen in self.attempts if seen.awaits_deposit and seen.reference not in wanted
        ]

    def _attempt_of(self, payment: Payment) -> Snapshot | None:
        readable = [seen for seen in self.attempts if seen.nonsense is None]
        known = [seen for seen in readable if seen.reference == payment.reference]
        if payment.captured is not None or payment is not self.payments[0]:
            return next(iter(known), None)
        # Nothing is its own for good before it took money: first what did, then where a deposit
        # is awaited already, then whatever was begun last.
        others = {other.reference for other in self.payments[1:]}
        mine = [seen for seen in readable if seen.reference not in others]
        paid = sorted((seen for seen in mine if seen.is_paid), key=_paid_at)
        awaited = [seen for seen in known if seen.awaits_deposit]
        return next(iter([*paid, *awaited, *mine]), None)


def _paid_at(seen: Snapshot) -> tuple[datetime, str]:
    return seen.paid_at or _LATEST, seen.reference
