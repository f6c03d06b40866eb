"""Types of handler arguments: the request, and the sandbox's state as a dependency."""

from typing import Any

from litestar import Request
from litestar.di import NamedDependency

from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.stores import Stores

AnyRequest = Request[Any, Any, Any]
SandboxDep = NamedDependency[SandboxState]
StoresDep = NamedDependency[Stores]

# A slash inside an id arrives as %2F. Servers pass decoded paths, where it would look like a
# separator; this private-use letter replaces it until the handler reads the id.
SLASH = "\ue000"


def read_path(text: str) -> str:
    """A path parameter with its own slashes."""
    return text.replace(SLASH, "/")
