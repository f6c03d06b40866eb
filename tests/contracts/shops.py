"""A market on the real wire."""

from typing import Protocol

from market.app import Market
from market.kit.clock import TimeOrderedIds
from market.members.domain import Member
from market.payments.domain import Payment
from market.payments.ports import Checkout
from market.shared.money import Money
from market.trades.domain import Status as TradeStatus
from market.trades.domain import Trade
from tests.sandbox.client import Client
from tests.support.acts import CARD


class Shop:
    """A market with one product, its seller and a buyer."""

    def __init__(self, market: Market, portone: Client) -> None:
        self.market = market
        self.portone = portone

    async def buy(self) -> tuple[Member, Trade]:
        seller = await self._member()
        product = await self.market.products.list_new(seller.person, "털양말", Money(9000), 1, "")
        buyer = await self._member()
        return buyer, await self.market.trades.buy(product.id, buyer.person)

    async def start(self, trade: Trade, buyer: Member) -> tuple[Payment, Checkout]:
        payment = await self.market.payments.start(trade.id, buyer.id, CARD)
        return payment, self.market.payments.checkout(payment)

    async def status(self, trade: Trade, buyer: Member) -> TradeStatus:
        return (await self.market.trades.see(trade.id, buyer.id))[0].status

    async def _member(self) -> Member:
        name = TimeOrderedIds().new()
        email = f"{name}@example.com"
        member, _ = await self.market.members.sign_up(email, "no password", name[-12:])
        return member


class Opened(Protocol):
    def __call__(self, **env: str) -> Shop: ...
