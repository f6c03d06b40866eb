"""Debian's PgBouncer before the tests' PostgreSQL."""

import asyncio
import os
import pwd
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from tests.sandbox.process import free_port

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
WITHIN_S = 30


@asynccontextmanager
async def pooler(dsn: str, **settings: str) -> AsyncIterator[str]:
    """A PgBouncer with its defaults, but for `settings`; the DSN that leads through it."""
    assert PROGRAM is not None
    server = urlsplit(dsn)
    directory = parse_qs(server.query).get("host", [server.hostname or "localhost"])[0]
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pooler-") as place:
        log, ini = Path(place) / "log", Path(place) / "pgbouncer.ini"
        login = f"user={server.username or 'postgres'}"
        login += f" password={server.password}" if server.password else ""
        lines = (
            "[databases]",
            f"* = host={directory} port={server.port or 5432} {login}",
            "[pgbouncer]",
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =",
            "auth_type = any",
            *(f"{name} = {value}" for name, value in settings.items()),
        )
        ini.write_text("\n".join(lines) + "\n")
        user = _user(directory)
        shutil.chown(place, user)
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(PROGRAM, "-q", str(ini)), user=user, stdout=output, stderr=output
            )
        try:
            through = f"postgresql://somebody@127.0.0.1:{port}{server.path}"
            await _until_it_answers(through, process, log)
            yield through
        finally:
            process.terminate()
            await process.wait()


def _user(directory: str) -> str:
    """PgBouncer does not run as root, and must reach the server's socket."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid()).pw_name
    if directory.startswith("/"):
        return pwd.getpwuid(Path(directory).stat().st_uid).pw_name
    return "nobody"


async def _until_it_answers(dsn: str, process: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(WITHIN_S):
        while process.returncode is None:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection = await asyncpg.connect(dsn, statement_cache_size=0)
                await connection.close()
                return
            await asyncio.sleep(0.05)
    raise AssertionError(await asyncio.to_thread(log.read_text))
