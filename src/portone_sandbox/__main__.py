"""`portone-sandbox`: run the sandbox on one local port, with its state in one file."""

import asyncio
import gc
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import click
from granian.constants import Interfaces
from granian.server.embed import Server

from portone_sandbox.app import build
from portone_sandbox.core.settings import Settings
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.store import Store
from portone_sandbox.fault_injection import FaultInjectionMiddleware


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8100,
    show_default=True,
    envvar="SANDBOX_PORT",
    show_envvar=True,
    type=click.IntRange(1, 65535),
    help="Port to listen on.",
)
@click.option(
    "--data",
    default="./var/sandbox.sqlite",
    show_default=True,
    envvar="SANDBOX_DATA",
    show_envvar=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The SQLite file that holds everything.",
)
@click.option(
    "--webhook-url-v1",
    envvar="SANDBOX_WEBHOOK_URL_V1",
    show_envvar=True,
    help="Where V1 webhooks go, unless a payment names its own notice_url.",
)
@click.option(
    "--webhook-url-v2",
    envvar="SANDBOX_WEBHOOK_URL_V2",
    show_envvar=True,
    help="Where V2 webhooks go, unless a payment names its own noticeUrls.",
)
def main(
    host: str, port: int, data: Path, webhook_url_v1: str | None, webhook_url_v2: str | None
) -> None:
    """A local PortOne: both REST APIs (/v1, /v2), webhooks, banks and faults (/control).

    Needs no account and no network. The keys to use are at /control/credentials.
    """
    _require_free(host, port)
    settings = Settings(webhook_url_v1=webhook_url_v1, webhook_url_v2=webhook_url_v2)
    sandbox = SandboxState(_open(data), settings)
    click.echo(f"portone-sandbox listens on http://{host}:{port} (state in {data})")
    asyncio.run(_serve(sandbox, host, port))


def _require_free(host: str, port: int) -> None:
    """Report a port in use in one line, before a server wraps it into a traceback."""
    try:
        with socket.create_server((host, port)):
            return
    except OSError as error:
        click.echo(
            f"port {port} on {host} cannot be used ({os.strerror(error.errno or 0)}):"
            " set SANDBOX_PORT or --port to a free one",
            err=True,
        )
        sys.exit(1)


def _open(data: Path) -> Store:
    """Open the file, or report in one line why not: in use, or not writable."""
    try:
        return Store(data)
    except (sqlite3.Error, OSError) as error:
        click.echo(
            f"{data} cannot be used ({error}): set SANDBOX_DATA or --data to another file",
            err=True,
        )
        sys.exit(1)


async def _serve(sandbox: SandboxState, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    app = build(sandbox)
    server = Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        log_enabled=False,
        websockets=False,
    )
    # Exempt imported objects from garbage collection.
    gc.collect()
    gc.freeze()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end, app, server.stop)
    await server.serve()
    sandbox.store.close()


def _end(app: FaultInjectionMiddleware, stop: Callable[[], object]) -> None:
    """Release held requests first: the server waits for running requests."""
    app.close()
    stop()


if __name__ == "__main__":
    main()
