"""Changes to a payment at the checkout window, called by the page, by APIs and by /control/pay."""

from datetime import datetime, timedelta

import msgspec

from portone_sandbox.core import banks, brands
from portone_sandbox.core.companies import Company, Device
from portone_sandbox.core.errors import (
    AlreadyPaid,
    AmountNotAsRegistered,
    ChannelNotFound,
    InvalidTransition,
    TooManyTransactions,
)
from portone_sandbox.core.money import to_major, to_minor
from portone_sandbox.core.payments import (
    Buyer,
    Card,
    Failure,
    Method,
    Order,
    OrderDetails,
    Payment,
    Status,
    Version,
    VirtualAccount,
)
from portone_sandbox.core.settings import Channel, Settings
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.webhook import Event

DEFAULT_DUE = timedelta(days=7)
DECLINED = Failure("카드 승인이 거절되었습니다.", "SANDBOX_DECLINED", "한도초과")


class Opening(msgspec.Struct, kw_only=True):
    """Parameters of a new attempt; `amount`, `tax_free`, `vat_amount` in minor units."""

    order_id: str
    version: Version
    amount: int
    currency: str = "KRW"
    method: Method = Method.CARD
    name: str = "샌드박스 주문"
    tax_free: int | None = None
    vat_amount: int | None = None
    channel_key: str | None = None
    channel_group_id: str | None = None
    device: Device = "pc"
    buyer: Buyer = msgspec.field(default_factory=Buyer)
    custom_data: str | None = None
    notice_urls: list[str] = msgspec.field(default_factory=list)
    confirm_url: str | None = None
    customer_uid: str | None = None
    escrow: bool = False
    bank: str | None = None
    brand: str | None = None
    pg_provider: str | None = None
    pg_id: str | None = None
    details: OrderDetails = msgspec.field(default_factory=OrderDetails)
    redirect_url: str | None = None
    due_at: datetime | None = None
    skip_webhook: bool = False


def register(
    sandbox: SandboxState,
    order_id: str,
    version: Version,
    amount: int | None,
    currency: str | None,
    *,
    tax_free: int | None = None,
) -> Order:
    """Register an order's amount before its window opens; a later call replaces it."""
    order = Order(order_id, version, amount, currency, tax_free, sandbox.now())
    sandbox.store.save_order(order)
    return order


def find_open_window(
    sandbox: SandboxState, order_id: str, version: Version | None = None
) -> Payment | None:
    """The newest attempt whose window is still open."""
    attempts = sandbox.store.list_attempts(order_id, version)
    opened = [p for p in attempts if p.window_open]
    return opened[-1] if opened else None


def open_checkout(
    sandbox: SandboxState,
    opening: Opening,
    *,
    check_amount: bool = True,
    check_company: bool = True,
) -> Payment:
    """Open a window: a new attempt, READY.

    Raises AlreadyPaid, AmountNotAsRegistered, ChannelNotFound, TooManyTransactions or
    CompanyRefused. Without `check_amount` the gateway's record may differ from the registered
    amount; without `check_company` the company demands nothing.
    """
    attempts = sandbox.store.list_attempts(opening.order_id)
    if any(p.was_paid for p in attempts):
        raise AlreadyPaid
    if len(attempts) >= sandbox.settings.v2_max_transactions:
        raise TooManyTransactions
    order = sandbox.store.find_order(opening.order_id)
    if check_amount and order:
        _check_registered(order, opening)
    payment = _new_attempt(sandbox, opening, order)
    company = sandbox.settings.company(payment.channel_key)
    if company and check_company:
        _check_company(company, opening)
    with sandbox.store.transaction():
        if not payment.skip_webhook and payment.channel != "api":
            sandbox.notify(payment, Event.READY)
        sandbox.store.save_payment(payment)
    return payment


def _check_company(company: Company, opening: Opening) -> None:
    company.check_order(opening.order_id, opening.name)
    by_api = opening.device == "api"
    # V1's API for accounts has a list of its own, see Company.check_issue.
    if not (by_api and opening.version == "V1"):
        company.check_buyer(opening.buyer, opening.device)
    if opening.method is Method.VIRTUAL_ACCOUNT:
        company.check_account(opening.bank, has_due=by_api or opening.due_at is not None)


def preview(sandbox: SandboxState, opening: Opening, order: Order) -> Payment:
    """A registered order as if its window were open; nothing is stored."""
    payment = _new_attempt(sandbox, opening, order)
    payment.currency = order.currency or payment.currency
    payment.requested_at = payment.updated_at = payment.status_changed_at = order.registered_at
    return payment


def _check_registered(order: Order, opening: Opening) -> None:
    if order.amount is not None and _registered_amount(order, opening) != opening.amount:
        raise AmountNotAsRegistered
    # An order registered without a currency leaves it unchecked.
    if order.currency is not None and order.currency != opening.currency:
        raise AmountNotAsRegistered
    if None not in (order.tax_free, opening.tax_free) and order.tax_free != opening.tax_free:
        raise AmountNotAsRegistered


def _registered_amount(order: Order, opening: Opening) -> int | None:
    """V1 registers major units; without a currency they were read as won."""
    if order.amount is None or order.version == "V2" or order.currency is not None:
        return order.amount
    return to_minor(to_major(order.amount, "KRW"), opening.currency)


def _new_attempt(sandbox: SandboxState, opening: Opening, order: Order | None) -> Payment:
    settings, now = sandbox.settings, sandbox.now()
    channel = _channel(settings, opening)
    registered_tax_free = order.tax_free if order else None
    tax_free = opening.tax_free if opening.tax_free is not None else registered_tax_free
    return Payment(
        tx_id=sandbox.new_tx_id(opening.version),
        order_id=opening.order_id,
        version=opening.version,
        status=Status.READY,
        method=opening.method,
        name=opening.name,
        amount=opening.amount,
        currency=opening.currency,
        tax_free=tax_free or 0,
        vat_amount=opening.vat_amount,
        requested_at=now,
        updated_at=now,
        status_changed_at=now,
        channel=opening.device,
        channel_key=channel.key,
        channel_group_id=None if opening.channel_key else opening.channel_group_id,
        buyer=opening.buyer,
        custom_data=opening.custom_data,
        notice_urls=opening.notice_urls,
        confirm_url=opening.confirm_url,
        customer_uid=opening.customer_uid,
        escrow=opening.escrow,
        bank=opening.bank,
        brand=opening.brand,
        pg_provider=opening.pg_provider,
        pg_id=opening.pg_id,
        details=opening.details,
        redirect_url=opening.redirect_url,
        account_due_at=opening.due_at,
        skip_webhook=opening.skip_webhook,
    )


def _channel(settings: Settings, opening: Opening) -> Channel:
    """The channel that takes a payment; a key wins over a group, as at PortOne."""
    key = opening.channel_key
    if key is None and opening.channel_group_id is not None:
        group = settings.channel_group(opening.channel_group_id)
        if group is None:
            raise ChannelNotFound(
                "channel groups are not played by the sandbox, except those that the setting"
                " channel_groups names"
            )
        key = group.channel_keys[0]
    channel = settings.channel(key, opening.version) if key else None
    channel = channel or (settings.default_channel(opening.version) if key is None else None)
    if channel is None:
        raise ChannelNotFound
    return channel


def authenticate(sandbox: SandboxState, payment: Payment, card: Card | None = None) -> Payment:
    """The buyer authenticates: a card is charged, or an account issued.

    On a channel with manual approval nothing is charged yet; the payment gets a token for V2's
    confirm call.
    """
    channel = sandbox.settings.channel(payment.channel_key, payment.version)
    if channel and channel.manual_approval:
        _refuse_if_paid(sandbox, payment)
        payment.payment_token = sandbox.ids.token(24)
        payment.card = card
        payment.updated_at = sandbox.now()
        sandbox.store.save_payment(payment)
        return payment
    return approve(sandbox, payment, card)


def approve(sandbox: SandboxState, payment: Payment, card: Card | None = None) -> Payment:
    """Charge the card, or open the virtual account; raises AlreadyPaid."""
    _refuse_if_paid(sandbox, payment)
    payment.pg_tx_id = f"sandbox{sandbox.ids.hex(20)}"
    payment.payment_token = None
    if payment.method is Method.VIRTUAL_ACCOUNT:
        return _issue_account(sandbox, payment)
    now = sandbox.now()
    if payment.method is Method.CARD:
        payment.card = card or payment.card or Card()
        payment.card.approval_number = payment.card.approval_number or sandbox.ids.digits(8)
    elif payment.method is Method.TRANSFER:
        payment.bank = payment.bank or banks.DEFAULT
    elif payment.method is Method.EASY_PAY:
        payment.brand = payment.brand or brands.DEFAULT_WALLET
    payment.paid_at = now
    payment.move(Status.PAID, now)
    _save_and_notify(sandbox, payment, Event.PAID)
    return payment


def decline(sandbox: SandboxState, payment: Payment, failure: Failure = DECLINED) -> Payment:
    """The card company declines. V1 sends no webhook; V2 sends Transaction.Failed."""
    now = sandbox.now()
    payment.failure, payment.failed_at = failure, now
    payment.move(Status.FAILED, now)
    _save_and_notify(sandbox, payment, Event.FAILED)
    return payment


def reopen(sandbox: SandboxState, payment: Payment) -> Payment:
    """Reopen an abandoned or failed attempt, for a late approval."""
    _refuse_if_paid(sandbox, payment)
    payment.window_closed = False
    payment.failure = payment.failed_at = None
    return payment


def abandon(sandbox: SandboxState, payment: Payment) -> Payment:
    """The buyer closes the window: the attempt stays READY (V1 `ready`) without limit."""
    if payment.status is not Status.READY:
        raise InvalidTransition(f"{payment.status} cannot be abandoned")
    payment.window_closed = True
    payment.updated_at = sandbox.now()
    sandbox.store.save_payment(payment)
    return payment


def _issue_account(sandbox: SandboxState, payment: Payment) -> Payment:
    now = sandbox.now()
    wanted = payment.account
    company = sandbox.settings.company(payment.channel_key)
    if company:
        company.check_bank(payment.bank or banks.DEFAULT)
    payment.account = VirtualAccount(
        bank=payment.bank or banks.DEFAULT,
        number=wanted.number if wanted and wanted.number else sandbox.ids.digits(14),
        holder=wanted.holder if wanted and wanted.holder else "샌드박스",
        due_at=wanted.due_at if wanted else payment.account_due_at or now + DEFAULT_DUE,
        issued_at=now,
        fixed=bool(wanted and wanted.fixed),
    )
    payment.move(Status.VIRTUAL_ACCOUNT_ISSUED, now)
    _save_and_notify(sandbox, payment, Event.VIRTUAL_ACCOUNT_ISSUED)
    return payment


def _refuse_if_paid(sandbox: SandboxState, payment: Payment) -> None:
    if payment.version == "V1" and sandbox.settings.v1_second_payment == "accept":
        return
    if any(p.was_paid for p in sandbox.store.list_attempts(payment.order_id)):
        raise AlreadyPaid


def _save_and_notify(sandbox: SandboxState, payment: Payment, event: Event) -> None:
    with sandbox.store.transaction():
        if not payment.skip_webhook:
            sandbox.notify(payment, event)
        sandbox.store.save_payment(payment)
