"""Photos through Pillow, each in a process of its own; keeps the pixels and no metadata."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from market.products.domain import PhotoRefused
from market.products.ports import PHOTO_BYTES_MAX, ProcessedImage
from market.shared.errors import Unavailable

from .header import check
from .program import HEAD, REFUSED

# Each takes a core and at most 180 MB for at most two seconds, so a bomb delays no one.
CONCURRENCY = 2
WAITING_MAX = 20
# On a busy machine two seconds of a core take longer.
TIMEOUT_S = 15.0
# -P: a module beside the program must not shadow one of Python's own.
_PROGRAM = (sys.executable, "-P", str(Path(__file__).with_name("program.py")))
# An exploited decoder finds neither secrets nor the database's address.
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "SYSTEMROOT")
_BY_THE_KERNEL = {-signal.SIGXCPU, -signal.SIGKILL}

_log = structlog.get_logger()


class PillowImageProcessor:
    """Checks the header; then a process decodes the photo, and is killed if it takes too long."""

    def __init__(self, program: Sequence[str] = _PROGRAM, timeout_s: float = TIMEOUT_S) -> None:
        self._program = program
        self._within_s = timeout_s
        self._turn = asyncio.Semaphore(CONCURRENCY)
        self._waiting = 0

    async def process(self, raw: bytes) -> ProcessedImage:
        """Raises PhotoRefused, and Unavailable if too many are waiting."""
        if len(raw) > PHOTO_BYTES_MAX:
            raise PhotoRefused
        check(raw)
        async with self._slot():
            return _picture(await self._processed(raw))

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        if self._waiting >= WAITING_MAX:
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
            # Also after the client has disconnected: no one waits for the result.
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode == 0:
            return made
        if process.returncode != REFUSED and process.returncode not in _BY_THE_KERNEL:
            _log.error("photo_process_failed", status=process.returncode)
        raise PhotoRefused


def _picture(made: bytes) -> ProcessedImage:
    width, height, full, small = HEAD.unpack_from(made)
    body = made[HEAD.size :]
    return ProcessedImage(width, height, body[:full], body[full : full + small])
