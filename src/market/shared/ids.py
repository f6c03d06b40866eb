"""Identifiers: UUIDs of version 7, written as 32 lower-case hex digits.

That spelling is also the safe alphabet for a payment's id at every PortOne channel (letters and
digits, at most 40 of them), so a payment has one name here, at the gateway and in the logs.
"""

import re
from typing import NewType, Protocol

MemberId = NewType("MemberId", str)
SessionId = NewType("SessionId", str)
ProductId = NewType("ProductId", str)
TradeId = NewType("TradeId", str)
PhotoId = NewType("PhotoId", str)
PaymentId = NewType("PaymentId", str)
CancellationId = NewType("CancellationId", str)

_WELL_FORMED = re.compile(r"[0-9a-f]{32}")


class Ids(Protocol):
    """Makes identifiers that sort by the moment they were made."""

    def new(self) -> str:
        """A fresh identifier, never given before."""
        ...


def well_formed(text: str) -> bool:
    """Whether `text` could be one of our identifiers at all; anything else is simply not found."""
    return _WELL_FORMED.fullmatch(text) is not None
