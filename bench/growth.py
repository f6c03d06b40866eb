"""What a purchase costs with 10 thousand trades in the tables, and with 10 million."""

import asyncio
import os

from bench import goods
from bench.figures import Figures, middle
from bench.purchase import CREATED, pressing
from bench.stand import Cluster, Database, market

# The last step takes minutes and some 5 GB of disk; BENCH_TRADES=1000000 leaves it out.
STEPS = (10_000, 100_000, 1_000_000, 10_000_000)
MOST = int(os.environ.get("BENCH_TRADES", STEPS[-1]))
ROUNDS = 5
SECONDS = 2.0
CLIENTS = 128

# Old trades, all over, on goods of their own; written without their indexes, for speed.
OLD_TRADES = f"""
    INSERT INTO trades (id, product_id, product_name, seller_id, buyer_id, price, fee, currency,
                        status, hold_expires_at, created_at, cancel_by, cancel_reason,
                        cancel_asked_at, cancelled_at)
    SELECT {goods.sql_id(0xC, "n")}, {goods.sql_id(goods.PRODUCT, f"n % {goods.SPREAD} + 1")}, 'x',
           {goods.sql_id(goods.MEMBER, "0")},
           {goods.sql_id(goods.MEMBER, f"n % {goods.BUYERS} + 1")},
           45000, 1575, 'KRW', 'CANCELLED', now(), now(), 'MARKET', 'not paid in time', now(), now()
    FROM generate_series({{first}}, {{last}}) n
"""
INDEXES = """
    SELECT indexname, indexdef FROM pg_indexes
    WHERE tablename = 'trades' AND indexname <> 'trades_pkey'
"""


def run(cluster: Cluster) -> Figures:
    database = cluster.database()
    asyncio.run(goods.seed(database))
    presses = goods.Presses()
    figures: Figures = {}
    first = 1
    with market(database) as ours:
        for step in (step for step in STEPS if step <= MOST):
            asyncio.run(_fill(database, first, step))
            first = step + 1
            pressing(ours, presses.requests(hot=False), CLIENTS, SECONDS)  # caches, plans
            rates, bought = [], 0.0
            ours_cpu, database_cpu = ours.cpu(), database.cpu()
            for _ in range(ROUNDS):
                outcome = pressing(ours, presses.requests(hot=False), CLIENTS, SECONDS)
                rates.append(outcome.rate(CREATED))
                bought += sum(outcome.statuses.values())
            figures[f"with_{step}"] = {
                "rate": middle(rates),
                "server_cpu_us": round((ours.cpu() - ours_cpu) / bought * 1e6),
                "database_cpu_us": round((database.cpu() - database_cpu) / bought * 1e6),
                "rounds": [round(rate) for rate in rates],
                "memory_mb": ours.memory_mb(),
            }
    least, *_, most = figures.values()
    # Rates of different minutes on a shared machine can't be compared; what one costs can.
    figures["cost_most_vs_least"] = round(_cost(most) / _cost(least), 2)
    database.verify()
    return figures


def _cost(step: Figures) -> float:
    return float(step["server_cpu_us"] + step["database_cpu_us"])


async def _fill(database: Database, first: int, last: int) -> None:
    """Adds cancelled trades number `first` to `last`."""
    indexes = await database.fetch(INDEXES)
    await database.execute(
        "SET maintenance_work_mem = '512MB'",
        "ALTER TABLE trades DISABLE TRIGGER ALL",
        *(f"DROP INDEX {name}" for name, _ in indexes),
        OLD_TRADES.format(first=first, last=last),
        *(definition for _, definition in indexes),
        "ALTER TABLE trades ENABLE TRIGGER ALL",
        "VACUUM ANALYZE trades",
        "CHECKPOINT",
    )
