"""An incident is settled once, by somebody, with a reason."""

from datetime import UTC, datetime

import pytest

from market.payments.incident import AlreadySettled, Incident, Settlement
from market.shared.errors import Invalid

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def incident() -> Incident:
    return Incident(7, "amounts_differ", "p1", {"captured": 1}, NOW)


def test_it_ends_with_who_and_how() -> None:
    found = incident()
    found.settle(" bora ", " the console was right ", NOW)
    assert found.settlement == Settlement(NOW, "bora", "the console was right")


@pytest.mark.parametrize(("by", "how"), [("", "why"), ("bora", ""), (" ", "why"), ("bora", "\n")])
def test_nobody_and_nothing_settle_none(by: str, how: str) -> None:
    found = incident()
    with pytest.raises(Invalid):
        found.settle(by, how, NOW)
    assert found.settlement is None


def test_the_first_word_stands() -> None:
    found = incident()
    found.settle("bora", "why", NOW)
    with pytest.raises(AlreadySettled):
        found.settle("jun", "another why", NOW)
    assert found.settlement == Settlement(NOW, "bora", "why")
