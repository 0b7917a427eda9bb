"""Imported passkeys: each signs in to look and to freeze, and binds its own successor, no more.

It was made for another site, whose pages we do not know, so that its signature is no consent to
anything that leaves or loosens here. It sets the floor all the same (law 3): whoever had a passkey
is asked for one, until one of this site stands in its place.

Always true (tests/property/test_successors_properties.py): on no state and for no action does an
imported passkey's assertion alone allow anything but a successor, which waits.

Source: docs/adr/0011-what-an-imported-passkey-may-do.md.
"""

from twinlock.domain.account import Account, Shown
from twinlock.domain.actions import AnyPayload, AuthenticatorBind, SessionStart
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.authenticators.model import Authenticator, Passkey


def is_foreign(one: Authenticator | None) -> bool:
    """Say whether ``one`` is a passkey that an older system bound for its own site."""
    return isinstance(one, Passkey) and bool(one.rp_id)


def succeeded(account: Account) -> bool:
    """Say whether a passkey of our own site is bound, suspended or not."""
    return any(isinstance(one, Passkey) and not one.rp_id for one in account.authenticators)


def floor_imported(account: Account) -> bool:
    """Say whether the floor rests on imported passkeys alone."""
    return account.floor is Level.PHISHING_RESISTANT and not succeeded(account)


def is_read(account: Account, payload: AnyPayload) -> bool:
    """Say whether an imported passkey's answer is read for ``payload``: a closed list.

    Never where one of our own is bound. Prevents: an older site's page, sold or hijacked, that
    binds a thief's key beside the owner's years later.
    """
    if succeeded(account):
        return False
    return isinstance(payload, SessionStart) or _binds_successor(payload)


def passkeys_are_read(account: Account, payload: AnyPayload) -> bool:
    """Say whether any passkey that is bound is read for ``payload``; so too where none is."""
    return not floor_imported(account) or is_read(account, payload)


def counts(account: Account, payload: AnyPayload, shown: Shown) -> bool:
    """Say whether ``shown`` counts as its factor does: an imported passkey only for a successor."""
    if not is_foreign(account.authenticator(shown.source)):
        return True
    return _binds_successor(payload) and is_read(account, payload)


def looks(account: Account, shown: Shown) -> bool:
    """Say whether ``shown``, of a sign-in, is an imported passkey's: it opens a session to look."""
    return is_foreign(account.authenticator(shown.source))


def _binds_successor(payload: AnyPayload) -> bool:
    return isinstance(payload, AuthenticatorBind) and payload.authenticator == Factor.PASSKEY
