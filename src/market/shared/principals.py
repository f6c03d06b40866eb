"""Who acts, and on which side of a trade."""

from dataclasses import dataclass
from enum import StrEnum

from .ids import MemberId, SessionId


@dataclass(frozen=True, slots=True)
class MemberSummary:
    """A member as other members see them."""

    id: MemberId
    nickname: str


# The name of its schema in the API's document, which clients' generated types carry.
MemberSummary.__name__ = MemberSummary.__qualname__ = "Person"


@dataclass(frozen=True, slots=True)
class Principal:
    """The signed-in member behind a request; an `operator` answers for the money (P8)."""

    id: MemberId
    nickname: str
    session_id: SessionId
    operator: bool = False

    @property
    def person(self) -> MemberSummary:
        return MemberSummary(self.id, self.nickname)


class Party(StrEnum):
    """On whose behalf something is done to a trade or its payment."""

    BUYER = "BUYER"
    SELLER = "SELLER"
    OPERATOR = "OPERATOR"
    MARKET = "MARKET"
