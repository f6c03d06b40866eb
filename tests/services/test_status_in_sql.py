"""R9 stands in the domain and in a generated column; they never disagree."""

import itertools
from dataclasses import replace

from market.kit.db.database import Database
from tests.domain.test_product import product

MOST = 4


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
