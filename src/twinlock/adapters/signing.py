"""The keyring at work: signatures over what was committed, blind names, MACs of secrets."""

import hmac

from twinlock.adapters.keyring import Keyring, Role
from twinlock.domain.actions import Place
from twinlock.domain.canonical import b64url, tagged_mac
from twinlock.domain.errors import LogDamagedError, SealBrokenError
from twinlock.domain.ids import DestinationId, tail
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.note import VerifierKey
from twinlock.domain.log.trust import TrustPolicy
from twinlock.domain.trust import Trust
from twinlock.ports import Head
from twinlock.proofs import jws, notes

_PLATFORM_KEY = "platform-key/v1"


class KeyringSigner:
    """Signs authorizations and checkpoints. Implements ``ports.LogSigner``.

    A checkpoint is never behind one that was signed before, and one size has one root: whatever a
    store believes, two histories are not signed by one process.
    """

    def __init__(self, keyring: Keyring, *, log_origin: str) -> None:
        self._authorization = keyring.current(Role.AUTHORIZATION)
        self._authorization_key = self._authorization.signer()
        self._log_key = keyring.current(Role.LOG).signer()
        self._log_origin = log_origin
        self._last: tuple[Head, bytes] | None = None

    @property
    def log_origin(self) -> str:
        """The log's name."""
        return self._log_origin

    def authorization(self, claims: bytes, kind: str) -> str:
        """Return the JWS over canonical ``claims``; the same one each time."""
        kid = self._authorization.key_id
        return jws.sign(claims, kid=kid, typ=kind, key=self._authorization_key)

    def checkpoint(self, head: Head) -> bytes:
        """Return the signed note of a committed head; Ed25519 gives the same bytes each time.

        Raises:
            LogDamagedError: a smaller log than was signed before, or another of the same size.
        """
        if self._last is None or self._last[0] != head:
            if self._last is not None and head.size <= self._last[0].size:
                raise LogDamagedError("the log is not the one that was signed, grown")
            checkpoint = Checkpoint(origin=self._log_origin, size=head.size, root=head.root)
            self._last = head, notes.sign_checkpoint(checkpoint, key=self._log_key).encode()
        return self._last[1]


def log_keys(keyring: Keyring, *, log_origin: str) -> tuple[VerifierKey, ...]:
    """Return the public keys under which the log's checkpoints are signed, the youngest first."""
    return tuple(notes.verifier_key(log_origin, key.signer()) for key in keyring.keys(Role.LOG))


def trust(
    keyring: Keyring,
    *,
    log_policy: TrustPolicy,
    rp_id: str,
    origin: str,
    policies: tuple[str, ...],
) -> Trust:
    """Return what auditors and signers are told about this installation, out of band.

    ``log_policy`` names the log's keys and the witnesses that this installation asks; whoever hands
    the file over adds those that he believes, or takes some out.
    """
    return Trust(
        v=1,
        log=log_policy.to_text(),
        authorization_keys={
            key.key_id: b64url(key.signer().public_key().public_bytes_raw())
            for key in keyring.keys(Role.AUTHORIZATION)
        },
        rp_id=rp_id,
        origin=origin,
        policies=policies,
    )


class KeyringIndex:
    """Names destinations so that the database cannot guess them. Implements ``BlindIndex``.

    Always under the oldest key: a name is for ever. Under a younger key a listed destination would
    have another name, without its waits, its proof and its budget, beside the old one. So adding a
    key changes nothing here; what a leaked one costs is that whoever holds it and the database can
    try addresses.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._key = keyring.keys(Role.INDEX)[-1].secret

    def destination_id(self, place: Place) -> DestinationId:
        """Return the name of this destination's stream."""
        named = (place.account, place.network, place.address, place.memo)
        parts = (part.encode("utf-8") for part in named)
        return DestinationId(f"dst_{tail(tagged_mac(self._key, 'destination/v1', *parts)[:16])}")


class KeyringMac:
    """MACs of platform keys. Implements ``ports.SecretMac``.

    A key that was made before a younger MAC key came goes on working.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keys = tuple(key.secret for key in keyring.keys(Role.PLATFORM))

    def of(self, *parts: bytes) -> bytes:
        """Return the 32-byte MAC of ``parts``, under the youngest key."""
        return tagged_mac(self._keys[0], _PLATFORM_KEY, *parts)

    def check(self, mac: bytes, *parts: bytes) -> None:
        """Return when ``mac`` is theirs under any of the keys. Raises SealBrokenError."""
        for key in self._keys:
            if hmac.compare_digest(mac, tagged_mac(key, _PLATFORM_KEY, *parts)):
                return
        raise SealBrokenError("a platform key is not what it was made as")
