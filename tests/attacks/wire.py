"""Bytes on a socket, as no proper client would send them."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

PATIENCE_S = 60


@dataclass(frozen=True)
class Heard:
    """What came back: an empty one is a connection that was closed without a word."""

    raw: bytes

    @property
    def status(self) -> int:
        return int(self.raw.split(b" ", 2)[1]) if self.raw else 0

    @property
    def headers(self) -> dict[str, str]:
        head = self.raw.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (h.partition(":") for h in head)}

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]


@dataclass(frozen=True)
class Line:
    """An open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def to(cls, url: str) -> "Line":
        where = urlsplit(url)
        return cls(*await asyncio.open_connection(where.hostname, where.port))

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        with suppress(ConnectionError):  # being hung up on is an answer too
            await self.writer.drain()

    async def hear(self) -> Heard:
        """All that comes until the other side closes."""
        heard = b""
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionError):  # closed while we still spoke
                while part := await self.reader.read(65536):
                    heard += part
        self.writer.close()
        return Heard(heard)


async def exchange(url: str, data: bytes) -> Heard:
    line = await Line.to(url)
    await line.say(data)
    return await line.hear()


def request(
    target: bytes,
    *headers: bytes,
    method: bytes = b"GET",
    body: bytes = b"",
    host: bytes = b"market",
) -> bytes:
    """A whole request, its head in whatever bytes are wanted, after which the line is closed."""
    head = [method + b" " + target + b" HTTP/1.1", b"Host: " + host, b"Connection: close", *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body
