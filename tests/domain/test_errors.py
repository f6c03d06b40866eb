"""What a client reads of a refusal: a stable code, and a message that is a plain sentence."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import market
from market.shared.errors import MarketError


def errors(root: type[MarketError] = MarketError) -> Iterator[type[MarketError]]:
    yield root
    for kind in root.__subclasses__():
        yield from errors(kind)


def ours() -> list[type[MarketError]]:
    for module in pkgutil.walk_packages(market.__path__, "market."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return sorted(
        {kind for kind in errors() if kind.__module__.startswith("market.")},
        key=lambda kind: f"{kind.__module__}.{kind.__qualname__}",
    )


@pytest.mark.parametrize("kind", ours(), ids=lambda kind: kind.__name__)
def test_an_error_has_a_whole_message_of_its_own(kind: type[MarketError]) -> None:
    message = vars(kind).get("message", "")
    assert message.endswith("."), kind
    assert message[0].isupper(), kind
    assert "\n" not in message, kind


def test_no_two_errors_have_one_message() -> None:
    messages = [vars(kind).get("message") for kind in ours()]
    assert len(set(messages)) == len(messages)


def test_an_error_says_its_message_unless_it_is_given_a_detail() -> None:
    class TooHeavy(MarketError):
        code = "too_heavy"
        message = "The parcel is too heavy."

    assert (TooHeavy().detail, str(TooHeavy())) == (TooHeavy.message, TooHeavy.message)
    assert TooHeavy("Over 20 kg.").detail == "Over 20 kg."
