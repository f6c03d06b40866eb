"""What the company behind a gateway's channel demands of those who pay and are refunded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from market.shared.banking import Bank, RefundAccount
from market.shared.errors import Invalid

from .buyer import Buyer, BuyerField
from .domain import OFFERED, Means, Method


class BuyerNeeded(Invalid):
    code: ClassVar[str] = "buyer_needed"
    message: ClassVar[str] = (
        "The payment company requires the buyer's details. "
        "Add the missing name, phone number or email address."
    )


class BankRefused(Invalid):
    code: ClassVar[str] = "bank_refused"
    message: ClassVar[str] = "The payment company does not support this bank. Choose another."


class RefundPhoneNeeded(Invalid):
    code: ClassVar[str] = "refund_phone_needed"
    message: ClassVar[str] = (
        "The payment company refunds only with the account holder's phone number. Add it."
    )


@dataclass(frozen=True, slots=True)
class Demands:
    """What the payment company behind a gateway's channel must be told of a buyer, by method, and
    the banks it deals with. One that is not known to us demands nothing."""

    buyer: Mapping[Method, frozenset[BuyerField]] = field(default_factory=dict)
    account_banks: frozenset[Bank] = frozenset(Bank)
    refund_banks: frozenset[Bank] = frozenset(Bank)
    refund_phone: bool = False

    def of(self, method: Method) -> frozenset[BuyerField]:
        """What is needed of a buyer who pays by it."""
        return self.buyer.get(method, frozenset())

    @property
    def methods(self) -> list[Method]:
        """The ways to pay it offers."""
        return [one for one in OFFERED if one is Method.CARD or self.account_banks]

    @property
    def asked(self) -> Mapping[BuyerField, Sequence[Method]]:
        """What a buyer may be asked for, and at which of the ways to pay it is needed."""
        asked = {one: [way for way in self.methods if one in self.of(way)] for one in BuyerField}
        return {one: ways for one, ways in asked.items() if ways}

    def check(self, means: Means, buyer: Buyer) -> None:
        """Raises BuyerNeeded, BankRefused."""
        if missing := buyer.missing(self.of(means.method)):
            raise BuyerNeeded(fields=", ".join(missing))
        if means.bank is not None and means.bank not in self.account_banks:
            raise BankRefused(bank=means.bank)

    def check_refund(self, account: RefundAccount) -> None:
        """Raises BankRefused, RefundPhoneNeeded: before anything is cancelled (P7)."""
        if account.bank not in self.refund_banks:
            raise BankRefused(bank=account.bank)
        if self.refund_phone and not account.phone:
            raise RefundPhoneNeeded


NO_DEMANDS = Demands()
