"""Money inside the sandbox is integer minor units; V1 alone speaks major units."""

from decimal import Decimal, InvalidOperation

# ISO 4217 currencies whose minor unit is not a hundredth (V2: KRW ×1, JPY ×1, USD ×100).
_EXPONENTS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
LARGEST = 2**53 - 1  # what every JSON reader can hold exactly


def exponent(currency: str) -> int:
    """How many decimal places `currency` has."""
    return _EXPONENTS.get(currency, 2)


def to_minor(value: object, currency: str) -> int:
    """A V1 amount (JSON number, or text in a form) in minor units.

    Raises ValueError when it is no number, is finer than the currency's minor unit, or is
    too large to be exact.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("not a number")  # noqa: TRY004 - one kind of refusal for callers
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation as error:
        raise ValueError("not a number") from error
    if not amount.is_finite() or abs(amount) > LARGEST:
        raise ValueError("out of range")
    minor = amount.scaleb(exponent(currency))
    if minor != minor.to_integral_value() or abs(minor) > LARGEST:
        raise ValueError("finer or larger than the currency allows")
    return int(minor)


def to_major(minor: int, currency: str) -> int | float:
    """A V1 amount as JSON shows it: whole where it is whole."""
    places = exponent(currency)
    major = Decimal(minor).scaleb(-places)
    return int(major) if major == major.to_integral_value() else float(major)


def split_vat(taxable: int) -> int:
    """VAT inside a taxable amount: one eleventh, as Korea's 10 % is counted when none is given."""
    return taxable - round(Decimal(taxable) / Decimal("1.1"))
