"""Where operations meet the outside: their order, their deaths, and the scripts they must follow.

Three ways to run several operations at once:
- one by one: nothing is interleaved;
- in turns: at every port call outside a transaction an operation waits until the seed lets it go
  on, and a transaction runs whole. At most one statement is in flight, so the same seed gives the
  same order, always;
- in a storm: all run freely on connections of their own, and PostgreSQL orders them. What it
  chose is not the seed's to repeat; the scripts follow the order of the commits, and judge it.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import Any

from market.kit.db.database import Database, Row, in_transaction
from market.payments.sql import ORDER_STANDS
from market.shared.errors import MarketError, VersionConflict

from .protocol import ANYTHING, STANDINGS, TX, Heard, Point, Script
from .state import Refused

# What was taken up by these rows, in their order: a name and a script for each.
Due = Callable[[Sequence[Row]], list[tuple[str, Script]]]


class Died(BaseException):
    """The process ends here. No `except Exception` can save it."""


class Diverged(BaseException):
    """The market did what it must not do."""


class Thread:
    """One operation under way, beside the script it must follow."""

    def __init__(self, name: str, script: Script, *, loose: bool = False) -> None:
        self.name = name
        self.loose = loose  # in a storm a refusal may have been decided before the commit before it
        self.made: list[str] = []
        self.children: Iterator[tuple[str, Script]] | None = None
        self.task: asyncio.Task[Any] | None = None
        self.ending: str | Refused | None = None
        self.expects: Point | None = None
        self._script = script
        self._begun = False

    def wake(self) -> None:
        """Runs the script up to its first point, at the operation's first turn."""
        if not self._begun:
            self._begun = True
            self._advance(lambda: next(self._script))

    def hear(self, point: Point, heard: Heard, refusal: str | None = None) -> None:
        if self.expects is ANYTHING:
            if refusal is None:
                self._script.send((point, heard))
            return
        if self.expects != point:
            wanted = self.expects or f"nothing more ({self.ending})"
            raise Diverged(f"{self.name}: the market comes to {point}, expected: {wanted}")
        if refusal is not None:
            error = Refused(refusal)
            self._advance(lambda: self._script.throw(error))
        else:
            self._advance(lambda: self._script.send(heard))

    def committed(self) -> None:
        self.hear(TX, Heard(tuple(self.made)))
        if isinstance(self.ending, Refused) and not self.ending.late:
            raise Diverged(f"{self.name}: committed what must be refused: {self.ending.code}")

    def rolled_back(self, trouble: BaseException) -> None:
        if isinstance(trouble, Died | Diverged | asyncio.CancelledError | GeneratorExit):
            return
        if not isinstance(trouble, MarketError):
            raise Diverged(f"{self.name}: {trouble!r}") from trouble
        if self.loose and isinstance(trouble, VersionConflict):
            return  # another was faster: it tries again
        if self.loose:
            self._script.close()
            self.expects, self.ending = None, Refused(trouble.code)
            return
        if self.expects is ANYTHING:
            return
        self.hear(TX, Heard(tuple(self.made)))
        if not isinstance(self.ending, Refused) or self.ending.code != trouble.code:
            raise Diverged(f"{self.name}: refused ({trouble.code}), expected: {self.ending}")

    def _advance(self, step: Any) -> None:
        try:
            self.expects = step()
        except StopIteration as end:
            self.expects, self.ending = None, end.value
        except Refused as refusal:
            self.expects, self.ending = None, refusal
        except (AssertionError, LookupError) as lost:
            raise Diverged(f"{self.name}: here the model can't follow: {lost!r}") from lost

    def child(self) -> "Thread":
        found = next(self.children, None) if self.children is not None else None
        if found is None:
            raise Diverged(f"{self.name}: takes up more than was due")
        return Thread(*found)


_current: ContextVar[Thread] = ContextVar("simulated_operation")


class Stage:
    """Lets operations go on, one port call after the other, or kills them."""

    def __init__(self, rng: random.Random, tick: Callable[[], None]) -> None:
        self._rng = rng
        self._tick = tick  # time may pass whenever somebody waits
        self.in_turns = False
        self.dead = False
        self.dies_in: int | None = None
        self.diverged: Diverged | None = None
        self.threads: list[Thread] = []
        self._waiting: list[tuple[Thread, bool, asyncio.Future[None]]] = []
        self._busy = 0
        self._idle = asyncio.Event()
        self._last: Thread | None = None
        # One commit at a time, until it is heard of here: PostgreSQL lets those go on who waited
        # for a lock before it tells who held it, and in a storm the scripts go by what is told.
        self.committing = asyncio.Lock()

    def thread(self) -> Thread:
        thread, task = _current.get(), asyncio.current_task()
        if thread.task is not task:
            thread = thread.child()
            thread.task = task
            self.threads.append(thread)
            _current.set(thread)
        return thread

    def enter(self, thread: Thread) -> None:
        thread.task = asyncio.current_task()
        self.threads.append(thread)
        _current.set(thread)

    def may_die(self) -> None:
        """A process that has died does nothing more; one that is to die does so at its point."""
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in < 0:
                self.dies_in, self.dead = None, True
        if self.dead:
            raise Died

    def _is_dead(self) -> bool:
        return self.dead

    async def begin(self, *, sticky: bool = False) -> Thread:
        """Before a port call: waits for its turn. A sticky one goes on with what it has begun."""
        thread = self.thread()
        if self.dead:
            raise Died
        if self.in_turns:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append((thread, sticky, turn))
            await turn
            if self._is_dead():
                self.end()
                raise Died
        thread.wake()
        return thread

    async def start(self) -> None:
        """Nobody begins before the seed says so: others may have gone far, and time passed."""
        if self.in_turns:
            await self.begin()
            self.end()

    async def pause(self, _: float) -> None:
        """Somebody waits for another, and goes on when the seed says so."""
        await self.start()

    def end(self) -> None:
        if self.in_turns:
            self._busy -= 1
            if not self._busy:
                self._idle.set()

    async def run(self, acts: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
        """All of them in turns; what each answered, exceptions included."""
        self.in_turns = True
        self._last = None
        tasks = [asyncio.ensure_future(act) for act in acts]
        try:
            while True:
                # Whoever can go on without a port call does: nothing is in flight now.
                for _ in range(8):
                    await asyncio.sleep(0)
                if self._waiting:
                    await self._next()
                elif all(task.done() for task in tasks):
                    break
                else:
                    await asyncio.wait(tasks, timeout=0.001)
        finally:
            self.in_turns = False
        return await asyncio.gather(*tasks, return_exceptions=True)

    async def storm(self, acts: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
        """All of them at once, as PostgreSQL lets them."""
        return await asyncio.gather(*acts, return_exceptions=True)

    async def _next(self) -> None:
        mine = [w for w in self._waiting if w[0] is self._last and w[1]]
        chosen = mine[0] if mine else self._rng.choice(self._waiting)
        self._waiting.remove(chosen)
        self._last = chosen[0]
        # Not before a statement that goes on with what was begun: it may hold the time already.
        if not chosen[1] and self._rng.random() < 0.15:
            self._tick()
        self._idle.clear()
        self._busy += 1
        chosen[2].set_result(None)
        await self._idle.wait()


class StagedDatabase(Database):
    """The real one, with a turn and a death before and after each transaction."""

    stage: Stage

    @asynccontextmanager
    async def transaction(self, *, retryable: bool = False) -> AsyncIterator[None]:
        if in_transaction():
            async with super().transaction(retryable=retryable):
                yield
            return
        stage = self.stage
        thread = await stage.begin()
        thread.made.clear()
        try:
            stage.may_die()
            async with AsyncExitStack() as until_heard:
                async with super().transaction(retryable=retryable):
                    yield
                    stage.may_die()
                    await until_heard.enter_async_context(stage.committing)
                thread.committed()
            stage.may_die()
        except Diverged as wrong:
            stage.diverged = stage.diverged or wrong
            raise
        except BaseException as trouble:
            if not isinstance(trouble, Died):
                self._judge(thread, trouble)
            raise
        finally:
            stage.end()

    def _judge(self, thread: Thread, trouble: BaseException) -> None:
        try:
            thread.rolled_back(trouble)
        except Diverged as wrong:
            self.stage.diverged = self.stage.diverged or wrong
            raise

    async def fetch(self, sql: str, *args: object) -> list[Row]:
        if in_transaction():
            return await super().fetch(sql, *args)
        thread = await self.stage.begin(sticky=True)
        try:
            if sql.startswith(ORDER_STANDS):
                return await self._stands(thread, sql, *args)
            rows = await super().fetch(sql, *args)
            if isinstance(thread, Sweeping):
                # PostgreSQL owes RETURNING no order: the planner's mood is not to decide here.
                rows = sorted(rows, key=lambda row: row["id"])
                self._took_up(thread, rows)
            return rows
        finally:
            self.stage.end()

    async def _stands(self, thread: Thread, sql: str, *args: object) -> list[Row]:
        """What is read of an order is what was committed, and heard of here, until then."""
        async with self.stage.committing:
            rows = await super().fetch(sql, *args)
            try:
                thread.hear(STANDINGS, Heard(tuple(thread.made)))
            except Diverged as wrong:
                self.stage.diverged = self.stage.diverged or wrong
                raise
        return rows

    def _took_up(self, sweeping: "Sweeping", rows: Sequence[Row]) -> None:
        try:
            sweeping.took_up(rows)
        except Diverged as wrong:
            self.stage.diverged = self.stage.diverged or wrong
            raise

    async def fetch_one(self, sql: str, *args: object) -> Row | None:
        if in_transaction():
            return await super().fetch_one(sql, *args)
        await self.stage.begin(sticky=True)
        try:
            return await super().fetch_one(sql, *args)
        finally:
            self.stage.end()

    async def fetch_value(self, sql: str, *args: object) -> Any:
        if in_transaction():
            return await super().fetch_value(sql, *args)
        await self.stage.begin(sticky=True)
        try:
            return await super().fetch_value(sql, *args)
        finally:
            self.stage.end()

    async def execute(self, sql: str, *args: object) -> int:
        if in_transaction():
            return await super().execute(sql, *args)
        await self.stage.begin(sticky=True)
        try:
            return await super().execute(sql, *args)
        finally:
            self.stage.end()


class Sweeping(Thread):
    """A job of the sweep: it takes up what is due, at once or page by page, and each of that is an
    operation of its own."""

    def __init__(self, name: str, script: Script, due: Due) -> None:
        super().__init__(name, script)
        self._due = due

    def took_up(self, rows: Sequence[Row]) -> None:
        self.children = iter(self._due(rows))
