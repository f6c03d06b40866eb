"""The one payment model behind both versions: what exists, and which changes are allowed."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec

from portone_sandbox.core.brands import CARD_COMPANIES, CardCompany
from portone_sandbox.core.errors import InvalidTransition
from portone_sandbox.core.money import split_vat

Version = Literal["V1", "V2"]
# /control accepts lower case too, as the versions appear in paths.
VersionParam = Literal["V1", "V2", "v1", "v2"]
Gender = Literal["MALE", "FEMALE", "OTHER"]
Trigger = Literal["CONSOLE", "API", "PORTONE_ADMIN", "CHARGEBACK"]


def to_version(word: VersionParam) -> Version:
    """The version in capitals."""
    return "V1" if word in ("V1", "v1") else "V2"


class Status(StrEnum):
    """Where an attempt stands, in V2's words; V1's four words are derived from them."""

    READY = "READY"
    PAY_PENDING = "PAY_PENDING"
    VIRTUAL_ACCOUNT_ISSUED = "VIRTUAL_ACCOUNT_ISSUED"
    PAID = "PAID"
    FAILED = "FAILED"
    PARTIAL_CANCELLED = "PARTIAL_CANCELLED"
    CANCELLED = "CANCELLED"


class Method(StrEnum):
    """How the buyer pays, in V2's words."""

    CARD = "CARD"
    VIRTUAL_ACCOUNT = "VIRTUAL_ACCOUNT"
    TRANSFER = "TRANSFER"
    MOBILE = "MOBILE"
    EASY_PAY = "EASY_PAY"
    GIFT_CERTIFICATE = "GIFT_CERTIFICATE"


# The only table of transitions: nothing else in the sandbox changes a status.
# FAILED → PAID happens with payment companies that approve late (Paymentwall). A new try is no
# transition but a new attempt with its own imp_uid.
TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.READY: frozenset(
        {Status.PAY_PENDING, Status.VIRTUAL_ACCOUNT_ISSUED, Status.PAID, Status.FAILED}
    ),
    Status.PAY_PENDING: frozenset({Status.PAID, Status.VIRTUAL_ACCOUNT_ISSUED, Status.FAILED}),
    Status.VIRTUAL_ACCOUNT_ISSUED: frozenset({Status.PAID, Status.FAILED}),
    Status.PAID: frozenset({Status.PARTIAL_CANCELLED, Status.CANCELLED}),
    Status.PARTIAL_CANCELLED: frozenset({Status.PARTIAL_CANCELLED, Status.CANCELLED}),
    Status.CANCELLED: frozenset(),
    Status.FAILED: frozenset({Status.PAID}),
}
PAID_STATUSES = frozenset({Status.PAID, Status.PARTIAL_CANCELLED, Status.CANCELLED})


class Buyer(msgspec.Struct, omit_defaults=True):
    """The buyer, as given by the merchant."""

    id: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    address: str | None = None
    postcode: str | None = None
    birth_year: str | None = None
    gender: Gender | None = None


class Product(msgspec.Struct, omit_defaults=True):
    """One line of an order, as V2 takes and shows it; the amount is of one piece."""

    id: str
    name: str
    amount: int
    quantity: int
    tag: str | None = None
    code: str | None = None
    link: str | None = None


class OrderDetails(msgspec.Struct, omit_defaults=True):
    """What V2 keeps of an order beside its name and amount."""

    products: list[Product] = []
    product_count: int | None = None
    is_cultural_expense: bool | None = None
    country: str | None = None


class Card(msgspec.Struct):
    """A made-up card; numbers are masked as PortOne masks them."""

    number: str = "941009******1234"
    name: str = "샌드박스카드"
    issuer_code: str = "366"
    installment_months: int = 0
    approval_number: str = ""

    @property
    def company(self) -> CardCompany:
        """Its issuer; one that is not known by its code has the card's own name."""
        known = CARD_COMPANIES.get(self.issuer_code)
        return known or CardCompany(self.issuer_code, self.issuer_code, self.name)


class VirtualAccount(msgspec.Struct):
    """An account opened for one payment at a made-up bank."""

    bank: str
    number: str
    holder: str
    due_at: datetime
    issued_at: datetime
    fixed: bool = False
    closed_at: datetime | None = None


class RefundAccount(msgspec.Struct):
    """The destination of a virtual-account refund."""

    bank: str
    number: str
    holder: str
    phone: str | None = None


class Deposit(msgspec.Struct):
    """A deposit into a virtual account, in minor units."""

    tx_id: str
    amount: int
    depositor: str
    deposited_at: datetime


class Cancellation(msgspec.Struct):
    """A cancellation; a REQUESTED one reserves its amount. Amounts in minor units."""

    id: str
    status: Literal["SUCCEEDED", "FAILED", "REQUESTED"]
    amount: int
    tax_free: int
    vat: int
    reason: str
    requested_at: datetime
    trigger: Trigger
    cancelled_at: datetime | None = None
    pg_tx_id: str | None = None
    refund_account: RefundAccount | None = None
    notify: bool = True


RefundStatus = Literal["PENDING", "COMPLETED", "FAILED", "PARTIAL_REFUND_FAILED"]


class AccountRefund(msgspec.Struct):
    """The transfer of cancelled money into the buyer's account, which the bank makes later.

    It is PENDING until `due_at`, and `outcome` from then on.
    """

    outcome: RefundStatus
    due_at: datetime

    def status_at(self, now: datetime) -> RefundStatus:
        """The transfer's status."""
        return self.outcome if now >= self.due_at else "PENDING"


class Failure(msgspec.Struct):
    """Why an attempt failed."""

    reason: str
    pg_code: str
    pg_message: str
    # V2's SDK tells what failed: the company, or the merchant's confirm URL.
    sdk_code: str = "PGProviderError"


class Order(msgspec.Struct):
    """An order registered before its window opens; amounts in minor units."""

    id: str
    version: Version
    amount: int | None
    currency: str | None
    tax_free: int | None
    registered_at: datetime


class Payment(msgspec.Struct):
    """One attempt to pay one order: V1's imp_uid, V2's transaction."""

    tx_id: str
    order_id: str
    version: Version
    status: Status
    method: Method
    name: str
    amount: int
    currency: str
    tax_free: int
    requested_at: datetime
    updated_at: datetime
    status_changed_at: datetime
    vat_amount: int | None = None
    channel: Literal["pc", "mobile", "api"] = "pc"
    channel_key: str = ""
    channel_group_id: str | None = None
    pg_tx_id: str = ""
    buyer: Buyer = msgspec.field(default_factory=Buyer)
    custom_data: str | None = None
    notice_urls: list[str] = msgspec.field(default_factory=list)
    confirm_url: str | None = None
    skip_webhook: bool = False
    escrow: bool = False
    customer_uid: str | None = None
    bank: str | None = None
    # V2's name of the wallet, or of the kind of gift certificate.
    brand: str | None = None
    # V1's `pg` names a company and a merchant instead of a channel.
    pg_provider: str | None = None
    pg_id: str | None = None
    details: OrderDetails = msgspec.field(default_factory=OrderDetails)
    redirect_url: str | None = None
    account_due_at: datetime | None = None
    window_closed: bool = False
    payment_token: str | None = None
    used_webhook: bool = False
    paid_at: datetime | None = None
    failed_at: datetime | None = None
    cancelled_at: datetime | None = None
    failure: Failure | None = None
    card: Card | None = None
    account: VirtualAccount | None = None
    deposits: list[Deposit] = msgspec.field(default_factory=list)
    cancellations: list[Cancellation] = msgspec.field(default_factory=list)
    account_refund: AccountRefund | None = None
    # Minor units refunded in the company's own console, which PortOne does not see.
    company_cancelled: int = 0

    def move(self, target: Status, at: datetime) -> None:
        """Change the status, if the table allows it; raises InvalidTransition."""
        if target not in TRANSITIONS[self.status]:
            raise InvalidTransition(f"{self.status} → {target}")
        self.status = target
        self.status_changed_at = self.updated_at = at

    @property
    def window_open(self) -> bool:
        """Whether the buyer still has the checkout window open."""
        return self.status in (Status.READY, Status.PAY_PENDING) and not self.window_closed

    @property
    def was_paid(self) -> bool:
        """Whether it was ever paid, even if cancelled later."""
        return self.status in PAID_STATUSES

    @property
    def cancelled(self) -> int:
        """Minor units already refunded."""
        return sum(c.amount for c in self.cancellations if c.status == "SUCCEEDED")

    @property
    def cancelled_tax_free(self) -> int:
        """Tax-free minor units already refunded."""
        return sum(c.tax_free for c in self.cancellations if c.status == "SUCCEEDED")

    @property
    def cancelling(self) -> int:
        """Minor units reserved by REQUESTED cancellations."""
        return sum(c.amount for c in self.cancellations if c.status == "REQUESTED")

    @property
    def cancellable(self) -> int:
        """Minor units a new cancellation may refund."""
        return self.amount - self.cancelled - self.cancelling if self.was_paid else 0

    @property
    def left_at_company(self) -> int:
        """Minor units that the payment company can still refund."""
        return self.cancellable - self.company_cancelled

    @property
    def cancellable_tax_free(self) -> int:
        """Tax-free minor units a new cancellation may refund."""
        held = sum(c.tax_free for c in self.cancellations if c.status != "FAILED")
        return self.tax_free - held if self.was_paid else 0

    @property
    def vat(self) -> int:
        """VAT within the amount, computed if the merchant gave none."""
        taxable = self.amount - self.tax_free
        return split_vat(taxable) if self.vat_amount is None else self.vat_amount
