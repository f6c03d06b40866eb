"""The database is the last line: what no code of ours would do, it refuses by itself."""

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from market.app import Market
from market.kit.db.database import Database
from market.kit.security.encryption import Encryptor
from market.members.sql import SqlMembers, SqlSessions
from market.payments.history import Entry
from market.payments.sql import SqlCancellations, SqlPayments
from market.products.domain import Change
from market.products.ports import ProcessedImage
from market.products.sql import SqlProducts
from market.shared.errors import Unavailable, VersionConflict
from market.trades.sql import SqlTrades
from tests.support.acts import Acts
from tests.support.barrier import holding
from tests.support.gateway import MemoryGateway

# What each named constraint, unique index and trigger refuses, tried on a market with one paid
# trade, one open payment, one open cancellation, one waiting webhook and one photo.
REFUSED = {
    "members_email_key": "UPDATE members SET email = 'm1@example.com'",
    "members_email_in_lower_case": "UPDATE members SET email = 'M' || email",
    "members_nickname_key": "UPDATE members SET nickname_key = 'the same'",
    "members_password_needs_email": "UPDATE members SET email = NULL",
    "social_accounts_one_per_provider": """
        INSERT INTO social_accounts SELECT 'kakao', n, id, now()
        FROM (SELECT id FROM members LIMIT 1), unnest(ARRAY['1', '2']) AS n
    """,
    "social_accounts_named": """
        INSERT INTO social_accounts SELECT 'kakao', '', id, now() FROM members
    """,
    "products_price_positive": "UPDATE products SET price = 0",
    "products_quantity_positive": "UPDATE products SET quantity = 0, taken = 0",
    "products_stock": "UPDATE products SET taken = quantity + 1",
    "notices_kind": "UPDATE notices SET kind = 'GOSSIP'",
    "notices_once": """
        INSERT INTO notices (id, member_id, trade_id, kind, source, created_at)
        SELECT gen_random_uuid(), member_id, trade_id, kind, source, created_at FROM notices
    """,
    "photos_position": "UPDATE photos SET position = 6",
    "photos_place": """
        INSERT INTO photos SELECT gen_random_uuid(), product_id, position, width, height, full_size,
                                  small, created_at FROM photos
    """,
    "photos_size": "UPDATE photos SET width = 1281",
    "product_texts_product_id_fkey": "UPDATE product_texts SET product_id = gen_random_uuid()",
    "drafts_member_id_fkey": "UPDATE drafts SET member_id = gen_random_uuid()",
    "draft_photos_draft_id_fkey": "UPDATE draft_photos SET draft_id = gen_random_uuid()",
    "draft_photos_place": "UPDATE draft_photos SET place = 6",
    "photos_product_id_fkey": "UPDATE photos SET product_id = gen_random_uuid()",
    "notices_member_id_fkey": "UPDATE notices SET member_id = gen_random_uuid()",
    "notices_trade_id_fkey": "UPDATE notices SET trade_id = gen_random_uuid()",
    "social_accounts_member_id_fkey": """
        INSERT INTO social_accounts VALUES ('kakao', 'somebody', gen_random_uuid(), now())
    """,
    "trades_status": "UPDATE trades SET status = 'NEARLY' WHERE payment_id IS NOT NULL",
    "trades_price_positive": "UPDATE trades SET price = 0, fee = 0",
    "trades_fee_within_price": "UPDATE trades SET fee = price + 1",
    "trades_refunded_within_price": "UPDATE trades SET refunded = price + 1",
    "trades_between_two": "UPDATE trades SET buyer_id = seller_id",
    "trades_paid_by_a_payment": "UPDATE trades SET status = 'PAID', payment_id = NULL",
    "trades_cancel_asked_whole": "UPDATE trades SET cancel_by = NULL, cancel_reason = 'why'",
    "trades_cancelled_at": "UPDATE trades SET cancelled_at = now()",
    "trades_one_live_per_buyer": """
        INSERT INTO trades (id, product_id, product_name, seller_id, buyer_id, price, fee, currency,
                            status, hold_expires_at, created_at)
        SELECT gen_random_uuid(), product_id, product_name, seller_id, buyer_id, price, fee,
               currency, 'AWAITING_PAYMENT', now(), now() FROM trades
    """,
    "payments_gateway": "UPDATE payments SET gateway = 'V3'",
    "payments_method": "UPDATE payments SET method = 'BARTER'",
    "payments_status": "UPDATE payments SET status = 'NEARLY' WHERE captured_amount IS NULL",
    "payments_amount_positive": "UPDATE payments SET amount = 0",
    "payments_cancelled_within_captured": "UPDATE payments SET cancelled_amount = 1001",
    "payments_captured_when_paid": "UPDATE payments SET captured_amount = NULL",
    "payments_account_whole": "UPDATE payments SET account_bank = 'KAKAO'",
    "payments_account_when_issued": """
        UPDATE payments SET status = 'VIRTUAL_ACCOUNT_ISSUED' WHERE status = 'READY'
    """,
    "payments_bank_of_an_account": "UPDATE payments SET bank = 'KAKAO'",
    "payments_reference_key": "UPDATE payments SET reference = 'the same'",
    "payments_buyer_while_ready": "UPDATE payments SET buyer = 'x' WHERE captured_amount > 0",
    "payments_one_open_per_trade": """
        INSERT INTO payments (id, trade_id, payer_id, title, gateway, method, amount, currency,
                              status, created_at)
        SELECT gen_random_uuid(), trade_id, payer_id, title, gateway, method, amount, currency,
               'READY', now() FROM payments WHERE status = 'READY'
    """,
    "cancellations_status": "UPDATE cancellations SET status = 'NEARLY'",
    "cancellations_within_balance": "UPDATE cancellations SET amount = balance + 1",
    "cancellations_account_only_while_open": """
        UPDATE cancellations SET status = 'FAILED', refund_account = 'sealed'
    """,
    "cancellations_one_open_per_payment": """
        INSERT INTO cancellations (id, payment_id, amount, balance, reason, asked_by, status,
                                   created_at)
        SELECT gen_random_uuid(), payment_id, amount, balance, reason, asked_by, status, now()
        FROM cancellations
    """,
    "webhooks_waiting": """
        INSERT INTO webhooks (gateway, body, try_at) SELECT gateway, body, try_at FROM webhooks
    """,
    "incidents_once": """
        INSERT INTO incidents (kind, subject, seen)
        SELECT 'twice', id, '{}' FROM payments, generate_series(1, 2)
    """,
    "incidents_payment_with_trade": """
        INSERT INTO incidents (kind, subject, payment_id, seen)
        SELECT 'x', id, id, '{}' FROM payments
    """,
    "incidents_settled_whole": """
        INSERT INTO incidents (kind, subject, seen, settled_at) VALUES ('x', 'y', '{}', now())
    """,
    "operator_acts_say_why": """
        INSERT INTO operator_acts (actor, act, subject, reason) VALUES ('bora', 'cancel', 'x', '')
    """,
    "payment_events_what": """
        INSERT INTO payment_events (payment_id, what, status_after)
        SELECT id, 'DREAMT', status FROM payments
    """,
    "payment_events_door": """
        INSERT INTO payment_events (payment_id, what, status_after, door)
        SELECT id, 'LOOKED', status, 'WINDOW' FROM payments
    """,
    "payment_events_look_by_a_door": """
        INSERT INTO payment_events (payment_id, what, status_after)
        SELECT id, 'LOOKED', status FROM payments
    """,
    "payment_events_record_whole": """
        INSERT INTO payment_events (payment_id, what, status_after, door, state)
        SELECT id, 'LOOKED', status, 'SWEEP', 'PAID' FROM payments
    """,
    "payment_events_registered_once": """
        INSERT INTO payment_events (payment_id, what, status_after)
        SELECT id, 'REGISTERED', status FROM payments
    """,
    "transfers_kind": """
        INSERT INTO transfers VALUES (DEFAULT, 'GIFT', 's', 'a', 'b', 1, 'KRW', now())
    """,
    "transfers_amount_positive": """
        INSERT INTO transfers VALUES (DEFAULT, 'FEE', 's', 'a', 'b', 0, 'KRW', now())
    """,
    "transfers_between_two": """
        INSERT INTO transfers VALUES (DEFAULT, 'FEE', 's', 'a', 'a', 1, 'KRW', now())
    """,
    "transfers_once": """
        INSERT INTO transfers (kind, source, debit, credit, amount, currency, occurred_at)
        SELECT kind, source, debit, credit, amount, currency, occurred_at FROM transfers
    """,
}
# … and what each foreign key refuses.
UNRELATED = {
    "sessions_member_id_fkey": "UPDATE sessions SET member_id = gen_random_uuid()",
    "products_seller_id_fkey": "UPDATE products SET seller_id = gen_random_uuid()",
    "trades_product_id_fkey": "UPDATE trades SET product_id = gen_random_uuid()",
    "trades_seller_id_fkey": "UPDATE trades SET seller_id = gen_random_uuid()",
    "trades_buyer_id_fkey": "UPDATE trades SET buyer_id = gen_random_uuid()",
    "trades_payment_id_fkey": "UPDATE trades SET payment_id = gen_random_uuid()",
    "payments_transfer": "UPDATE payments SET transfer = 'LOST'",
    "payments_used_method": "UPDATE payments SET used_method = 'BARTER'",
    "payments_found_under_another": "UPDATE payments SET order_id = id",
    "payments_order_id_fkey": "UPDATE payments SET order_id = gen_random_uuid()",
    "payments_trade_id_fkey": "UPDATE payments SET trade_id = gen_random_uuid()",
    "payments_payer_id_fkey": "UPDATE payments SET payer_id = gen_random_uuid()",
    "payment_events_payment_id_fkey": """
        INSERT INTO payment_events (payment_id, what, status_after)
        VALUES (gen_random_uuid(), 'ASKED', 'READY')
    """,
    "cancellations_payment_id_fkey": "UPDATE cancellations SET payment_id = gen_random_uuid()",
    "incidents_payment_id_fkey": """
        INSERT INTO incidents (kind, subject, payment_id, trade_id, seen)
        SELECT 'x', 'y', gen_random_uuid(), id, '{}' FROM trades LIMIT 1
    """,
    "incidents_trade_id_fkey": """
        INSERT INTO incidents (kind, subject, payment_id, trade_id, seen)
        SELECT 'x', 'y', id, gen_random_uuid(), '{}' FROM payments LIMIT 1
    """,
}
REFUSED |= UNRELATED
REWRITES = [
    "UPDATE transfers SET amount = 1",
    "DELETE FROM transfers",
    "TRUNCATE transfers",
    "UPDATE operator_acts SET reason = 'another'",
    "DELETE FROM operator_acts",
    "TRUNCATE operator_acts",
    "UPDATE payment_events SET note = 'another'",
    "DELETE FROM payment_events",
    "TRUNCATE payment_events",
]


@pytest.fixture
async def busy(acts: Acts, market: Market, gateway: MemoryGateway) -> None:
    """A market in the midst of things."""
    trade, _ = await acts.paid_trade()
    await acts.payment(await acts.trade())
    await market.products.change(
        trade.product_id, trade.seller.id, Change(), add=[ProcessedImage(4, 3, b"full", b"small")]
    )
    await market.drafts.keep(trade.seller.id, {}, [ProcessedImage(4, 3, b"full", b"small")])
    gateway.dead = True
    await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    await market.inbox.add("V1", None, {"imp_uid": "imp_1"})
    await market.audit.record("bora", "cancel", f"trade {trade.id}", "why")


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("name", REFUSED)
async def test_a_constraint_refuses(db: Database, name: str) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
        await db.execute(REFUSED[name])
    assert getattr(refused.value, "constraint_name", None) == name


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("rewrite", REWRITES)
async def test_the_books_the_audit_log_and_histories_are_only_ever_added_to(
    db: Database, rewrite: str
) -> None:
    with pytest.raises(asyncpg.RestrictViolationError):
        await db.execute(rewrite)


async def test_every_constraint_of_ours_is_tried(db: Database) -> None:
    rows = await db.fetch(
        """
        SELECT conname AS name FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
        WHERE contype IN ('c', 'u', 'f', 'x') AND t.relnamespace = 'public'::regnamespace
        UNION
        SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
        WHERE x.indisunique AND NOT x.indisprimary AND i.relnamespace = 'public'::regnamespace
        """
    )
    ours = {row["name"] for row in rows if not re.match("pgqueuer|alembic", row["name"])}
    assert ours == set(REFUSED)


LOCKS: dict[str, Callable[[Database, Any], Awaitable[Any]]] = {
    "products": lambda db, row: SqlProducts(db).get_for_update(row),
    "trades": lambda db, row: SqlTrades(db).get_for_update(row),
    "payments": lambda db, row: SqlPayments(db, Encryptor(["k"])).get_for_update(row),
    "sessions": lambda db, row: SqlSessions(db).find_for_update(row),
}


async def impatiently(db: Database, locking: Awaitable[Any]) -> None:
    """Takes a lock within 50 ms, or raises Unavailable."""
    async with db.transaction():
        await db.execute("SET LOCAL lock_timeout = '50ms'")
        await locking


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("table", LOCKS)
async def test_a_locked_row_keeps_everybody_else_out(db: Database, dsn: str, table: str) -> None:
    id = await db.fetch_value(f"SELECT id FROM {table}")  # noqa: S608 # our own names
    async with holding(dsn, table, id):
        with pytest.raises(Unavailable):
            await impatiently(db, LOCKS[table](db, id))


@pytest.mark.usefixtures("busy")
async def test_a_locked_cancellation_keeps_everybody_else_out(db: Database, dsn: str) -> None:
    row = await db.fetch_one("SELECT id, payment_id FROM cancellations")
    assert row is not None
    async with holding(dsn, "cancellations", row["id"]):
        locking = SqlCancellations(db, Encryptor(["key"])).find_open_for_update(row["payment_id"])
        with pytest.raises(Unavailable):
            await impatiently(db, locking)


@pytest.mark.usefixtures("busy")
async def test_a_cancellation_that_is_locked_by_id_keeps_everybody_else_out(
    db: Database, dsn: str
) -> None:
    id = await db.fetch_value("SELECT id FROM cancellations")
    async with holding(dsn, "cancellations", id):
        with pytest.raises(Unavailable):
            await impatiently(db, SqlCancellations(db, Encryptor(["key"])).get_for_update(id))


@pytest.mark.usefixtures("busy")
async def test_a_refund_whose_transfer_is_awaited_can_be_locked_by_one_alone(
    db: Database, dsn: str
) -> None:
    await db.execute(
        "UPDATE cancellations SET status = 'SUCCEEDED', settled_at = created_at, try_at = NULL,"
        " refund_account = $1",
        b"encrypted",
    )
    row = await db.fetch_one("SELECT id, payment_id FROM cancellations")
    assert row is not None
    async with holding(dsn, "cancellations", row["id"]):
        refunds = SqlCancellations(db, Encryptor(["key"]))
        with pytest.raises(Unavailable):
            await impatiently(db, refunds.find_untransferred_for_update(row["payment_id"]))
    await db.execute(
        "UPDATE cancellations SET status = 'REQUESTED', settled_at = NULL, try_at = created_at,"
        " refund_account = NULL"
    )


@pytest.mark.usefixtures("busy")
async def test_a_locked_order_keeps_everybody_else_out(db: Database, dsn: str) -> None:
    id = await db.fetch_value("SELECT id FROM payments")
    async with holding(dsn, "payments", id):
        with pytest.raises(Unavailable):
            await impatiently(db, SqlPayments(db, Encryptor(["k"])).of_order_for_update(id))


@pytest.mark.usefixtures("busy")
async def test_a_locked_product_keeps_a_group_of_buyers_out(db: Database, dsn: str) -> None:
    ids = [row["id"] for row in await db.fetch("SELECT id FROM products")]
    async with holding(dsn, "products", ids[0]):
        with pytest.raises(Unavailable):
            await impatiently(db, SqlProducts(db).lock_all(ids))


@pytest.mark.usefixtures("busy")
async def test_a_locked_member_keeps_everybody_else_out(db: Database, dsn: str) -> None:
    row = await db.fetch_one("SELECT id, email FROM members LIMIT 1")
    assert row is not None
    async with holding(dsn, "members", row["id"]):
        with pytest.raises(Unavailable):
            await impatiently(db, SqlMembers(db).find_by_email_for_update(row["email"]))


@pytest.mark.usefixtures("busy")
async def test_a_member_who_is_locked_by_id_keeps_everybody_else_out(
    db: Database, dsn: str
) -> None:
    id = await db.fetch_value("SELECT id FROM members LIMIT 1")
    async with holding(dsn, "members", id):
        with pytest.raises(Unavailable):
            await impatiently(db, SqlMembers(db).get_for_update(id))


@pytest.mark.parametrize("table", LOCKS)
async def test_a_row_is_not_locked_outside_a_transaction(db: Database, table: str) -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        await LOCKS[table](db, "0" * 32)


async def test_a_stale_save_overwrites_nothing(acts: Acts, market: Market, db: Database) -> None:
    trade, payment_id = await acts.paid_trade()
    payment = await SqlPayments(db, Encryptor(["k"])).get(payment_id)
    stores: list[tuple[Any, Any, list[Any]]] = [
        (SqlProducts(db), await SqlProducts(db).get(trade.product_id), []),
        (SqlTrades(db), await SqlTrades(db).get(trade.id), []),
        (SqlPayments(db, Encryptor(["k"])), payment, [Entry.expired(payment, payment.status)]),
    ]
    for store, read, entry in stores:
        await store.save(read, *entry)
        read.version -= 1
        with pytest.raises(VersionConflict):
            await store.save(read, *entry)


async def fail_after(db: Database, sql: str, *, retryable: bool) -> None:
    """Does something in a part of a transaction, and fails."""
    async with db.transaction(retryable=retryable):
        await db.execute(sql)
        raise ZeroDivisionError


async def test_a_part_of_a_transaction_that_failed_takes_all_of_it_back(
    acts: Acts, db: Database
) -> None:
    await acts.trade()
    with suppress(ZeroDivisionError):
        async with db.transaction():
            await db.execute("UPDATE products SET description = 'not kept'")
            await fail_after(db, "UPDATE products SET name = 'changed'", retryable=False)
    row = await db.fetch_one("SELECT name, description FROM products")
    assert row is not None
    assert tuple(row) == ("chair", "")


async def test_a_retryable_part_takes_back_itself_alone(acts: Acts, db: Database) -> None:
    await acts.trade()
    async with db.transaction():
        await db.execute("UPDATE products SET description = 'kept'")
        with suppress(ZeroDivisionError):
            await fail_after(db, "UPDATE products SET name = 'changed'", retryable=True)
    row = await db.fetch_one("SELECT name, description FROM products")
    assert row is not None
    assert tuple(row) == ("chair", "kept")


async def test_a_transaction_that_failed_unheard_is_not_told_as_done(db: Database) -> None:
    """PostgreSQL answers its COMMIT with a ROLLBACK, and says no more."""

    async def swallow() -> None:
        async with db.transaction():
            with suppress(asyncpg.DivisionByZeroError):
                await db.execute("SELECT 1 / 0")

    with pytest.raises(RuntimeError):
        await swallow()
