"""A separate program: makes two JPEGs of a photo, without access to any secret.

Reads the photo from its standard input, and writes two numbers (width and height), the lengths of
both JPEGs and the JPEGs. Ends with REFUSED for what is no photo; what takes too many seconds or too
much memory, the kernel ends. It is started by `images`, and imports nothing of the market's.
"""

import io
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress

# Only these decoders: by default Pillow would try every format it knows.
from PIL import (
    Image,
    ImageChops,
    ImageCms,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

REFUSED = 3
HEAD = struct.Struct(">HHII")
# Of one core's time, the start of this program included. A good photo takes a tenth.
SECONDS_MAX = 2
MEMORY_MAX = 215 * 1024 * 1024
# Told by their first bytes, never by name or by what a browser says of them.
KINDS = tuple(
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        WebPImagePlugin.WebPImageFile,
    )
)
SIDE_LENGTH_MAX = 1280
SMALL_SIDE = 480
_QUALITY = 82
# So many points are worked on at a time: of a large picture there is never a second copy.
_STRIP = 1_000_000
_GREY = {"1", "L", "LA"}
_USUAL, _DEEP = 8, 16  # bits


def main() -> None:
    _bound()
    try:
        image = _read(sys.stdin.buffer.read())
        full, small = _jpeg(image), _jpeg(ImageOps.fit(image, (SMALL_SIDE, SMALL_SIDE)))
    except Exception:  # a broken file makes decoders raise all sorts of things
        sys.exit(REFUSED)
    head = HEAD.pack(image.width, image.height, len(full), len(small))
    sys.stdout.buffer.write(head + full + small)


def _bound() -> None:
    """Sets limits where the system has them; elsewhere the parent's timeout ends the process."""
    with suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 # not on every system

        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_MAX, SECONDS_MAX))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_MAX, MEMORY_MAX))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.nice(5)  # requests go first


def _read(raw: bytes) -> Image.Image:
    """The picture in sRGB, upright, on white where it is transparent, no larger than it is kept."""
    Image.MAX_IMAGE_PIXELS = None  # its header was looked at before
    with Image.open(io.BytesIO(raw), formats=KINDS) as opened:
        profile = opened.info.get("icc_profile")
        orientation = opened.getexif().get(0x0112, 1)
        side = max(opened.size) / (2 * SIDE_LENGTH_MAX)
        if side > 1:  # a JPEG can be unpacked at a fraction of its size
            opened.draft(None, (int(opened.width / side) or 1, int(opened.height / side) or 1))
        opened.load()
        image = _flat(opened, raw[24] if opened.format == "PNG" else _USUAL)
    image.thumbnail((SIDE_LENGTH_MAX, SIDE_LENGTH_MAX))
    return _upright(_in_srgb(image, profile), orientation)


def _flat(opened: Image.Image, depth: int) -> Image.Image:
    """In 8 bits and without transparency: grey, CMYK or RGB, whatever its colour profile is of;
    several points made one where there are far more than needed."""
    factor = max(1, 2 * max(opened.size) // (3 * SIDE_LENGTH_MAX))
    clear = _clear(opened, depth)
    whole: Image.Image | None = None
    for top, strip in _strips(opened, factor):
        part = _opaque(strip, clear)
        if factor > 1:
            part = part.reduce(factor)
        if whole is None:
            whole = Image.new(part.mode, (part.width, -(-opened.height // factor)))
        whole.paste(part, (0, top // factor))
    if whole is None:
        raise ValueError("nothing in it")
    return whole


def _strips(image: Image.Image, factor: int) -> Iterator[tuple[int, Image.Image]]:
    """Parts of it from top to bottom, and where each begins: a multiple of the factor."""
    height = factor * max(1, _STRIP // (image.width * factor))
    for top in range(0, image.height, height):
        yield top, image.crop((0, top, image.width, min(top + height, image.height)))


def _clear(opened: Image.Image, depth: int) -> object:
    """What of a picture without an alpha channel is transparent. A PNG tells it in its own depth,
    and its points come in 8 bits but for a grey of 16."""
    clear = opened.info.get("transparency")
    if depth == _DEEP and isinstance(clear, tuple):
        return tuple(value >> 8 for value in clear)
    if depth < _USUAL and isinstance(clear, int) and opened.mode in {"1", "L"}:
        return clear * 255 // (2**depth - 1)
    return clear


def _opaque(strip: Image.Image, clear: object) -> Image.Image:
    if strip.mode in {"CMYK", "RGB", "L"} and clear is None:
        return strip
    if strip.mode.startswith("I"):
        grey = strip.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
        return _on_white(grey, _all_but(strip, clear)) if isinstance(clear, int) else grey
    if strip.mode in _GREY:
        kind, alpha = "L", "LA"
    else:
        kind, alpha = "RGB", "RGBA"
    if clear is not None:
        strip.info["transparency"] = clear
    both = strip.convert(alpha)
    return _on_white(both.convert(kind), both.getchannel("A"))


def _all_but(deep: Image.Image, clear: int) -> Image.Image:
    """Which points of a 16-bit grey are not this one."""
    raw = deep.tobytes()
    low, high = (Image.frombytes("L", deep.size, raw[start::2]) for start in (0, 1))
    return ImageChops.lighter(
        low.point([255 * (value != clear & 255) for value in range(256)]),
        high.point([255 * (value != clear >> 8) for value in range(256)]),
    )


def _on_white(colours: Image.Image, alpha: Image.Image) -> Image.Image:
    ground = Image.new(colours.mode, colours.size, "white")
    ground.paste(colours, mask=alpha)
    return ground


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """In the colours that browsers take for granted. A profile that can't be used is ignored."""
    if profile:
        with suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            made = ImageCms.profileToProfile(
                image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if made is not None:
                return made
    return image.convert("RGB")


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    exif = image.getexif()
    exif[0x0112] = orientation
    return ImageOps.exif_transpose(image)


def _jpeg(image: Image.Image) -> bytes:
    """The picture alone: where and when it was taken, and by what, stays behind."""
    kept = io.BytesIO()
    bare = image.copy()
    bare.info = {}
    bare.save(kept, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return kept.getvalue()


if __name__ == "__main__":
    main()
