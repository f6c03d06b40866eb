"""A payment's history in PostgreSQL: told in the very statement that saves what it tells of."""

from .history import Entry, What, told_of

_COLUMNS = """payment_id, what, status_before, status_after, amount, door, state, captured,
           returned, deposited, currency, reference, note"""
_GIVEN = """$2::text, $3::text, $4::text, $5::bigint, $6::text, $7::text, $8::bigint, $9::bigint,
           $10::bigint, $11::text, $12::text, $13::text"""

# What an INSERT or UPDATE of a payment becomes, whose own arguments begin after an entry's: with
# the payment's id first, those are $1 to $13.
_ADDED_AND_TOLD = f"""
    WITH saved AS (AS_IT_IS RETURNING id)
    INSERT INTO payment_events ({_COLUMNS}) SELECT id, {_GIVEN} FROM saved
"""  # noqa: S608 # our own words
# Whoever looks has locked the payment, so nobody else tells of it between the last entry and this.
_SAVED_AND_TOLD = f"""
    WITH saved AS (AS_IT_IS RETURNING id), told AS (
        INSERT INTO payment_events ({_COLUMNS})
        SELECT saved.id, {_GIVEN} FROM saved
        LEFT JOIN LATERAL (
            SELECT state, captured, returned, deposited, currency, reference FROM payment_events
            WHERE payment_id = saved.id AND what = 'LOOKED' ORDER BY id DESC LIMIT 1
        ) last ON true
        WHERE $3 IS DISTINCT FROM $4
           OR $2 = '{What.REGISTERED}'
           OR ($2 = '{What.LOOKED}'
               AND (last.state, last.captured, last.returned, last.deposited, last.currency,
                    last.reference)
                   IS DISTINCT FROM ($7, $8::bigint, $9::bigint, $10::bigint, $11, $12))
        ON CONFLICT (payment_id) WHERE what = '{What.REGISTERED}' DO NOTHING
    )
    SELECT id FROM saved
"""  # noqa: S608 # our own words

# What the last look at a payment showed, as `told_of` has it.
LAST_TOLD = f"""
    (SELECT ROW (e.state, e.captured, e.returned, e.deposited, e.currency, e.reference)
     FROM payment_events e WHERE e.payment_id = payments.id AND e.what = '{What.LOOKED}'
     ORDER BY e.id DESC LIMIT 1)
"""  # noqa: S608 # our own words

REMEMBER = f"""
    INSERT INTO payment_events ({_COLUMNS}) VALUES ($1, {_GIVEN})
    ON CONFLICT (payment_id) WHERE what = '{What.REGISTERED}' DO NOTHING
"""  # noqa: S608 # our own words


def told_if_added(insert: str) -> str:
    """A statement that tells of what it adds; it touches a row if it added one."""
    return _ADDED_AND_TOLD.replace("AS_IT_IS", insert)


def told_if_news(update: str) -> str:
    """A statement that tells what is new; it touches a row if it saved one."""
    return _SAVED_AND_TOLD.replace("AS_IT_IS", update)


def arguments(payment_id: str, entry: Entry) -> list[object]:
    """What the statements above take first. No account number is among it, nor a payer's name."""
    return [
        payment_id,
        entry.what,
        entry.before,
        entry.after,
        entry.amount,
        entry.door,
        *told_of(entry.seen),
        entry.note,
    ]
