"""V2 request bodies, and how they are parsed."""

from datetime import datetime
from typing import Annotated, TypeVar

import msgspec

from portone_sandbox.core import banks
from portone_sandbox.core.errors import InvalidRequest
from portone_sandbox.core.journal import watch_unread
from portone_sandbox.core.money import AMOUNT_MAX
from portone_sandbox.core.payments import Buyer, Gender, OrderDetails, Product, Version
from portone_sandbox.core.request import AnyRequest, read_path
from portone_sandbox.core.unread import unread_fields

Body = TypeVar("Body")
Amount = Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_MAX)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_MAX)]
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
BankName = Annotated[str, msgspec.Meta(pattern="^[A-Z][A-Z_]{1,40}$")]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
ProductCount = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
CountryCode = Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$")]
_PAYMENT_ID_LENGTH_MAX = 200


class Camel(msgspec.Struct, rename="camel", kw_only=True):
    """A body in V2's spelling; unknown fields are ignored."""


class LogIn(Camel):
    """POST /login/api-secret."""

    api_secret: str


class Refresh(Camel):
    """POST /token/refresh."""

    refresh_token: str


class PreRegister(Camel):
    """POST …/pre-register; null amounts and currency are not checked later."""

    store_id: str | None = None
    total_amount: Amount | None = None
    tax_free_amount: Amount | None = None
    currency: Currency | None = None


class RefundAccountBody(Camel):
    """Where a virtual-account refund is sent."""

    bank: BankName
    number: Text
    holder_name: Text
    holder_phone_number: str | None = None


class CancelBody(Camel):
    """POST …/cancel."""

    reason: Text
    store_id: str | None = None
    amount: Positive | None = None
    tax_free_amount: Amount | None = None
    vat_amount: Amount | None = None
    current_cancellable_amount: Amount | None = None
    refund_account: RefundAccountBody | None = None
    skip_webhook: bool | None = None


class ConfirmBody(Camel):
    """POST …/confirm; what is given beside the token is checked."""

    payment_token: str
    store_id: str | None = None
    tx_id: str | None = None
    currency: Currency | None = None
    total_amount: Amount | None = None
    tax_free_amount: Amount | None = None
    is_test: bool | None = None
    skip_webhook: bool | None = None


class CardCredential(Camel):
    """A card typed in at the merchant's."""

    number: Annotated[str, msgspec.Meta(pattern="^[0-9]{12,19}$")]
    expiry_year: Annotated[str, msgspec.Meta(pattern="^[0-9]{2}$")]
    expiry_month: Annotated[str, msgspec.Meta(pattern="^(0[1-9]|1[0-2])$")]


class CardInput(Camel):
    """Instant payment by card."""

    credential: CardCredential
    installment_month: Annotated[int, msgspec.Meta(ge=0, le=60)] = 0


class Expiry(Camel):
    """When an account runs out: after hours, or at a moment."""

    valid_hours: Annotated[int, msgspec.Meta(ge=1, le=24 * 365)] | None = None
    due_date: Moment | None = None


class FixedOption(Camel):
    """An account that exists already."""

    pg_account_id: str | None = None
    account_number: Annotated[str, msgspec.Meta(max_length=32)] | None = None


class AccountOption(Camel):
    """NORMAL or FIXED."""

    type: Annotated[str, msgspec.Meta(pattern="^(NORMAL|FIXED)$")]
    fixed: FixedOption | None = None


class AccountInput(Camel):
    """Instant payment by virtual account."""

    bank: BankName
    expiry: Expiry
    option: AccountOption
    remittee_name: str | None = None


class MethodInput(Camel):
    """One of the two ways to pay at once."""

    card: CardInput | None = None
    virtual_account: AccountInput | None = None


class SeparatedName(Camel):
    """A name in two pieces."""

    first: str
    last: str


class CustomerName(Camel):
    """A name in one piece or two."""

    full: str | None = None
    separated: SeparatedName | None = None

    @property
    def text(self) -> str | None:
        """The name in one piece; Korean order puts the family name first."""
        two = self.separated
        return self.full or (f"{two.last}{two.first}" if two else None)


class SeparatedAddress(Camel):
    """An address in parts."""

    address_line1: str
    address_line2: str
    city: str | None = None
    province: str | None = None

    @property
    def text(self) -> str:
        """The address in one line, the larger place first."""
        parts = (self.province, self.city, self.address_line1, self.address_line2)
        return " ".join(part for part in parts if part)


class Customer(Camel):
    """The buyer."""

    id: str | None = None
    name: CustomerName | None = None
    email: str | None = None
    phone_number: str | None = None
    zipcode: str | None = None
    address: SeparatedAddress | None = None
    birth_year: str | None = None
    gender: Gender | None = None

    def buyer(self) -> Buyer:
        """The customer as the gateway keeps it."""
        return Buyer(
            id=self.id,
            name=self.name.text if self.name else None,
            email=self.email,
            phone=self.phone_number,
            address=self.address.text if self.address else None,
            postcode=self.zipcode,
            birth_year=self.birth_year,
            gender=self.gender,
        )


class AmountInput(Camel):
    """An amount and its parts."""

    total: Positive
    tax_free: Amount | None = None
    vat: Amount | None = None


class InstantBody(Camel):
    """POST …/instant."""

    method: MethodInput
    order_name: Text
    amount: AmountInput
    currency: Currency
    store_id: str | None = None
    channel_key: str | None = None
    channel_group_id: str | None = None
    customer: Customer | None = None
    custom_data: str | None = None
    is_escrow: bool | None = None
    notice_urls: list[str] | None = None
    promotion_id: str | None = None
    skip_webhook: bool | None = None
    products: list[Product] | None = None
    product_count: ProductCount | None = None
    is_cultural_expense: bool | None = None
    country: CountryCode | None = None

    def details(self) -> OrderDetails:
        """The order's details."""
        return OrderDetails(
            products=self.products or [],
            product_count=self.product_count,
            is_cultural_expense=self.is_cultural_expense,
            country=self.country,
        )


class ResendBody(Camel):
    """POST …/resend-webhook; the newest send when no id is given."""

    store_id: str | None = None
    webhook_id: str | None = None


class Page(Camel):
    """A page by number, from 0."""

    number: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    size: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10


class Filter(Camel):
    """The filter of a payment list; filters on features the sandbox lacks are ignored."""

    store_id: str | None = None
    timestamp_type: str | None = None
    from_: Moment | None = msgspec.field(default=None, name="from")
    until: Moment | None = None
    status: list[str] | None = None
    methods: list[str] | None = None
    is_test: bool | None = None
    sort_by: str | None = None
    sort_order: str | None = None
    version: Version | None = None
    currency: Currency | None = None


class ListBody(Camel):
    """GET /payments."""

    page: Page = msgspec.field(default_factory=Page)
    filter: Filter = msgspec.field(default_factory=Filter)


class CursorBody(Camel):
    """GET /payments-by-cursor."""

    store_id: str | None = None
    from_: Moment | None = msgspec.field(default=None, name="from")
    until: Moment | None = None
    cursor: str | None = None
    size: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10


async def read_body(request: AnyRequest, kind: type[Body]) -> Body:
    """The JSON body; a GET may carry it in the query's `requestBody` instead."""
    body = await request.body()
    if request.method == "GET" and "requestBody" in request.query_params:
        body = str(request.query_params["requestBody"]).encode("utf-8", "replace")
    try:
        decoded = msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(str(error)) from error
    watch_unread(lambda: unread_fields(msgspec.json.decode(body or b"{}"), kind))
    return decoded


def read_id(payment_id: str) -> str:
    """A paymentId from the path; raises InvalidRequest for characters no PG accepts."""
    text = read_path(payment_id)
    if len(text) > _PAYMENT_ID_LENGTH_MAX or not text.isprintable():
        raise InvalidRequest("paymentId 가 올바르지 않습니다.")
    return text


def known_bank(name: str) -> str:
    """A bank that opens virtual accounts here; raises InvalidRequest."""
    if name not in banks.BY_NAME:
        raise InvalidRequest("지원하지 않는 은행입니다.")
    return name
