"""Money: an integer of minor units beside its currency. Never a float."""

from dataclasses import dataclass
from typing import Literal, Self

Currency = Literal["KRW"]
KRW: Currency = "KRW"
BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in minor units of a currency (ISO 4217; KRW has no decimals, so 1 is one won).

    `currency` is any code, because a gateway may report one we never asked for (P4).
    """

    amount: int
    currency: str = KRW

    def __add__(self, other: Self) -> Self:
        self._same_currency(other)
        return type(self)(self.amount + other.amount, self.currency)

    def __sub__(self, other: Self) -> Self:
        self._same_currency(other)
        return type(self)(self.amount - other.amount, self.currency)

    def share(self, basis_points: int) -> Self:
        """That many hundredths of a percent of it, rounded down to the minor unit."""
        return type(self)(self.amount * basis_points // BASIS_POINTS, self.currency)

    def _same_currency(self, other: "Money") -> None:
        if other.currency != self.currency:
            raise ValueError(f"{other.currency} cannot be reckoned with {self.currency}")
