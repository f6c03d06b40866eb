"""The console's reads in PostgreSQL: one statement for each list."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from market.kit.db.database import Database, Row
from market.kit.db.rows import to_record
from market.shared.audit import AuditEntry
from market.shared.errors import NotFound
from market.shared.ids import PaymentId, TradeId, well_formed
from market.shared.pagination import Page, PageRequest
from market.shared.principals import MemberSummary

from . import history, jobs
from .ports import (
    AccountLine,
    ActLine,
    CancellationLine,
    Day,
    Failure,
    IncidentLine,
    Moment,
    PaymentCase,
    PaymentLine,
    Pending,
    Queued,
    Schedule,
    TradeCase,
    Trader,
)

_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
_PLACE = re.compile(r"(-?[0-9]{1,16})\.([0-9a-f]{32})", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_PAYMENT_LINES = """
    SELECT p.id, p.trade_id, p.title, p.gateway, coalesce(p.used_method, p.method) AS method,
           p.status, p.amount, p.cancelled_amount, p.currency, p.created_at,
           b.id AS buyer, b.nickname AS buyer_name, s.id AS seller, s.nickname AS seller_name,
           EXISTS (SELECT FROM incidents i
                   WHERE i.payment_id = p.id AND i.settled_at IS NULL) AS needs_somebody
    FROM payments p
    JOIN trades t ON t.id = p.trade_id
    JOIN members b ON b.id = t.buyer_id
    JOIN members s ON s.id = t.seller_id
    WHERE ($1::text IS NULL OR p.status = $1) AND ($2::uuid IS NULL OR p.id < $2)
"""
_NEWEST = " ORDER BY p.id DESC LIMIT $3"
_BY_ID = """
    AND p.id IN (SELECT id FROM payments WHERE id = $4 UNION ALL
                 SELECT id FROM payments WHERE trade_id = $4 UNION ALL
                 SELECT of_b.id FROM trades b_t JOIN payments of_b ON of_b.trade_id = b_t.id
                 WHERE b_t.buyer_id = $4 UNION ALL
                 SELECT of_s.id FROM trades s_t JOIN payments of_s ON of_s.trade_id = s_t.id
                 WHERE s_t.seller_id = $4)
"""
_BY_REFERENCE_OR_MEMBER = """
    AND p.id IN (
        SELECT id FROM payments WHERE gateway IN ('V1', 'V2') AND reference = $4
        UNION ALL
        SELECT mine.id FROM members m
        JOIN trades of_m ON m.id IN (of_m.buyer_id, of_m.seller_id)
        JOIN payments mine ON mine.trade_id = of_m.id
        WHERE lower(m.nickname) LIKE $5 OR m.email LIKE $5)
"""
_TRADE = """
    t.id AS trade_id, t.product_id, t.product_name, t.status AS trade_status, t.price, t.fee,
    t.currency AS trade_currency, t.refunded, t.refunding, t.hold_expires_at, t.payment_id,
    t.cancel_by IS NOT NULL AND t.is_live AS cancelling,
    b.id AS buyer, b.nickname AS buyer_name, b.email AS buyer_email,
    s.id AS seller, s.nickname AS seller_name, s.email AS seller_email,
    ARRAY (SELECT ROW (o.id, o.status) FROM payments o
           WHERE o.trade_id = t.id ORDER BY o.id DESC LIMIT 20) AS payments
"""
_PARTIES = "JOIN members b ON b.id = t.buyer_id JOIN members s ON s.id = t.seller_id"
_PAYMENT = f"""
    SELECT p.id, p.title, p.gateway, coalesce(p.used_method, p.method) AS method, p.status,
           p.amount, p.currency, p.captured_amount, p.captured_currency, p.cancelled_amount,
           p.reference, p.failure, CASE coalesce(p.used_method, p.method) WHEN 'VIRTUAL_ACCOUNT'
                      THEN coalesce(p.account_bank, p.bank) END AS bank,
           p.account_due_at, p.created_at, p.paid_at, p.look_at,
           coalesce(c.status = 'REQUESTED', false) AS under_way,
           c.id IS NOT NULL AND ((c.status = 'REQUESTED' AND c.try_at IS NULL) OR (
               c.refund_account IS NOT NULL AND c.failure IS NOT NULL)) AS waits,
           coalesce(c.status = 'SUCCEEDED', false) AS untransferred,
           coalesce(c.status = 'SUCCEEDED' AND c.failure IS NULL AND p.transfer = 'FAILED',
                    false) AS to_pay, {_TRADE}
    FROM payments p JOIN trades t ON t.id = p.trade_id {_PARTIES}
    LEFT JOIN LATERAL (
        SELECT id, status, try_at, refund_account, failure FROM cancellations
        WHERE payment_id = p.id
          AND (status = 'REQUESTED' OR (status = 'SUCCEEDED' AND refund_account IS NOT NULL))
        ORDER BY status, settled_at DESC LIMIT 1) c ON true
    WHERE p.id = $1
"""  # noqa: S608 # our own words
# Who acted or settled: a member by nickname, somebody at a shell by the name they gave.
_NAMED = """
    LEFT JOIN members m ON m.id = CASE WHEN {0} ~ '^[0-9a-f]{{32}}$' THEN {0}::uuid END
"""
_INCIDENT = """
    SELECT i.id, i.kind, i.subject, i.seen, i.created_at, i.payment_id, i.settled_at,
           coalesce(m.nickname, i.settled_by) AS settled_by, i.settlement,
           ARRAY (SELECT unnest(ARRAY[t.buyer_id, t.seller_id]) FROM trades t
                  WHERE t.id = i.trade_id) AS parties
    FROM incidents i
    """ + _NAMED.format("i.settled_by")  # noqa: S608 # our own words
_ACT = """
    SELECT a.id, a.at, a.actor, a.act, a.subject, a.subject_type, a.subject_id, a.reason,
           coalesce(m.nickname, a.actor) AS who
    FROM operator_acts a
    """ + _NAMED.format("a.actor")  # noqa: S608 # our own words
_STATES = {
    "under-way": "c.status = 'REQUESTED' AND c.try_at IS NOT NULL",
    "waiting": "c.status = 'REQUESTED' AND c.try_at IS NULL",
    "failed": "c.status = 'FAILED'",
    "done": "c.status = 'SUCCEEDED'",
}


class SqlConsole:
    """See `console.ports.Console`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def payments(self, q: str, status: str | None, wanted: PageRequest) -> Page[PaymentLine]:
        sql, more = _PAYMENT_LINES, list[object]()
        if well_formed(q):
            sql, more = sql + _BY_ID, [q]
        elif q:
            sql, more = sql + _BY_REFERENCE_OR_MEMBER, [q, f"%{_literally(q.lower())}%"]
        rows = await self._db.fetch(sql + _NEWEST, status, wanted.cursor, wanted.limit + 1, *more)
        return Page.from_rows([_payment_line(row) for row in rows], wanted, lambda line: line.id)

    async def payment(self, id: PaymentId) -> PaymentCase:
        row = await self._db.fetch_one(_PAYMENT, id)
        if row is None:
            raise NotFound
        return _payment(row)

    async def trade(self, id: TradeId) -> TradeCase:
        row = await self._db.fetch_one(
            f"SELECT {_TRADE} FROM trades t {_PARTIES} WHERE t.id = $1",  # noqa: S608
            id,
        )
        if row is None:
            raise NotFound
        return _trade(row)

    async def history(self, id: PaymentId) -> Sequence[Moment]:
        return await history.of_payment(self._db, id)

    async def incidents(self, *, settled: bool, wanted: PageRequest) -> Page[IncidentLine]:
        after = _number(wanted)
        rows = await self._db.fetch(
            _INCIDENT
            + (
                """
                WHERE i.settled_at IS NOT NULL AND ($1::bigint IS NULL OR i.id < $1)
                ORDER BY i.id DESC LIMIT $2
                """
                if settled
                else """
                WHERE i.settled_at IS NULL AND ($1::bigint IS NULL OR i.id > $1)
                ORDER BY i.id LIMIT $2
                """
            ),
            after,
            wanted.limit + 1,
        )
        return Page.from_rows([_incident(row) for row in rows], wanted, lambda line: str(line.id))

    async def incident(self, id: int) -> IncidentLine:
        row = await self._db.fetch_one(_INCIDENT + "WHERE i.id = $1", id)
        if row is None:
            raise NotFound
        return _incident(row)

    async def cancellations(self, state: str, wanted: PageRequest) -> Page[CancellationLine]:
        place = _PLACE.fullmatch(wanted.cursor or "")
        rows = await self._db.fetch(
            f"""
            SELECT c.id, c.payment_id, p.title, b.id AS buyer, b.nickname AS buyer_name, c.amount,
                   p.currency, c.reason, c.asked_by, c.status, c.tries, c.try_at, c.created_at,
                   c.settled_at, c.failure
            FROM cancellations c
            JOIN payments p ON p.id = c.payment_id JOIN members b ON b.id = p.payer_id
            WHERE {_STATES[state]}
              AND ($1::timestamptz IS NULL OR (c.created_at, c.id) < ($1, $2::uuid))
            ORDER BY c.created_at DESC, c.id DESC LIMIT $3
            """,  # noqa: S608 # our own words
            _EPOCH + int(place[1]) * _MICROSECOND if place else None,
            place[2] if place else None,
            wanted.limit + 1,
        )
        return Page.from_rows([_cancellation(row) for row in rows], wanted, _place)

    async def accounts(self, wanted: PageRequest) -> Page[AccountLine]:
        rows = await self._db.fetch(
            """
            SELECT e.account, e.currency, e.balance, m.nickname AS owner
            FROM balances e
            LEFT JOIN members m ON m.id = CASE WHEN e.account LIKE 'seller:%'
                                          THEN split_part(e.account, ':', 2)::uuid END
            WHERE $1::text IS NULL
               OR (e.account LIKE 'seller:%', e.account || ' ' || e.currency)
                  > ($1 LIKE 'seller:%', $1)
            ORDER BY e.account LIKE 'seller:%', e.account || ' ' || e.currency LIMIT $2
            """,
            wanted.cursor,
            wanted.limit + 1,
        )
        lines = [AccountLine(*row) for row in rows]
        return Page.from_rows(lines, wanted, lambda line: f"{line.account} {line.currency}")

    async def days(self, since: datetime, count: int) -> Sequence[Day]:
        rows = await self._db.fetch(
            """
            WITH days AS (
                SELECT date_trunc('day', $1::timestamptz, 'Asia/Seoul') + interval '24 hours' * n
                       AS day FROM generate_series(0, $2 - 1) n
            ), moved AS (
                SELECT kind, amount, date_trunc('day', occurred_at, 'Asia/Seoul') AS day
                FROM transfers
                WHERE kind IN ('CAPTURED', 'RETURNED', 'SETTLED', 'FEE')
                  AND occurred_at >= date_trunc('day', $1::timestamptz, 'Asia/Seoul')
                  AND currency = 'KRW'
            )
            SELECT days.day,
                   coalesce(sum(amount) FILTER (WHERE kind = 'CAPTURED'), 0)::bigint,
                   coalesce(sum(amount) FILTER (WHERE kind = 'RETURNED'), 0)::bigint,
                   coalesce(sum(amount) FILTER (WHERE kind IN ('SETTLED', 'FEE')), 0)::bigint,
                   coalesce(sum(amount) FILTER (WHERE kind = 'FEE'), 0)::bigint
            FROM days LEFT JOIN moved USING (day) GROUP BY days.day ORDER BY days.day
            """,
            since,
            count,
        )
        return [Day(*row) for row in rows]

    async def timetable(self) -> Sequence[Schedule]:
        return await jobs.timetable(self._db)

    async def queue(self) -> Sequence[Queued]:
        return await jobs.queue(self._db)

    async def failures(self, limit: int) -> Sequence[Failure]:
        return await jobs.failures(self._db, limit)

    async def pending(self, now: datetime) -> Sequence[Pending]:
        return await jobs.pending(self._db, now)

    async def acts(self, wanted: PageRequest) -> Page[ActLine]:
        before = _number(wanted)
        rows = await self._db.fetch(
            _ACT + "WHERE $1::bigint IS NULL OR a.id < $1 ORDER BY a.id DESC LIMIT $2",
            before,
            wanted.limit + 1,
        )
        lines = [ActLine(to_record(AuditEntry, row), row["who"]) for row in rows]
        return Page.from_rows(lines, wanted, lambda line: str(line.act.id))


def _number(wanted: PageRequest) -> int | None:
    """The id a page starts beyond; a cursor we never gave starts where the list does."""
    number = _NUMBER.fullmatch(wanted.cursor or "")
    return int(number[0]) if number else None


def _literally(text: str) -> str:
    """For LIKE: what somebody typed stands for itself."""
    return re.sub(r"([\\%_])", r"\\\1", text)


def _place(line: CancellationLine) -> str:
    """Ids of cancellations don't sort by time: some are the wishes of clients' keys."""
    return f"{(line.created_at - _EPOCH) // _MICROSECOND}.{line.id}"


def _payment_line(row: Row) -> PaymentLine:
    return PaymentLine(
        id=row["id"],
        trade_id=row["trade_id"],
        title=row["title"],
        gateway=row["gateway"],
        method=row["method"],
        status=row["status"],
        amount=row["amount"],
        cancelled=row["cancelled_amount"],
        currency=row["currency"],
        created_at=row["created_at"],
        buyer=MemberSummary(row["buyer"], row["buyer_name"]),
        seller=MemberSummary(row["seller"], row["seller_name"]),
        needs_somebody=row["needs_somebody"],
    )


def _payment(row: Row) -> PaymentCase:
    return PaymentCase(
        id=row["id"],
        title=row["title"],
        gateway=row["gateway"],
        method=row["method"],
        status=row["status"],
        amount=row["amount"],
        currency=row["currency"],
        captured=row["captured_amount"],
        captured_currency=row["captured_currency"],
        cancelled=row["cancelled_amount"],
        reference=row["reference"],
        failure=row["failure"],
        bank=row["bank"],
        deposit_due_at=row["account_due_at"],
        created_at=row["created_at"],
        paid_at=row["paid_at"],
        look_at=row["look_at"],
        trade=_trade(row),
        refund_under_way=row["under_way"],
        waits_for_account=row["waits"],
        untransferred=row["untransferred"],
        to_pay_by_hand=row["to_pay"],
    )


def _trade(row: Row) -> TradeCase:
    return TradeCase(
        id=row["trade_id"],
        product_id=row["product_id"],
        product_name=row["product_name"],
        status=row["trade_status"],
        price=row["price"],
        fee=row["fee"],
        currency=row["trade_currency"],
        refunded=row["refunded"],
        refunding=row["refunding"],
        hold_expires_at=row["hold_expires_at"],
        cancelling=row["cancelling"],
        paid_by=row["payment_id"],
        buyer=Trader(row["buyer"], row["buyer_name"], row["buyer_email"]),
        seller=Trader(row["seller"], row["seller_name"], row["seller_email"]),
        payments=[(id, status) for id, status in row["payments"]],
    )


def _incident(row: Row) -> IncidentLine:
    return IncidentLine(
        id=row["id"],
        kind=row["kind"],
        subject=row["subject"],
        seen=msgspec.json.decode(row["seen"]),
        reported_at=row["created_at"],
        payment_id=row["payment_id"],
        settled_at=row["settled_at"],
        settled_by=row["settled_by"],
        settlement=row["settlement"],
        parties=row["parties"],
    )


def _cancellation(row: Row) -> CancellationLine:
    return CancellationLine(
        id=row["id"],
        payment_id=row["payment_id"],
        title=row["title"],
        buyer=MemberSummary(row["buyer"], row["buyer_name"]),
        amount=row["amount"],
        currency=row["currency"],
        reason=row["reason"],
        asked_by=row["asked_by"],
        status=row["status"],
        tries=row["tries"],
        try_at=row["try_at"],
        created_at=row["created_at"],
        settled_at=row["settled_at"],
        failure=row["failure"],
    )
