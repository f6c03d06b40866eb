"""Rows become dataclasses by column name, and only where every value is of its field's type."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec
import pytest

from market.kit.db.database import Database
from market.kit.db.rows import to_record
from market.shared.ids import MemberId


class Colour(StrEnum):
    RED = "RED"


@dataclass(frozen=True, slots=True)
class Item:
    id: MemberId
    colour: Colour
    made_at: datetime
    note: str | None = None


ID = "a" * 32


async def record(db: Database, columns: str) -> Item:
    row = await db.fetch_one(f"SELECT {columns}, '{ID}'::uuid AS id")  # our own
    assert row is not None
    return to_record(Item, row)


async def test_a_row_is_read_by_column_name_in_any_order(db: Database) -> None:
    item = await record(db, "'n' AS note, 1 AS more, to_timestamp(0) AS made_at, 'RED' AS colour")
    assert item == Item(MemberId(ID), Colour.RED, datetime.fromtimestamp(0).astimezone(), "n")
    assert item.colour is Colour.RED


@pytest.mark.parametrize(
    "columns",
    [
        "'RED' AS colour",
        "'BLUE' AS colour, now() AS made_at",
        "NULL AS colour, now() AS made_at",
        "'RED' AS colour, now() AS made_at, 7 AS note",
    ],
    ids=["a column is missing", "not a member of the enum", "null", "another type"],
)
async def test_a_row_that_does_not_fit_is_refused(db: Database, columns: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        await record(db, columns)
