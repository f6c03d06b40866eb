"""Texts in two languages: Korean stands in the source and the templates, English in the catalogue.

`make messages` collects the texts into `locale/en/LC_MESSAGES/messages.po` and compiles it.
"""

import gettext as catalogues
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from functools import cache
from importlib.resources import files

from market.shared.money import KRW, Money

from .visitor import Lang

# Korea keeps one time all year round, and every member reads it.
KOREA = timezone(timedelta(hours=9))

_CATALOGUE = files("market.web") / "locale" / "en" / "LC_MESSAGES" / "messages.mo"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def gettext_noop(text: str) -> str:
    """Marks a text that is translated where a page shows it."""
    return text


class Translator:
    """Says texts, amounts and times in one language."""

    def __init__(self, lang: Lang) -> None:
        self.lang = lang
        self._texts = _english() if lang == "en" else catalogues.NullTranslations()

    def gettext(self, text: str, /, **values: object) -> str:
        """The text, with `{names}` filled in."""
        return self._filled(self._texts.gettext(text), values)

    def ngettext(self, text: str, n: int, /, **values: object) -> str:
        """A text that counts: `{n}` in it is the number. Korean has no plural form."""
        return self._filled(self._texts.ngettext(text, text, n), {"n": n, **values})

    def pgettext(self, context: str, text: str, /, **values: object) -> str:
        """A text that means something else elsewhere; the context tells which is meant."""
        return self._filled(self._texts.pgettext(context, text), values)

    def money(self, amount: int, currency: str = KRW) -> str:
        """12,000원, or ₩12,000; of other currencies the minor units."""
        if currency != KRW:
            return f"{amount:,} {currency}"
        if self.lang == "ko":
            return f"{amount:,}원"
        return f"-₩{-amount:,}" if amount < 0 else f"₩{amount:,}"

    def day(self, at: datetime) -> str:
        """2026. 11. 22., or 22 Nov 2026, in Korea."""
        there = at.astimezone(KOREA)
        if self.lang == "ko":
            return f"{there.year}. {there.month}. {there.day}."
        return f"{there.day} {_MONTHS[there.month - 1]} {there.year}"

    def month_day(self, at: datetime) -> str:
        """11. 22., or 22 Nov, in Korea."""
        there = at.astimezone(KOREA)
        if self.lang == "ko":
            return f"{there.month}. {there.day}."
        return f"{there.day} {_MONTHS[there.month - 1]}"

    def moment(self, at: datetime) -> str:
        """2026. 11. 22. 14:05, or 22 Nov 2026, 14:05, in Korea."""
        comma = "" if self.lang == "ko" else ","
        return f"{self.day(at)}{comma} {at.astimezone(KOREA):%H:%M}"

    def to_the_second(self, at: datetime) -> str:
        """2026. 11. 22. 14:05:09, or 22 Nov 2026, 14:05:09, in Korea."""
        return f"{self.moment(at)}:{at:%S}"

    def value(self, value: object) -> str:
        """An amount or a time in this language; anything else as it is."""
        match value:
            case Money():
                return self.money(value.amount, value.currency)
            case datetime():
                return self.to_the_second(value)
        return str(value)

    def _filled(self, text: str, values: Mapping[str, object]) -> str:
        return text.format(**{n: self.value(v) for n, v in values.items()}) if values else text


@cache
def _english() -> catalogues.GNUTranslations:
    with _CATALOGUE.open("rb") as compiled:
        return catalogues.GNUTranslations(compiled)
