"""A line between the market and its database that can be cut, go dead, or go silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit, urlunsplit


class Line:
    """Passes bytes on while it is up; `cut` ends every connection and takes no new one."""

    def __init__(self, dsn: str) -> None:
        self._dsn = urlsplit(dsn)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self._port = 0
        self.taken = 0

    @property
    def dsn(self) -> str:
        """The database at the other end."""
        return urlunsplit(
            ("postgresql", f"{self._user}127.0.0.1:{self._port}", self._dsn.path, "", "")
        )

    @property
    def _user(self) -> str:
        name, at, _ = self._dsn.netloc.rpartition("@")
        return name + at

    async def up(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    def go_dead(self) -> None:
        """Nothing arrives any more, and nobody is told."""
        self._passing.clear()

    def come_back(self) -> None:
        self._passing.set()

    def silence(self) -> None:
        """Nothing arrives any more on the connections there are, without a word; new ones work."""
        self._passing.clear()
        self._passing = asyncio.Event()
        self._passing.set()

    async def _serve(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        self.taken += 1
        passing = self._passing
        far, to_far = await self._connect()
        self._open |= {to_near, to_far}
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(near, to_far, passing))
                both.create_task(self._pass(far, to_near, passing))
        finally:
            for writer in (to_near, to_far):
                self._open.discard(writer)
                writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        directory = parse_qs(self._dsn.query).get("host")
        if directory:
            return await asyncio.open_unix_connection(f"{directory[0]}/.s.PGSQL.5432")
        return await asyncio.open_connection(self._dsn.hostname, self._dsn.port or 5432)

    async def _pass(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter, passing: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            # A connection that has gone silent hears of nothing either, not even of an end.
            while data := await source.read(65_536):
                await passing.wait()
                to.write(data)
                await to.drain()
            await passing.wait()
        to.transport.abort()


@asynccontextmanager
async def line(dsn: str) -> AsyncIterator[Line]:
    """A line to this database, for the block."""
    made = Line(dsn)
    await made.up()
    try:
        yield made
    finally:
        made.come_back()
        await made.cut()
