"""The official Python SDK, unmodified, drives every V2 call and understands every answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from portone_server_sdk import AuthClient, PaymentClient, common, errors, webhook
from portone_server_sdk import payment as sdk

from portone_sandbox.core.settings import V2Credentials

from .client import Client, Json
from .process import Receiver, SandboxProcess
from .test_v2 import manual

CREDENTIAL = common.CardCredential(number="4111111111111111", expiry_year="30", expiry_month="12")
CARD = sdk.InstantPaymentMethodInput(
    card=sdk.InstantPaymentMethodInputCard(credential=CREDENTIAL), virtual_account=None
)
ACCOUNT = sdk.InstantPaymentMethodInput(
    card=None,
    virtual_account=sdk.InstantPaymentMethodInputVirtualAccount(
        bank="SHINHAN",
        expiry=sdk.InstantPaymentMethodInputVirtualAccountExpiry(
            valid_hours=None, due_date=(datetime.now(UTC) + timedelta(days=3)).isoformat()
        ),
        option=sdk.InstantPaymentMethodInputVirtualAccountOption(type="NORMAL"),
    ),
)
REFUND = sdk.CancelPaymentBodyRefundAccount(bank="KOOKMIN", number="123", holder_name="홍길동")


SECRET = V2Credentials().api_secret
Official = TypeVar("Official", PaymentClient, AuthClient)


@contextmanager
def closing(client: Official) -> Iterator[Official]:
    """The SDK's clients have no close of their own, and would leave their sockets open."""
    try:
        yield client
    finally:
        client._sync_client.close()


@pytest.fixture(scope="module")
def official(sandbox: SandboxProcess) -> Iterator[PaymentClient]:
    """The SDK's payment client, pointed at the sandbox."""
    with closing(PaymentClient(secret=SECRET, base_url=f"{sandbox.url}/v2")) as official:
        yield official


def pay(official: PaymentClient, client: Client, payment_id: str, **more: object) -> None:
    """An instant payment of 1,000 won by card."""
    given: Json = {"method": CARD, "channel_key": client.keys["v2"]["channel_key"], **more}
    amount = common.PaymentAmountInput(total=1000, tax_free=None, vat=None)
    official.pay_instantly(
        payment_id=payment_id, order_name="양말", amount=amount, currency="KRW", **given
    )


def test_both_kinds_of_credential(client: Client, sandbox: SandboxProcess) -> None:
    with closing(AuthClient(secret=SECRET, base_url=f"{sandbox.url}/v2")) as auth:
        pair = auth.login_via_api_secret(api_secret=SECRET)
        assert auth.refresh_token(refresh_token=pair.refresh_token).access_token
        with pytest.raises(errors.UnauthorizedError):
            auth.refresh_token(refresh_token=pair.refresh_token)


def test_a_card_payment_from_registration_to_refund(
    official: PaymentClient, client: Client
) -> None:
    official.pre_register_payment(payment_id="order-1", total_amount=1000, currency="KRW")
    client.pay("order-1", outcome="abandoned")
    assert isinstance(official.get_payment(payment_id="order-1"), sdk.ReadyPayment)
    client.pay("order-1", outcome="failed")
    assert isinstance(official.get_payment(payment_id="order-1"), sdk.FailedPayment)
    client.pay("order-1")
    paid = official.get_payment(payment_id="order-1")
    assert isinstance(paid, sdk.PaidPayment)
    assert (paid.amount.total, paid.currency, paid.channel.type) == (1000, "KRW", "TEST")
    part = official.cancel_payment(
        payment_id="order-1", amount=300, reason="변심", current_cancellable_amount=1000
    )
    assert isinstance(part.cancellation, sdk.SucceededPaymentCancellation)
    assert isinstance(official.get_payment(payment_id="order-1"), sdk.PartialCancelledPayment)
    official.cancel_payment(payment_id="order-1", reason="변심")
    whole = official.get_payment(payment_id="order-1")
    assert isinstance(whole, sdk.CancelledPayment)
    assert whole.amount.cancelled == 1000
    attempts = official.get_payment_transactions(payment_id="order-1").items
    assert [type(a).__name__ for a in attempts] == [
        "CancelledPaymentTransaction",
        "FailedPaymentTransaction",
        "ReadyPaymentTransaction",
    ]


def test_a_virtual_account_from_issue_to_refund(official: PaymentClient, client: Client) -> None:
    pay(official, client, "order-1", method=ACCOUNT)
    issued = official.get_payment(payment_id="order-1")
    assert isinstance(issued, sdk.VirtualAccountIssuedPayment)
    assert isinstance(issued.method, sdk.PaymentMethodVirtualAccount)
    order = {"account_number": issued.method.account_number, "amount": 1000}
    client.control("POST", "deposit", order)
    official.cancel_payment(payment_id="order-1", reason="변심", refund_account=REFUND)
    refunded = official.get_payment(payment_id="order-1")
    assert isinstance(refunded, sdk.CancelledPayment)
    assert isinstance(refunded.method, sdk.PaymentMethodVirtualAccount)
    assert refunded.method.refund_status == "PENDING"
    pay(official, client, "order-2", method=ACCOUNT)
    assert official.close_virtual_account(payment_id="order-2").closed_at
    assert isinstance(official.get_payment(payment_id="order-2"), sdk.FailedPayment)


def test_lists_confirmation_and_the_cancel_union(official: PaymentClient, client: Client) -> None:
    token = str(manual(client)["paymentToken"])
    confirmed = official.confirm_payment(
        payment_id="order-1", payment_token=token, total_amount=1000, currency="KRW", is_test=True
    )
    assert confirmed.pg_tx_id
    page = official.get_payments(page=common.PageInput(number=0, size=5))
    assert (page.page.total_count, len(page.items)) == (1, 1)
    wanted = sdk.PaymentFilterInput(status=["PAID"], is_test=True)
    assert len(official.get_payments(filter=wanted).items) == 1
    first = official.get_all_payments_by_cursor(size=1).items[0]
    assert official.get_all_payments_by_cursor(cursor=first.cursor).items == []
    for mode, kind in (
        ("async", sdk.RequestedPaymentCancellation),
        ("fail", sdk.FailedPaymentCancellation),
    ):
        client.set(v2_cancel_mode=mode)
        answer = official.cancel_payment(payment_id="order-1", amount=1, reason="변심")
        assert isinstance(answer.cancellation, kind)


def test_a_webhook_is_verified_and_sent_again(
    official: PaymentClient, client: Client, receiver: Receiver
) -> None:
    client.v2_paid("order-1")
    client.settle()
    again = official.resend_webhook(payment_id="order-1").webhook
    got = receiver.received[-1]
    assert got.headers["webhook-id"] == again.id
    told = webhook.verify(client.keys["v2"]["webhook_secret"], got.body, got.headers)
    assert isinstance(told, webhook.WebhookTransactionPaid)
    assert told.data.payment_id == "order-1"


Call = Callable[[PaymentClient, Client], object]
UNKNOWN: dict[str, Call] = {
    "get": lambda o, _: o.get_payment(payment_id="none"),
    "transactions": lambda o, _: o.get_payment_transactions(payment_id="none"),
    "cancel": lambda o, _: o.cancel_payment(payment_id="none", reason="변심"),
    "confirm": lambda o, _: o.confirm_payment(payment_id="none", payment_token="x"),
    "close": lambda o, _: o.close_virtual_account(payment_id="none"),
    "resend": lambda o, _: o.resend_webhook(payment_id="none"),
}


@pytest.mark.parametrize("call", UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_payments_raise_their_type(
    official: PaymentClient, client: Client, call: Call
) -> None:
    with pytest.raises(errors.PaymentNotFoundError):
        call(official, client)


PAID = "order-1"
REFUSED: list[tuple[type[Exception], Call]] = [
    (errors.AlreadyPaidError, lambda o, c: pay(o, c, PAID)),
    (errors.AlreadyPaidError, lambda o, _: o.pre_register_payment(payment_id=PAID)),
    (
        errors.AlreadyPaidError,
        lambda o, _: o.confirm_payment(payment_id=PAID, payment_token="x"),
    ),
    (errors.ChannelNotFoundError, lambda o, c: pay(o, c, "order-2", channel_key="none")),
    (errors.InvalidRequestError, lambda o, c: pay(o, c, "order-2", promotion_id="none")),
    (
        errors.CancellableAmountConsistencyBrokenError,
        lambda o, _: o.cancel_payment(payment_id=PAID, reason="x", current_cancellable_amount=1),
    ),
    (
        errors.CancelAmountExceedsCancellableAmountError,
        lambda o, _: o.cancel_payment(payment_id=PAID, reason="x", amount=1001),
    ),
    (
        errors.SumOfPartsExceedsCancelAmountError,
        lambda o, _: o.cancel_payment(payment_id=PAID, reason="x", amount=1, vat_amount=2),
    ),
    (
        errors.CancelTaxFreeAmountExceedsCancellableTaxFreeAmountError,
        lambda o, _: o.cancel_payment(payment_id=PAID, reason="x", amount=9, tax_free_amount=1),
    ),
    (
        errors.PaymentNotWaitingForDepositError,
        lambda o, _: o.close_virtual_account(payment_id=PAID),
    ),
    (errors.WebhookNotFoundError, lambda o, _: o.resend_webhook(payment_id=PAID)),
]


@pytest.mark.parametrize(("kind", "call"), REFUSED)
def test_refusals_raise_their_type(
    official: PaymentClient, client: Client, kind: type[Exception], call: Call
) -> None:
    pay(official, client, PAID)
    with pytest.raises(kind):
        call(official, client)


def test_states_and_credentials_raise_their_type(
    official: PaymentClient, client: Client, sandbox: SandboxProcess
) -> None:
    client.v2_paid("order-1", outcome="failed")
    with pytest.raises(errors.PaymentNotPaidError):
        official.cancel_payment(payment_id="order-1", reason="변심")
    token = client.pay("order-1", channel_key="channel-key-sandbox-v2-manual")["paymentToken"]
    with pytest.raises(errors.InvalidPaymentTokenError):
        official.confirm_payment(payment_id="order-1", payment_token="x")
    with pytest.raises(errors.InformationMismatchError):
        official.confirm_payment(payment_id="order-1", payment_token=token, total_amount=1)
    official.confirm_payment(payment_id="order-1", payment_token=token)
    official.cancel_payment(payment_id="order-1", reason="변심")
    with pytest.raises(errors.PaymentAlreadyCancelledError):
        official.cancel_payment(payment_id="order-1", reason="변심")
    url = f"{sandbox.url}/v2"
    with (
        closing(PaymentClient(secret="x", base_url=url)) as stranger,
        pytest.raises(errors.UnauthorizedError),
    ):
        stranger.get_payment(payment_id="order-1")
    with (
        closing(PaymentClient(secret=SECRET, base_url=url, store_id="another")) as elsewhere,
        pytest.raises(errors.ForbiddenError),
    ):
        elsewhere.get_payment(payment_id="order-1")


@pytest.mark.parametrize(
    ("kind", "error_type"),
    [
        (errors.PgProviderError, "PG_PROVIDER"),
        (
            errors.NegativePromotionAdjustedCancelAmountError,
            "NEGATIVE_PROMOTION_ADJUSTED_CANCEL_AMOUNT",
        ),
    ],
)
def test_asked_for_refusals_raise_their_type(
    official: PaymentClient, client: Client, kind: type[Exception], error_type: str
) -> None:
    pay(official, client, "order-1")
    rule = {"fault": "refuse", "error_type": error_type, "match": {"path": "*/cancel"}}
    client.control("POST", "faults", rule, 201)
    with pytest.raises(kind):
        official.cancel_payment(payment_id="order-1", reason="변심")
