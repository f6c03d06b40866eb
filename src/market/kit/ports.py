"""Ports of this machine."""

import errno
import socket


class PortTaken(Exception):
    """Something else listens there; the message names the variable that chooses another."""


def require_free(host: str, port: int, variable: str) -> None:
    """Raises PortTaken when nothing can listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortTaken(
                f"Port {port} is taken. Choose another with {variable}, "
                f"for example {variable}={port + 1}."
            ) from None
