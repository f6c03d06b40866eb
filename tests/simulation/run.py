"""Worlds, one after the other, each on a database of its own."""

import logging
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from market import settings as settings_module
from market.settings import Settings
from market.verify import broken
from tests.support.databases import Databases

from .ending import bring_to_rest, judge
from .stage import Diverged, StagedDatabase
from .story import Story
from .world import World

STEPS_PER_WORLD = 2_000
LOOK_EVERY = 200
# Enough for everything that goes on side by side, four of a sweep at a time.
CONNECTIONS = 16
LAST_TOLD = 60


class Failed(AssertionError):
    """A world went wrong; says how to see it again."""


@dataclass(frozen=True)
class Lived:
    """What became of one world."""

    seed: int
    steps: int
    digest: str
    deaths: int
    trades: int
    met: Counter[str]


async def live(
    databases: Databases,
    seed: int,
    steps: int = STEPS_PER_WORLD,
    *,
    look_every: int = LOOK_EVERY,
    storms: bool = False,
) -> Lived:
    """One world from its first step to its rest. Raises Failed."""
    with quiet(), TemporaryDirectory() as data:
        async with databases.fresh() as dsn:
            # What is lost with this server is no loss.
            careless = f"{dsn}{'&' if '?' in dsn else '?'}synchronous_commit=off"
            db = await StagedDatabase.connect(careless, size=CONNECTIONS, name="simulation")
            try:
                world = World(seed, simulated_settings(Path(data)), db)
                await _live(world, steps, look_every, storms)
                digest = await world.digest()
            finally:
                await db.close()
    return Lived(seed, steps, digest, world.deaths, len(world.model.trades), world.census())


async def _live(world: World, steps: int, look_every: int, storms: bool) -> None:
    await world.people()
    story, step = Story(world), 0
    try:
        for step in range(1, steps + 1):
            await story.next(storms=storms)
            if step % look_every == 0:
                await look(world)
        await bring_to_rest(world, story.actions)
        await judge(world)
    except (Exception, Diverged) as wrong:
        last = "\n".join(f"  {line}" for line in world.told[-LAST_TOLD:])
        raise Failed(
            f"seed {world.seed}, step {step} of {steps}{', with storms' if storms else ''}: "
            f"{wrong!r}\n{last}\n"
            f"again: make soak SEED={world.seed} STEPS={steps}{' STORMS=1' if storms else ''}"
        ) from wrong


async def look(world: World) -> None:
    for wrong in await broken(world.plain):
        raise Diverged(f"market verify: {wrong}")
    await world.agree()


def simulated_settings(data: Path) -> Settings:
    """A fee that leaves fractions, so that rounding is met."""
    env = {"MARKET_DATA": str(data), "MARKET_SECRET": "x" * 32, "MARKET_FEE_BPS": "333"}
    return settings_module.from_environment(env)


@contextmanager
def quiet() -> Iterator[None]:
    """Trouble is what this is about: the market need not log each of it."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def any_seed() -> int:
    return random.SystemRandom().randrange(1, 1_000_000_000)
