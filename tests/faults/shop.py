"""One purchase: a seller, a buyer, the market's services, and the sandbox behind them."""

# One market of each version serves all purchases: to assemble one takes longer than a purchase.

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from market.app import Market, assemble
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.outside import v1_account, v2_account
from market.payments.domain import Means, Method, Payment
from market.payments.portone.transport import PATIENCE
from market.payments.portone.v1 import PortOneV1
from market.payments.portone.v2 import PortOneV2
from market.payments.ports import Gateways
from market.settings import Settings
from market.shared.banking import Bank, RefundAccount
from market.shared.errors import GatewayUnavailable
from market.shared.money import Money
from market.shared.principals import MemberSummary
from market.trades.domain import Trade
from tests.sandbox.client import Client, Json
from tests.sandbox.process import Receiver
from tests.support.clock import MovableClock
from tests.support.web import Client as Door

from .wire import Wire

PRICE = 10_000
PART = 4_000
MORE = 1_000
CARD = Means(Method.CARD)
ACCOUNT = Means(Method.VIRTUAL_ACCOUNT, Bank.KOOKMIN)
MINE = RefundAccount(Bank.SHINHAN, "110-123-456789", "김보라")
# Less than the slowness of the sandbox.
HASTE = httpx.Timeout(0.05)
IDS = TimeOrderedIds()

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """How a purchase ended: everything but names and times.

    The ledger is summed by kind: money that went back in two parts may be seen, and booked, as one.
    """

    trade: Mapping[str, Any]
    product: Mapping[str, Any]
    payments: Rows
    cancellations: Rows
    ledger: Rows
    incidents: Sequence[str]
    gateway: Sequence[tuple[int, int]]


@dataclass
class Town:
    """What all shops have in common: one database, one clock, one sandbox, and the door webhooks
    come through. A clock that was moved for one purchase is set right for the next."""

    settings: Mapping[str, Settings]
    db: Database
    clock: MovableClock
    client: httpx.AsyncClient
    wire: Wire
    portone: Client
    receiver: Receiver
    door: Door
    _markets: dict[str, Market] = field(default_factory=dict)

    def market(self, version: str) -> Market:
        """The one that serves everybody."""
        if version not in self._markets:
            self._markets[version] = self.assembled(version)
        return self._markets[version]

    def assembled(self, version: str, timeout: httpx.Timeout = PATIENCE) -> Market:
        """As by a process that was just started: without a token, without a failed call."""
        settings = self.settings[version]
        v1 = PortOneV1(v1_account(settings), self.client, self.clock, timeout)
        v2 = PortOneV2(v2_account(settings), self.client, self.clock, timeout)
        gateways = Gateways(v1, v2) if version == "V1" else Gateways(v2, v1)
        return assemble(settings, self.db, gateways, self.clock, IDS)

    async def open(self, version: str) -> "Shop":
        """A unit that was bought, on a gateway that has forgotten everything."""
        self.portone.control("POST", "reset", status=204)
        hooks = {f"webhook_url_{v}": f"{self.receiver.url}/webhooks/portone/{v}" for v in _BOTH}
        self.portone.set(**hooks)
        self.receiver.received.clear()
        self.clock.move(seconds=(datetime.now(UTC) - self.clock.now()).total_seconds())
        shop = Shop(self, version, self.market(version))
        await shop.open()
        return shop


_BOTH = ("v1", "v2")


@dataclass
class Shop:
    """One product of one unit, its seller, and its buyer."""

    town: Town
    version: str
    market: Market
    seller: MemberSummary = field(init=False)
    buyer: MemberSummary = field(init=False)
    trade: Trade = field(init=False)
    payment: Payment = field(init=False)
    token: str | None = None

    @property
    def portone(self) -> Client:
        return self.town.portone

    @property
    def wire(self) -> Wire:
        return self.town.wire

    def time_passes(self, **by: float) -> None:
        self.town.clock.move(**by)

    async def open(self) -> None:
        """One unit, bought."""
        self.seller, self.buyer = await self._member(), await self._member()
        product = await self.market.products.list_new(self.seller, "의자", Money(PRICE), 1, "")
        self.trade = await self.market.trades.buy(product.id, self.buyer)

    # ── what buyers do ──

    async def start(self, means: Means) -> None:
        self.payment = await self.market.payments.start(self.trade.id, self.buyer.id, means)

    async def start_by_card(self) -> None:
        await self.start(CARD)

    async def start_by_account(self) -> None:
        await self.start(ACCOUNT)

    async def pay(self, **how: object) -> None:
        """At the checkout window."""
        shown = self.portone.pay(self.payment.id, **how)
        self.token = shown.get("paymentToken")

    async def deposit(self) -> None:
        account = self.payment.account
        assert account is not None
        money = {"account_number": account.number, "amount": PRICE}
        self.portone.control("POST", "deposit", money)

    async def come_back(self) -> None:
        """The window has closed, and the browser tells."""
        await self.market.payments.complete(self.payment.id, self.buyer.id, self.token)

    async def call_off(self, account: RefundAccount | None = None) -> None:
        await self.market.refunds.cancel_purchase(self.trade.id, self.buyer.id, "변심", account)

    async def take_part_back(self, account: RefundAccount | None = None) -> None:
        await self.market.refunds.cancel(self.payment.id, self.buyer.id, PART, "흠집", account)

    # ── what happens by itself ──

    async def console_cancels(self, amount: int) -> None:
        """Somebody sends money back in PortOne's console."""
        order: Json = {"payment_id": self.payment.id, "amount": amount}
        self.portone.control("POST", "cancel", order)

    async def webhooks_arrive(self) -> None:
        """At the market's own door, byte for byte as the sandbox sent them; and are handled."""
        self.portone.settle()
        received = self.town.receiver.received
        while received:
            sent = received.pop(0)
            body, headers = sent.body.encode(), _told(sent.headers)
            await self.town.door.http.post(sent.path, content=body, headers=headers)
        await self.market.sweep.hints()

    async def tries(self, deed: Any) -> bool:
        """Whether it could be done without trouble at the gateway."""
        try:
            await deed(self)
        except GatewayUnavailable:
            return False
        return True

    # ── what became of it ──

    async def outcome(self) -> Outcome:
        trade, product = self.trade.id, self.trade.product_id
        ledger = """
            SELECT kind, split_part(debit, ':', 1) AS debit, split_part(credit, ':', 1) AS credit,
                   currency, sum(amount)::bigint AS amount
            FROM transfers
            WHERE source = $2 OR split_part(source, ':', 1) IN (
                SELECT replace(id::text, '-', '') FROM payments WHERE trade_id = $1)
            GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        """
        rows = {
            "trade": "SELECT status, refunded, refunding, cancel_by, fee FROM trades WHERE id = $1",
            "payments": """
                SELECT gateway = $2 AS as_configured, method, status, amount, captured_amount,
                       cancelled_amount, account_bank, failure FROM payments
                WHERE trade_id = $1 ORDER BY id
            """,
            "cancellations": """
                SELECT c.amount, c.balance, c.status, c.asked_by FROM cancellations c
                JOIN payments p ON p.id = c.payment_id WHERE p.trade_id = $1 ORDER BY c.id
            """,
        }
        found = await self.town.db.fetch(rows["trade"], trade)
        goods = await self.town.db.fetch(
            "SELECT status, quantity, taken, confirmed FROM products WHERE id = $1", product
        )
        return Outcome(
            trade=dict(found[0]),
            product=dict(goods[0]),
            payments=_dicts(await self.town.db.fetch(rows["payments"], trade, self.version)),
            cancellations=_dicts(await self.town.db.fetch(rows["cancellations"], trade)),
            ledger=_dicts(await self.town.db.fetch(ledger, trade, trade)),
            incidents=await self.town.db.fetch_value(
                "SELECT coalesce(array_agg(kind ORDER BY kind), '{}') FROM incidents"
                " WHERE trade_id = $1",
                trade,
            ),
            gateway=self._money_there(),
        )

    def _money_there(self) -> Sequence[tuple[int, int]]:
        """What came and what went back of every attempt that was ever paid."""
        path = f"payments?payment_id={self.payment.id}"
        shown = self.portone.control("GET", path)["items"]
        return [(one["amount"], one["cancelled"]) for one in shown if one["paid_at"]]

    async def _member(self) -> MemberSummary:
        name = IDS.new()
        email = f"{name}@example.com"
        member, _ = await self.market.members.sign_up(email, "no password", name[-12:])
        return member.person


def _dicts(rows: Sequence[Any]) -> Rows:
    return [dict(row) for row in rows]


def _told(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in headers.items()
        if name == "content-type" or name.startswith("webhook-")
    }
