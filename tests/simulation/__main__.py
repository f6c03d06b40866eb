"""`make soak`: as many steps as asked for, on a PostgreSQL that may forget everything."""

import argparse
import asyncio
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from tests.support.databases import Databases

from .run import LOOK_EVERY, STEPS_PER_WORLD, Failed, any_seed, live

# No autovacuum, so that the planner's choices depend on the seed alone.
REPEATABLE_PLANS = "autovacuum = off"


async def soak(databases: Databases, seed: int, steps: int, storms: bool, look: int) -> int:
    began, done, world = time.perf_counter(), 0, 0
    deaths = trades = failures = 0
    met: Counter[str] = Counter()
    while done < steps:
        some = min(STEPS_PER_WORLD, steps - done)
        try:
            lived = await live(databases, seed + world, some, look_every=look, storms=storms)
        except Failed as failed:
            print(failed, flush=True)
            failures += 1
        else:
            deaths, trades = deaths + lived.deaths, trades + lived.trades
            met.update(lived.met)
        done, world = done + some, world + 1
        rate = done / (time.perf_counter() - began)
        print(
            f"{done} steps, {world} worlds from seed {seed}, {failures} failed, {trades} trades, "
            f"{deaths} deaths, {rate:.0f} steps/s",
            flush=True,
        )
    print("met:", ", ".join(f"{what} {count}" for what, count in met.most_common()))
    return failures


def main() -> None:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--look-every", type=int, default=LOOK_EVERY)
    parser.add_argument("--storms", action="store_true")
    asked = parser.parse_args()
    seed = any_seed() if asked.seed is None else asked.seed
    with TemporaryDirectory(prefix="wanted-soak-") as directory:
        databases = Databases.start(Path(directory) / "postgres", REPEATABLE_PLANS)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            failed = runner.run(soak(databases, seed, asked.steps, asked.storms, asked.look_every))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
