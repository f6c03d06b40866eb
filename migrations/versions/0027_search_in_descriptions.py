"""Search in name and description, in any order of words, with and without blanks (M1, A7).

What is looked through is a row of its own: a product's row is written anew with every purchase, and
a description has hundreds of n-grams that would go into the index each time. A trigger keeps it, so
that it is there for whatever adds a product, the release before included. That one still looks by
its pieces of names, which therefore stay; the trigrams of the release before it go.
"""

from collections.abc import Sequence
from typing import Any

from alembic import op

from market.kit.db.migrate import create_index_concurrently
from market.shared.text import line, prose

revision = "0027"
down_revision = "0026"

BATCH_SIZE = 1_000
# Blanks, controls and what Unicode calls default ignorable: of a text that is looked through or
# for, they are left out.
UNSEEN = (
    r"[\u0001-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0"
    r"\ufff0-\ufffc\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
NEXT = """
    SELECT id, name, description, version FROM products
    WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2
"""
CLEAN = """
    UPDATE products p SET name = n.name, description = n.description, version = p.version + 1
    FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[])
         AS n (id, version, name, description)
    WHERE p.id = n.id AND p.version = n.version
"""
ADD = """
    INSERT INTO product_texts (product_id, words)
    SELECT id, search_text(name, description) FROM products WHERE id = ANY ($1::uuid[])
    ON CONFLICT (product_id) DO NOTHING
"""


def upgrade() -> None:
    # Here again, all of it, if a migration that died had made it.
    op.execute("""
        CREATE TABLE IF NOT EXISTS product_texts (
            product_id uuid PRIMARY KEY,
            words text NOT NULL,
            CONSTRAINT product_texts_product_id_fkey
                FOREIGN KEY (product_id) REFERENCES products ON DELETE CASCADE
        )
    """)
    # Alike for whoever compares (A7): one width, one case, no blanks. ß is no letter of one case.
    op.execute(rf"""
        CREATE OR REPLACE FUNCTION search_form(of_text text) RETURNS text
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        RETURN replace(lower(upper(
            regexp_replace(normalize(of_text, NFKC), '{UNSEEN}', '', 'g') COLLATE pg_c_utf8
        )), 'ß', 'ss')
    """)
    op.execute("""
        CREATE OR REPLACE FUNCTION search_text(name text, description text) RETURNS text
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        RETURN search_form(name) || ' ' || search_form(description)
    """)
    # A text's runs of one, two and three letters. Their price tells the planner to ask them last.
    op.execute("""
        CREATE OR REPLACE FUNCTION ngrams(of_text text, shortest integer) RETURNS text[]
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1000
        RETURN (
            SELECT array_agg(DISTINCT ngram) FROM (
                SELECT one, one || lead(one) OVER placed AS two,
                       one || lead(one) OVER placed || lead(one, 2) OVER placed AS three
                FROM string_to_table(of_text, NULL) WITH ORDINALITY AS letters (one, place)
                WINDOW placed AS (ORDER BY place)
            ) AS starts, unnest(ARRAY[one, two, three]) WITH ORDINALITY AS found (ngram, length)
            WHERE ngram IS NOT NULL AND length >= shortest
        )
    """)
    # What a text must have of these words: the longest ngrams of each.
    op.execute("""
        CREATE OR REPLACE FUNCTION ngrams_of_words(words text[]) RETURNS text[]
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        RETURN (
            SELECT array_agg(DISTINCT ngram)
            FROM unnest(words) AS word, search_form(word) AS form,
                 unnest(ngrams(form, least(char_length(form), 3))) AS ngram
        )
    """)
    op.execute("""
        CREATE OR REPLACE FUNCTION keep_product_text() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO product_texts (product_id, words)
            VALUES (NEW.id, search_text(NEW.name, NEW.description))
            ON CONFLICT (product_id) DO UPDATE SET words = EXCLUDED.words;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE OR REPLACE TRIGGER products_text_added AFTER INSERT ON products
        FOR EACH ROW EXECUTE FUNCTION keep_product_text()
    """)
    op.execute("""
        CREATE OR REPLACE TRIGGER products_text_changed
        AFTER UPDATE OF name, description ON products FOR EACH ROW
        WHEN ((OLD.name, OLD.description) IS DISTINCT FROM (NEW.name, NEW.description))
        EXECUTE FUNCTION keep_product_text()
    """)
    with op.get_context().autocommit_block():
        last = None
        while rows := _fetch(NEXT, last, BATCH_SIZE):
            _clean(rows)
            op.get_bind().exec_driver_sql(ADD, ([row.id for row in rows],))
            last = rows[-1].id
    # What is listed once is looked for often, so each listing finds its own place in the index, and
    # leaves none of that to the searches.
    create_index_concurrently(
        "product_texts_by_ngrams",
        "product_texts USING gin (ngrams(words, 1)) WITH (fastupdate = off)",
    )
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS products_by_part_of_name")
    # Without it, all words would seem as rare until some day autovacuum comes.
    op.execute("ANALYZE product_texts")


def _clean(rows: Sequence[Any]) -> None:
    """Products that were listed before texts had one form get it. A name of which nothing is seen
    has to be called something."""
    texts = [(line(row.name) or "이름 없는 상품", prose(row.description)) for row in rows]
    changed = [
        (row.id, row.version, *text)
        for row, text in zip(rows, texts, strict=True)
        if text != (row.name, row.description)
    ]
    if changed:
        columns = [list(column) for column in zip(*changed, strict=True)]
        op.get_bind().exec_driver_sql(CLEAN, tuple(columns))


def _fetch(sql: str, *args: object) -> Sequence[Any]:
    return op.get_bind().exec_driver_sql(sql, args).fetchall()
