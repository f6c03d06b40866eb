"""How late answers are at half the peak rate, in an open loop; and how rate, latency and memory
grow with the number of clients."""

import asyncio

from bench import goods, load
from bench.figures import Figures
from bench.purchase import CREATED, pressing
from bench.stand import Cluster, Server, market

CLIENTS = (1, 4, 16, 64, 256)
SECONDS = 3.0
OPEN_SECONDS = 6.0
ROUNDS = 5


def run(cluster: Cluster) -> Figures:
    database = cluster.database()
    asyncio.run(goods.seed(database))
    presses = goods.Presses()
    with market(database) as ours:
        figures: Figures = {"memory_mb": {"idle": ours.memory_mb()}}
        for name, hot in (("hot", True), ("spread", False)):
            figures[name] = {
                "clients": {
                    clients: _closed(ours, presses, clients, hot=hot) for clients in CLIENTS
                },
                "half_load": _half_load(ours, presses, hot=hot),
            }
        figures["memory_mb"]["after"] = ours.memory_mb()
        figures["held_ms"] = {
            name: round(
                ours.metric(f"market_{name}_seconds_sum")
                / max(ours.metric(f"market_{name}_seconds_count"), 1)
                * 1000,
                2,
            )
            for name in ("connection_held", "connection_awaited", "lock_held")
        }
    database.verify()
    return figures


def _closed(ours: Server, presses: goods.Presses, clients: int, *, hot: bool) -> Figures:
    outcome = pressing(ours, presses.requests(hot=hot), clients, SECONDS)
    return {
        "rate": round(outcome.rate(CREATED)),
        "p50_ms": round(outcome.p50 * 1000, 1),
        "p99_ms": round(outcome.p99 * 1000, 1),
    }


def _half_load(ours: Server, presses: goods.Presses, *, hot: bool) -> Figures:
    """Each round finds the peak anew, for the rest of the machine may have changed."""
    rounds = []
    for _ in range(ROUNDS):
        peak = pressing(ours, presses.requests(hot=hot), 128, 2.0).rate(CREATED)
        calm = load.run(
            load.opened(
                ours.port, presses.requests(hot=hot), rate=peak / 2, seconds=OPEN_SECONDS / 2
            )
        )
        rounds.append((calm.p99 / calm.p50, calm.p50, calm.p99, peak))
    share, p50, p99, peak = sorted(rounds)[len(rounds) // 2]
    return {
        "p99_over_p50": round(share, 1),
        "p50_ms": round(p50 * 1000, 1),
        "p99_ms": round(p99 * 1000, 1),
        "rate": round(peak / 2),
    }
