"""A client of a market in this process."""

from collections.abc import AsyncIterator

import pytest

from market.app import Market
from tests.support.web import Client, in_process


@pytest.fixture
async def client(market: Market) -> AsyncIterator[Client]:
    async with in_process(market) as client:
        yield client
