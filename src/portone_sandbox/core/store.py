"""Persistence: one SQLite file that survives SIGKILL."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from portone_sandbox.core.payments import Order, Payment, Version
from portone_sandbox.core.webhook import Webhook

_SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS payments (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, tx_id TEXT NOT NULL UNIQUE, order_id TEXT NOT NULL,
    status TEXT NOT NULL, account TEXT, requested_at REAL NOT NULL,
    status_changed_at REAL NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS payments_order ON payments (order_id);
CREATE INDEX IF NOT EXISTS payments_account ON payments (account) WHERE account IS NOT NULL;
CREATE INDEX IF NOT EXISTS payments_requested ON payments (requested_at);
CREATE INDEX IF NOT EXISTS payments_waiting ON payments (seq)
    WHERE status = 'VIRTUAL_ACCOUNT_ISSUED';
CREATE TABLE IF NOT EXISTS webhooks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tx_id TEXT NOT NULL,
    state TEXT NOT NULL, due_at REAL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS webhooks_due ON webhooks (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS webhooks_held ON webhooks (seq) WHERE state = 'held';
CREATE INDEX IF NOT EXISTS webhooks_tx ON webhooks (tx_id);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, kept_until REAL NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
"""
# Savepoints of one name nest: each statement means the innermost.
_OUTER = ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
_INNER = ("SAVEPOINT inner", "RELEASE inner", ("ROLLBACK TO inner", "RELEASE inner"))
_TABLES = ("orders", "payments", "webhooks", "answers")


class Store:
    """One connection, used by one thread, so transactions never interleave."""

    def __init__(self, path: Path | str) -> None:
        if str(path) != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        # One process at a time: two sandboxes on one file would overwrite each other, and a lock
        # that is never released saves two system calls per statement.
        # WAL with NORMAL loses nothing when the process is killed, and needs no fsync per commit.
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)
        self._depth = 0

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; a nested transaction can fail alone, leaving the outer one intact."""
        self._depth += 1
        begin, commit, rollback = _OUTER if self._depth == 1 else _INNER
        self._db.execute(begin)
        try:
            yield
        except BaseException:
            for statement in rollback:
                self._db.execute(statement)
            raise
        else:
            self._db.execute(commit)
        finally:
            self._depth -= 1

    def clear(self, kept_notes: Sequence[str] = ()) -> None:
        """Delete every row, except notes by name; `*` in a name stands for any text."""
        spared = " AND ".join("name NOT GLOB ?" for _ in kept_notes) or "true"
        with self.transaction():
            for table in _TABLES:
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - names are ours
            self._db.execute(f"DELETE FROM notes WHERE {spared}", kept_notes)  # noqa: S608

    # notes: small named values (settings, tokens, clock, faults, counters)

    def get_note(self, name: str) -> bytes | None:
        """The note `name`."""
        row = self._db.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def put_note(self, name: str, value: bytes) -> None:
        """Store the note `name`."""
        self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def take_note(self, name: str) -> bytes | None:
        """Delete the note `name` and return it: a second call finds nothing."""
        query = "DELETE FROM notes WHERE name = ? RETURNING value"
        row = self._db.execute(query, (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def next_number(self, name: str) -> int:
        """1, 2, 3 …, unique per name until /control/reset."""
        number = int(self.get_note(f"next_{name}") or b"0") + 1
        self.put_note(f"next_{name}", str(number).encode())
        return number

    # orders

    def find_order(self, order_id: str) -> Order | None:
        """The order registered under a merchant_uid or paymentId."""
        row = self._db.execute("SELECT body FROM orders WHERE id = ?", (order_id,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=Order)

    def save_order(self, order: Order) -> None:
        """Register an order, or change what is registered."""
        body = msgspec.json.encode(order)
        self._db.execute("INSERT OR REPLACE INTO orders VALUES (?, ?)", (order.id, body))

    def list_orders(self) -> list[Order]:
        """Every registered order."""
        rows = self._db.execute("SELECT body FROM orders ORDER BY id")
        return [msgspec.json.decode(row[0], type=Order) for row in rows]

    # payments

    def save_payment(self, payment: Payment) -> None:
        """Insert or update one attempt."""
        account = payment.account.number if payment.account else None
        self._db.execute(
            "INSERT INTO payments (tx_id, order_id, status, account, requested_at,"
            " status_changed_at, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (tx_id) DO UPDATE SET status = excluded.status,"
            " account = excluded.account, status_changed_at = excluded.status_changed_at,"
            " body = excluded.body",
            (
                payment.tx_id,
                payment.order_id,
                payment.status,
                account,
                payment.requested_at.timestamp(),
                payment.status_changed_at.timestamp(),
                msgspec.json.encode(payment),
            ),
        )

    def find_payment(self, tx_id: str) -> Payment | None:
        """An attempt by imp_uid or transaction id."""
        found = self._payments("WHERE tx_id = ?", (tx_id,))
        return found[0] if found else None

    def list_attempts(self, order_id: str, version: Version | None = None) -> list[Payment]:
        """Every attempt of an order, oldest first."""
        found = self._payments("WHERE order_id = ? ORDER BY seq", (order_id,))
        return [p for p in found if version in (None, p.version)]

    def list_by_account(self, number: str) -> list[Payment]:
        """Every attempt that uses a virtual account, newest first."""
        return self._payments("WHERE account = ? ORDER BY seq DESC", (number,))

    def list_waiting(self) -> list[Payment]:
        """Every attempt that awaits a deposit."""
        return self._payments("WHERE status = 'VIRTUAL_ACCOUNT_ISSUED' ORDER BY seq", ())

    def list_payments(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> list[Payment]:
        """Attempts requested within a window, oldest first."""
        low = since.timestamp() if since else 0.0
        high = until.timestamp() if until else float("inf")
        where = "WHERE requested_at BETWEEN ? AND ? ORDER BY seq"
        return self._payments(where, (low, high))

    def list_newest_payments(self, limit: int, skip: int = 0) -> list[Payment]:
        """A page of attempts, newest first."""
        return self._payments("ORDER BY seq DESC LIMIT ? OFFSET ?", (limit, skip))

    def _payments(self, where: str, values: tuple[object, ...]) -> list[Payment]:
        rows = self._db.execute(f"SELECT body FROM payments {where}", values)  # noqa: S608 - ours
        return [msgspec.json.decode(row[0], type=Payment) for row in rows]

    # webhooks

    def save_webhook(self, webhook: Webhook) -> None:
        """Insert or update one webhook."""
        due = webhook.next_at.timestamp() if webhook.next_at else None
        self._db.execute(
            "INSERT INTO webhooks (id, tx_id, state, due_at, body) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET state = excluded.state, due_at = excluded.due_at,"
            " body = excluded.body",
            (webhook.id, webhook.tx_id, webhook.state, due, msgspec.json.encode(webhook)),
        )

    def find_webhook(self, webhook_id: str) -> Webhook | None:
        """One webhook by its id."""
        found = self._webhooks("WHERE id = ?", (webhook_id,))
        return found[0] if found else None

    def list_webhooks(self, tx_id: str | None = None) -> list[Webhook]:
        """Every webhook, oldest first; of one payment if `tx_id` is given."""
        if tx_id is None:
            return self._webhooks("ORDER BY seq", ())
        return self._webhooks("WHERE tx_id = ? ORDER BY seq", (tx_id,))

    def list_newest_webhooks(self, limit: int, skip: int = 0) -> list[Webhook]:
        """A page of webhooks, newest first."""
        return self._webhooks("ORDER BY seq DESC LIMIT ? OFFSET ?", (limit, skip))

    def list_held_webhooks(self) -> list[Webhook]:
        """Webhooks held until another one was sent."""
        return self._webhooks("WHERE state = 'held' ORDER BY seq", ())

    def list_due_webhooks(self, now: datetime) -> list[Webhook]:
        """Due webhooks, the longest waiting first."""
        where = "WHERE due_at <= ? ORDER BY due_at, seq LIMIT 100"
        return self._webhooks(where, (now.timestamp(),))

    def next_due_at(self, now: datetime) -> float | None:
        """When the next webhook after `now` is due, in UNIX seconds of the sandbox's clock."""
        query = "SELECT min(due_at) FROM webhooks WHERE due_at > ?"
        row = self._db.execute(query, (now.timestamp(),)).fetchone()
        return None if row[0] is None else float(row[0])

    def _webhooks(self, where: str, values: tuple[object, ...]) -> list[Webhook]:
        rows = self._db.execute(f"SELECT body FROM webhooks {where}", values)  # noqa: S608 - ours
        return [msgspec.json.decode(row[0], type=Webhook) for row in rows]

    # responses stored for an idempotency key

    def find_response(self, key: str, now: datetime) -> bytes | None:
        """The response stored for a key, unless it has expired."""
        row = self._db.execute(
            "SELECT body FROM answers WHERE key = ? AND kept_until > ?", (key, now.timestamp())
        ).fetchone()
        return None if row is None else bytes(row[0])

    def store_response(self, key: str, until: datetime, body: bytes) -> None:
        """Store a response until a time."""
        values = (key, until.timestamp(), body)
        self._db.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", values)
