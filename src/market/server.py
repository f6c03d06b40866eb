"""The HTTP server: Granian, one process per worker."""

import asyncio
import gc
import multiprocessing
import os
import tempfile
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer
from litestar import Litestar

from market.app import open_market, traced, web_app
from market.kit.db.connection import find_pooling, warn_of_pooling
from market.kit.observability import logging
from market.kit.tcp import ensure_port_free
from market.settings import Settings, from_environment

# How the processes learn what the command line has found out.
DSN = "MARKET_SERVER_DSN"
# And where to look for the word that it is over.
STOPPING = "MARKET_SERVER_STOPPING"
# Who takes longer to send a request's headers, or to send the next request, loses the connection.
HEADERS_WITHIN_MS = 10_000


class Server(MPServer):
    """Granian, whose processes can tell that they are about to be stopped: it waits for requests
    in flight, and a stream of events would be in flight for as long as somebody looks."""

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        Path(os.environ[STOPPING]).touch()
        super().signal_handler_interrupt(*args, **kwargs)  # type: ignore[no-untyped-call]


def serve(settings: Settings, dsn: str) -> None:
    """Serves until SIGTERM or SIGINT. Then nobody new is let in, and requests in flight are
    finished, unless they take longer than `stop_within`. Raises PortInUse."""
    ensure_port_free(settings.host, settings.port, "MARKET_PORT")
    warn_of_pooling(asyncio.run(find_pooling(dsn)))
    # A process that is forked would share what is already open and imported here; Prometheus also
    # decides as it is imported whether it sums over processes, through files of this run only.
    multiprocessing.set_start_method("spawn")
    with tempfile.TemporaryDirectory() as metrics, tempfile.TemporaryDirectory() as place:
        mark = Path(place) / "stopping"
        os.environ |= {DSN: dsn, "PROMETHEUS_MULTIPROC_DIR": metrics, STOPPING: str(mark)}
        Server(
            "market.server:app",
            factory=True,
            interface=Interfaces.ASGI,
            address=settings.host,
            port=settings.port,
            workers=settings.workers,
            backlog=2048,
            # What no client of ours speaks is one more thing to attack.
            http=HTTPModes.http1,
            websockets=False,
            http1_settings=HTTP1Settings(header_read_timeout=HEADERS_WITHIN_MS),
            log_level=LogLevels.warning,
            respawn_failed_workers=True,
            workers_kill_timeout=int(settings.stop_within.total_seconds()),
        ).serve()


def app() -> Litestar:
    """What each worker process runs."""
    logging.configure()
    # What is here by now stays: the collector need not look through it again and again, and what a
    # request leaves behind is mostly gone by itself.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    settings = from_environment()
    tracing = traced(settings)
    return web_app(
        lambda: open_market(settings, os.environ[DSN], "market server", tracing),
        tracing,
        Path(os.environ[STOPPING]).exists,
    )
