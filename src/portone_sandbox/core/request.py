"""What handlers are given: the request, and the parts that app.py plugs in."""

from typing import Any

from litestar import Request
from litestar.di import NamedDependency

from portone_sandbox.core.state import World

AnyRequest = Request[Any, Any, Any]
TheWorld = NamedDependency[World]

# A slash inside an id arrives as %2F. Servers hand over decoded paths, where it would look like
# a separator; this private-use letter stands for it until the handler reads the id.
SLASH = "\ue000"


def read_path(text: str) -> str:
    """A path parameter with its own slashes."""
    return text.replace(SLASH, "/")
