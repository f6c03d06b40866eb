"""Calls that wait at the same moment are served in one go, and each hears its own answer."""

import asyncio
from collections.abc import Sequence

import pytest

from market.kit.concurrency.batching import Batcher, SingleFlight
from market.shared.errors import Conflict, MarketError, Unavailable


class Desk:
    """Doubles numbers, one group after the other, when it is let."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.open = asyncio.Event()
        self.called = asyncio.Event()

    async def serve(self, asked: Sequence[int]) -> Sequence[int | MarketError]:
        self.groups.append(list(asked))
        self.called.set()
        await self.open.wait()
        if 13 in asked:
            raise ZeroDivisionError
        return [Conflict() if number == 7 else number * 2 for number in asked]


def asking(line: Batcher[int, int], *numbers: int) -> "list[asyncio.Task[int]]":
    return [asyncio.create_task(line.submit(number)) for number in numbers]


async def test_who_waits_at_the_same_time_is_served_in_one_go() -> None:
    desk = Desk()
    line = Batcher("test", desk.serve, batch_size=3)
    acts = asking(line, 1, 2, 3, 4, 5)
    await desk.called.wait()
    desk.open.set()
    assert await asyncio.gather(*acts) == [2, 4, 6, 8, 10]
    assert [len(group) for group in desk.groups] == [3, 2]


async def test_the_refusal_of_one_is_its_own() -> None:
    desk = Desk()
    desk.open.set()
    told = await asyncio.gather(
        *asking(Batcher("test", desk.serve, batch_size=9), 6, 7, 8), return_exceptions=True
    )
    assert [told[0], type(told[1]), told[2]] == [12, Conflict, 16]


async def test_who_breaks_a_group_breaks_it_for_nobody_else() -> None:
    desk = Desk()
    desk.open.set()
    told = await asyncio.gather(
        *asking(Batcher("test", desk.serve, batch_size=9), 12, 13, 14), return_exceptions=True
    )
    assert [told[0], type(told[1]), told[2]] == [24, ZeroDivisionError, 28]


async def test_a_full_line_sheds_who_comes_last() -> None:
    desk = Desk()
    line = Batcher("test", desk.serve, batch_size=1, queue_length=2)
    first = asking(line, 1)
    await desk.called.wait()
    waiting = asking(line, 2, 3)
    await asyncio.sleep(0)  # both stand in line now
    with pytest.raises(Unavailable):
        await line.submit(4)
    desk.open.set()
    assert await asyncio.gather(*first, *waiting) == [2, 4, 6]


async def test_who_waited_too_long_is_told_so_and_not_served() -> None:
    desk = Desk()
    line = Batcher("test", desk.serve, batch_size=1, timeout_s=-1.0)
    with pytest.raises(Unavailable):
        await line.submit(1)
    assert desk.groups == []


async def test_who_went_away_is_not_served() -> None:
    desk = Desk()
    line = Batcher("test", desk.serve, batch_size=1)
    first, gone = asking(line, 1, 2)
    await desk.called.wait()
    gone.cancel()
    desk.open.set()
    assert await first == 2
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert desk.groups == [[1]]


def numbered() -> tuple[SingleFlight[str, int], asyncio.Event]:
    """Answers by how often it was found out before; found when the event is set."""
    told, found = iter(range(9)), asyncio.Event()

    async def find_out(_: str) -> int:
        number = next(told)
        await found.wait()
        return number

    return SingleFlight("test", find_out), found


async def test_who_asks_the_same_while_it_is_found_out_waits_for_a_fresh_answer() -> None:
    """What was begun before they asked may not know of what happened meanwhile."""
    shared, found = numbered()
    first = asyncio.create_task(shared.submit("price"))
    for _ in range(3):
        await asyncio.sleep(0)  # it is being found out now
    later = [asyncio.create_task(shared.submit("price")) for _ in range(5)]
    other = asyncio.create_task(shared.submit("name"))
    for _ in range(3):
        await asyncio.sleep(0)
    found.set()
    assert await asyncio.gather(first, *later) == [0, 2, 2, 2, 2, 2]
    assert await other == 1


async def test_a_refusal_is_shared_and_then_forgotten() -> None:
    answers: list[Conflict | int] = [5, Conflict()]

    async def find_out(_: str) -> int:
        answer = answers.pop()
        if isinstance(answer, Conflict):
            raise answer
        return answer

    shared = SingleFlight("test", find_out)
    both = await asyncio.gather(shared.submit("x"), shared.submit("x"), return_exceptions=True)
    assert [type(one) for one in both] == [Conflict, Conflict]
    assert await shared.submit("x") == 5


async def test_nothing_is_kept_of_what_nobody_asks_any_more() -> None:
    """Whether they were told, refused or went away; or anybody could fill the memory."""
    found = asyncio.Event()

    async def find_out(number: int) -> int:
        await found.wait()
        if number % 2:
            raise Conflict
        return number

    shared = SingleFlight("test", find_out)
    asks = [asyncio.create_task(shared.submit(number)) for number in (*range(20), *range(10))]
    for _ in range(3):
        await asyncio.sleep(0)  # all of it is being found out now
    gone = [asks.pop(0) for _ in range(12)]  # of some things the only ones to ask
    for one in gone:
        one.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    found.set()
    told = await asyncio.gather(*asks, return_exceptions=True)
    numbers = (*range(12, 20), *range(10))
    assert [type(one) if n % 2 else one for n, one in zip(numbers, told, strict=True)] == [
        Conflict if number % 2 else number for number in numbers
    ]
    assert shared._flights == {}


async def test_who_asks_after_all_others_went_away_gets_a_fresh_answer() -> None:
    shared, found = numbered()
    gone = asyncio.create_task(shared.submit("price"))
    for _ in range(3):
        await asyncio.sleep(0)  # it is being found out now
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    later = asyncio.create_task(shared.submit("price"))
    found.set()
    assert await later == 1
    assert shared._flights == {}
