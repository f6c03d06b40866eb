"""Letters that people can't tell apart, by Unicode's table of confusable characters (UTS #39)."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from string import ascii_uppercase

import msgspec


class _Other(msgspec.Struct):
    """A letter, or several, that another can be confused with."""

    c: str


@cache
def table() -> Mapping[str, str]:
    """For each letter the one that stands for all that look like it or like its other case, or the
    several that it looks like: m looks like rn.

    Takes 60 ms, the first time it is asked for.
    """
    shown = _shown()
    classes = _Classes()
    for letter in ascii_uppercase:
        classes.join(letter, letter.lower())
    for letter, other in shown.items():
        if len(other) == 1:
            classes.join(letter, other)
    for letter in shown:
        other_case = letter.casefold()
        # Greek ν looks like v, and its capital like N: that must not make one letter of the two.
        if len(other_case) == 1 and not classes.are_two_latin(letter, other_case):
            classes.join(letter, other_case)
    several = {
        letter: "".join(map(classes.first, other))
        for letter, other in shown.items()
        if len(other) > 1 and classes.first(letter) == letter
    }
    firsts = {letter: classes.first(letter) for letter in classes.letters}
    return {letter: several.get(first, first) for letter, first in firsts.items()}


def _shown() -> Mapping[str, str]:
    """What each letter of Unicode's table is shown as. The package lists every pair both ways."""
    source = files("confusable_homoglyphs").joinpath("confusables.json").read_bytes()
    listed = msgspec.json.decode(source, type=dict[str, list[_Other]])
    # Around what is written from right to left it has marks of its own.
    others = {
        letter.strip("\u200e"): [other.c.strip("\u200e") for other in found]
        for letter, found in listed.items()
    }
    return {letter: _one_shown(letter, others) for letter in others if len(letter) == 1}


def _one_shown(letter: str, others: Mapping[str, Sequence[str]]) -> str:
    """Each letter is shown as one thing alone; what many are shown as is shown as itself."""
    longest = max(others[letter], key=len)
    if len(longest) > 1:
        return longest
    if len(others[letter]) > 1:
        return letter
    return longest if len(others[longest]) > 1 else min(letter, longest)


class _Classes:
    """Sets of letters, each known by its first: one of ASCII's, and small, if it has any."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    @property
    def letters(self) -> Sequence[str]:
        return list(self._above)

    def first(self, letter: str) -> str:
        while (above := self._above.get(letter, letter)) != letter:
            letter = above
        return letter

    def join(self, one: str, other: str) -> None:
        first, second = sorted((self.first(one), self.first(other)), key=_rank)
        self._above[first] = self._above[second] = first

    def are_two_latin(self, one: str, other: str) -> bool:
        one, other = self.first(one), self.first(other)
        return one != other and one.isascii() and other.isascii()


def _rank(letter: str) -> tuple[bool, bool, str]:
    return not letter.isascii(), letter.upper() == letter, letter
