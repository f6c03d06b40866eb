"""What a test holds: a gateway adapter, its own words for things, and the sandbox behind it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar, Self

import httpx

from market.kit.clock import TimeOrderedIds
from market.payments.cancellation import Cancellation
from market.payments.domain import Means, Method, Payment
from market.payments.order import Order
from market.payments.portone.companies import ANY, Company
from market.payments.portone.v1 import PortOneV1, V1Account
from market.payments.portone.v2 import PortOneV2, V2Account
from market.payments.ports import Checkout, PaymentGateway
from market.payments.record import Snapshot
from market.shared.contracts import AmountDue
from market.shared.ids import CancellationId, MemberId, PaymentId, TradeId
from market.shared.money import Money
from market.shared.principals import Party
from tests.sandbox.client import Client, Json
from tests.support.clock import MovableClock

NOTICE_URL = "http://127.0.0.1:9/webhooks"  # nobody listens there
IDS = TimeOrderedIds()
# Long enough for two busy cores, and much less than the sandbox's slowness in the tests.
SHORT = httpx.Timeout(0.5, connect=5.0)


class Wire(httpx.AsyncHTTPTransport):
    """The real way to the sandbox; notes what is sent, and may bend what comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[httpx.Request] = []
        self.bend: Callable[[Json], None] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        response = await super().handle_async_request(request)
        if self.bend is None:
            return response
        body = json.loads(await response.aread())
        self.bend(body)
        return httpx.Response(response.status_code, json=body, request=request)

    def paths(self) -> list[str]:
        return [request.url.path for request in self.sent]


@dataclass
class Side:
    """One version: its adapter, and what a test needs to know of its wire."""

    version: ClassVar[str]
    money_words: ClassVar[tuple[str, ...]]
    cancel_path: ClassVar[str]
    calls_of_a_look: ClassVar[int]

    url: str
    portone: Client
    clock: MovableClock
    client: httpx.AsyncClient
    wire: Wire
    gateway: PaymentGateway = field(init=False)

    def __post_init__(self) -> None:
        self.gateway = self.made()

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, portone: Client, clock: MovableClock) -> AsyncIterator[Self]:
        wire = Wire()
        async with httpx.AsyncClient(transport=wire) as client:
            yield cls(url, portone, clock, client, wire)

    def made(
        self,
        *,
        test: bool = True,
        timeout: httpx.Timeout | None = None,
        company: Company = ANY,
    ) -> PaymentGateway:
        """Another adapter on the same wire."""
        raise NotImplementedError

    def bent(self, change: Callable[[Json], None]) -> None:
        """Has `change` done to every payment that is shown from now on."""
        raise NotImplementedError

    def order_of(self, checkout: Checkout) -> Json:
        """What the sandbox's buyer needs of a checkout, in the control panel's words."""
        raise NotImplementedError

    # ── the usual ──

    def payment(self, amount: int = 1000) -> Payment:
        """A payment that we ask for; the gateway has not heard of it."""
        invoice = AmountDue(
            TradeId(IDS.new()), MemberId(IDS.new()), "털양말 한 켤레", Money(amount)
        )
        id, now = PaymentId(IDS.new()), self.clock.now()
        return Payment.ask(id, invoice, self.version, Means(Method.CARD), now)

    async def registered(self, amount: int = 1000) -> Payment:
        payment = self.payment(amount)
        await self.gateway.register(payment)
        return payment

    async def paid(self, amount: int = 1000, **how: object) -> Payment:
        """A payment that its buyer paid, and that we looked at."""
        payment = await self.registered(amount)
        self.portone.pay(payment.id, **how)
        payment.apply(await self.seen(payment), self.clock.now())
        self.wire.sent.clear()
        return payment

    async def seen(self, payment: Payment) -> Snapshot:
        """The attempt that the payment goes by."""
        [(_, seen)] = Order([payment], await self.gateway.look(payment)).shares()
        assert seen is not None
        return seen

    async def returned(self, payment: Payment) -> int:
        """What the gateway's record says went back."""
        return (await self.seen(payment)).returned

    def cancellation(
        self, payment: Payment, amount: int | None = None, balance: int | None = None
    ) -> Cancellation:
        """A wish to have `amount` back, or all of it; on another balance than there is."""
        id = CancellationId(IDS.new())
        wish = payment.cancel(id, amount, "변심", Party.BUYER, self.clock.now())
        wish.balance = wish.balance if balance is None else balance
        return wish

    async def cancelled(self, payment: Payment, amount: int | None = None) -> None:
        """A cancellation, asked for and seen."""
        await self.gateway.cancel(payment, self.cancellation(payment, amount))
        payment.apply(await self.seen(payment), self.clock.now())

    def fault(self, fault: str, path: str = "/payments", **more: object) -> None:
        """Breaks the next call to `path`."""
        match = {"version": self.version, "path": path}
        self.portone.control("POST", "faults", {"fault": fault, "match": match, **more}, 201)

    def cancels_sent(self) -> list[httpx.Request]:
        return [request for request in self.wire.sent if request.url.path.endswith("/cancel")]


@dataclass
class V1Side(Side):
    version = "V1"
    money_words = ("paid", "cancelled")
    cancel_path = "/payments/cancel"
    calls_of_a_look = 1

    def made(
        self,
        *,
        test: bool = True,
        timeout: httpx.Timeout | None = None,
        company: Company = ANY,
    ) -> PortOneV1:
        keys = self.portone.keys["v1"]
        account = V1Account(
            api_url=f"{self.url}/v1",
            key=keys["imp_key"],
            secret=keys["imp_secret"],
            code=keys["imp_code"],
            channel_key=keys["channel_key"],
            sdk_url=f"{self.url}/sdk/v1.js",
            test=test,
            notice_url=NOTICE_URL,
            company=company,
            pg_api_key=keys["pg_api_key"],
        )
        return PortOneV1(account, self.client, self.clock, *([timeout] if timeout else []))

    def bent(self, change: Callable[[Json], None]) -> None:
        def bend(body: Json) -> None:
            shown = body["response"]
            for attempt in shown.get("list", [shown]):
                if "imp_uid" in attempt:
                    change(attempt)

        self.wire.bend = bend

    def order_of(self, checkout: Checkout) -> Json:
        assert checkout.init == self.portone.keys["v1"]["imp_code"]
        params = dict(checkout.params)
        assert params.pop("pay_method") == "card"
        return {
            "version": checkout.version,
            "method": "CARD",
            "payment_id": params.pop("merchant_uid"),
            "channel_key": params.pop("channelKey"),
            "name": params.pop("name"),
            "amount": params.pop("amount"),
            "currency": params.pop("currency"),
            "notice_urls": [params.pop("notice_url")],
            **params,  # an unknown one is refused
        }

    def logins(self) -> int:
        return self.wire.paths().count("/v1/users/getToken")


@dataclass
class V2Side(Side):
    version = "V2"
    money_words = ("PAID", "PARTIAL_CANCELLED", "CANCELLED")
    cancel_path = "/payments/*/cancel"
    calls_of_a_look = 2

    def made(
        self,
        *,
        test: bool = True,
        timeout: httpx.Timeout | None = None,
        company: Company = ANY,
        secret: str | None = None,
        store: str | None = None,
    ) -> PortOneV2:
        keys = self.portone.keys["v2"]
        account = V2Account(
            api_url=f"{self.url}/v2",
            secret=secret or keys["api_secret"],
            store_id=store or keys["store_id"],
            channel_key=keys["channel_key"],
            sdk_url=f"{self.url}/sdk/v2.js",
            test=test,
            notice_url=NOTICE_URL,
            company=company,
        )
        return PortOneV2(account, self.client, self.clock, *([timeout] if timeout else []))

    def bent(self, change: Callable[[Json], None]) -> None:
        def bend(body: Json) -> None:
            if "transactionId" in body:
                change(body)

        self.wire.bend = bend

    def order_of(self, checkout: Checkout) -> Json:
        params = dict(checkout.params)
        assert params.pop("storeId") == self.portone.keys["v2"]["store_id"] == checkout.init
        return {
            "version": checkout.version,
            "method": params.pop("payMethod"),
            "payment_id": params.pop("paymentId"),
            "channel_key": params.pop("channelKey"),
            "name": params.pop("orderName"),
            "amount": params.pop("totalAmount"),
            "currency": params.pop("currency"),
            "notice_urls": params.pop("noticeUrls"),
            **params,  # an unknown one is refused
        }
