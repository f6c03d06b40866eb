"""A cancellation: money to be sent back, from the wish to the gateway's record of it (P7).

REQUESTED ─▶ SUCCEEDED │ FAILED
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from market.shared.banking import RefundAccount
from market.shared.contracts import FAILED_LATER, TRANSFER_FAILED
from market.shared.errors import Conflict
from market.shared.ids import CancellationId, PaymentId
from market.shared.principals import Party


class CancellationInProgress(Conflict):
    code: ClassVar[str] = "cancellation_in_progress"
    message: ClassVar[str] = "Another refund of this payment is in progress."


class AlreadyAsked(Conflict):
    code: ClassVar[str] = "refund_already_asked"
    message: ClassVar[str] = (
        "This request already asked for a refund. Send a new request for another refund."
    )


class RefundRefused(Conflict):
    code: ClassVar[str] = "refund_refused"
    message: ClassVar[str] = "The payment gateway refused the refund."


class TooManyRefunds(Conflict):
    code: ClassVar[str] = "too_many_refunds"
    message: ClassVar[str] = (
        "This payment has reached its number of partial refunds. "
        "Only the whole rest can be refunded."
    )


class RefundTooSmall(Conflict):
    code: ClassVar[str] = "refund_too_small"
    message: ClassVar[str] = "This amount is too small to be refunded alone."


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

# How long a gateway may still carry out a call whose answer was lost: longer than PortOne advises
# to wait for one.
LONGEST_CALL = timedelta(minutes=5)

# A refund that the gateway has taken up is looked at so often until it has ended, which may take a
# bank days; and a record may be so much older than the answer.
LOOK_WHILE_TAKEN_UP = timedelta(minutes=30)
RECORD_LAGS = timedelta(minutes=1)

# A company that refused may have carried it out all the same (its own time-out is a refusal, too):
# after a refund has failed, its payment is looked at once more at each of these ages.
LOOK_AFTER_FAILURE: Sequence[timedelta] = TRY_AGAIN_AFTER


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
    that race, or a repeat of one whose answer was lost, one counts. `try_at` is when a worker is
    next to see to it; None for never, or not before the buyer has named an account.

    `sent_at` is when it was last sent, as long as the gateway has not refused it, and `lost_at` the
    same of a try before. `taken_up_at` is since when the gateway is at it: it said yes, or its
    record shows a refund that has not ended. `answers` counts its noes. `given_up_by` is the
    operator who decided that it is asked for no more.
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
    answers: int = 0
    sent_at: datetime | None = None
    lost_at: datetime | None = None
    taken_up_at: datetime | None = None
    given_up_by: str | None = None

    @property
    def is_open(self) -> bool:
        return self.status is CancellationStatus.REQUESTED

    @property
    def subject(self) -> str:
        """The subject of incidents about this refund."""
        return f"{self.payment_id}: {self.id}"

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
        return refused or (self.is_open and self.try_at is None)

    @property
    def shown_to(self) -> Collection[Party]:
        """The parties that are told of its failure: its sender, or both once both have seen it
        in progress."""
        later = self.tries > 1 or self.failure == FAILED_LATER
        return (Party.BUYER, Party.SELLER) if later else (self.by,)

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
            if self.is_open:
                self.try_at = now + TRY_AGAIN_AFTER[0]

    def try_again(self, now: datetime) -> bool:
        """Whether the gateway is to be asked now: not while it is at it. If no answer comes, a
        worker asks again later."""
        if self.taken_up_at is not None:
            self.try_at = now + LOOK_WHILE_TAKEN_UP
            return False
        self.try_at = now + TRY_AGAIN_AFTER[min(self.tries, len(TRY_AGAIN_AFTER) - 1)]
        self.tries += 1
        self.failure = None
        self.lost_at, self.sent_at = self.sent_at or self.lost_at, now
        return True

    def never_left(self) -> None:
        """The gateway was not reached: that was no try, and can't succeed any more."""
        self.tries -= 1
        self.sent_at = None

    def taken_up(self, now: datetime) -> None:
        """The gateway said yes, and its record does not show the money back yet."""
        self.taken_up_at = now
        self.try_at = now + LOOK_WHILE_TAKEN_UP

    def answered_no(self, *, repeats: bool) -> None:
        """The gateway refused it; what that means, its record tells. With `repeats`, it answers a
        repeat as it answered the call before: whichever was lost was refused, too."""
        self.answers += 1
        self.sent_at = None
        if repeats:
            self.lost_at = None

    def see(self, returning: bool | None, now: datetime) -> bool:
        """What the record shows of it as long as its money is not back: whether a refund is under
        way, None if the gateway doesn't tell. True when it was taken up, and has failed since.
        """
        if not self.is_open or self.try_at is None:
            return False
        if returning:
            self.taken_up_at = self.taken_up_at or now
            self.try_at = now + LOOK_WHILE_TAKEN_UP
            return False
        if returning is None or self.taken_up_at is None or now < self.taken_up_at + RECORD_LAGS:
            return False
        self.taken_up_at = None
        if self.sent_at is None and self.lost_at is None:
            self.try_at = now  # it was another refund that stood in the way of ours
            return False
        self.answered_no(repeats=True)
        self.try_at = now + TRY_AGAIN_AFTER[min(self.tries, len(TRY_AGAIN_AFTER) - 1)]
        return True

    def settle(self, left: int, now: datetime, *, transfer_waits: bool = False) -> bool:
        """Succeeds once no more is `left` of the payment than there was to be; True when it just
        did. Its account is kept until the bank has sent the money on."""
        if not self.is_open or left > self.keeps:
            return False
        account = self.account
        self._end(CancellationStatus.SUCCEEDED, now)
        self.account = account if transfer_waits else None
        self.failure = None
        return True

    def transfer_failed(self) -> bool:
        """The bank could not send the money on: the buyer is asked for another account, once."""
        asked = self.waits_for_account
        self.failure = TRANSFER_FAILED
        return not asked

    def transferred(self) -> None:
        """The money has reached its account, which has served its purpose."""
        self.account = self.failure = None

    def rebalance(self, left: int) -> bool:
        """Money went back behind our back: asks for what is still missing; False if none did."""
        if not self.is_open or left == self.balance:
            return False
        keeps = self.keeps
        self.balance = left
        self.amount = left - keeps
        self.lost_at = None  # on the old balance no try can succeed any more
        return True

    def refuse(self, why: str, now: datetime) -> bool:
        """The gateway said no, and its record shows that nothing went back; True if that ends it.

        Not while a refund is under way there, or an earlier try, whose answer is missing, may still
        succeed; and never what we owe back ourselves: that is asked for until it goes.
        """
        if not self.is_open or self.taken_up_at is not None:
            return False
        self.failure = why
        if self.lost_at is not None and now < self.lost_at + LONGEST_CALL:
            self.try_at = self.lost_at + LONGEST_CALL
            return False
        if self.by is Party.MARKET:
            return False
        self._end(CancellationStatus.FAILED, now)
        self.watch(now)
        return True

    def give_up(self, by: str, why: str, now: datetime) -> None:
        """An operator decides that it is asked for no more, whatever may come of what was sent; or,
        of one that is booked, that its account is needed no more."""
        self.given_up_by = by
        if not self.is_open:
            self.transferred()
            return
        self._end(CancellationStatus.FAILED, now)
        self.failure = why
        self.watch(now)

    def watch(self, now: datetime) -> None:
        """It has ended; when its payment is to be looked at once more."""
        if self.settled_at is None or self.status is not CancellationStatus.FAILED:
            return
        times = (self.settled_at + age for age in LOOK_AFTER_FAILURE)
        self.try_at = next((time for time in times if time > now), None)

    def _end(self, status: CancellationStatus, now: datetime) -> None:
        self.status = status
        self.settled_at = now
        self.try_at = None
        self.account = None  # it has served its purpose
