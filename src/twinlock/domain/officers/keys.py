"""Who can be an officer, by public keys; and which keys are one person's, one after the other."""

from collections.abc import Mapping

from twinlock.domain.bounds import OFFICERS_LEAST, OFFICERS_MOST
from twinlock.domain.canonical import from_b64url
from twinlock.domain.errors import MalformedError, TwinlockError
from twinlock.domain.log.note import KeyType, VerifierKey
from twinlock.domain.officers.statements import KEY_BYTES, Change


class OfficersWrongError(TwinlockError):
    """These keys cannot be officers: too few, too many, one twice; or some are officers already."""

    code = "officers_wrong"
    status = 409


def check_officers(officers: tuple[str, ...]) -> None:
    """Refuse officers who are too few, too many, or twice there. Raises OfficersWrongError."""
    if len(set(officers)) != len(officers):
        raise OfficersWrongError("one key is one officer: it stands there twice")
    if not OFFICERS_LEAST <= len(officers) <= OFFICERS_MOST:
        says = f"there are {OFFICERS_LEAST} officers at least and {OFFICERS_MOST} at most"
        raise OfficersWrongError(says)


def check_key(key: str) -> None:
    """Refuse what is no public key, or one under which anybody can sign. Raises OfficersWrongError.

    Prevents: an officer who is nobody, and whose word everybody can give.
    """
    try:
        public = from_b64url(key, size=KEY_BYTES)
    except MalformedError as error:
        raise OfficersWrongError(f"not a public key: {KEY_BYTES} bytes in base64url") from error
    try:
        VerifierKey(name="officer", key_type=KeyType.ED25519, public_key=public)
    except MalformedError as error:
        raise OfficersWrongError(str(error)) from error


def instead_of(before: Mapping[str, str], change: Change) -> Mapping[str, str]:
    """Return whose places keys took, after ``change``.

    Prevents: an officer who gets a new key, and with it a second voice about what the old one did.
    """
    rest = {key: one for key, one in before.items() if key != change.add}
    if not change.add or not change.remove:
        return rest
    first = person(change.remove, before)
    return rest if first == change.add else {**rest, change.add: first}


def person(key: str, instead: Mapping[str, str]) -> str:
    """Return the first key of whoever has ``key`` now."""
    return instead.get(key, key)


def named(keys: tuple[str, ...], start: str) -> str:
    """Return the one of ``keys`` that begins with ``start``. Raises OfficersWrongError."""
    found = [key for key in keys if start and key.startswith(start)]
    if len(found) != 1:
        raise OfficersWrongError("no officer's key begins so, or more than one")
    return found[0]
