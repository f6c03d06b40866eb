"""What a status means stands in the domain and in the schema; they never disagree (R9)."""

import ast
import itertools
import re
from dataclasses import replace
from pathlib import Path

import pytest

import market
from market.kit.audit import SqlAudit
from market.kit.db.database import Database
from market.trades.domain import Status
from tests.domain.test_product import product
from tests.domain.test_trade import PAYMENT, trade

MOST = 4
SOURCE = Path(market.__file__).parent


async def test_domain_and_database_agree_on_every_small_count(db: Database) -> None:
    counts = [
        (quantity, taken, confirmed)
        for quantity, taken, confirmed in itertools.product(
            range(1, MOST), range(MOST), range(MOST)
        )
        if confirmed <= taken <= quantity
    ]
    await db.execute(
        "INSERT INTO members VALUES (gen_random_uuid(), 's@example.com', 's', '', now())"
    )
    for quantity, taken, confirmed in counts:
        stored = await db.fetch_value(
            """
            INSERT INTO products (id, seller_id, name, description, price, currency, quantity,
                                  taken, confirmed, created_at)
            SELECT gen_random_uuid(), id, 'x', '', 1, 'KRW', $1, $2, $3, now() FROM members
            RETURNING status
            """,
            quantity,
            taken,
            confirmed,
        )
        item = replace(product(), quantity=quantity, taken=taken, confirmed=confirmed)
        assert item.status == stored


@pytest.mark.parametrize("cancelling", [False, True])
@pytest.mark.parametrize("status", Status)
async def test_domain_and_database_agree_on_what_a_trade_s_status_means(
    db: Database, status: Status, *, cancelling: bool
) -> None:
    one = trade(status, cancelling=cancelling)
    stored = await db.fetch_one(
        """
        SELECT t.is_live, t.holds_money, t.awaits_payment, t.awaits_confirmation
        FROM jsonb_populate_record(NULL::trades, jsonb_build_object(
            'status', $1::text, 'cancel_by', $2::text)) AS t
        """,
        status,
        one.cancelling.by if one.cancelling else None,
    )
    assert stored is not None
    assert tuple(stored) == (
        one.is_live,
        one.holds_money,
        status is Status.AWAITING_PAYMENT,
        status is Status.SALE_APPROVED and not cancelling,
    )


@pytest.mark.parametrize(
    ("kind", "source", "payment", "traded"),
    [
        ("CAPTURED", PAYMENT, True, False),
        ("RETURNED", f"{PAYMENT}:700", True, False),
        ("SETTLED", PAYMENT, False, True),
        ("FEE", PAYMENT, False, True),
        ("RETURNED", "no id", False, False),
        ("SETTLED", "no id", False, False),
        ("SETTLED", f"{PAYMENT}:700", False, False),
    ],
)
async def test_a_transfer_knows_its_payment_or_its_trade(
    db: Database, kind: str, source: str, *, payment: bool, traded: bool
) -> None:
    row = await db.fetch_one(
        """
        INSERT INTO transfers AS x (kind, source, debit, credit, amount, currency, occurred_at)
        VALUES ($1, $2, 'gateway', 'escrow', 700, 'KRW', now())
        RETURNING x.payment_id, x.trade_id
        """,
        kind,
        source,
    )
    assert row is not None
    assert tuple(row) == (PAYMENT if payment else None, PAYMENT if traded else None)


async def test_refunds_of_a_payment_are_found_by_an_index(db: Database) -> None:
    plan = await db.fetch(
        "EXPLAIN SELECT 1 FROM transfers x WHERE x.kind = 'RETURNED' AND x.payment_id = $1", PAYMENT
    )
    assert "transfers_refunds_of_payment" in "\n".join(line for (line,) in plan)


def test_only_trades_name_a_trade_s_states_in_sql() -> None:
    named = re.compile(
        r"'(AWAITING_PAYMENT|SALE_APPROVED|PURCHASE_CONFIRMED)'|\bt\.status (=|<>|IN)"
    )
    elsewhere = [
        f"{path.relative_to(SOURCE)}: {text.value}"
        for path in SOURCE.rglob("*.py")
        # `market verify` checks the rows themselves, and so believes no definition of theirs.
        if "trades" not in path.parts and path.name not in {"verify.py", "invariants.py"}
        for text in ast.walk(ast.parse(path.read_text()))
        if isinstance(text, ast.Constant)
        and isinstance(text.value, str)
        and named.search(text.value)
    ]
    assert elsewhere == []


async def test_an_audit_entry_knows_type_and_id_of_its_subject(db: Database) -> None:
    audit = SqlAudit(db)
    await audit.record("bora", "look", f"payment {PAYMENT}", "why")
    (entry,) = await audit.list(None, 10)
    assert (entry.subject_type, entry.subject_id) == ("payment", PAYMENT)
