"""Checks a photo's header for the work that decoding it would take.

A file of a few kilobytes can decode into gigabytes, or keep a core busy for minutes. Reading a
header takes well under a millisecond, and a photo that is refused here gets no process.
"""

import struct
from dataclasses import dataclass

from market.products.domain import PhotoRefused

# Panoramas of phones have 16,000 points on their longer side.
SIDE_MAX = 20_000
# A JPEG is unpacked at a fraction of its size, so the photos of a phone's 108 megapixels can be
# taken. Of a PNG every point is unpacked, into four bytes; of a WebP into four times four.
JPEG_PIXELS_MAX = 110_000_000
PNG_PIXELS_MAX = 24_000_000
WEBP_PIXELS_MAX = 12_200_000
# A progressive JPEG comes in scans, of which encoders make 20 at most. Each goes over all of its
# coefficients, and these are kept until the last, in two bytes each.
SCANS_MAX = 32
COEFFICIENTS_MAX = 50_000_000
COEFFICIENTS_OF_ALL_SCANS_MAX = 700_000_000
SEGMENTS_MAX = 1_000

_JPEG, _PNG, _RIFF = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"RIFF"
_SCAN = b"\xff\xda"
_MARK = 0xFF
_SEQUENTIAL, _PROGRESSIVE = {0xC0, 0xC1}, {0xC2}
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_STANDALONE = {0x01, *range(0xD0, 0xD9)}


@dataclass(frozen=True, slots=True)
class _Frame:
    """A JPEG's: its sides, and for each of its colours the share of its points that are kept."""

    width: int
    height: int
    progressive: bool
    shares: float

    @property
    def coefficients(self) -> float:
        return self.width * self.height * self.shares if self.progressive else 0


def check(raw: bytes) -> None:
    """Raises PhotoRefused if it is not a JPEG, PNG or WebP, or too expensive to decode."""
    try:
        if raw.startswith(_JPEG):
            _check_jpeg(raw)
        elif raw.startswith(_PNG):
            width, height = struct.unpack_from(">II", raw, 16)
            _check_sides(width, height, PNG_PIXELS_MAX)
        elif raw.startswith(_RIFF) and raw[8:12] == b"WEBP":
            width, height = _sides_of_webp(raw)
            _check_sides(width, height, WEBP_PIXELS_MAX)
        else:
            raise PhotoRefused
    except (struct.error, IndexError, ZeroDivisionError) as torn:
        raise PhotoRefused from torn


def _check_sides(width: int, height: int, pixels: int) -> None:
    if not (0 < width <= SIDE_MAX and 0 < height <= SIDE_MAX and width * height <= pixels):
        raise PhotoRefused


def _check_jpeg(raw: bytes) -> None:
    frame, begin = _frame(raw)
    _check_sides(frame.width, frame.height, JPEG_PIXELS_MAX)
    # Within the compressed data these two bytes never stand, so there are no more scans than that.
    scans = raw.count(_SCAN, begin)
    if scans > SCANS_MAX or frame.coefficients > COEFFICIENTS_MAX:
        raise PhotoRefused
    if scans * frame.coefficients > COEFFICIENTS_OF_ALL_SCANS_MAX:
        raise PhotoRefused


def _frame(raw: bytes) -> tuple[_Frame, int]:
    """The frame's header, and where it ends. Raises PhotoRefused where there is none in time."""
    at = 2
    for _ in range(SEGMENTS_MAX):
        if raw[at] != _MARK:
            break
        marker = raw[at + 1]
        if marker == _MARK or marker in _STANDALONE:
            at += 1 if marker == _MARK else 2
            continue
        (length,) = struct.unpack_from(">H", raw, at + 2)
        if marker in _SEQUENTIAL | _PROGRESSIVE:
            return _read_frame(raw, at + 4, progressive=marker in _PROGRESSIVE), at + 2 + length
        if marker in _OTHER_FRAMES or marker == _SCAN[1]:
            break
        at += 2 + length
    raise PhotoRefused


def _read_frame(raw: bytes, at: int, *, progressive: bool) -> _Frame:
    _, height, width, colours = struct.unpack_from(">BHHB", raw, at)
    sampled = [raw[at + 7 + 3 * number] for number in range(colours)]
    areas = [(factors >> 4) * (factors & 15) for factors in sampled]
    whole = max(f >> 4 for f in sampled) * max(f & 15 for f in sampled) if sampled else 0
    return _Frame(width, height, progressive, sum(areas) / whole)


def _sides_of_webp(raw: bytes) -> tuple[int, int]:
    kind = raw[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(raw[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", raw, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", raw, 26))
    else:
        raise PhotoRefused
    return width, height
