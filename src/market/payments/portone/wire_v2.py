"""PortOne V2's JSON, made ours or refused: nothing foreign goes further than this file.

Amounts are integers in minor units, times RFC 3339 texts. Errors are `{type, message}`. Unknown
fields, statuses and types may appear unannounced, so only what decides over money must be as
documented; what merely explains is read if it can be.
"""

from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from market.payments.record import Seen, Snapshot
from market.shared.banking import VirtualAccount
from market.shared.money import Money

T = TypeVar("T")

# Statuses of payments that took money; how much of it is still there, only the amounts tell.
_TOOK_MONEY = {"PAID", "PARTIAL_CANCELLED", "CANCELLED"}

# The refusals the documents list for the calls we make. A type that is on no list may mean
# anything, "still at it" included, and is no ground for giving a refund up.
REFUSALS = frozenset(
    {
        "INVALID_REQUEST",
        "PAYMENT_NOT_FOUND",
        "PAYMENT_NOT_WAITING_FOR_DEPOSIT",
        "INVALID_PAYMENT_TOKEN",
        "INFORMATION_MISMATCH",
        "ALREADY_PAID",
        "PAYMENT_NOT_PAID",
        "PAYMENT_ALREADY_CANCELLED",
        "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN",
        "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT",
        "SUM_OF_PARTS_EXCEEDS_CANCEL_AMOUNT",
        "CANCEL_TAX_FREE_AMOUNT_EXCEEDS_CANCELLABLE_TAX_FREE_AMOUNT",
        "CANCEL_TAX_AMOUNT_EXCEEDS_CANCELLABLE_TAX_AMOUNT",
        "MAX_CANCEL_COUNT_REACHED",
        "NEGATIVE_PROMOTION_ADJUSTED_CANCEL_AMOUNT",
        "PROMOTION_DISCOUNT_RETAIN_OPTION_SHOULD_NOT_BE_CHANGED",
        # The payment company answered, and said no. That is an answer, unlike the silence after a
        # cut line: the record is looked at once more and then the refund is given up, for
        # operators to see. To call it unknown would repeat the key, and so get this same
        # kept answer for three hours, and then ask for ever without anybody hearing of it.
        "PG_PROVIDER",
    }
)


class AmountV2(Struct):
    """`total` is what was ordered, discounts of cards and points included."""

    total: int
    cancelled: int = 0


class PaymentV2(Struct, rename="camel"):
    id: str
    status: str
    currency: str | None = None
    amount: AmountV2 | None = None
    transaction_id: str | None = None
    store_id: str | None = None
    channel: Any = None
    paid_at: Any = None
    failure: Any = None
    cancellations: Any = None
    method: Any = None

    @property
    def is_returning(self) -> bool:
        """Whether a cancel was taken up and has not ended yet."""
        listed = self.cancellations if isinstance(self.cancellations, list) else []
        return any(_text(each, "status") == "REQUESTED" for each in listed)

    def snapshot(self) -> Snapshot:
        """Our reading of it. Raises ValueError where money came, but not how much."""
        state = self._state()
        captured, returned = self._money() if state is Seen.PAID else (Money(0), 0)
        return Snapshot(
            order_id=self.id,
            # Always there, says the document; the payment's own name is as unique.
            reference=self.transaction_id or self.id,
            state=state,
            captured=captured,
            returned=returned,
            paid_at=_moment(self.paid_at),
            failure=_text(self.failure, "reason") or _text(self.failure, "pgMessage"),
            store=self.store_id,
            test=_TESTS.get(_text(self.channel, "type") or ""),
            account=self._account(),
        )

    def _account(self) -> VirtualAccount | None:
        number, due_at = _text(self.method, "accountNumber"), _text(self.method, "expiredAt")
        due = _moment(due_at)
        if number is None or due is None:
            return None
        bank, holder = _text(self.method, "bank"), _text(self.method, "remitteeName")
        return VirtualAccount(bank or "", number, holder, due)

    def _money(self) -> tuple[Money, int]:
        amount, currency = self.amount, self.currency
        if amount is None or currency is None or not 0 <= amount.cancelled <= amount.total:
            raise ValueError(f"payment {self.id} is {self.status} of {amount} {currency}")
        return Money(amount.total, currency), amount.cancelled

    def _state(self) -> Seen:
        if self.status == "CANCELLED" and not self._money_came():
            return Seen.FAILED
        if self.status in _TOOK_MONEY:
            return Seen.PAID
        return Seen.FAILED if self.status == "FAILED" else Seen.UNPAID

    def _money_came(self) -> bool:
        """A window or an account that was called off before it was paid took nothing: neither a
        payment time nor anything given back."""
        return self.paid_at is not None or (self.amount is not None and self.amount.cancelled > 0)


class PageV2(Struct, rename="camel"):
    """`total_count` is of the whole list, not of this page."""

    total_count: int


class PaymentsV2(Struct):
    """A page of payments."""

    items: list[PaymentV2]
    page: PageV2


_TESTS = {"TEST": True, "LIVE": False}


class CancellationV2(Struct):
    """SUCCEEDED, FAILED, REQUESTED (still to come), or a word that is new."""

    status: str
    id: str | None = None


class CancelledV2(Struct):
    cancellation: CancellationV2


class ErrorV2(Struct, rename="camel"):
    type: str
    message: Any = None
    pg_code: Any = None
    pg_message: Any = None

    def why(self) -> str:
        """For people: what the payment company said, or else PortOne, or the bare type."""
        texts = (self.pg_message, self.message, self.type)
        return next(text for text in texts if isinstance(text, str) and text)


class Nothing(Struct):
    """An answer of which only the success counts."""


def read(type_: type[T], body: bytes) -> T:
    """Raises msgspec.MsgspecError for what is not the documented form."""
    return msgspec.json.decode(body, type=type_)


def _text(part: Any, name: str) -> str | None:
    value = part.get(name) if isinstance(part, dict) else None
    return value if isinstance(value, str) else None


def _moment(text: Any) -> datetime | None:
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
