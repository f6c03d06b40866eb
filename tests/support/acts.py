"""Short ways to a state, through the services a request would use."""

from market.app import Market
from market.kit.db.database import Database
from market.payments.domain import Means, Method, Payment
from market.products.domain import Product
from market.shared.banking import Bank
from market.shared.ids import PaymentId, ProductId
from market.shared.money import Money
from market.shared.principals import MemberSummary
from market.trades.domain import Trade
from tests.support.gateway import MemoryGateway

CARD = Means(Method.CARD)
ACCOUNT = Means(Method.VIRTUAL_ACCOUNT, Bank.KOOKMIN)


class Acts:
    """What members do, in as many words."""

    def __init__(self, market: Market, gateway: MemoryGateway) -> None:
        self.market = market
        self.gateway = gateway
        self._members = 0

    async def member(self) -> MemberSummary:
        self._members += 1
        member, _ = await self.market.members.sign_up(
            f"m{self._members}@example.com", "no password", f"m{self._members}"
        )
        return member.person

    async def product(self, seller: MemberSummary, quantity: int = 1, price: int = 1000) -> Product:
        return await self.market.products.list_new(seller, "chair", Money(price), quantity, "")

    async def trade(self, quantity: int = 1) -> Trade:
        """A trade that awaits payment, of a product with so many units."""
        product = await self.product(await self.member(), quantity)
        return await self.market.trades.buy(product.id, await self.member())

    async def payment(self, trade: Trade) -> Payment:
        """A payment that was begun."""
        return await self.market.payments.start(trade.id, trade.buyer.id, CARD)

    async def pay(self, trade: Trade) -> PaymentId:
        """Pays, and the buyer's browser tells."""
        payment = await self.payment(trade)
        self.gateway.pay(payment.id, payment.amount.amount)
        await self.market.payments.complete(payment.id, trade.buyer.id)
        return payment.id

    async def paid_trade(self, quantity: int = 1) -> tuple[Trade, PaymentId]:
        trade = await self.trade(quantity)
        payment_id = await self.pay(trade)
        return await self.now(trade), payment_id

    async def now(self, trade: Trade) -> Trade:
        """The trade as it stands."""
        return (await self.market.trades.see(trade.id, trade.buyer.id))[0]

    async def remaining(self, trade: Trade) -> int:
        return (await self.market.products.get(trade.product_id)).remaining


async def many_trades(db: Database, product: ProductId, live: int, cancelled: int) -> None:
    """So many more trades of a product, each with a buyer of its own, written straight away."""
    await db.execute(
        """
        WITH buyers AS (
            INSERT INTO members (id, nickname, created_at)
            SELECT gen_random_uuid(), 'someone', now() FROM generate_series(1, $2::int)
            RETURNING id
        )
        INSERT INTO trades (id, product_id, product_name, seller_id, buyer_id, price, fee, currency,
                            status, hold_expires_at, created_at, cancelled_at,
                            cancel_by, cancel_reason, cancel_asked_at)
        SELECT gen_random_uuid(), p.id, p.name, p.seller_id, b.id, p.price, 0, p.currency,
               CASE WHEN b.over IS NULL THEN 'AWAITING_PAYMENT' ELSE 'CANCELLED' END, now(), now(),
               b.over, CASE WHEN b.over IS NOT NULL THEN 'BUYER' END,
               CASE WHEN b.over IS NOT NULL THEN 'changed my mind' END, b.over
        FROM products p, (
            SELECT id, CASE WHEN row_number() OVER () > $3 THEN now() END AS over FROM buyers
        ) b
        WHERE p.id = $1
        """,
        product,
        live + cancelled,
        live,
    )
    await db.execute("UPDATE products SET taken = taken + $2 WHERE id = $1", product, live)
