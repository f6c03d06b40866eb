"""List, search and detail, with 1,000 and with 1,000,000 products, on page 1 and on page 1,000.

Beside the plain SQL in pgbench, and beside Granian and Litestar serving a constant JSON of the
same size.
"""

import asyncio
import itertools
import sys
from collections.abc import Iterator
from urllib.parse import quote

from bench import goods, load
from bench.figures import Figures, middle, ratio
from bench.purchase import best
from bench.stand import (
    WORKERS,
    Cluster,
    Database,
    Server,
    environment,
    fetch,
    free_port,
    market,
    serving,
)

OK = 200
ROUNDS = 5
SECONDS = 1.0
CLIENTS = (64, 128, 256)
PGBENCH_CLIENTS = 8
SIZES = (1_000, 1_000_000)
LIMIT = 20
RARE = 500  # every so many products has the searched word

PRODUCTS = f"""
    INSERT INTO products (id, seller_id, name, description, price, currency, quantity, created_at)
    SELECT {goods.sql_id(goods.PRODUCT, "n")}, {goods.sql_id(goods.MEMBER, "n % 1000")},
           CASE WHEN n % {RARE} = 0 THEN '캠핑 랜턴 ' ELSE '의자 ' END || n,
           repeat('solid, hardly used. ', 10), 45000, 'KRW', 10, now()
    FROM generate_series({{first}}, {{last}}) n
"""
SELECT = """SELECT p.*, (SELECT m.nickname FROM members m WHERE m.id = p.seller_id) AS nickname
FROM products p"""
PLAIN = {
    "list": f"{SELECT} ORDER BY p.id DESC LIMIT {LIMIT + 1};",
    "list_1000": f"{SELECT} WHERE p.id < {goods.sql_id(goods.PRODUCT, ':after')}"
    f" ORDER BY p.id DESC LIMIT {LIMIT + 1};",
    "search": f"{SELECT} WHERE p.id = ANY (ARRAY("
    "SELECT s.product_id FROM product_texts s"
    " WHERE ngrams(s.words, 1) @> ngrams_of_words('{랜턴}')"
    " AND strpos(s.words, search_form('랜턴')) > 0"
    f" ORDER BY s.product_id DESC LIMIT {LIMIT + 1})) ORDER BY p.id DESC;",
    "detail": "\\set n random(1, :size)\n"
    f"{SELECT} WHERE p.id = {goods.sql_id(goods.PRODUCT, ':n')};",
}


def run(cluster: Cluster) -> Figures:
    database = cluster.database()
    asyncio.run(goods.seed(database))
    asyncio.run(database.execute("DELETE FROM products"))
    figures: Figures = {}
    first = 1
    with market(database) as ours:
        for size in SIZES:
            fill = PRODUCTS.format(first=first, last=size)
            asyncio.run(database.execute(fill, "VACUUM ANALYZE products, product_texts"))
            first = size + 1
            figures[f"with_{size}"] = _size(database, ours, size)
            figures[f"with_{size}"]["memory_mb"] = ours.memory_mb()
    database.verify()
    return figures


def _size(database: Database, ours: Server, size: int) -> Figures:
    after = max(LIMIT + 1, size - LIMIT * 999)  # the last of page 999; a short list has none
    paths = {
        "list": f"/api/products?limit={LIMIT}",
        "list_1000": f"/api/products?limit={LIMIT}&cursor={goods.product_id(after)}",
        "search": f"/api/products?limit={LIMIT}&q={quote('랜턴')}",
        "detail": f"/api/products/{goods.product_id(size // 2)}",
    }
    bodies = database.folder / "bodies"
    bodies.mkdir(exist_ok=True)
    for name, path in paths.items():
        (bodies / f"{name}.json").write_bytes(fetch(f"http://127.0.0.1:{ours.port}{path}"))
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port)]
    command += ["--workers", str(WORKERS), "--log-level", "warning", "bench.constant:app"]
    env = environment(database, port) | {"BODIES": str(bodies)}
    figures: Figures = {}
    with serving(command, port, env, "/health") as constant:
        for name, path in paths.items():
            if name == "list_1000" and size < LIMIT * 1_000:
                continue  # there is no such page
            asked = _details(size) if name == "detail" else itertools.repeat(load.get(path))
            same = itertools.repeat(load.get(f"/{name}"))
            us = best(CLIENTS, lambda clients, asked=asked: _rate(ours, asked, clients))
            it = best(CLIENTS, lambda clients, same=same: _rate(constant, same, clients))
            rates: dict[str, list[float]] = {"ours": [], "constant": [], "pgbench": []}
            for _ in range(ROUNDS):
                rates["ours"].append(_rate(ours, asked, us))
                rates["constant"].append(_rate(constant, same, it))
                rates["pgbench"].append(
                    database.pgbench(
                        PLAIN[name], clients=PGBENCH_CLIENTS, seconds=1, after=after, size=size
                    )
                )
            figures[name] = {
                "rate": middle(rates["ours"]),
                "vs_constant": ratio(rates["ours"], rates["constant"]),
                "vs_plain_sql": ratio(rates["ours"], rates["pgbench"]),
                "clients": us,
                "constant_clients": it,
                "bytes": len((bodies / f"{name}.json").read_bytes()),
                "rounds": {key: [round(rate) for rate in each] for key, each in rates.items()},
            }
    if "list_1000" in figures:
        figures["page_1_vs_page_1000"] = ratio(
            figures["list"]["rounds"]["ours"], figures["list_1000"]["rounds"]["ours"]
        )
    return figures


def _details(size: int) -> Iterator[bytes]:
    """Another product each time."""
    for number in itertools.count():
        yield load.get(f"/api/products/{goods.product_id(number * goods.STEP % size + 1)}")


def _rate(server: Server, requests: Iterator[bytes], clients: int) -> float:
    outcome = load.run(load.closed(server.port, requests, clients=clients, seconds=SECONDS))
    if set(outcome.statuses) != {OK} or outcome.broken:
        raise SystemExit(f"not only pages: {outcome.statuses}, {outcome.broken} broken")
    return outcome.rate(OK)
