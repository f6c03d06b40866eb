"""PortOne V2's JSON, made ours or refused: nothing foreign goes further than this file.

Amounts are integers in minor units, times RFC 3339 texts. Errors are `{type, message}`. Unknown
fields, statuses and types may appear unannounced, so only what decides over money must be as
documented; what merely explains is read if it can be.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from market.payments.record import (
    Method,
    RefundSeen,
    RefundState,
    Seen,
    Snapshot,
    Transfer,
)
from market.shared.banking import VirtualAccount
from market.shared.money import Money

from .transport import unreadable

T = TypeVar("T")

# Statuses of payments that took money; how much of it is still there, only the amounts tell.
_TOOK_MONEY = {"PAID", "PARTIAL_CANCELLED", "CANCELLED"}

_UNPAID = {"READY", "PENDING", "PAY_PENDING", "VIRTUAL_ACCOUNT_ISSUED"}
_METHODS = {
    "PaymentMethodCard": Method.CARD,
    "PaymentMethodVirtualAccount": Method.VIRTUAL_ACCOUNT,
    "PaymentMethodTransfer": Method.TRANSFER,
    "PaymentMethodMobile": Method.MOBILE,
    "PaymentMethodEasyPay": Method.EASY_PAY,
}
_TRANSFERS = {
    "PENDING": Transfer.PENDING,
    "COMPLETED": Transfer.COMPLETED,
    "FAILED": Transfer.FAILED,
    "PARTIAL_REFUND_FAILED": Transfer.FAILED,
}
_REFUND_STATES = {state.value: state for state in RefundState}

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


class PaymentV2(Struct, rename="camel"):
    """A payment, through the attempt that it goes by. Only its name must be as documented: what
    else is wrong with it must neither hide other payments nor go unseen."""

    id: str
    status: Any = None
    currency: Any = None
    amount: Any = None
    transaction_id: Any = None
    store_id: Any = None
    channel: Any = None
    paid_at: Any = None
    failure: Any = None
    cancellations: Any = None
    method: Any = None

    def snapshot(self) -> Snapshot:
        """Our reading of it; where it makes no sense, why not."""
        try:
            return self._read()
        except ValueError as trouble:
            return unreadable(self.id, self._reference(), trouble)

    def _reference(self) -> str:
        # Always there, says the document; the payment's own name is as unique.
        return self.transaction_id if isinstance(self.transaction_id, str) else self.id

    def _read(self) -> Snapshot:
        state = self._state()
        captured, returned = self._money() if state is Seen.PAID else (Money(0), 0)
        failure = _text(self.failure, "reason") or _text(self.failure, "pgMessage")
        return Snapshot(
            order_id=self.id,
            reference=self._reference(),
            state=state,
            captured=captured,
            returned=returned,
            paid_at=_moment(self.paid_at),
            failure=str(self.status) if state is Seen.UNKNOWN else failure,
            store=self.store_id if isinstance(self.store_id, str) else None,
            test=_TESTS.get(_text(self.channel, "type") or ""),
            account=self._account(),
            method=self._method(),
            refunds=self._refunds(),
            transfer=_TRANSFERS.get(_text(self.method, "refundStatus") or ""),
        )

    def _method(self) -> Method | None:
        word = _text(self.method, "type")
        return _METHODS.get(word, Method.OTHER) if word else None

    def _refunds(self) -> Sequence[RefundSeen] | None:
        """None where the record does not tell for sure: a paid one may leave the list out, and
        what can't be read may be under way."""
        if not isinstance(self.cancellations, list):
            return None
        listed = [_refund(each) for each in self.cancellations]
        read = tuple(refund for refund in listed if refund is not None)
        under_way = any(refund.state is RefundState.REQUESTED for refund in read)
        return read if under_way or len(read) == len(listed) else None

    def _account(self) -> VirtualAccount | None:
        number, due_at = _text(self.method, "accountNumber"), _text(self.method, "expiredAt")
        due = _moment(due_at)
        if number is None or due is None:
            return None
        bank, holder = _text(self.method, "bank"), _text(self.method, "remitteeName")
        return VirtualAccount(bank or "", number, holder, due)

    def _money(self) -> tuple[Money, int]:
        """What came of the order, discounts of cards and points included, and what went back."""
        total, cancelled = _whole(self.amount, "total"), _whole(self.amount, "cancelled", 0)
        if total is None or cancelled is None or not isinstance(self.currency, str):
            raise ValueError(f"{self.status} of {self.amount} {self.currency}")
        return Money(total, self.currency), cancelled

    def _state(self) -> Seen:
        if self.status == "CANCELLED" and not self._money_came():
            return Seen.FAILED
        if self.status in _TOOK_MONEY:
            return Seen.PAID
        if self.status == "FAILED":
            return Seen.FAILED
        return Seen.UNPAID if self.status in _UNPAID else Seen.UNKNOWN

    def _money_came(self) -> bool:
        """A window or an account that was called off before it was paid took nothing: neither a
        payment time nor anything given back."""
        return self.paid_at is not None or bool(_whole(self.amount, "cancelled"))


class TransactionV2(PaymentV2, rename="camel", kw_only=True):
    """One attempt at a payment, whose `id` is its own and `payment_id` the payment's."""

    payment_id: str

    def snapshot(self) -> Snapshot:
        """See PaymentV2."""
        return replace(PaymentV2.snapshot(self), order_id=self.payment_id, reference=self.id)


class TransactionsV2(Struct):
    """Every attempt at a payment, the newest first."""

    items: list[TransactionV2]


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


def _whole(part: Any, name: str, absent: int | None = None) -> int | None:
    value = part.get(name, absent) if isinstance(part, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _refund(shown: Any) -> RefundSeen | None:
    """None for what is not as documented. A state that is new may mean anything, that it goes on
    included: then nothing is given up, and nothing asked for twice."""
    id, state = _text(shown, "id"), _text(shown, "status")
    amount = _whole(shown, "totalAmount")
    if not id or not state or amount is None:
        return None
    return RefundSeen(id, _REFUND_STATES.get(state, RefundState.REQUESTED), amount)


def _moment(text: Any) -> datetime | None:
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
