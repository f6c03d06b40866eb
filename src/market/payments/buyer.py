"""Who pays, as far as the company that takes the money must be told."""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

LONGEST_NAME = 50
LONGEST_EMAIL = 64
EMAIL = r"[^@\s]+@[^@\s]+\.[^@\s]+"


class BuyerField(StrEnum):
    NAME = "name"
    PHONE = "phone"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Buyer:
    """What a buyer said of themselves; empty where they did not. It is kept encrypted, only until
    the payment leaves READY, and never printed: not even by mistake."""

    name: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)
    email: str = field(default="", repr=False)

    def missing(self, wanted: Collection[BuyerField]) -> list[BuyerField]:
        return [one for one in BuyerField if one in wanted and not getattr(self, one)]


NOBODY = Buyer()
