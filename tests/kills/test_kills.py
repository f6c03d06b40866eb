"""Whoever dies, and wherever: no money is lost, nothing that a member was told is lost, and all
ends as the gateway has it. `make kills ROUNDS=100` tries every point."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from .points import POINTS
from .rounds import Round, play_round, victims
from .town import Town, running_town

ROUNDS = int(os.environ.get("ROUNDS", "6"))
SEED = int(os.environ.get("SEED", "20261122"))


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with running_town() as town:
        yield town


@pytest.mark.timeout(120 + 60 * ROUNDS)
async def test_killed_anywhere_nothing_is_lost(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)  # noqa: S311 # no secret
    played: list[Round] = []
    for number, victim in enumerate(victims(ROUNDS, SEED)):
        await asyncio.to_thread(town.run_on, "V1" if number < ROUNDS / 2 else "V2")
        one = await play_round(town, number, victim, chance)
        played.append(one)
        with capsys.disabled():
            print(shown(one))
    with capsys.disabled():
        print(summary(played))
    assert [one for one in played if one.wrong] == []
    assert any(one.reached for one in played), "nobody died"


def test_there_are_at_least_twenty_points() -> None:
    assert len(set(POINTS)) >= 20


def shown(one: Round) -> str:
    fell = "fell" if one.reached else "was not passed"
    heard = f"{one.told} answers, {one.repeats} repeats, {one.unanswered} asked again later"
    return "\n  ".join([f"{one.number:3} {one.version} {one.victim}: {fell}; {heard}", *one.wrong])


def summary(played: Sequence[Round]) -> str:
    fallen = Counter(one.victim for one in played if one.reached)
    points = {str(point) for point in POINTS}
    return (
        f"{len(played)} rounds (seed {SEED}): {sum(fallen.values())} kills at"
        f" {len(points & fallen.keys())} of {len(points)} points and"
        f" {len(fallen.keys() - points)} from outside;"
        f" {sum(one.told for one in played)} answers, {sum(one.repeats for one in played)} repeats,"
        f" {sum(one.unanswered for one in played)} asked again later;"
        f" {sum(bool(one.wrong) for one in played)} rounds with something wrong"
    )
