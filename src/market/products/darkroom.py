"""Photos by Pillow, in processes of their own: read whatever a member sends, and keep nothing of it
but the picture."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from market.shared.errors import Unavailable

from .domain import PhotoRefused
from .image_header import check
from .image_process import HEAD, REFUSED
from .ports import LARGEST_PHOTO, Picture

# Each takes a core and at most 180 MB for at most two seconds: one member's bomb holds up nobody.
SIDE_BY_SIDE = 2
MOST_WAITING = 20
# On a busy machine two seconds of a core take longer.
WITHIN_S = 15.0
# -P: beside the program lie modules that are called as some of Python's own.
_PROGRAM = (sys.executable, "-P", str(Path(__file__).with_name("image_process.py")))
# What a decoder could be made to give away is not there: no secret, no database's address.
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "SYSTEMROOT")
_BY_THE_KERNEL = {-signal.SIGXCPU, -signal.SIGKILL}

_log = structlog.get_logger()


class PillowDarkroom:
    """Looks at a header first; then a process unpacks the photo, and is ended where it takes too
    long."""

    def __init__(self, program: Sequence[str] = _PROGRAM, within_s: float = WITHIN_S) -> None:
        self._program = program
        self._within_s = within_s
        self._turn = asyncio.Semaphore(SIDE_BY_SIDE)
        self._waiting = 0

    async def develop(self, raw: bytes) -> Picture:
        """Raises PhotoRefused, and Unavailable where too many wait already."""
        if len(raw) > LARGEST_PHOTO:
            raise PhotoRefused
        check(raw)
        async with self._a_turn():
            return _picture(await self._processed(raw))

    @asynccontextmanager
    async def _a_turn(self) -> AsyncIterator[None]:
        if self._waiting >= MOST_WAITING:
            raise Unavailable
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turn.release()

    async def _processed(self, raw: bytes) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *self._program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        )
        try:
            async with asyncio.timeout(self._within_s):
                made, _ = await process.communicate(raw)
        except TimeoutError as slow:
            raise PhotoRefused from slow
        finally:
            # Also where the one who sent it has gone: nobody waits for it any more.
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode == 0:
            return made
        if process.returncode != REFUSED and process.returncode not in _BY_THE_KERNEL:
            _log.error("photo_process_failed", status=process.returncode)
        raise PhotoRefused


def _picture(made: bytes) -> Picture:
    width, height, full, small = HEAD.unpack_from(made)
    body = made[HEAD.size :]
    return Picture(width, height, body[:full], body[full : full + small])
