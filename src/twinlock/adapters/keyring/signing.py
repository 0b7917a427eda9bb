"""The keyring at work: signatures over what was committed, blind names, MACs of secrets."""

import hmac
from collections.abc import Mapping
from typing import NamedTuple

from twinlock.adapters.keyring.ring import KEY_ID_BYTES, Key, Keyring, Role
from twinlock.domain.actions import Place
from twinlock.domain.canonical import b64url, tagged_mac
from twinlock.domain.errors import LogDamagedError, SealBrokenError, present
from twinlock.domain.ids import DestinationId, tail
from twinlock.domain.keys import KeyState, states
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.note import KeyType, SignatureLine, SignedNote, VerifierKey
from twinlock.domain.log.trust import TrustPolicy
from twinlock.domain.transmitting.streams import SignalKeyMissingError, TokenAlgorithm
from twinlock.domain.trust import KEYS_MOST, Trust
from twinlock.ports.keys import (
    Sighting,
    SigningKey,
)
from twinlock.ports.log import (
    Head,
)
from twinlock.ports.transmitting import TokenKey
from twinlock.proofs import jws

_PLATFORM_KEY = "platform-key/v1"
_SIGN_IN = "sign-in-count/v1"
_TOKEN_ROLES = {
    TokenAlgorithm.EDDSA: Role.SIGNALS,
    TokenAlgorithm.RS256: Role.SIGNALS_RSA,
}
_NODE_BYTES = 8  # Among ten million nodes two alike are one chance in 400,000.


class _Signing(NamedTuple):
    """What one keyring signs with: authorizations under one key, checkpoints under some."""

    kid: str
    authorization: SigningKey
    log: tuple[SigningKey, ...]


class KeyringSigner:
    """Signs authorizations and checkpoints. Implements ``ports.LogSigner``.

    A checkpoint is never behind one that was signed before, and one size has one root: whatever a
    store believes, two histories are not signed by one process. It bears the signature of the log's
    current key and of those before it that are not retired, so that whoever knows any of them reads
    it (C2SP signed-note: lines of unknown keys are ignored).
    """

    def __init__(self, keyring: Keyring, *, log_origin: str) -> None:
        self._log_origin = log_origin
        self._signing = _signing(keyring)
        self._last: tuple[Head, bytes] | None = None
        self._renewed = False

    def take(self, keyring: Keyring) -> None:
        """Go on with a keyring that has changed."""
        self._signing = _signing(keyring)
        self._renewed = True

    @property
    def log_origin(self) -> str:
        """The log's name."""
        return self._log_origin

    def authorization(self, claims: bytes, kind: str) -> str:
        """Return the JWS over canonical ``claims``; the same one each time, under one key."""
        held = self._signing
        return jws.sign(claims, kid=held.kid, typ=kind, key=held.authorization)

    def checkpoint(self, head: Head) -> bytes:
        """Return the signed note of a committed head; Ed25519 gives the same bytes each time.

        Raises:
            LogDamagedError: a smaller log than was signed before, or another of the same size.
            TokenUnavailableError: the token that holds a key does not answer.
        """
        last = self._last
        if last is not None and last[0] != head and head.size <= last[0].size:
            raise LogDamagedError("the log is not the one that was signed, grown")
        if last is None or last[0] != head or self._renewed:
            self._renewed = False
            checkpoint = Checkpoint(origin=self._log_origin, size=head.size, root=head.root)
            last = self._last = head, self._signed(checkpoint.to_text())
        return last[1]

    def _signed(self, text: bytes) -> bytes:
        lines = tuple(_line(self._log_origin, key, text) for key in self._signing.log)
        return SignedNote(text=text, signatures=lines).encode()


def _signing(keyring: Keyring) -> _Signing:
    current = keyring.current(Role.AUTHORIZATION)
    used = [key for key in keyring.keys(Role.LOG) if key.used_from is not None]
    return _Signing(current.key_id, current.signer(), tuple(key.signer() for key in used))


def _line(origin: str, key: SigningKey, text: bytes) -> SignatureLine:
    named = VerifierKey(name=origin, key_type=KeyType.ED25519, public_key=key.public)
    return SignatureLine(name=origin, key_id=named.key_id, signature=key.sign(text))


def log_key(log_origin: str, key: Key) -> VerifierKey:
    """Return a key of the log as C2SP knows it: what verifiers of checkpoints are told."""
    public = present(key.public, "a key that signs has a public half")
    return VerifierKey(name=log_origin, key_type=KeyType.ED25519, public_key=public)


def log_keys(
    keyring: Keyring, *, log_origin: str, with_retired: bool = False
) -> tuple[VerifierKey, ...]:
    """Return the public keys under which the log's checkpoints are signed, or will be soon."""
    return tuple(
        log_key(log_origin, key) for key in _told(keyring, Role.LOG, with_retired=with_retired)
    )


def trust(
    keyring: Keyring,
    *,
    log_policy: TrustPolicy,
    rp_id: str,
    origin: str,
    policies: tuple[str, ...],
    with_retired: bool = False,
) -> Trust:
    """Return what auditors and signers are told about this installation, out of band.

    ``log_policy`` names the log's keys and the witnesses that this installation asks; whoever hands
    the file over adds those that he believes, or takes some out. Of the authorization keys all are
    named that sign, signed until now, or are announced and will. ``with_retired`` is for reading
    old evidence, and no file for a signer.
    """
    return Trust(
        v=1,
        log=log_policy.to_text(),
        authorization_keys={
            key.key_id: b64url(present(key.public, "a key that signs has a public half"))
            for key in _told(keyring, Role.AUTHORIZATION, with_retired=with_retired)
        },
        rp_id=rp_id,
        origin=origin,
        policies=policies,
    )


class KeyringAnswers:
    """Signs answers to platforms that sign. Implements ``ports.AnswerSigner``."""

    def __init__(self, keyring: Keyring) -> None:
        self.take(keyring)

    def take(self, keyring: Keyring) -> None:
        """Go on with a keyring that has changed."""
        keys = keyring.keys(Role.ANSWERS)
        self._key_id, self._key = keys[0].key_id, keys[0].signer()
        self._public = {
            key.key_id: present(key.public, "a key that signs has a public half") for key in keys
        }

    @property
    def key_id(self) -> str:
        """The name of the key that signs."""
        return self._key_id

    def sign(self, base: bytes) -> bytes:
        """Return the Ed25519 signature of ``base``."""
        return self._key.sign(base)

    def public_keys(self) -> Mapping[str, bytes]:
        """Return every key of the role: what an older one signed may still be on its way."""
        return self._public


class KeyringTokenSigning(NamedTuple):
    """The key that signs tokens now by one algorithm. Implements ``ports.TokenSigning``."""

    algorithm: TokenAlgorithm
    key_id: str
    key: SigningKey

    def sign(self, base: bytes) -> bytes:
        """Return the signature of ``base``."""
        return self.key.sign(base)


class KeyringTokens:
    """Signs security event tokens to other parties. Implements ``ports.TokenSigner``."""

    def __init__(self, keyring: Keyring) -> None:
        self.take(keyring)

    def take(self, keyring: Keyring) -> None:
        """Go on with a keyring that has changed."""
        self._making = {
            algorithm: KeyringTokenSigning(algorithm, key.key_id, key.signer())
            for algorithm, role in _TOKEN_ROLES.items()
            if (key := keyring.maker(role)) is not None
        }
        self._keys = tuple(
            TokenKey(
                algorithm=algorithm,
                key_id=key.key_id,
                public=present(key.public, "a key that signs has a public half"),
            )
            for algorithm, role in _TOKEN_ROLES.items()
            for key in keyring.keys(role)
        )

    def by(self, algorithm: TokenAlgorithm) -> KeyringTokenSigning:
        """Return what signs by ``algorithm`` now. Raises SignalKeyMissingError."""
        found = self._making.get(algorithm)
        if found is None:
            role = _TOKEN_ROLES[algorithm]
            raise SignalKeyMissingError(
                f"no key signs by {algorithm}: `twinlock keys rotate {role}`, then "
                f"`twinlock keys activate {role}`"
            )
        return found

    def public_keys(self) -> tuple[TokenKey, ...]:
        """Return every key of both roles: what an older one signed may still be on its way."""
        return self._keys


def _told(keyring: Keyring, role: Role, *, with_retired: bool) -> tuple[Key, ...]:
    """Return those keys of ``role`` that a trust file names; of many retired ones the youngest."""
    if not with_retired:
        return keyring.keys(role)
    held = states(key.record for key in keyring.all_keys(role))
    retired = [key for key in keyring.all_keys(role) if held[key.key_id] is KeyState.RETIRED]
    # One that was withdrawn before it was used has signed nothing.
    signed = [key for key in retired if key.used_from is not None]
    return (*keyring.keys(role), *signed)[:KEYS_MOST]


class KeyringIndex:
    """Names destinations so that the database cannot guess them. Implements ``BlindIndex``.

    A name is for ever: it stands in the account, and is the id of the destination's own stream. So
    a destination goes on under the key that it was named by, and only a new one is named by the
    current key. What a leaked key costs is that whoever holds it and the database can try addresses
    against the names that were made with it.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keys = tuple(key.secret for key in keyring.keys(Role.INDEX))

    def take(self, keyring: Keyring) -> None:
        """Go on with a keyring that has changed."""
        self._keys = tuple(key.secret for key in keyring.keys(Role.INDEX))

    def names(self, place: Place) -> tuple[DestinationId, ...]:
        """Return every name that this destination may have; by the first a new one is named."""
        return tuple(destination_name(key, place) for key in self._keys)

    def sightings(self, place: Place) -> tuple[Sighting, ...]:
        """Return what says that this account wants this place, by the key that names first."""
        return tuple(_sighting(key, place) for key in self._keys)

    def marks(self, integrator: str) -> tuple[bytes, ...]:
        """Return every name of an integrator: its key's own (8 bytes) and a MAC (32)."""
        return tuple(integrator_mark(key, integrator) for key in self._keys)


def _sighting(secret: bytes, place: Place) -> Sighting:
    """Return a sighting under one index key, by a key of its own that is derived from it.

    The memo does not count: an exchange's customers share an address, and mules share it as well.
    """
    own = tagged_mac(secret, "sightings/v1")
    where = tagged_mac(own, "place/v1", place.network.encode(), place.address.encode())[:16]
    by = tagged_mac(own, "by/v1", where, place.account.encode())[:8]
    return Sighting(place=where, by=by)


def integrator_mark(secret: bytes, integrator: str) -> bytes:
    """Return the name of an integrator under one index key; its first 8 bytes are the key's own."""
    mark = tagged_mac(secret, "integrator/v1", integrator.encode("utf-8"))
    return index_prefix(secret) + mark


def index_prefix(secret: bytes) -> bytes:
    """Return the 8 bytes by which what an index key marked is counted."""
    return tagged_mac(secret, "integrator-key/v1")[:KEY_ID_BYTES]


def destination_name(secret: bytes, place: Place) -> DestinationId:
    """Return the name of a destination's stream under one index key (32 bytes)."""
    named = (place.account, place.network, place.address, place.memo)
    parts = (part.encode("utf-8") for part in named)
    return DestinationId(f"dst_{tail(tagged_mac(secret, 'destination/v1', *parts)[:16])}")


class KeyringMac:
    """MACs of platform keys. Implements ``ports.SecretMac``.

    A MAC is the id of its key (8 bytes) ‖ HMAC-SHA-256 (32). A platform key that was made before a
    younger MAC key came goes on working for as long as the older one is held.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keys = _by_id(keyring)

    def take(self, keyring: Keyring) -> None:
        """Go on with a keyring that has changed."""
        self._keys = _by_id(keyring)

    def of(self, *parts: bytes) -> bytes:
        """Return the 40-byte MAC of ``parts``, under the key that makes."""
        key_id, secret = next(iter(self._keys.items()))
        return key_id + tagged_mac(secret, _PLATFORM_KEY, *parts)

    def check(self, mac: bytes, *parts: bytes) -> None:
        """Return when ``mac`` is theirs under a key that we hold. Raises SealBrokenError."""
        secret = self._keys.get(mac[:KEY_ID_BYTES])
        if secret is None:
            raise SealBrokenError("a platform key's MAC is under a key that we do not hold")
        told = tagged_mac(secret, _PLATFORM_KEY, *parts)
        if not hmac.compare_digest(mac[KEY_ID_BYTES:], told):
            raise SealBrokenError("a platform key is not what it was made as")


class KeyringNodes:
    """Names of what sign-ins are counted by. After a change of keys counting begins anew."""

    def __init__(self, keyring: Keyring) -> None:
        self._secret = _mac_key(keyring)

    def take(self, keyring: Keyring) -> None:
        """Go on with a keyring that has changed."""
        self._secret = _mac_key(keyring)

    def name(self, *parts: bytes) -> bytes:
        """Return the 8-byte name of ``parts``, under the key that makes."""
        return tagged_mac(self._secret, _SIGN_IN, *parts)[:_NODE_BYTES]


def _mac_key(keyring: Keyring) -> bytes:
    return next(iter(_by_id(keyring).values()))


def _by_id(keyring: Keyring) -> dict[bytes, bytes]:
    return {bytes.fromhex(key.key_id): key.secret for key in keyring.keys(Role.PLATFORM)}
