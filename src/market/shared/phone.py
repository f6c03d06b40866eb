"""Phone numbers, as people write them."""

import re

from .text import narrow

_NUMBER = re.compile(r"0[0-9]{8,10}", re.ASCII)
_BETWEEN = re.compile(r"[\s().·\-\u2010-\u2015\u2212]")


def phone_number(text: str) -> str | None:
    """A Korean number in digits alone, from 010-1234-5678, (02) 123.4567, +82 10 1234 5678 or any
    of them in full width; None for what is none."""
    written = _BETWEEN.sub("", narrow(text))
    if written.startswith("+82"):
        written = f"0{written[3:].removeprefix('0')}"
    return written if _NUMBER.fullmatch(written) else None
