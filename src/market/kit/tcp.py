"""Ports of this machine."""

import errno
import socket


class PortInUse(Exception):
    """Something else listens there; the message names the variable that chooses another."""


def ensure_port_free(host: str, port: int, variable: str) -> None:
    """Raises PortInUse when nothing can listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortInUse(
                f"Port {port} is taken. Choose another with {variable}, "
                f"for example {variable}={port + 1}."
            ) from None
