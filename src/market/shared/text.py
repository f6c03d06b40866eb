"""Text is what is seen, not its code points (A7): how it is read, written down and compared.

Two ways of saying the same thing (composed or not, half or full width, with characters between that
nobody sees) are one thing here, for names, nicknames, addresses, searches and numbers alike.
"""

import unicodedata

import idna
import regex

from .alike import table

# Marks that turn the direction of what follows. In a text that stands on one line they are refused
# (kit.http.request.SINGLE_LINE) and not dropped: without them it would read the other way round.
BIDI = r"\u202a-\u202e\u2066-\u2069"
# Unicode's "default ignorable" characters show nothing: joiners, fillers, tags, variation
# selectors. So do a few that its list leaves out: anchors, an empty note, hieroglyphic blanks.
_UNSEEN = (
    r"[[\p{Default_Ignorable_Code_Point}\ufff9-\ufffc\U0001d159\U00013441\U00013442]"
    rf"--[{BIDI}]]"
)
# Where they make a picture or a letter what it is, they stay: joined and coloured emoji, keycaps,
# three flags, variants of Chinese and Mongolian letters, joiners of Indic and Arabic ones
# (RFC 5892, appendix A.1 and A.2).
_NEEDED = r"""
    (?<=\p{Extended_Pictographic}[\ufe0f\p{Emoji_Modifier}]?)\u200d(?=\p{Extended_Pictographic})
  | (?<=[\p{Emoji}--[0-9\#*]])[\ufe0e\ufe0f]
  | (?<=[0-9\#*])\ufe0f(?=\u20e3)
  | (?<=\U0001f3f4)\U000e0067\U000e0062
    (?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)
    \U000e007f
  | (?<=\p{Han})[\ufe00-\ufe02\U000e0100-\U000e01ef]
  | (?<=\p{Mongolian})[\u180b-\u180d\u180f]
  | (?<=\p{Canonical_Combining_Class=9})[\u200c\u200d]
  | (?<=\p{Arabic})\u200c(?=\p{Arabic})
"""
_DROPPED = regex.compile(
    rf"(?={_UNSEEN})(?:(?P<kept>{_NEEDED})|.)", regex.VERSION1 | regex.VERBOSE | regex.DOTALL
)
_BASELESS = regex.compile(r"\A(\s*)\p{M}+")
# More than four marks on one letter write over the lines around it (UTS #39, 5.4).
_PILED = regex.compile(r"([\p{Mn}\p{Me}]{4})[\p{Mn}\p{Me}]+")
_SEEN = regex.compile(r"[\p{L}\p{N}\p{P}\p{S}\p{Extended_Pictographic}]")
# What is to be refused must not pass for nothing.
_ODD = regex.compile(rf"[[\p{{Cc}}{BIDI}]--\s]", regex.VERSION1)
_TURNING = regex.compile(f"[{BIDI}]")
_NOT_COMPARED = regex.compile(rf"[[\p{{Z}}\p{{C}}]||{_UNSEEN}||[{BIDI}]]", regex.VERSION1)
_NARROW = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " ", 0xFFE6: "₩"}
# With or without separators between thousands, of one kind. On a Korean keyboard, \ is the ₩ key.
_NUMBER = r"(?P<digits>[0-9]{1,12}|[1-9][0-9]{0,2}(?:(?P<by>[, ])[0-9]{3})(?:(?P=by)[0-9]{3})*)"
_WON = regex.compile(rf"(?:(?:[₩\\]|KRW) ?)?{_NUMBER}(?: ?(?:원|KRW|won))?", regex.IGNORECASE)
_UNITS = regex.compile(rf"{_NUMBER}(?: ?개)?")


def clean(text: str) -> str:
    """A text as it is kept: in NFC, without what shows nothing; empty where nothing is seen.

    Line ends and blanks stay. What can't be kept at all (control characters) is not dropped, so
    that it can be refused.
    """
    if not text.isascii():
        text = _DROPPED.sub(lambda found: found["kept"] or "", text.replace("\u2800", " "))
        text = unicodedata.normalize("NFC", text)
        text = _PILED.sub(r"\1", _BASELESS.sub(r"\1", text))
    return text if _SEEN.search(text) or _ODD.search(text) else ""


def prose(text: str) -> str:
    """A text of several lines: as `clean`, without blanks around it or marks that turn it."""
    return clean(_TURNING.sub("", text)).replace("\r\n", "\n").strip()


def line(text: str) -> str:
    """A text that stands on one line: as `clean`, without blanks around it, single ones within."""
    return " ".join(clean(text).split())


def plain(text: str) -> str:
    """As `line`, without what would be refused there."""
    return line(_ODD.sub("", text))


def cut(text: str, most: int) -> str:
    """As much of it from the beginning as `most` characters hold, of whole letters and pictures."""
    if len(text) <= most:
        return text
    length = 0
    for letter in regex.findall(r"\X", text):
        if length + len(letter) > most:
            break
        length += len(letter)
    return text[:length].rstrip()


def narrow(text: str) -> str:
    """As `line`, with letters, digits and signs of full width in the usual one."""
    return line(text).translate(_NARROW).strip()


def words(text: str) -> list[str]:
    """The words that are looked for, each once; blanks of any width part them."""
    return list(dict.fromkeys(clean(text).split()))


def won(text: str) -> int | None:
    """An amount of won as people type it: 3000원, ₩3,000, ３，０００; 3,0,0,0 is none."""
    return _number(_WON, text)


def units(text: str) -> int | None:
    """A number of things as people type it: 3, 3개, 1,000."""
    return _number(_UNITS, text)


def mailbox(text: str) -> str:
    """The one spelling of an e-mail address, whatever was pasted into it; its domain in ASCII.

    What is no address comes back as something that is none either.
    """
    plain = unicodedata.normalize("NFKC", clean(text)).strip().lower()
    name, at, domain = plain.replace("。", ".").rpartition("@")
    return f"{name}{at}{_host(domain.rstrip('.'))}" if at else plain


def skeleton(text: str) -> str:
    """A key that texts share which look alike: in any case and width, with or without blanks, and
    with letters of other scripts that can't be told apart (UTS #39). For comparing alone."""
    seen = _NOT_COMPARED.sub("", unicodedata.normalize("NFKC", clean(text)))
    return "".join(_alike(letter) for letter in _apart(seen))


def _number(pattern: regex.Pattern[str], text: str) -> int | None:
    found = pattern.fullmatch(narrow(text))
    return int(regex.sub("[, ]", "", found["digits"])) if found else None


def _apart(text: str) -> str:
    """With marks apart from their letters; but a Korean syllable is one letter, not three."""
    return "".join(
        letter if "가" <= letter <= "힣" else unicodedata.normalize("NFD", letter)
        for letter in text
    )


def _alike(letter: str) -> str:
    known = table()
    return known.get(letter) or "".join(known.get(part, part) for part in letter.casefold())


def _host(domain: str) -> str:
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return domain
