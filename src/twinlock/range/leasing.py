"""Applications lent from world to world: making one takes a tenth of a second.

What an application serves is all that it is opened with; nothing is left of it when it is closed.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from litestar import Litestar

from twinlock.api.app import Opens, create_app
from twinlock.api.serving import Api

_idle: list[tuple[Litestar, list[Opens]]] = []  # Applications that nobody serves from.


@asynccontextmanager
async def leased(opens: Opens) -> AsyncIterator[Litestar]:
    """Lend an application to whoever serves from it next; ``opens`` makes its use cases."""
    app, lent = _idle.pop() if _idle else _application()
    lent[:] = [opens]
    try:
        yield app
    finally:
        _idle.append((app, lent))


def _application() -> tuple[Litestar, list[Opens]]:
    lent: list[Opens] = []

    def opens() -> AbstractAsyncContextManager[Api]:
        return lent[0]()

    return create_app(opens), lent
