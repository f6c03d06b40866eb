"""The unit of work, as a port."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Transactions(Protocol):
    """Opens database transactions; what happens inside one happens whole or not at all."""

    def transaction(self, *, retryable: bool = False) -> AbstractAsyncContextManager[None]:
        """A transaction, or a part of the one already open.

        With `retryable`, a part becomes a savepoint, so that an attempt that failed can be taken
        back and tried again inside the same transaction.
        """
        ...
