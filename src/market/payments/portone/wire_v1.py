"""PortOne V1's JSON, made ours or refused: nothing foreign goes further than this file.

Answers are `{code, message, response}`; 0 is success, and an HTTP 200 may carry a failure.
Amounts are JSON numbers in major units, times UNIX seconds with 0 for "has not happened".
Unknown fields and statuses are tolerated: PortOne adds them unannounced.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from market.payments.record import Method, Seen, Snapshot
from market.shared.banking import Bank, VirtualAccount
from market.shared.money import Money

from .transport import unreadable

T = TypeVar("T")

_METHODS = {
    "card": Method.CARD,
    "vbank": Method.VIRTUAL_ACCOUNT,
    "trans": Method.TRANSFER,
    "phone": Method.MOBILE,
    "samsung": Method.EASY_PAY,
    "applepay": Method.EASY_PAY,
    "kakaopay": Method.EASY_PAY,
    "naverpay": Method.EASY_PAY,
    "tosspay": Method.EASY_PAY,
    "payco": Method.EASY_PAY,
    "lpay": Method.EASY_PAY,
    "ssgpay": Method.EASY_PAY,
}
# Beyond it a moment has no date.
_LAST_SECOND = 253_402_300_799
# "pending" is PayPal's: neither paid nor failed yet.
_UNPAID = {"ready", "pending"}

# ISO 4217 exponents that are not 2, of the currencies PortOne takes.
_DECIMALS = {"KRW": 0, "JPY": 0, "VND": 0}


class Envelope(Struct, Generic[T]):
    code: int
    message: str | None = None
    response: T | None = None


class Token(Struct):
    """`now` is the gateway's own clock: the life left is `expired_at - now` whatever ours says."""

    access_token: str
    expired_at: int
    now: int


class PreparedV1(Struct):
    merchant_uid: str
    amount: Decimal


class PaymentV1(Struct):
    """One attempt. Only its names must be as documented: what else is wrong with it must neither
    hide other attempts nor go unseen."""

    imp_uid: str
    merchant_uid: str
    status: Any = None
    amount: Any = None
    cancel_amount: Any = 0
    currency: Any = "KRW"
    paid_at: Any = None
    fail_reason: Any = None
    sandbox: Any = None
    pay_method: Any = None
    vbank_num: Any = None
    vbank_code: Any = None
    vbank_name: Any = None
    vbank_holder: Any = None
    vbank_date: Any = None
    deposit_history: Any = None

    def snapshot(self) -> Snapshot:
        """Our reading of it; where it makes no sense, why not."""
        try:
            return self._read()
        except ValueError as trouble:
            return unreadable(self.merchant_uid, self.imp_uid, trouble)

    def _read(self) -> Snapshot:
        state = self._state()
        currency = self.currency if isinstance(self.currency, str) else ""
        unknown = state is Seen.UNKNOWN
        return Snapshot(
            order_id=self.merchant_uid,
            reference=self.imp_uid,
            state=state,
            captured=Money(_minor(self.amount, currency), currency),
            returned=_minor(self.cancel_amount or 0, currency),
            paid_at=_time(self.paid_at),
            failure=str(self.status) if unknown else _text(self.fail_reason),
            test=self.sandbox if isinstance(self.sandbox, bool) else None,
            account=self._account(),
            deposited=self._deposited(currency),
            method=_method(self.pay_method),
        )

    def _account(self) -> VirtualAccount | None:
        number, due_at = _text(self.vbank_num), _time(self.vbank_date)
        if number is None or due_at is None:
            return None
        code, name = _text(self.vbank_code) or "", _text(self.vbank_name)
        bank = Bank.named(code) or name or code
        return VirtualAccount(bank, number, _text(self.vbank_holder), due_at)

    def _deposited(self, currency: str) -> int | None:
        if not isinstance(self.deposit_history, list):
            return None
        each = [one.get("amount") for one in self.deposit_history if isinstance(one, dict)]
        return sum(_minor(amount, currency) for amount in each)

    def _state(self) -> Seen:
        # `cancelled` says nothing of how much: it was paid, and cancel_amount is the truth.
        # Without a payment time nothing was ever taken.
        if self.status == "paid" or (self.status == "cancelled" and self.paid_at):
            return Seen.PAID
        if self.status in {"failed", "cancelled"}:
            return Seen.FAILED
        return Seen.UNPAID if self.status in _UNPAID else Seen.UNKNOWN


class AttemptsV1(Struct):
    """A page of attempts; `next` is the following page's number, 0 when there is none."""

    list: list[PaymentV1]
    next: int | None = None


def read(type_: type[T], body: bytes) -> Envelope[T]:
    """Raises msgspec.MsgspecError for what is not the documented form."""
    return msgspec.json.decode(body, type=Envelope[type_])  # type: ignore[valid-type] # made at run time


def major(money: Money) -> int | float:
    """An amount as V1 wants it; whole where the currency has no decimals."""
    places = _DECIMALS.get(money.currency, 2)
    return money.amount if places == 0 else float(Decimal(money.amount).scaleb(-places))


def _minor(amount: Any, currency: str) -> int:
    try:
        scaled = Decimal(str(amount)).scaleb(_DECIMALS.get(currency, 2))
    except ArithmeticError as cause:  # "True", "None" and "[1]" are no numbers either
        raise ValueError(f"{amount!r} is no amount") from cause
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} {currency} is no whole number of minor units")
    return int(scaled)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _method(word: Any) -> Method | None:
    return _METHODS.get(word, Method.OTHER) if isinstance(word, str) and word else None


def _time(seconds: Any) -> datetime | None:
    """None for 0, which has not happened, and for what is no time."""
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds <= _LAST_SECOND:
        return None
    return datetime.fromtimestamp(seconds, UTC)
