"""Reads the body of a form no further than needed: its token first, and the rest once it is known
who sent it and that they may.

The framework would read all of it at once, and keeps the last thousand URL-encoded bodies, with the
passwords in them, in a cache.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request
from litestar.datastructures import State, UploadFile
from litestar.exceptions import ClientException, InternalServerException
from litestar.utils.scope.state import ScopeState
from multipart import (  # type: ignore[import-untyped]
    MultipartSegment,
    ParserError,
    ParserLimitReached,
    PushMultipartParser,
)

from market.kit.http.request import StrictJsonRequest

# The token is a form's first field. A form that has not named it by then is none of ours. Forms
# without files are smaller as a whole.
TOKEN_WITHIN = 64 * 1024
# All texts of a form with files. A part without a file name is a text, whatever it says it is:
# files go to the disk, texts do not.
LARGEST_TEXTS = 256 * 1024
MOST_PARTS = 100
# Photos on a slow line. Each piece of them has the time that a whole body of JSON has.
UPLOAD_WITHIN_S = 300.0

_MULTIPART = "multipart/form-data"
_URL_ENCODED = "application/x-www-form-urlencoded"


class FormBody:
    """A request's form: `token` reads as far as the token, `all` reads the rest."""

    def __init__(self, request: StrictJsonRequest) -> None:
        self._request = request
        self._stream = request.stream()
        self._kind, options = request.content_type
        self._boundary = options.get("boundary", "")
        self._parts: AsyncGenerator[tuple[str, str | None], None] | None = None
        self._received = 0
        self._most: int | None = TOKEN_WITHIN
        self.fields: dict[str, str] = {}
        self.files: dict[str, list[UploadFile]] = {}

    @classmethod
    def of(cls, request: Request[Any, Any, State]) -> "FormBody":
        """The one of this request, however often it is asked for."""
        found: FormBody | None = getattr(request.state, "form_body", None)
        if found is None:
            # Guards and handlers have requests of their own; this one reads with a deadline.
            own = StrictJsonRequest(request.scope, request.receive)
            found = request.state.form_body = cls(own)
        return found

    @property
    def has_files(self) -> bool:
        """Whether it is of the kind that can bring files."""
        return self._kind == _MULTIPART

    async def token(self, name: str) -> str:
        """The field that must come first of all; empty if it does not."""
        if not self.has_files:
            await self.all()
            return self.fields.get(name, "")
        async with _in_time(self._request.body_timeout_s):
            async for field, text in self._reading():
                if text is None:
                    break
                if field == name:
                    self._most = None
                    return text
        return ""

    async def all(self) -> None:
        """Reads to the end. Raises ClientException for what is no form, too large or too slow."""
        if self._kind == _URL_ENCODED:
            async with _in_time(self._request.body_timeout_s):
                await self._url_encoded()
        elif self.has_files:
            self._most = None
            async with _in_time(UPLOAD_WITHIN_S):
                async for _ in self._reading():
                    """Kept as it is read."""

    async def _url_encoded(self) -> None:
        body = bytearray()
        while chunk := await self._chunk():
            body += chunk
        try:
            fields = parse_qsl(
                body.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_PARTS
            )
        except ValueError as many:
            raise _too_large() from many
        for name, text in fields:
            self.fields.setdefault(name, text)

    def _reading(self) -> AsyncGenerator[tuple[str, str | None], None]:
        if self._parts is None:
            self._parts = self._read()
        return self._parts

    async def _read(self) -> AsyncGenerator[tuple[str, str | None], None]:
        """Each part by its name: a text once it is whole; a file, for which None stands, before
        any of it is read."""
        name, text, file = "", bytearray(), None
        room = LARGEST_TEXTS
        async for piece in self._pieces():
            if isinstance(piece, MultipartSegment):
                name, text, file = piece.name, bytearray(), None
                if piece.filename:
                    yield name, None
                    file = self._open(piece)
            elif piece is None and file is not None:
                await file.seek(0)
            elif piece is None:
                yield name, self._keep(name, text)
            elif file is not None:
                await file.write(piece)
            else:
                room -= len(piece)
                if room < 0:
                    raise _too_large()
                text.extend(piece)

    def _open(self, part: MultipartSegment) -> UploadFile:
        file = UploadFile(part.content_type or "application/octet-stream", part.filename)
        self.files.setdefault(part.name, []).append(file)
        # Litestar closes the files that it finds there, however the request ends.
        known = ScopeState.from_scope(self._request.scope)
        known.form = {str(n): each for n, each in enumerate(chain(*self.files.values()))}
        return file

    def _keep(self, name: str, text: bytearray) -> str:
        try:
            return self.fields.setdefault(name, text.decode())
        except UnicodeDecodeError as wrong:
            raise ClientException("The form is not in UTF-8.") from wrong

    async def _pieces(self) -> AsyncGenerator[Any, None]:
        """What the parser makes of the body: where a part begins, its bytes, and its end."""
        try:
            with PushMultipartParser(self._boundary, max_segment_count=MOST_PARTS) as parser:
                while not parser.closed:
                    for piece in parser.parse(await self._chunk()):
                        yield piece
        except ParserLimitReached as many:
            raise _too_large() from many
        except ParserError as wrong:
            raise ClientException("This is no form.") from wrong

    async def _chunk(self) -> bytes:
        """The next part of the body; nothing at its end."""
        if self._most is not None and self._received >= self._most:
            raise _too_large()
        try:
            async with _in_time(self._request.body_timeout_s):
                chunk = await anext(self._stream, b"")
        except InternalServerException as gone:
            raise ClientException("The body ended too soon.") from gone
        self._received += len(chunk)
        return chunk


def _too_large() -> ClientException:
    return ClientException("The form is too large.", status_code=413)


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as slow:
        raise ClientException("The body took too long to come.", status_code=408) from slow
