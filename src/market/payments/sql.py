"""Payments and cancellations in PostgreSQL."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec
from cryptography.fernet import InvalidToken

from market.kit.db.database import Database, Row
from market.kit.security.encryption import Encryptor
from market.shared.banking import Bank, RefundAccount, VirtualAccount
from market.shared.contracts import PaymentSummary, Refund
from market.shared.errors import NotFound, VersionConflict
from market.shared.ids import CancellationId, PaymentId, TradeId
from market.shared.money import Money
from market.shared.principals import Party

from .buyer import NOBODY, Buyer
from .cancellation import Cancellation, CancellationInProgress, CancellationStatus
from .domain import OPEN, Method, Payment, Status
from .history import Entry, told_of
from .history_book import LAST_TOLD, REMEMBER, arguments, told_if_added, told_if_news
from .news import Standing
from .record import Transfer

# Whoever takes up something due has it to himself for so long; if he dies, it is due again then.
CLAIM = timedelta(minutes=1)

# Money that is there is looked at once a day, with some hours to catch up in; sooner after a look
# that failed.
CHECK_EVERY = timedelta(hours=20)
CHECK_AGAIN_AFTER = timedelta(hours=1)

# By name, never *: a statement prepared before a migration added a column works after it.
_COLUMNS = """
    id, trade_id, payer_id, title, gateway, method, amount, currency, status, captured_amount,
    captured_currency, cancelled_amount, reference, paid_at, failure, look_at, created_at, version,
    bank, account_bank, account_number, account_holder, account_due_at, registered, issuing_until,
    answers, buyer, order_id, used_method, transfer
"""
_PAYMENT = f"SELECT {_COLUMNS} FROM payments "  # noqa: S608 # our own words
ORDER_STANDS = f"""
    SELECT {_COLUMNS}, {LAST_TOLD} AS told,
           (SELECT ROW (c.try_at IS NOT NULL, c.balance - c.amount) FROM cancellations c
            WHERE c.payment_id = payments.id AND c.status = 'REQUESTED') AS refund
    FROM payments
"""  # noqa: S608 # our own words
# The payment that was begun comes first.
_ORDER = """
    WHERE id = $1 OR order_id = $1 ORDER BY order_id NULLS FIRST, id
"""
# When money went back only the ledger knows: the payment keeps the sum alone.
_MOVED = """
    WHERE gateway = $1 AND captured_amount IS NOT NULL AND ($4::uuid IS NULL OR id > $4)
      AND id IN (
          SELECT id FROM payments WHERE paid_at >= $2 AND paid_at < $3
          UNION
          SELECT x.payment_id FROM transfers x
          WHERE x.kind = 'RETURNED' AND occurred_at >= $2 AND occurred_at < $3)
    ORDER BY id LIMIT $5
"""
# In the order of ids, which stands still while they are looked at, and no further than the newest
# there was at first: a busy market has no end. Each part goes along an index of just these.
_BEFORE_ALL = "0" * 32
_NEWEST = "SELECT id FROM payments ORDER BY id DESC LIMIT 1"
_OPEN = """
    (SELECT id FROM payments
     WHERE look_at IS NOT NULL AND id > $1 AND id <= $2 ORDER BY id LIMIT $3)
    UNION
    (SELECT payment_id FROM cancellations
     WHERE status = 'REQUESTED' AND payment_id > $1 AND payment_id <= $2
     ORDER BY payment_id LIMIT $3)
    UNION
    (SELECT payment_id FROM trades t
     WHERE t.holds_money AND payment_id > $1 AND payment_id <= $2
     ORDER BY payment_id LIMIT $3)
    ORDER BY id LIMIT $3
"""
_ADD = told_if_added("""
    INSERT INTO payments (id, trade_id, payer_id, title, gateway, method, amount, currency,
                          status, look_at, created_at, bank, buyer, order_id)
    VALUES ($1, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)
    ON CONFLICT (trade_id) WHERE status IN ('READY', 'VIRTUAL_ACCOUNT_ISSUED') DO NOTHING
""")


def _update(first: int) -> str:
    """A payment's new state, from argument `first` on."""
    columns = (
        "status",
        "look_at",
        "captured_amount",
        "captured_currency",
        "cancelled_amount",
        "reference",
        "paid_at",
        "failure",
        "account_bank",
        "account_number",
        "account_holder",
        "account_due_at",
        "registered",
        "issuing_until",
        "answers",
        "buyer",
        "used_method",
        "transfer",
    )
    changes = ", ".join(f"{name} = ${first + 1 + n}" for n, name in enumerate(columns))
    # safeguard: payment version compared
    return (
        f"UPDATE payments SET {changes}, version = version + 1"  # noqa: S608 # our own words
        f" WHERE id = $1 AND version = ${first}"
    )


_SAVE = told_if_news(_update(14))
_SAVE_UNTOLD = _update(2)
# Nobody has said where the money is to go, or it could not go where they said.
_WAITS = """
    ((c.status = 'REQUESTED' AND c.try_at IS NULL)
     OR (c.refund_account IS NOT NULL AND c.failure IS NOT NULL))
"""
_CANCELLATION = """
    SELECT id, payment_id, amount, balance, reason, asked_by, status, tries, try_at, created_at,
           settled_at, failure, refund_account, asked_amount, answers, sent_at, lost_at,
           taken_up_at, given_up_by
    FROM cancellations
"""


class SqlPayments:
    """Payments; a partial unique index allows a trade one unpaid payment at a time."""

    def __init__(self, db: Database, encryptor: Encryptor) -> None:
        self._db = db
        self._encryptor = encryptor

    async def add(self, payment: Payment, entry: Entry) -> bool:
        added = await self._db.execute(
            _ADD,
            *arguments(payment.id, entry),
            payment.trade_id,
            payment.payer,
            payment.title,
            payment.gateway,
            payment.method,
            payment.amount.amount,
            payment.amount.currency,
            payment.status,
            payment.look_at,
            payment.created_at,
            payment.bank,
            self._sealed(payment),
            payment.order,
        )
        return added == 1

    async def find_open(self, trade_id: TradeId) -> Payment | None:
        row = await self._db.fetch_one(
            _PAYMENT + "WHERE trade_id = $1 AND status = ANY ($2::text[])",
            trade_id,
            OPEN,
        )
        return self._payment(row) if row else None

    async def find(self, id: PaymentId) -> Payment | None:
        row = await self._db.fetch_one(_PAYMENT + "WHERE id = $1", id)
        return self._payment(row) if row else None

    async def get(self, id: PaymentId) -> Payment:
        payment = await self.find(id)
        if payment is None:
            raise NotFound
        return payment

    async def get_for_update(self, id: PaymentId) -> Payment:
        # safeguard: payment row locked
        row = await self._db.fetch_one_for_update(_PAYMENT + "WHERE id = $1 FOR UPDATE", id)
        if row is None:
            raise NotFound
        return self._payment(row)

    async def of_order(self, order_id: PaymentId) -> Sequence[Payment]:
        return [self._payment(row) for row in await self._db.fetch(_PAYMENT + _ORDER, order_id)]

    async def standings(self, order_id: PaymentId) -> Sequence[Standing]:
        rows = await self._db.fetch(ORDER_STANDS + _ORDER, order_id)
        if not rows:
            raise NotFound
        return [self._standing(row) for row in rows]

    async def of_order_for_update(self, order_id: PaymentId) -> Sequence[Payment]:
        # safeguard: an order's payment rows locked
        rows = await self._db.fetch_for_update(_PAYMENT + _ORDER + " FOR UPDATE", order_id)
        if not rows:
            raise NotFound
        return [self._payment(row) for row in rows]

    async def save(self, payment: Payment, entry: Entry | None = None) -> None:
        captured, account = payment.captured, payment.account
        told = arguments(payment.id, entry) if entry else [payment.id]
        saved = await self._db.execute(
            _SAVE if entry else _SAVE_UNTOLD,
            *told,
            payment.version,
            payment.status,
            payment.look_at,
            captured.amount if captured else None,
            captured.currency if captured else None,
            payment.cancelled,
            payment.reference,
            payment.paid_at,
            payment.failure,
            account.bank if account else None,
            account.number if account else None,
            account.holder if account else None,
            account.due_at if account else None,
            payment.registered,
            payment.issuing_until,
            payment.answers,
            self._sealed(payment),
            payment.used,
            payment.transfer,
        )
        if not saved:
            raise VersionConflict(payment_id=payment.id)
        payment.version += 1

    async def remember(self, id: PaymentId, entry: Entry) -> None:
        await self._db.execute(REMEMBER, *arguments(id, entry))

    async def reschedule(self, payment: Payment, before: datetime | None) -> None:
        await self._db.execute(
            "UPDATE payments SET look_at = $2 WHERE id = $1 AND look_at IS NOT DISTINCT FROM $3",
            payment.id,
            payment.look_at,
            before,
        )

    async def due(self, now: datetime, limit: int) -> Sequence[PaymentId]:
        # safeguard: due payments leased to one worker
        rows = await self._db.fetch(
            """
            UPDATE payments SET look_at = $2
            WHERE id IN (SELECT id FROM payments WHERE look_at <= $1
                         ORDER BY look_at LIMIT $3 FOR UPDATE SKIP LOCKED)
            RETURNING id
            """,
            now,
            now + CLAIM,
            limit,
        )
        return [row["id"] for row in rows]

    async def due_for_check(self, now: datetime, limit: int) -> Sequence[PaymentId]:
        # safeguard: payments due for a check leased to one worker
        rows = await self._db.fetch(
            """
            UPDATE payments SET checked_at = $2
            WHERE id IN (SELECT id FROM payments
                         WHERE captured_amount > cancelled_amount
                           AND coalesce(checked_at, created_at) <= $1
                         ORDER BY coalesce(checked_at, created_at) LIMIT $3
                         FOR UPDATE SKIP LOCKED)
            RETURNING id
            """,
            now - CHECK_EVERY,
            now - CHECK_EVERY + CHECK_AGAIN_AFTER,
            limit,
        )
        return [row["id"] for row in rows]

    async def overdue(self, before: datetime, limit: int) -> Sequence[PaymentId]:
        rows = await self._db.fetch(
            """
            SELECT payment_id FROM trades t
            WHERE t.holds_money AND coalesce(approved_at, paid_at) < $1
              AND NOT EXISTS (SELECT FROM incidents i
                              WHERE i.kind = 'trade_overdue'
                                AND i.subject = replace(t.payment_id::text, '-', ''))
            ORDER BY payment_id LIMIT $2
            """,
            before,
            limit,
        )
        return [row["payment_id"] for row in rows]

    async def checked(self, id: PaymentId, now: datetime) -> None:
        await self._db.execute("UPDATE payments SET checked_at = $2 WHERE id = $1", id, now)

    async def open_ids(self, at_once: int) -> AsyncIterator[Sequence[PaymentId]]:
        after, newest = _BEFORE_ALL, await self._db.fetch_value(_NEWEST)
        while rows := await self._db.fetch(_OPEN, after, newest, at_once):
            yield [row["id"] for row in rows]
            after = rows[-1]["id"]

    async def any_on(self, gateway: str) -> bool:
        found = await self._db.fetch_value(
            "SELECT EXISTS (SELECT FROM payments WHERE gateway = $1)", gateway
        )
        return bool(found)

    async def moved(
        self,
        gateway: str,
        since: datetime,
        until: datetime,
        after: PaymentId | None,
        limit: int,
    ) -> Sequence[Payment]:
        rows = await self._db.fetch(
            _PAYMENT + _MOVED,
            gateway,
            since,
            until,
            after,
            limit,
        )
        return [self._payment(row) for row in rows]

    def _standing(self, row: Row) -> Standing:
        trying, keeps = row["refund"] or (False, None)
        told = row["told"]
        shown = tuple(told) if told is not None else told_of(None)
        return Standing(self._payment(row), shown, trying, keeps)

    def _payment(self, row: Row) -> Payment:
        captured = row["captured_amount"]
        return Payment(
            id=row["id"],
            trade_id=row["trade_id"],
            payer=row["payer_id"],
            title=row["title"],
            gateway=row["gateway"],
            method=Method(row["method"]),
            amount=Money(row["amount"], row["currency"]),
            status=Status(row["status"]),
            created_at=row["created_at"],
            look_at=row["look_at"],
            captured=Money(captured, row["captured_currency"]) if captured is not None else None,
            cancelled=row["cancelled_amount"],
            reference=row["reference"],
            paid_at=row["paid_at"],
            failure=row["failure"],
            registered=row["registered"],
            issuing_until=row["issuing_until"],
            answers=row["answers"],
            order=row["order_id"],
            used=Method(row["used_method"]) if row["used_method"] else None,
            transfer=Transfer(row["transfer"]) if row["transfer"] else None,
            version=row["version"],
            bank=Bank(row["bank"]) if row["bank"] else None,
            account=_account(row),
            buyer=self._buyer(row["buyer"]),
        )

    def _sealed(self, payment: Payment) -> bytes | None:
        if payment.buyer == NOBODY:
            return None
        return self._encryptor.encrypt(msgspec.json.encode(payment.buyer))

    def _buyer(self, sealed: bytes | None) -> Buyer:
        if sealed is None:
            return NOBODY
        try:
            return msgspec.json.decode(self._encryptor.decrypt(sealed), type=Buyer)
        except InvalidToken:
            # A key was lost: whoever pays can say it again, and the payment must go on.
            return NOBODY


class SqlReceipts:
    """Payments as trades show them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(self, trade_id: TradeId) -> PaymentSummary | None:
        row = await self._db.fetch_one(
            """
            SELECT id, coalesce(used_method, method) AS method, status, amount, currency,
                   cancelled_amount, failure,
                   ARRAY (SELECT ROW (c.amount, c.reason, c.asked_by, c.status, c.created_at)
                          FROM cancellations c
                          WHERE c.payment_id = payments.id AND c.status <> 'FAILED'
                          ORDER BY c.created_at, c.id) AS refunds
            FROM payments WHERE trade_id = $1
            -- The one that paid it, else the last that was begun.
            ORDER BY id = (SELECT payment_id FROM trades WHERE id = $1) DESC NULLS LAST,
                     order_id NULLS FIRST, id DESC
            LIMIT 1
            """,
            trade_id,
        )
        if row is None:
            return None
        return PaymentSummary(
            row["id"],
            row["method"],
            row["status"],
            Money(row["amount"], row["currency"]),
            row["cancelled_amount"],
            row["failure"],
            [Refund(one[0], one[1], Party(one[2]), one[3], one[4]) for one in row["refunds"]],
        )


class SqlCancellations:
    """Cancellations; a partial unique index allows a payment one open one at a time.

    The account a refund goes to is sealed before it is stored.
    """

    def __init__(self, db: Database, encryptor: Encryptor) -> None:
        self._db = db
        self._encryptor = encryptor

    async def add(self, cancellation: Cancellation) -> None:
        try:
            await self._db.execute(
                """
                INSERT INTO cancellations (id, payment_id, amount, balance, reason, asked_by,
                                           status, try_at, created_at, refund_account,
                                           asked_amount)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                """,
                cancellation.id,
                cancellation.payment_id,
                cancellation.amount,
                cancellation.balance,
                cancellation.reason,
                cancellation.by,
                cancellation.status,
                cancellation.try_at,
                cancellation.created_at,
                self._sealed(cancellation),
                cancellation.asked,
            )
        except asyncpg.UniqueViolationError as cause:
            raise CancellationInProgress(payment_id=cancellation.payment_id) from cause

    async def find_open_for_update(self, payment_id: PaymentId) -> Cancellation | None:
        # safeguard: refund row locked
        row = await self._db.fetch_one_for_update(
            _CANCELLATION + "WHERE payment_id = $1 AND status = 'REQUESTED' FOR UPDATE",
            payment_id,
        )
        return self._cancellation(row) if row else None

    async def find_untransferred_for_update(self, payment_id: PaymentId) -> Sequence[Cancellation]:
        # safeguard: refunds that await their transfer locked
        rows = await self._db.fetch_for_update(
            _CANCELLATION
            + """
            WHERE payment_id = $1 AND status = 'SUCCEEDED' AND refund_account IS NOT NULL
            ORDER BY settled_at, id FOR UPDATE
            """,
            payment_id,
        )
        return [self._cancellation(row) for row in rows]

    async def overdue(self, before: datetime, limit: int) -> Sequence[Cancellation]:
        rows = await self._db.fetch(
            _CANCELLATION
            + """
            WHERE ((status = 'REQUESTED' AND created_at < $1)
                   OR (status = 'SUCCEEDED' AND refund_account IS NOT NULL AND settled_at < $1))
              AND NOT EXISTS (
                  SELECT FROM incidents i
                  WHERE i.kind = 'refund_overdue'
                    AND i.subject = replace(payment_id::text, '-', '') || ': '
                                 || replace(cancellations.id::text, '-', ''))
            ORDER BY created_at, id LIMIT $2
            """,
            before,
            limit,
        )
        return [self._cancellation(row) for row in rows]

    async def waits_for_account(self, payment_id: PaymentId) -> bool:
        found = await self._db.fetch_value(
            f"SELECT EXISTS (SELECT FROM cancellations c WHERE payment_id = $1 AND {_WAITS})",  # noqa: S608 # our own words
            payment_id,
        )
        return bool(found)

    async def find_waiting(self, trade_id: TradeId) -> PaymentId | None:
        found = await self._db.fetch_value(
            f"""
            SELECT p.id FROM payments p JOIN cancellations c ON c.payment_id = p.id
            WHERE p.trade_id = $1 AND {_WAITS} ORDER BY p.id LIMIT 1
            """,  # noqa: S608 # our own words
            trade_id,
        )
        return PaymentId(found) if found else None

    async def is_owed(self, payment_id: PaymentId) -> bool:
        found = await self._db.fetch_value(
            """
            SELECT EXISTS (SELECT FROM cancellations
                           WHERE payment_id = $1 AND asked_by = 'MARKET'
                             AND status = 'FAILED' AND given_up_by IS NOT NULL)
            """,
            payment_id,
        )
        return bool(found)

    async def is_open(self, payment_id: PaymentId) -> bool:
        found = await self._db.fetch_value(
            """
            SELECT EXISTS (SELECT FROM cancellations
                           WHERE payment_id = $1 AND status = 'REQUESTED')
            """,
            payment_id,
        )
        return bool(found)

    async def find(self, id: CancellationId) -> Cancellation | None:
        row = await self._db.fetch_one(_CANCELLATION + "WHERE id = $1", id)
        return self._cancellation(row) if row else None

    async def count_parts(self, payment_id: PaymentId) -> tuple[int, int]:
        rows = await self._db.fetch(
            """
            SELECT count(*) AS parts,
                   count(*) FILTER (WHERE asked_by IN ('BUYER', 'SELLER')) AS by_members
            FROM cancellations
            WHERE payment_id = $1 AND status <> 'FAILED' AND amount < balance
            """,
            payment_id,
        )
        return rows[0]["parts"], rows[0]["by_members"]

    async def get(self, id: CancellationId) -> Cancellation:
        cancellation = await self.find(id)
        if cancellation is None:
            raise NotFound
        return cancellation

    async def get_for_update(self, id: CancellationId) -> Cancellation:
        # safeguard: refund row locked by id
        row = await self._db.fetch_one_for_update(_CANCELLATION + "WHERE id = $1 FOR UPDATE", id)
        if row is None:
            raise NotFound
        return self._cancellation(row)

    async def save(self, cancellation: Cancellation) -> None:
        await self._db.execute(
            """
            UPDATE cancellations
            SET amount = $2, balance = $3, status = $4, tries = $5, try_at = $6, settled_at = $7,
                failure = $8, refund_account = $9, answers = $10, sent_at = $11, lost_at = $12,
                taken_up_at = $13, given_up_by = $14
            WHERE id = $1
            """,
            cancellation.id,
            cancellation.amount,
            cancellation.balance,
            cancellation.status,
            cancellation.tries,
            cancellation.try_at,
            cancellation.settled_at,
            cancellation.failure,
            self._sealed(cancellation),
            cancellation.answers,
            cancellation.sent_at,
            cancellation.lost_at,
            cancellation.taken_up_at,
            cancellation.given_up_by,
        )

    async def due(self, now: datetime, limit: int) -> Sequence[CancellationId]:
        # safeguard: due refunds leased to one worker
        rows = await self._db.fetch(
            """
            UPDATE cancellations SET try_at = $2
            WHERE id IN (SELECT id FROM cancellations WHERE try_at <= $1
                         ORDER BY try_at LIMIT $3 FOR UPDATE SKIP LOCKED)
            RETURNING id
            """,
            now,
            now + CLAIM,
            limit,
        )
        return [row["id"] for row in rows]

    def _sealed(self, cancellation: Cancellation) -> bytes | None:
        if cancellation.account is None:
            return None
        return self._encryptor.encrypt(msgspec.json.encode(cancellation.account))

    def _cancellation(self, row: Row) -> Cancellation:
        sealed = row["refund_account"]
        return Cancellation(
            id=row["id"],
            payment_id=row["payment_id"],
            amount=row["amount"],
            balance=row["balance"],
            reason=row["reason"],
            by=Party(row["asked_by"]),
            created_at=row["created_at"],
            try_at=row["try_at"],
            status=CancellationStatus(row["status"]),
            tries=row["tries"],
            settled_at=row["settled_at"],
            failure=row["failure"],
            asked=row["asked_amount"],
            answers=row["answers"],
            sent_at=row["sent_at"],
            lost_at=row["lost_at"],
            taken_up_at=row["taken_up_at"],
            given_up_by=row["given_up_by"],
            account=msgspec.json.decode(self._encryptor.decrypt(sealed), type=RefundAccount)
            if sealed
            else None,
        )


def _account(row: Row) -> VirtualAccount | None:
    if row["account_number"] is None:
        return None
    return VirtualAccount(
        row["account_bank"], row["account_number"], row["account_holder"], row["account_due_at"]
    )
