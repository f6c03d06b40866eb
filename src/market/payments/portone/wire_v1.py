"""PortOne V1's JSON, made ours or refused: nothing foreign goes further than this file.

Answers are `{code, message, response}`; 0 is success, and an HTTP 200 may carry a failure.
Amounts are JSON numbers in major units, times UNIX seconds with 0 for "has not happened".
Unknown fields and statuses are tolerated: PortOne adds them unannounced.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from market.payments.record import Seen, Snapshot
from market.shared.banking import Bank, VirtualAccount
from market.shared.money import Money

T = TypeVar("T")

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


class DepositV1(Struct):
    amount: Decimal


class PaymentV1(Struct):
    imp_uid: str
    merchant_uid: str
    status: str
    amount: Decimal
    cancel_amount: Decimal = Decimal(0)
    currency: str = "KRW"
    paid_at: int | None = None
    fail_reason: str | None = None
    sandbox: bool | None = None
    vbank_num: str | None = None
    vbank_code: str | None = None
    vbank_name: str | None = None
    vbank_holder: str | None = None
    vbank_date: int | None = None
    deposit_history: list[DepositV1] | None = None

    def snapshot(self) -> Snapshot:
        """Our reading of it. Raises ValueError for amounts that are no whole minor units."""
        return Snapshot(
            order_id=self.merchant_uid,
            reference=self.imp_uid,
            state=self._state(),
            captured=Money(_minor(self.amount, self.currency), self.currency),
            returned=_minor(self.cancel_amount, self.currency),
            paid_at=datetime.fromtimestamp(self.paid_at, UTC) if self.paid_at else None,
            failure=self.fail_reason,
            test=self.sandbox,
            account=self._account(),
            deposited=self._deposited(),
        )

    def _account(self) -> VirtualAccount | None:
        if not self.vbank_num or not self.vbank_date:
            return None
        known = Bank.named(self.vbank_code or "")
        return VirtualAccount(
            bank=known or self.vbank_name or self.vbank_code or "",
            number=self.vbank_num,
            holder=self.vbank_holder,
            due_at=datetime.fromtimestamp(self.vbank_date, UTC),
        )

    def _deposited(self) -> int | None:
        if self.deposit_history is None:
            return None
        return sum(_minor(one.amount, self.currency) for one in self.deposit_history)

    def _state(self) -> Seen:
        # `cancelled` says nothing of how much: it was paid, and cancel_amount is the truth.
        # Without a payment time nothing was ever taken.
        if self.status == "paid" or (self.status == "cancelled" and self.paid_at):
            return Seen.PAID
        if self.status in {"failed", "cancelled"}:
            return Seen.FAILED
        return Seen.UNPAID


class AttemptsV1(Struct):
    """A page of attempts; `next` is the following page's number, 0 when there is none."""

    list: list[PaymentV1]
    next: int | None = None


def read(type_: type[T], body: bytes) -> Envelope[T]:
    """Raises msgspec.MsgspecError for what is not the documented form."""
    return msgspec.json.decode(body, type=Envelope[type_])  # type: ignore[valid-type] # made at run time


def telling(attempts: "list[PaymentV1]") -> PaymentV1 | None:
    """Of several attempts under one merchant_uid the one that decides: the one with money in it,
    of which there can be only one, or else the latest."""
    paid = [attempt for attempt in attempts if attempt.snapshot().state is Seen.PAID]
    return next(iter(paid or attempts), None)


def major(money: Money) -> int | float:
    """An amount as V1 wants it; whole where the currency has no decimals."""
    places = _DECIMALS.get(money.currency, 2)
    return money.amount if places == 0 else float(Decimal(money.amount).scaleb(-places))


def _minor(amount: Decimal, currency: str) -> int:
    scaled = amount.scaleb(_DECIMALS.get(currency, 2))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount} {currency} is no whole number of minor units")
    return int(scaled)
