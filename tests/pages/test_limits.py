"""Pages are no way around the limits that the API keeps."""

from dataclasses import replace

import pytest

from market.settings import Settings

from .conftest import Guest


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, rate_limits=True)


async def test_guessing_passwords_in_the_form_ends_in_429(guest: Guest) -> None:
    tried = {"email": "x@example.com", "password": "not this one"}
    answers = [(await guest.send("/signin", **tried)).status_code for _ in range(21)]
    assert answers == [401] * 20 + [429]


async def test_signing_up_in_the_form_is_counted(guest: Guest) -> None:
    wish = {"email": "y@example.com", "password": "short", "nickname": "y"}
    answers = [(await guest.send("/signup", **wish)).status_code for _ in range(11)]
    assert answers == [400] * 10 + [429]
