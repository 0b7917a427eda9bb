"""A password that an older system hashed, hashed anew as ours once it was shown and right.

It is the same password: as old as it was, bound by the same entry, and no protection changes.
"""

from datetime import datetime

from msgspec.structs import replace

from twinlock.domain.account import Account
from twinlock.domain.authenticators.model import Authenticator, Password
from twinlock.domain.commands import Right
from twinlock.domain.events import PasswordRehashed


def rehashed(account: Account, right: Right, *, now: datetime) -> tuple[PasswordRehashed, ...]:
    """Return the event by which the hash in ``right`` takes the place of the one it was checked by.

    ``right`` was judged: it is the answer of a password that is bound.
    """
    bound = account.authenticator(right.source)
    if not right.rehashed or not isinstance(bound, Password):
        return ()
    return (PasswordRehashed(at=now, authenticator=replace(bound, verifier=right.rehashed)),)


def with_verifier(one: Authenticator, anew: Password) -> Authenticator:
    """Return ``one`` with the hash of ``anew``, where that is of the same password."""
    same = isinstance(one, Password) and one.authenticator_id == anew.authenticator_id
    return replace(one, verifier=anew.verifier) if same else one
