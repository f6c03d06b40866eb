"""Trades in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from market.kit.db.database import Database, Row
from market.shared.errors import NotFound, VersionConflict
from market.shared.ids import MemberId, ProductId, TradeId, well_formed
from market.shared.money import Money
from market.shared.pagination import Page, PageRequest
from market.shared.principals import MemberSummary, Party

from .domain import AlreadyBought, Cancelling, Holdings, Order, Status, Trade

# By name, never *: a statement prepared before a migration added a column works after it. The
# parties' nicknames come along: every answer about a trade shows them. Looked up, not joined, they
# are found by their key, whatever the planner thinks of joining members.
_COLUMNS = """
    t.id, t.product_id, t.product_name, t.seller_id, t.buyer_id, t.price, t.fee, t.currency,
    t.status, t.hold_expires_at, t.payment_id, t.created_at, t.paid_at, t.approved_at,
    t.confirmed_at, t.cancel_by, t.cancel_reason, t.cancel_asked_at, t.cancelled_at, t.version,
    t.refunded, t.refunding,
    (SELECT m.nickname FROM members m WHERE m.id = t.buyer_id) AS buyer_nickname,
    (SELECT m.nickname FROM members m WHERE m.id = t.seller_id) AS seller_nickname
"""
_SELECT = f"SELECT {_COLUMNS} FROM trades t "  # noqa: S608 # our own words


# A product's trades, as they are listed: what waits for the seller, what else lives, what is over.
_WAITING = "t.status = 'PAID' AND t.cancel_by IS NULL AND NOT t.refunding"
_KINDS = (
    _WAITING,
    f"t.status <> 'CANCELLED' AND NOT ({_WAITING})",
    "t.status = 'CANCELLED'",
)
_BY_KIND = " UNION ALL ".join(
    f"""
    (SELECT {kind} AS kind, t.id FROM trades t
     WHERE t.product_id = $1 AND (t.buyer_id = $2 OR t.seller_id = $2) AND {is_kind}
       AND ($3 < {kind} OR ($3 = {kind} AND t.id < $4))
     ORDER BY t.id DESC LIMIT $5)
    """  # noqa: S608 # our own words
    for kind, is_kind in enumerate(_KINDS)
)


class SqlTrades:
    """Trades; a partial unique index allows a buyer one live trade per product (R8)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add_all(self, trades: Sequence[Trade]) -> None:
        if not trades:
            return
        try:
            await self._db.execute(
                """
                INSERT INTO trades (id, product_id, product_name, seller_id, buyer_id, price, fee,
                                    currency, status, hold_expires_at, created_at)
                SELECT unnest($1::uuid[]), unnest($2::uuid[]), unnest($3::text[]),
                       unnest($4::uuid[]), unnest($5::uuid[]), unnest($6::bigint[]),
                       unnest($7::bigint[]), unnest($8::text[]), unnest($9::text[]),
                       unnest($10::timestamptz[]), unnest($11::timestamptz[])
                """,
                [trade.id for trade in trades],
                [trade.product_id for trade in trades],
                [trade.product_name for trade in trades],
                [trade.seller.id for trade in trades],
                [trade.buyer.id for trade in trades],
                [trade.price.amount for trade in trades],
                [trade.fee.amount for trade in trades],
                [trade.price.currency for trade in trades],
                [trade.status for trade in trades],
                [trade.hold_expires_at for trade in trades],
                [trade.created_at for trade in trades],
            )
        except asyncpg.UniqueViolationError as cause:
            raise AlreadyBought from cause

    async def get(self, id: TradeId) -> Trade:
        return _found(await self._db.fetch_one(_SELECT + "WHERE t.id = $1", id))

    async def get_with_stock_version(self, id: TradeId) -> tuple[Trade, int]:
        # One statement, one snapshot: read apart, the trade could be older than the version that
        # is to vouch for it, and a second confirmation of the same trade would be counted.
        row = await self._db.fetch_one(
            f"""
            SELECT {_COLUMNS}, p.version AS stock_version
            FROM trades t JOIN products p ON p.id = t.product_id
            WHERE t.id = $1
            """,  # noqa: S608 # our own words
            id,
        )
        trade = _found(row)
        # safeguard: trade and product version read in one snapshot
        return trade, row["stock_version"] if row else 0

    async def get_for_update(self, id: TradeId) -> Trade:
        # safeguard: trade row locked
        return _found(
            await self._db.fetch_one_for_update(_SELECT + "WHERE t.id = $1 FOR UPDATE OF t", id)
        )

    async def save(self, trade: Trade) -> None:
        cancelling = trade.cancelling
        # safeguard: trade version compared
        saved = await self._db.execute(
            """
            UPDATE trades
            SET status = $3, payment_id = $4, paid_at = $5, approved_at = $6, confirmed_at = $7,
                cancel_by = $8, cancel_reason = $9, cancel_asked_at = $10, cancelled_at = $11,
                hold_expires_at = $12, refunded = $13, refunding = $14, version = version + 1
            WHERE id = $1 AND version = $2
            """,
            trade.id,
            trade.version,
            trade.status,
            trade.payment_id,
            trade.paid_at,
            trade.approved_at,
            trade.confirmed_at,
            cancelling.by if cancelling else None,
            cancelling.reason if cancelling else None,
            cancelling.at if cancelling else None,
            trade.cancelled_at,
            trade.hold_expires_at,
            trade.refunded,
            trade.refunding,
        )
        if not saved:
            raise VersionConflict(trade_id=trade.id)
        trade.version += 1

    async def held(self, orders: Sequence[Order]) -> Holdings:
        rows = await self._db.fetch(
            """
            SELECT t.product_id, t.buyer_id
            FROM unnest($1::uuid[], $2::uuid[]) AS o (product, buyer)
            -- One look into the unique index per order, whatever the planner thinks of the table.
            CROSS JOIN LATERAL (
                SELECT product_id, buyer_id FROM trades
                WHERE product_id = o.product AND buyer_id = o.buyer AND status <> 'CANCELLED'
                LIMIT 1
            ) t
            """,
            [order.product_id for order in orders],
            [order.buyer.id for order in orders],
        )
        return Holdings((row["product_id"], row["buyer_id"]) for row in rows)

    async def due(self, now: datetime, limit: int, skip: int = 0) -> Sequence[TradeId]:
        rows = await self._db.fetch(
            """
            SELECT id FROM trades WHERE status = 'AWAITING_PAYMENT' AND hold_expires_at <= $1
            ORDER BY hold_expires_at, id LIMIT $2 OFFSET $3
            """,
            now,
            limit,
            skip,
        )
        return [row["id"] for row in rows]

    async def of_product(
        self, product_id: ProductId, member: MemberId, wanted: PageRequest
    ) -> Page[Trade]:
        # One of its buyers is found by another index than its seller, so it is planned anew.
        rows = await self._db.fetch_custom_plan(
            f"""
            SELECT {_COLUMNS} FROM ({_BY_KIND}) found JOIN trades t ON t.id = found.id
            ORDER BY found.kind, found.id DESC LIMIT $5
            """,  # noqa: S608 # our own words
            product_id,
            member,
            *_place(wanted.cursor),
            wanted.limit + 1,
        )
        return Page.from_rows([_trade(row) for row in rows], wanted, _placed)

    async def page(
        self,
        member: MemberId,
        sides: Sequence[Party],
        statuses: Sequence[Status],
        wanted: PageRequest,
    ) -> Page[Trade]:
        rows = await self._db.fetch(
            _SELECT
            + """
            WHERE ((t.buyer_id = $1 AND $2) OR (t.seller_id = $1 AND $3))
              AND t.status = ANY ($4::text[])
              AND ($5::uuid IS NULL OR t.id < $5)
            ORDER BY t.id DESC
            LIMIT $6
            """,
            member,
            Party.BUYER in sides,
            Party.SELLER in sides,
            statuses,
            wanted.cursor,
            wanted.limit + 1,
        )
        return Page.from_rows([_trade(row) for row in rows], wanted, lambda trade: trade.id)


def _placed(trade: Trade) -> str:
    """Where a trade stands among its product's: its kind, and its id."""
    if trade.waits_for_seller:
        return f"0-{trade.id}"
    return f"{1 if trade.is_live else 2}-{trade.id}"


def _place(cursor: str | None) -> tuple[int, str | None]:
    """Where to go on; behind the end for a cursor we never gave."""
    if cursor is None:
        return -1, None
    kind, _, id = cursor.partition("-")
    known = kind in {"0", "1", "2"} and well_formed(id)
    return (int(kind), id) if known else (len(_KINDS), None)


def _found(row: Row | None) -> Trade:
    if row is None:
        raise NotFound
    return _trade(row)


def _trade(row: Row) -> Trade:
    currency = row["currency"]
    return Trade(
        id=row["id"],
        product_id=row["product_id"],
        product_name=row["product_name"],
        seller=MemberSummary(row["seller_id"], row["seller_nickname"]),
        buyer=MemberSummary(row["buyer_id"], row["buyer_nickname"]),
        price=Money(row["price"], currency),
        fee=Money(row["fee"], currency),
        status=Status(row["status"]),
        hold_expires_at=row["hold_expires_at"],
        created_at=row["created_at"],
        version=row["version"],
        payment_id=row["payment_id"],
        paid_at=row["paid_at"],
        approved_at=row["approved_at"],
        confirmed_at=row["confirmed_at"],
        cancelling=_cancelling(row),
        cancelled_at=row["cancelled_at"],
        refunded=row["refunded"],
        refunding=row["refunding"],
    )


def _cancelling(row: Row) -> Cancelling | None:
    if row["cancel_by"] is None:
        return None
    return Cancelling(Party(row["cancel_by"]), row["cancel_reason"], row["cancel_asked_at"])
