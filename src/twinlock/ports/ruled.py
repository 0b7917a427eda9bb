"""What is decided is decided by the policy version in force, also in the moment of an activation.

Always true (tests/unit/ports/test_ruled.py): what was refused since officers activated another
version is asked again by that one, a few times at most, and never by the one before it.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from twinlock.domain.decisions import Rules
from twinlock.domain.officers.standing import PolicyChangedError
from twinlock.ports import Policies

T = TypeVar("T")
TRIES = 3  # Between two activations lies a day, but for a return.


async def by_rules(policies: Policies, use: Callable[[Rules], Awaitable[T]]) -> T:
    """Return what ``use`` does by the rules in force; nothing of a refused try was committed.

    Raises:
        PolicyNotLoadedError: the version in force cannot be read here.
        PolicyChangedError: another one is activated again and again.
        TwinlockError: as ``use``.
    """
    for _ in range(TRIES - 1):
        try:
            return await use(policies.rules())
        except PolicyChangedError as changed:
            await policies.renew(changed.in_force)
    return await use(policies.rules())
