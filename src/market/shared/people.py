"""Who acts, and on which side of a trade."""

from dataclasses import dataclass
from enum import StrEnum

from .ids import MemberId, SessionId


@dataclass(frozen=True, slots=True)
class Person:
    """A member as other members see them."""

    id: MemberId
    nickname: str


@dataclass(frozen=True, slots=True)
class Caller:
    """The signed-in member behind a request; an `operator` answers for the money (P8)."""

    id: MemberId
    nickname: str
    session_id: SessionId
    operator: bool = False

    @property
    def person(self) -> Person:
        return Person(self.id, self.nickname)


class Party(StrEnum):
    """On whose behalf something is done to a trade or its payment."""

    BUYER = "BUYER"
    SELLER = "SELLER"
    OPERATOR = "OPERATOR"
    MARKET = "MARKET"
