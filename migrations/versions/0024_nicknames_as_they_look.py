"""A nickname is one member's alone as it looks, and an address has one spelling (A6, A7).

Members who signed up while look-alikes were let in keep their accounts: of those who can't be told
apart the oldest keeps the nickname, the others get a number behind it. Who bears a name of the
market's own, and is no operator, is a member like others from now on. An address whose one spelling
is another member's already stays as it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from alembic import op

from market.kit.db.migrate import create_index_concurrently
from market.members.nicknames import kept, proposals
from market.shared.text import mailbox, skeleton

revision = "0024"
down_revision = "0023"

BATCH_SIZE = 500
NEXT = """
    SELECT id, nickname, email, operator FROM members
    WHERE nickname_key IS NULL AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2
"""
SAVE = """
    UPDATE members m SET nickname = n.nickname, nickname_key = n.key, email = n.email
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS n (id, nickname, key, email)
    WHERE m.id = n.id
"""


def upgrade() -> None:
    # Until the release before is gone, it adds members without a key; a nightly job gives them one.
    op.execute("ALTER TABLE members ADD COLUMN IF NOT EXISTS nickname_key text")
    create_index_concurrently("members_nickname_key", "members (nickname_key)", unique=True)
    with op.get_context().autocommit_block():
        last = None
        while rows := _fetch(NEXT, last, BATCH_SIZE):
            names = _told_apart([kept(row.nickname, operator=row.operator) for row in rows])
            emails = _spelled([row.email for row in rows])
            ids = [row.id for row in rows]
            keys = [skeleton(name) for name in names]
            op.get_bind().exec_driver_sql(SAVE, (ids, names, keys, emails))
            last = ids[-1]


def _told_apart(names: Sequence[str]) -> Sequence[str]:
    """In this order, each the first of its proposals that is free."""
    keys = {name: skeleton(name) for name in names}
    taken = _taken("nickname_key", list(keys.values()))
    found = []
    for name in names:
        chosen, key = name, keys[name]
        if key in taken:
            others = {other: skeleton(other) for other in proposals(name)}
            taken |= _taken("nickname_key", list(others.values()))
            chosen, key = next((o, k) for o, k in others.items() if k not in taken)
        taken.add(key)
        found.append(chosen)
    return found


def _spelled(emails: Sequence[str | None]) -> Sequence[str | None]:
    """Each in its one spelling, unless that is somebody's."""
    spellings: Mapping[str, str] = {email: mailbox(email) for email in emails if email}
    new = {email: to for email, to in spellings.items() if to != email}
    taken = _taken("email", list(new.values())) if new else set()
    for email, to in new.items():
        if to in taken:
            new = {**new, email: email}
        taken.add(to)
    return [new.get(email, email) if email else None for email in emails]


def _taken(column: str, values: Sequence[str]) -> set[str]:
    sql = f"SELECT {column} FROM members WHERE {column} = ANY ($1::text[])"  # noqa: S608 # ours
    return {row[0] for row in _fetch(sql, values)}


def _fetch(sql: str, *args: object) -> Sequence[Any]:
    return op.get_bind().exec_driver_sql(sql, args).fetchall()
