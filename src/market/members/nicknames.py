"""Nicknames: stored as typed, unique by how they look (A6)."""

import secrets
from collections.abc import Sequence
from functools import cache
from typing import ClassVar
from unicodedata import normalize

import regex

from market.shared.alike import table
from market.shared.errors import Conflict, Unprocessable
from market.shared.text import cut, line, plain, skeleton

NICKNAME_LENGTH_MAX = 30
NICKNAME_DEFAULT = "회원"
# Names of the market and its staff. These are refused anywhere in a nickname …
_RESERVED_ANYWHERE = (
    "운영자",
    "운영팀",
    "운영진",
    "관리자",
    "관리팀",
    "고객센터",
    "고객지원",
    "고객상담",
    "원티드마켓",
    "원티드market",
    "wanted마켓",
    "wantedmarket",
)
# … and these only as whole words: badminton contains admin.
_RESERVED_AS_WORDS = (
    "admin",
    "administrator",
    "sysadmin",
    "webmaster",
    "moderator",
    "official",
    "staff",
    "support",
    "helpdesk",
    "customerservice",
    "customersupport",
    "customercenter",
    "system",
    "root",
    "어드민",
    "공식",
)
_APART = regex.compile(r"[[\p{L}\p{N}\p{M}]--\p{Hangul}]+|\p{Hangul}+", regex.VERSION1)


class NicknameTaken(Conflict):
    code: ClassVar[str] = "nickname_taken"
    message: ClassVar[str] = "Another member has this nickname or one that looks like it."


class NicknameReserved(Unprocessable):
    code: ClassVar[str] = "nickname_reserved"
    message: ClassVar[str] = "This nickname could be mistaken for the market's own. Choose another."


def nickname(text: str) -> str:
    """Normalizes a nickname. Raises NicknameReserved."""
    name = line(text)
    if is_reserved(name):
        raise NicknameReserved
    return name


def kept(text: str, *, operator: bool) -> str:
    """Normalizes a nickname that was stored before the rules existed."""
    name = plain(text)
    return name if name and (operator or not is_reserved(name)) else NICKNAME_DEFAULT


def fitting(text: str) -> str:
    """A valid nickname from the name that another company gives."""
    name = cut(plain(text), NICKNAME_LENGTH_MAX)
    return NICKNAME_DEFAULT if not name or is_reserved(name) else name


def proposals(name: str) -> Sequence[str]:
    """A nickname and numbered variants; the first free one is used."""
    more = [str(number) for number in range(2, 10)]
    more += [str(secrets.randbelow(9 * 10**digits) + 10**digits) for digits in (5, 5, 7, 7)]
    return [name, *(cut(name, NICKNAME_LENGTH_MAX - len(number)) + number for number in more)]


def is_reserved(name: str) -> bool:
    """Whether it could be mistaken for the market's own, in any spelling."""
    parts = _APART.findall(line(name))
    whole = _spelled("".join(parts))
    if any(word in whole for word in _reserved_here()):
        return True
    named = {_spelled(part.rstrip("0123456789")) for part in parts}
    return not named.isdisjoint(_reserved_words()) or whole in _reserved_words()


@cache
def _reserved_here() -> Sequence[str]:
    return [_spelled(word) for word in _RESERVED_ANYWHERE]


@cache
def _reserved_words() -> frozenset[str]:
    return frozenset(_spelled(word) for word in _RESERVED_AS_WORDS)


def _spelled(text: str) -> str:
    """The visual form, letter by letter: without accents, syllables split into letters."""
    letters = (table().get(letter, letter) for letter in normalize("NFD", skeleton(text)))
    return regex.sub(r"\p{M}", "", "".join(letters))
