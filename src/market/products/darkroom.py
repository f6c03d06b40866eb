"""Photos by Pillow: read whatever a member sends, and keep nothing of it but the picture."""

import asyncio
import io

from PIL import Image, ImageOps

from .domain import PhotoRefused
from .ports import LARGEST_PHOTO, Picture

# Told by their first bytes, never by name or by what a browser says of them.
_KINDS = ("JPEG", "PNG", "WEBP")
# A file of a few kilobytes can unfold into gigabytes: refused by what its header says, before a
# single line of it is unpacked.
MOST_PIXELS = 40_000_000
LONGEST_SIDE = 1280
SMALL_SIDE = 480
_QUALITY = 82
_WHITE = (255, 255, 255)


class PillowDarkroom:
    """Off the event loop and one at a time, for each takes a core and up to 160 MB."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)

    async def develop(self, raw: bytes) -> Picture:
        """Raises PhotoRefused."""
        if len(raw) > LARGEST_PHOTO:
            raise PhotoRefused
        async with self._turn:
            return await asyncio.to_thread(_develop, raw)


def _develop(raw: bytes) -> Picture:
    try:
        with Image.open(io.BytesIO(raw), formats=_KINDS) as opened:
            full = _unpacked(opened)
    except PhotoRefused:
        raise
    except Exception as cause:  # a broken file makes decoders raise all sorts of things
        raise PhotoRefused from cause
    full.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    small = ImageOps.fit(full, (SMALL_SIDE, SMALL_SIDE))
    return Picture(full.width, full.height, _jpeg(full), _jpeg(small))


def _unpacked(opened: Image.Image) -> Image.Image:
    if opened.width * opened.height > MOST_PIXELS:
        raise PhotoRefused
    # A JPEG can be unpacked at a fraction of its size.
    opened.draft("RGB", (2 * LONGEST_SIDE, 2 * LONGEST_SIDE))
    return _flat(ImageOps.exif_transpose(opened))


def _flat(image: Image.Image) -> Image.Image:
    """In colours, on white where it is transparent."""
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGB", image.size, _WHITE)
        ground.paste(image, mask=image.getchannel("A"))
        return ground
    return image.convert("RGB")


def _jpeg(image: Image.Image) -> bytes:
    """The picture alone: where and when it was taken, and by what, stays behind."""
    kept = io.BytesIO()
    image.info = {}
    image.save(kept, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return kept.getvalue()
