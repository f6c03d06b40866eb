"""Products in PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence

from market.kit.db.database import Database, Row
from market.kit.db.rows import to_record
from market.shared.errors import NotFound, VersionConflict
from market.shared.ids import PhotoId, ProductId
from market.shared.money import Money
from market.shared.pagination import Page, PageRequest
from market.shared.principals import MemberSummary
from market.shared.text import words

from .domain import Photo, Product
from .ports import ProcessedImage, Search

# Columns by name, never *: a prepared statement must survive a migration that adds a column. The
# seller's nickname is included, since every view shows it (R2); as a subquery, not a join, so that
# the planner always looks it up by key.
_SELECT = """
    SELECT p.id, p.seller_id, p.name, p.description, p.price, p.currency, p.quantity, p.taken,
           p.confirmed, p.version, p.revision, p.created_at,
           (SELECT m.nickname FROM members m WHERE m.id = p.seller_id) AS nickname
    FROM products p
"""
# Ids first: rows beyond the page are not read as a whole.
_OF_A_PAGE = """
    WHERE p.id = ANY (ARRAY(
        SELECT {id} FROM {source} {where} ORDER BY {id} DESC LIMIT {limit}
    )) ORDER BY p.id DESC
"""
# Name and description without blanks hold every word, wherever: the index knows which have all of
# its n-grams. Of many that have, or of few products, each is looked through.
_HAS_WORDS = "ngrams(s.words, 1) @> ngrams_of_words({}::text[])"
_HAS_WORD = "strpos(s.words, search_form(({}::text[])[{}])) > 0"
_SEARCHED = "product_texts s JOIN products p ON p.id = s.product_id"


class SqlProducts:
    """Products with their stock; `version` guards every write (R13)."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, product: Product) -> None:
        await self._db.execute(
            """
            INSERT INTO products (id, seller_id, name, description, price, currency, quantity,
                                  created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            product.id,
            product.seller.id,
            product.name,
            product.description,
            product.price.amount,
            product.price.currency,
            product.quantity,
            product.created_at,
        )

    async def get(self, id: ProductId) -> Product:
        return _found(await self._db.fetch_one(_SELECT + "WHERE p.id = $1", id))

    async def find_all(self, ids: Collection[ProductId]) -> Sequence[Product]:
        rows = await self._db.fetch(_SELECT + "WHERE p.id = ANY ($1::uuid[])", list(ids))
        return [_product(row) for row in rows]

    async def get_for_update(self, id: ProductId) -> Product:
        # safeguard: product row locked
        return _found(
            await self._db.fetch_one_for_update(_SELECT + "WHERE p.id = $1 FOR UPDATE OF p", id)
        )

    async def lock_all(self, ids: Collection[ProductId]) -> Sequence[Product]:
        # safeguard: product rows of a batch locked
        rows = await self._db.fetch_for_update(
            _SELECT + "WHERE p.id = ANY ($1::uuid[]) ORDER BY p.id FOR UPDATE OF p", list(ids)
        )
        return [_product(row) for row in rows]

    async def save_stock(self, products: Sequence[Product]) -> None:
        if not products:
            return
        saved = await self._db.execute(
            """
            UPDATE products p SET taken = n.taken, confirmed = n.confirmed, version = n.version + 1
            FROM unnest($1::uuid[], $2::bigint[], $3::integer[], $4::integer[])
                 AS n (id, version, taken, confirmed)
            -- Named twice: so they are found by their key, however the planner would join.
            WHERE p.id = ANY ($1::uuid[]) AND p.id = n.id AND p.version = n.version
            """,
            [product.id for product in products],
            [product.version for product in products],
            [product.taken for product in products],
            [product.confirmed for product in products],
        )
        if saved != len(products):
            raise VersionConflict
        for product in products:
            product.version += 1

    async def save(self, product: Product) -> None:
        # safeguard: product version compared
        saved = await self._db.execute(
            """
            UPDATE products
            SET name = $3, description = $4, price = $5, quantity = $6, taken = $7,
                confirmed = $8, revision = $9, version = version + 1
            WHERE id = $1 AND version = $2
            """,
            product.id,
            product.version,
            product.name,
            product.description,
            product.price.amount,
            product.quantity,
            product.taken,
            product.confirmed,
            product.revision,
        )
        if not saved:
            raise VersionConflict(product_id=product.id)
        product.version += 1

    async def page(self, search: Search, wanted: PageRequest) -> Page[Product]:
        looked_for = words(search.text or "")
        id, source = ("s.product_id", _SEARCHED) if looked_for else ("p.id", "products p")
        asked = {
            _HAS_WORDS: looked_for or None,
            "p.status = {}": search.status,
            "p.seller_id = {}": search.seller_id,
            f"{id} < {{}}": wanted.cursor,
        }
        # Only what is asked for: a plan that serves "or not asked" as well can use no index.
        given = [(term, value) for term, value in asked.items() if value is not None]
        terms = [term.format(f"${number}") for number, (term, _) in enumerate(given, 1)]
        terms += [_HAS_WORD.format("$1", place) for place in range(1, len(looked_for) + 1)]
        where = f"WHERE {' AND '.join(terms)}" if terms else ""
        # Whether an index helps depends on how rare the words are, so a search is planned anew.
        fetch = self._db.fetch_custom_plan if looked_for else self._db.fetch
        page = _OF_A_PAGE.format(id=id, source=source, where=where, limit=wanted.limit + 1)
        rows = await fetch(
            _SELECT + page,
            *(value for _, value in given),
        )
        return Page.from_rows([_product(row) for row in rows], wanted, lambda product: product.id)


class SqlPhotos:
    """Photos as JPEGs, in the database, with its backups."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, product_id: ProductId, photo: Photo, picture: ProcessedImage) -> None:
        await self._db.execute(
            """
            INSERT INTO photos (id, product_id, position, width, height, full_size, small,
                                created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, now())
            """,
            photo.id,
            product_id,
            photo.place,
            photo.width,
            photo.height,
            picture.full,
            picture.small,
        )

    async def remove(self, product_id: ProductId, ids: Sequence[PhotoId]) -> None:
        await self._db.execute(
            "DELETE FROM photos WHERE product_id = $1 AND id = ANY ($2::uuid[])", product_id, ids
        )

    async def of(self, product_id: ProductId) -> Sequence[Photo]:
        rows = await self._db.fetch(
            "SELECT id, position AS place, width, height FROM photos WHERE product_id = $1"
            " ORDER BY position",
            product_id,
        )
        return [to_record(Photo, row) for row in rows]

    async def first_of(self, product_ids: Sequence[ProductId]) -> Mapping[ProductId, Photo]:
        if not product_ids:
            return {}
        rows = await self._db.fetch(
            """
            SELECT DISTINCT ON (product_id) product_id, id, position AS place, width, height
            FROM photos WHERE product_id = ANY ($1::uuid[]) ORDER BY product_id, position
            """,
            product_ids,
        )
        return {row["product_id"]: to_record(Photo, row) for row in rows}

    async def read(self, id: PhotoId, *, small: bool) -> bytes:
        column = "small" if small else "full_size"
        body: bytes | None = await self._db.fetch_value(
            f"SELECT {column} FROM photos WHERE id = $1",  # noqa: S608 # one of the two above
            id,
        )
        if body is None:
            raise NotFound
        return body


def _found(row: Row | None) -> Product:
    if row is None:
        raise NotFound
    return _product(row)


def _product(row: Row) -> Product:
    return Product(
        id=row["id"],
        seller=MemberSummary(row["seller_id"], row["nickname"]),
        name=row["name"],
        description=row["description"],
        price=Money(row["price"], row["currency"]),
        quantity=row["quantity"],
        taken=row["taken"],
        confirmed=row["confirmed"],
        version=row["version"],
        created_at=row["created_at"],
        revision=row["revision"],
    )
