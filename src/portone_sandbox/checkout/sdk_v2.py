"""The parameters of PortOne.requestPayment, and its result if no window opens."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec

from portone_sandbox.checkout.window import (
    SdkRequest,
    StoreNotFound,
    Style,
    failure_code,
    read_confirm_url,
    read_due,
    read_redirect,
)
from portone_sandbox.core import banks
from portone_sandbox.core.brands import GIFTS, WALLETS
from portone_sandbox.core.errors import InvalidRequest, NotPlayed, Refused
from portone_sandbox.core.fields import Fields
from portone_sandbox.core.journal import watch_unread
from portone_sandbox.core.money import AMOUNT_MAX
from portone_sandbox.core.payment_flow import Opening
from portone_sandbox.core.payments import Buyer, Gender, Method, OrderDetails, Product
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.unread import unread_fields

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Amount = Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_MAX)]
ProductCount = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_VALID_HOURS_MAX = 24 * 366

# The browser SDK has bank names of its own; those not here differ by the suffix _BANK alone.
_BANKS = {
    "KOREA_DEVELOPMENT_BANK": "KDB",
    "INDUSTRIAL_BANK_OF_KOREA": "IBK",
    "NH_NONGHYUP_BANK": "NONGHYUP",
    "SC_BANK_KOREA": "STANDARD_CHARTERED",
    "CITI_BANK_KOREA": "CITI",
    "GWANGJU_BANK": "KWANGJU",
    "EPOST": "POST",
    "K_BANK": "K_BANK",
}


class Address(msgspec.Struct, rename="camel", kw_only=True):
    """A buyer's address."""

    address_line1: str | None = None
    address_line2: str | None = None
    city: str | None = None
    province: str | None = None


class Customer(msgspec.Struct, rename="camel", kw_only=True):
    """The buyer."""

    customer_id: str | None = None
    full_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone_number: str | None = None
    email: str | None = None
    address: Address | None = None
    zipcode: str | None = None
    gender: Gender | None = None
    birth_year: str | None = None


class Expiry(msgspec.Struct, rename="camel", kw_only=True):
    """How long an account awaits its deposit: exactly one of both."""

    valid_hours: Annotated[int, msgspec.Meta(ge=1, le=_VALID_HOURS_MAX)] | None = None
    due_date: str | None = None


class AccountWish(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of a virtual account."""

    account_expiry: Expiry | None = None
    bank_code: str | None = None


class EasyPay(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of wallets."""

    easy_pay_provider: str | None = None


class GiftCertificate(msgspec.Struct, rename="camel", kw_only=True):
    """Parameters of gift certificates."""

    gift_certificate_type: str | None = None


class WindowType(msgspec.Struct, kw_only=True):
    """How the window opens: IFRAME, POPUP, REDIRECTION, UI."""

    pc: str | None = None
    mobile: str | None = None


class PaymentRequest(msgspec.Struct, rename="camel", kw_only=True):
    """requestPayment's parameters; the journal notes the others."""

    store_id: Text
    payment_id: Text
    order_name: Text
    total_amount: Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_MAX)]
    # Older samples write CURRENCY_KRW.
    currency: Annotated[str, msgspec.Meta(pattern="^(CURRENCY_)?[A-Z]{3}$")]
    pay_method: Text
    channel_key: str | None = None
    channel_group_id: str | None = None
    redirect_url: str | None = None
    force_redirect: bool | None = None
    notice_urls: list[str] | None = None
    confirm_url: str | None = None
    customer: Customer | None = None
    custom_data: Any = None
    is_escrow: bool | None = None
    tax_free_amount: Amount | None = None
    vat_amount: Amount | None = None
    virtual_account: AccountWish | None = None
    easy_pay: EasyPay | None = None
    gift_certificate: GiftCertificate | None = None
    products: list[Product] | None = None
    product_count: ProductCount | None = None
    cultural_expense: bool | None = None
    is_cultural_expense: bool | None = None
    country: Annotated[str, msgspec.Meta(pattern="^(COUNTRY_)?[A-Z]{2}$")] | None = None
    window_type: WindowType | None = None
    locale: str | None = None


def read_request(sandbox: SandboxState, call: Fields, *, phone: bool) -> SdkRequest:
    """Read requestPayment's parameters; raises a Refused."""
    method = call.text("method")
    if method not in (None, "requestPayment"):
        raise NotPlayed(f"PortOne.{method} is not played by the sandbox")
    request = _read(call.value("params"))
    watch_unread(lambda: unread_fields(call.value("params"), PaymentRequest))
    if request.store_id != sandbox.credentials.v2.store_id:
        raise StoreNotFound(
            f"상점 정보를 찾을 수 없습니다. 샌드박스의 상점 아이디는"
            f" {sandbox.credentials.v2.store_id} 입니다."
        )
    opening = _opening(request, sandbox.now(), phone=phone)
    if request.force_redirect and opening.redirect_url is None:
        raise InvalidRequest("`forceRedirect` needs a `redirectUrl`")
    return SdkRequest(
        opening=opening,
        style=_style(request, opening.redirect_url, phone=phone),
        redirect_url=opening.redirect_url,
        force_redirect=bool(request.force_redirect),
        language="en" if (request.locale or "").upper().startswith("EN") else "ko",
    )


def read_opening(params: dict[str, object], now: datetime) -> Opening:
    """Read requestPayment's parameters, whatever the store; raises InvalidRequest."""
    return _opening(_read(params), now, phone=False)


def _read(params: object) -> PaymentRequest:
    try:
        return msgspec.convert(params, PaymentRequest)
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error)) from error


def _style(request: PaymentRequest, redirect_url: str | None, *, phone: bool) -> Style:
    wish = request.window_type or WindowType()
    told = wish.mobile if phone else wish.pc
    wanted = told or ("REDIRECTION" if phone else "IFRAME")
    if wanted == "REDIRECTION":
        if redirect_url:
            return "redirect"
        if told:
            raise InvalidRequest("a window of type REDIRECTION needs a `redirectUrl`")
    return "popup" if wanted == "POPUP" else "frame"


def _opening(request: PaymentRequest, now: datetime, *, phone: bool) -> Opening:
    if not request.channel_key and not request.channel_group_id:
        raise InvalidRequest("one of `channelKey` and `channelGroupId` is required")
    account = request.virtual_account or AccountWish()
    return Opening(
        order_id=request.payment_id,
        version="V2",
        amount=request.total_amount,
        currency=request.currency.removeprefix("CURRENCY_"),
        method=_method(request.pay_method),
        name=request.order_name,
        tax_free=request.tax_free_amount,
        vat_amount=request.vat_amount,
        channel_key=request.channel_key,
        channel_group_id=request.channel_group_id,
        device="mobile" if phone else "pc",
        buyer=_buyer(request.customer or Customer()),
        custom_data=_custom(request.custom_data),
        notice_urls=request.notice_urls or [],
        confirm_url=read_confirm_url(request.confirm_url),
        escrow=bool(request.is_escrow),
        bank=_bank(account.bank_code),
        brand=_brand(request),
        details=_details(request),
        redirect_url=read_redirect(request.redirect_url),
        due_at=_due(account.account_expiry or Expiry(), now),
    )


def _method(word: str) -> Method:
    try:
        return Method(word)
    except ValueError as error:
        raise InvalidRequest(f"`payMethod` {word} is not played by the sandbox") from error


def _brand(request: PaymentRequest) -> str | None:
    """The wallet or the kind of gift certificate; older samples write a prefix."""
    wallet = request.easy_pay.easy_pay_provider if request.easy_pay else None
    gift = request.gift_certificate.gift_certificate_type if request.gift_certificate else None
    name = (wallet or gift or "").removeprefix("EASY_PAY_PROVIDER_")
    name = name.removeprefix("GIFT_CERTIFICATE_TYPE_")
    if name and name not in {*WALLETS.values(), *GIFTS.values()}:
        raise InvalidRequest(f"{name} is not played by the sandbox")
    return name or None


def _details(request: PaymentRequest) -> OrderDetails:
    expense = request.cultural_expense
    return OrderDetails(
        products=request.products or [],
        product_count=request.product_count,
        is_cultural_expense=request.is_cultural_expense if expense is None else expense,
        country=request.country.removeprefix("COUNTRY_") if request.country else None,
    )


def _bank(word: str | None) -> str | None:
    if not word:
        return None
    name = word.removeprefix("BANK_")
    bank = banks.find(_BANKS.get(name) or name.removesuffix("_BANK"))
    if bank is None:
        raise InvalidRequest(f"no bank is called {word}")
    return bank.name


def _due(expiry: Expiry, now: datetime) -> datetime | None:
    if expiry.valid_hours is not None and expiry.due_date is not None:
        raise InvalidRequest("`accountExpiry` takes one of `validHours` and `dueDate`")
    if expiry.valid_hours is not None:
        return now + timedelta(hours=expiry.valid_hours)
    return read_due(expiry.due_date, now)


def _custom(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _buyer(customer: Customer) -> Buyer:
    parts = (customer.last_name, customer.first_name)
    name = customer.full_name or "".join(part for part in parts if part)
    home = customer.address or Address()
    lines = (home.province, home.city, home.address_line1, home.address_line2)
    return Buyer(
        id=customer.customer_id,
        name=name or None,
        email=customer.email,
        phone=customer.phone_number,
        address=" ".join(line for line in lines if line) or None,
        postcode=customer.zipcode,
        birth_year=customer.birth_year,
        gender=customer.gender,
    )


def refusal_result(call: Fields, refusal: Refused) -> dict[str, object]:
    """The promise's value when the checks failed: there was no attempt, so an empty txId."""
    params = call.value("params")
    payment_id = params.get("paymentId") if isinstance(params, dict) else None
    code, message = failure_code(refusal)
    return {
        "transactionType": "PAYMENT",
        "txId": "",
        "paymentId": payment_id if isinstance(payment_id, str) else "",
        "code": code,
        "message": message,
        **refusal.extra,
    }
