"""A database per test, copied from one that was migrated once."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from market.kit.db import embedded
from market.kit.db.migrate import migrate

MIGRATIONS = Path(__file__).parents[2] / "migrations"
MEMORY = Path("/dev/shm")  # noqa: S108 # each run has a directory of its own there
MEMORY_NEEDED = 2**30
WITHOUT_DURABILITY = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")


@dataclass
class Databases:
    """Makes empty markets on one PostgreSQL."""

    server: str

    @classmethod
    def start(cls, directory: Path, *settings: str) -> "Databases":
        """The tests' own PostgreSQL in `directory`, deleted with the last process that uses it.

        It never waits for the disk: a test's database need not survive the machine, and most of a
        test's time went into making and dropping it. Crash tests start a durable one themselves.
        """
        server = embedded.start(directory, keep=False)
        asyncio.run(_set(server, *WITHOUT_DURABILITY, *settings))
        return cls.prepare(server)

    @classmethod
    def start_in_memory(cls, *settings: str) -> "Databases":
        """The same in a directory of its own, in memory where the machine has room for it.

        A database is a thousand small files: in memory it is made with a fifth of the CPU.
        """
        roomy = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED
        directory = tempfile.mkdtemp(prefix="wanted-market-", dir=MEMORY if roomy else None)
        return cls.start(Path(directory) / "postgres", *settings)

    @classmethod
    def prepare(cls, server: str) -> "Databases":
        """Migrates the template on a server, unless an earlier run of the same migrations did."""
        made = cls(server)
        asyncio.run(made._prepare())
        return made

    async def create(self) -> str:
        """An empty market's DSN, to be left behind with the whole server."""
        name = f"market_{uuid4().hex}"
        await self._admin(f"CREATE DATABASE {name} TEMPLATE {self.template} STRATEGY FILE_COPY")
        return self.named(name)

    @asynccontextmanager
    async def empty(self) -> AsyncIterator[str]:
        """A database without anything in it, for as long as it is used."""
        name = f"empty_{uuid4().hex}"
        await self._admin(f"CREATE DATABASE {name}")
        try:
            yield self.named(name)
        finally:
            await self._admin(f"DROP DATABASE {name} WITH (FORCE)")

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[str]:
        """An empty market's DSN, for as long as it is used."""
        dsn = await self.create()
        try:
            yield dsn
        finally:
            await self._admin(f"DROP DATABASE {urlsplit(dsn).path[1:]} WITH (FORCE)")

    async def wipe(self, dsn: str) -> None:
        """Loses a database with all that is in it; an empty one takes its name."""
        name = urlsplit(dsn).path[1:]
        await self._admin(f"DROP DATABASE {name} WITH (FORCE)", f"CREATE DATABASE {name}")

    def named(self, name: str) -> str:
        return urlunsplit(urlsplit(self.server)._replace(path=f"/{name}"))

    @cached_property
    def template(self) -> str:
        """Named for the migrations in it: another version of them has another template."""
        content = b"".join(path.read_bytes() for path in sorted(MIGRATIONS.rglob("*.py")))
        return f"market_template_{sha256(content).hexdigest()[:16]}"

    async def _prepare(self) -> None:
        connection = await asyncpg.connect(self.server)
        # Several test processes may share the server: one of them migrates, the others wait.
        await connection.execute("SELECT pg_advisory_lock(hashtext('market_template'))")
        known = "SELECT FROM pg_database WHERE datname = $1"
        if await connection.fetchrow(known, self.template) is None:
            unfinished = f"unfinished_{self.template}"
            await connection.execute(f"DROP DATABASE IF EXISTS {unfinished}")
            await connection.execute(f"CREATE DATABASE {unfinished}")
            await asyncio.to_thread(migrate, self.named(unfinished))
            await connection.execute(f"ALTER DATABASE {unfinished} RENAME TO {self.template}")
        await connection.close()

    async def _admin(self, *statements: str) -> None:
        connection = await asyncpg.connect(self.server)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()


async def _set(server: str, *settings: str) -> None:
    connection = await asyncpg.connect(server)
    for setting in settings:
        await connection.execute(f"ALTER SYSTEM SET {setting}")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()
