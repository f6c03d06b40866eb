"""Money is integer minor units inside the sandbox; only V1 uses major units."""

from decimal import Decimal, InvalidOperation

# ISO 4217 currencies whose minor unit is not a hundredth (V2: KRW ×1, JPY ×1, USD ×100).
_EXPONENTS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
AMOUNT_MAX = 2**53 - 1  # exact in every JSON parser


def exponent(currency: str) -> int:
    """How many decimal places `currency` has."""
    return _EXPONENTS.get(currency, 2)


def to_minor(value: object, currency: str) -> int:
    """A V1 amount (JSON number, or text in a form) in minor units.

    Raises ValueError for a value that is not a number, finer than the minor unit, or too large
    to be exact.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("not a number")  # noqa: TRY004 - callers expect one error type
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation as error:
        raise ValueError("not a number") from error
    if not amount.is_finite() or abs(amount) > AMOUNT_MAX:
        raise ValueError("out of range")
    minor = amount.scaleb(exponent(currency))
    if minor != minor.to_integral_value() or abs(minor) > AMOUNT_MAX:
        raise ValueError("finer or larger than the currency allows")
    return int(minor)


def to_major(minor: int, currency: str) -> int | float:
    """A V1 amount for JSON: an integer where possible."""
    places = exponent(currency)
    major = Decimal(minor).scaleb(-places)
    return int(major) if major == major.to_integral_value() else float(major)


def split_vat(taxable: int) -> int:
    """VAT inside a taxable amount: one eleventh, from Korea's rate of 10 %."""
    return taxable - round(Decimal(taxable) / Decimal("1.1"))
