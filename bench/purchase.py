"""Purchases, hot on one product and spread over 10,000, beside pgbench and the usual stack."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from bench import goods, load
from bench.figures import Figures, middle, ratio
from bench.stand import WORKERS, Cluster, Database, Server, environment, free_port, market, serving

CREATED = 201
ROUNDS = 5
SECONDS = 3.0
PROBE_SECONDS = 2.0
PGBENCH_CLIENTS = (4, 8, 16, 32)
OUR_CLIENTS = (64, 128, 256)
USUAL_CLIENTS = (16, 64)

# The same row-locking transaction on the same tables, indexes and durability: what must be known
# is known already, nothing is judged, and nobody has to be told.
TRANSACTION = f"""
    \\set k :n * :clients + :client_id
    \\set n :n + 1
    \\set b :k + 1
    \\set p {{product}}
    BEGIN;
    SELECT p.*, m.nickname FROM products p JOIN members m ON m.id = p.seller_id
    WHERE p.id = {goods.sql_id(goods.PRODUCT, ":p")} FOR UPDATE OF p;
    INSERT INTO trades (id, product_id, product_name, seller_id, buyer_id, price, fee, currency,
                        status, hold_expires_at, created_at)
    VALUES (uuidv7(), {goods.sql_id(goods.PRODUCT, ":p")}, 'x',
            {goods.sql_id(goods.MEMBER, "0")}, {goods.sql_id(goods.MEMBER, ":b")},
            45000, 1575, 'KRW', 'AWAITING_PAYMENT', now() + interval '10 minutes', now());
    UPDATE products SET taken = taken + 1, version = version + 1
    WHERE id = {goods.sql_id(goods.PRODUCT, ":p")};
    COMMIT;
"""
SCRIPTS = {
    True: TRANSACTION.format(product=f"{goods.HOT} + :phase"),
    False: TRANSACTION.format(
        product=f"(:k * {goods.STEP} + :phase * {goods.SHIFT}) % {goods.SPREAD} + 1"
    ),
}


def run(cluster: Cluster) -> Figures:
    database = cluster.database()
    asyncio.run(goods.seed(database))
    presses = goods.Presses()
    with ExitStack() as stack:
        ours = stack.enter_context(market(database))
        usual = stack.enter_context(usual_stack(database))
        figures: Figures = {
            name: _compare(database, presses, ours, usual, hot=hot)
            for name, hot in (("hot", True), ("spread", False))
        }
        figures["keyed"] = _keyed(database, presses, ours)
    database.verify()
    return figures


@contextmanager
def usual_stack(database: Database) -> Iterator[Server]:
    """FastAPI, SQLAlchemy and Uvicorn, with as many processes."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.usual:app", "--port", str(port)]
    command += ["--host", "127.0.0.1", "--workers", str(WORKERS), "--log-level", "warning"]
    env = environment(database, port) | {"PYTHONPATH": str(os.getcwd())}  # noqa: PTH109
    with serving(command, port, env, "/health") as server:
        yield server


def pressing(
    server: Server, requests: Iterator[bytes], clients: int, seconds: float
) -> load.Outcome:
    """Buyers press; whoever is refused in between is a defect of the run."""
    outcome = load.run(load.closed(server.port, requests, clients=clients, seconds=seconds))
    if set(outcome.statuses) != {CREATED} or outcome.broken:
        raise SystemExit(f"not only purchases: {outcome.statuses}, {outcome.broken} broken")
    return outcome


def _compare(
    database: Database, presses: goods.Presses, ours: Server, usual: Server, *, hot: bool
) -> Figures:
    def press(server: Server, clients: int, seconds: float) -> float:
        return pressing(server, presses.requests(hot=hot), clients, seconds).rate(CREATED)

    def plain(clients: int, seconds: float) -> float:
        phase = presses.next_phase()
        script = SCRIPTS[hot]
        return database.pgbench(script, clients=clients, seconds=seconds, n=0, phase=phase)

    us = best(OUR_CLIENTS, lambda clients: press(ours, clients, PROBE_SECONDS))
    it = best(USUAL_CLIENTS, lambda clients: press(usual, clients, PROBE_SECONDS))
    pg = best(PGBENCH_CLIENTS, lambda clients: plain(clients, PROBE_SECONDS))
    rates: dict[str, list[float]] = {"ours": [], "pgbench": [], "usual_stack": []}
    groups, buyers = ours.metric('market_batch_size_count{operation="purchases"'), 0.0
    cpu = ours.cpu()
    for _ in range(ROUNDS):
        rates["ours"].append(press(ours, us, SECONDS))
        rates["pgbench"].append(plain(pg, SECONDS))
        rates["usual_stack"].append(press(usual, it, SECONDS))
        buyers += rates["ours"][-1] * SECONDS
    groups = ours.metric('market_batch_size_count{operation="purchases"') - groups
    return {
        "rate": middle(rates["ours"]),
        "vs_pgbench": ratio(rates["ours"], rates["pgbench"]),
        "vs_usual_stack": ratio(rates["ours"], rates["usual_stack"]),
        "pgbench_rate": middle(rates["pgbench"]),
        "usual_stack_rate": middle(rates["usual_stack"]),
        "clients": us,
        "pgbench_clients": pg,
        "usual_stack_clients": it,
        "purchases_per_commit": round(buyers / max(groups, 1), 1),
        "server_cpu_us": round((ours.cpu() - cpu) / buyers * 1e6),
        "rounds": {name: [round(rate) for rate in each] for name, each in rates.items()},
    }


def _keyed(database: Database, presses: goods.Presses, ours: Server) -> Figures:
    """Hot, with an Idempotency-Key each: its record is in the group's transaction too."""
    keyed, bare = [], []
    for _ in range(ROUNDS):
        with_key = pressing(ours, presses.requests(hot=True, keyed=True), OUR_CLIENTS[0], 2.0)
        without = pressing(ours, presses.requests(hot=True), OUR_CLIENTS[0], 2.0)
        keyed.append(with_key.rate(CREATED))
        bare.append(without.rate(CREATED))
    return {"rate": middle(keyed), "vs_without_key": ratio(keyed, bare)}


def best(choices: tuple[int, ...], rate: Callable[[int], float]) -> int:
    """The number of clients that gives the highest rate."""
    return max(choices, key=rate)
