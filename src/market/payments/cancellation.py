"""A cancellation: money to be sent back, from the wish to the gateway's record of it (P7).

REQUESTED ─▶ SUCCEEDED │ FAILED
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from market.shared.banking import RefundAccount
from market.shared.errors import Conflict
from market.shared.ids import CancellationId, PaymentId
from market.shared.people import Party


class CancellationInProgress(Conflict):
    """Another cancellation of this payment is under way."""

    code: ClassVar[str] = "cancellation_in_progress"


class AlreadyAsked(Conflict):
    """This request asked for a refund before: make another one for another refund."""

    code: ClassVar[str] = "refund_already_asked"


class RefundRefused(Conflict):
    """The payment gateway refuses to send the money back."""

    code: ClassVar[str] = "refund_refused"


class TooManyRefunds(Conflict):
    """So many parts of this payment went back that only all of it still can."""

    code: ClassVar[str] = "too_many_refunds"


class RefundTooSmall(Conflict):
    """A part that goes back must be worth the way."""

    code: ClassVar[str] = "refund_too_small"


# A gateway lets a payment be cancelled a few times only: neither party may use that up. Its buyer
# and its seller together ask for so many parts of it, and for no smaller ones: minor units, or a
# share of what was paid.
MEMBERS_PARTS = 3
SMALLEST_PART, SMALLEST_SHARE = 100, 100
# How often the gateway is believed to let one payment be cancelled; the last is kept for the whole.
USUAL_CANCELS = 5

# A request may be repeated as long as the answer to its Idempotency-Key would be kept.
REPEATED_WITHIN = timedelta(hours=24)

# How long after each try an unanswered cancellation is tried again; the last repeats for ever.
TRY_AGAIN_AFTER: Sequence[timedelta] = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(hours=1),
    timedelta(days=1),
)


class CancellationStatus(StrEnum):
    """REQUESTED also means: asked, and no answer yet."""

    REQUESTED = "REQUESTED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Parts:
    """How many parts of a payment went back at somebody's word, or are on their way; `by_members`
    of them were its buyer's or its seller's wish. The gateway lets `allowed` cancels happen."""

    all: int
    by_members: int
    allowed: int = USUAL_CANCELS

    def check_one_more(self, by: Party, amount: int, paid: int) -> None:
        """Whether `amount` more may go back of what was `paid`. Raises TooManyRefunds,
        RefundTooSmall."""
        by_member = by in {Party.BUYER, Party.SELLER}
        # safeguard: the gateway's last refund kept for the whole payment
        # safeguard: members' partial refunds of a payment limited
        if self.all >= self.allowed - 1 or (by_member and self.by_members >= MEMBERS_PARTS):
            raise TooManyRefunds
        least = max(SMALLEST_PART, -(-paid // SMALLEST_SHARE))
        if by_member and amount < least:
            raise RefundTooSmall(least=least)


@dataclass(slots=True)
class Cancellation:
    """Money to be sent back: recorded before the gateway is asked, and settled by looking.

    `asked` is the part that was asked for, None for all that was left. `balance` is what we believe
    is there to cancel, in minor units: the gateway refuses when it knows better, so that of two
    that race, or a repeat of one whose answer was lost, one counts.
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
    asked: int | None = None

    @property
    def is_open(self) -> bool:
        return self.status is CancellationStatus.REQUESTED

    @property
    def keeps(self) -> int:
        """How much is to be left when it is done, in minor units: more than 0 for a part, however
        much of the rest goes back by other ways meanwhile."""
        return self.balance - self.amount

    @property
    def waits_for_account(self) -> bool:
        """Money lies at the gateway, and nobody has said yet where it is to go, or it could not go
        where they said."""
        refused = self.account is not None and self.failure is not None
        return self.is_open and (self.try_at is None or refused)

    def repeat(self, payment_id: PaymentId, amount: int | None, now: datetime) -> None:
        """Its request has come once more, and is answered by what has become of it.

        Raises AlreadyAsked for a request that asks for something else, or that comes so late that
        nobody can tell a repeat from another wish; RefundRefused.
        """
        everything = self.asked is None and amount in {None, self.amount}
        same = everything or (amount is not None and amount == self.asked)
        late = now - self.created_at > REPEATED_WITHIN
        # safeguard: a repeated refund request asks for the same
        if late or not same or self.payment_id != payment_id:
            raise AlreadyAsked(payment_id=self.payment_id, amount=self.asked or self.amount)
        self.check_not_refused()

    def check_not_refused(self) -> None:
        """Raises RefundRefused when the gateway's last word on it is a no."""
        if self.failure is not None:
            raise RefundRefused(
                f"The payment gateway refuses to send the money back: {self.failure}",
                payment_id=self.payment_id,
                reason=self.failure,
            )

    def send_to(self, account: RefundAccount, now: datetime) -> None:
        """The buyer says where the money is to go: it can be sent now, by whom they told."""
        if self.waits_for_account:
            self.account, self.failure = account, None
            self.try_at = now + TRY_AGAIN_AFTER[0]

    def tried(self, now: datetime) -> None:
        """The gateway is about to be asked; if no answer comes, ask again later."""
        self.try_at = now + TRY_AGAIN_AFTER[min(self.tries, len(TRY_AGAIN_AFTER) - 1)]
        self.tries += 1
        self.failure = None

    def never_left(self) -> None:
        """The gateway was not reached: that was no try, and can't succeed any more."""
        self.tries -= 1

    def settle(self, left: int, now: datetime) -> bool:
        """Succeeds once no more is `left` of the payment than there was to be; True when it just
        did."""
        if not self.is_open or left > self.keeps:
            return False
        self._end(CancellationStatus.SUCCEEDED, now)
        self.failure = None
        return True

    def rebalance(self, left: int) -> bool:
        """Money went back behind our back: asks for what is still missing; False if none did."""
        if not self.is_open or left == self.balance:
            return False
        keeps = self.keeps
        self.balance = left
        self.amount = left - keeps
        return True

    def refuse(self, why: str, now: datetime) -> bool:
        """The gateway said no, and its record shows that nothing went back; True if that ends it.

        Not while an earlier try, whose answer is missing, may still succeed; and never what we owe
        back ourselves: that is asked for until it goes.
        """
        if not self.is_open:
            return False
        self.failure = why
        if self.by is Party.MARKET or self.tries > 1:
            return False
        self._end(CancellationStatus.FAILED, now)
        return True

    def _end(self, status: CancellationStatus, now: datetime) -> None:
        self.status = status
        self.settled_at = now
        self.try_at = None
        self.account = None  # it has served its purpose
