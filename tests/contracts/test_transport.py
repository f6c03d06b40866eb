"""A server that neither answers nor goes away costs the calls in flight, and nothing after them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest

from market.members.oauth import client as oauth
from market.members.oauth.identity import ProviderUnavailable
from market.payments.portone import transport
from market.payments.portone.breaker import MOST_FAILURES, Breaker, State
from market.payments.portone.transport import Transport, connections
from market.payments.ports import OutcomeUnknown
from tests.support.clock import MovableClock

# Far more than the calls below are given.
WITHIN_S = 30
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n"
Answer = Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]]


async def trickle(writer: asyncio.StreamWriter) -> None:
    """A byte now and then: no pause is long, and there is no end."""
    writer.write(HEAD)
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def say_nothing(_: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    """Its address."""
    under_way: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await reader.readuntil(b"\r\n\r\n")
                await answer(writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def gateway(answer: Answer, breaker: Breaker) -> AsyncIterator[Transport]:
    timeout = httpx.Timeout(0.5, connect=5.0, pool=0.5)
    async with serving(answer) as address, connections() as client:
        yield Transport(client, address, breaker, timeout)


@pytest.fixture
def breaker() -> Breaker:
    return Breaker("V1", MovableClock())


async def test_an_answer_that_trickles_in_without_an_end_is_none(breaker: Breaker) -> None:
    async with gateway(trickle, breaker) as portone, asyncio.timeout(WITHIN_S):
        with pytest.raises(OutcomeUnknown):
            await portone.send("GET", "/payments/1")


async def test_an_identity_provider_that_trickles_without_an_end_is_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(oauth, "FETCH_WITHIN_S", 0.5)
    async with serving(trickle) as address, oauth.http_client() as client:
        request = client.build_request("GET", f"{address}/user")
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises(ProviderUnavailable):
                await oauth.fetch(client, request, dict[str, str])


async def test_calls_that_their_callers_gave_up_open_the_breaker_if_they_hung(
    breaker: Breaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "HANGS_AFTER_S", 0.05)
    async with gateway(say_nothing, breaker) as portone, asyncio.timeout(WITHIN_S):
        for _ in range(MOST_FAILURES):
            assert breaker.state is State.CLOSED
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await portone.send("GET", "/payments/1")
    assert breaker.state is State.OPEN


async def test_a_call_that_was_given_up_soon_counts_for_nothing(breaker: Breaker) -> None:
    async with gateway(say_nothing, breaker) as portone, asyncio.timeout(WITHIN_S):
        for _ in range(2 * MOST_FAILURES):
            with suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    await portone.send("GET", "/payments/1")
    assert breaker.state is State.CLOSED
