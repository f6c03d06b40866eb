"""Some thousand steps of the simulation; `make soak` takes as many as you like."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.databases import Databases

from .run import CONNECTIONS, live, look, quiet, simulated_settings
from .stage import Diverged, StagedDatabase
from .story import Story
from .world import World

SEEDS = [
    (int(seed), int(steps), mode == "storms")
    for line in (Path(__file__).parent / "seeds.txt").read_text().splitlines()
    if not line.startswith("#")
    for seed, steps, mode in [line.split()[:3]]
]


async def test_everything_holds_after_every_step(databases: Databases) -> None:
    await live(databases, seed=1, steps=150, look_every=1)


@pytest.mark.parametrize("seed", [2, 3])
async def test_market_model_and_gateway_tell_the_same_story(
    databases: Databases, seed: int
) -> None:
    lived = await live(databases, seed, steps=1_000, look_every=200)
    assert lived.deaths > 0
    assert lived.trades > 50
    # Each was asked to agree to what the other party had made of it since.
    assert {"price_changed", "amount_changed"} <= set(lived.met)


async def test_nor_does_the_story_differ_when_postgresql_orders_it(databases: Databases) -> None:
    await live(databases, seed=4, steps=500, look_every=100, storms=True)


async def test_the_same_seed_takes_the_same_steps_to_the_same_rows(databases: Databases) -> None:
    first = await live(databases, seed=5, steps=300)
    again = await live(databases, seed=5, steps=300)
    other = await live(databases, seed=6, steps=300)
    assert first.digest == again.digest != other.digest


@pytest.mark.parametrize(("seed", "steps", "storms"), SEEDS)
async def test_what_once_failed_holds(
    databases: Databases, seed: int, steps: int, storms: bool
) -> None:
    await live(databases, seed, steps, storms=storms)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE products SET taken = taken - 1 WHERE taken > 0",
        "UPDATE trades SET status = 'PAID', cancel_by = NULL WHERE status = 'SALE_APPROVED'",
        "UPDATE payments SET look_at = NULL",
        "DELETE FROM webhooks WHERE handled_at IS NULL",
    ],
)
async def test_one_row_that_is_not_as_it_must_be_is_noticed(
    databases: Databases, damage: str
) -> None:
    with quiet(), TemporaryDirectory() as data:
        async with databases.fresh() as dsn:
            db = await StagedDatabase.connect(dsn, size=CONNECTIONS, name="simulation")
            world = World(7, simulated_settings(Path(data)), db)
            await world.people()
            story = Story(world)
            while not await world.plain.execute(damage):
                await story.next(storms=False)
            with pytest.raises(Diverged):
                await look(world)
            await db.close()
