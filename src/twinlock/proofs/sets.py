"""Security event tokens (SET): who says what of whom, checked step by step before it counts.

A token is hostile until every step has passed. Nothing in its header chooses how it is checked but
``kid``, among keys that the operator trusts for this issuer, each for its own algorithms.

Always true (tests/unit/proofs/test_sets.py, forgeries named for their defect): what comes back was
signed by a key of the issuer, for this audience, lately, as a token of this kind and no other.

Source: RFC 8417, 2; RFC 8725, 3; RFC 7519, 4.1; OpenID Shared Signals Framework 1.0, 4; RFC 9493.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NoReturn

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from twinlock.domain.bounds import (
    SIGNAL_AGE_MOST,
    SIGNAL_AHEAD_MOST,
    SIGNAL_BYTES_MOST,
    SIGNAL_KEYS_BYTES_MOST,
    SIGNAL_KEYS_MOST,
)
from twinlock.domain.canonical import from_b64url, parse_strict
from twinlock.domain.errors import MalformedError, TwinlockError

TYPE = "secevent+jwt"  # RFC 8417, 2.3; SSF 1.0, 4.1.1 makes it mandatory.
# RFC 8725, 3.2: a closed list. Nothing symmetric, and never "none".
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
RSA_BITS_LEAST = 2_048  # SP 800-131A.
ID_LENGTH_MOST = 256  # Characters of a ``jti``; a UUID has 36.
_PARTS = 3
# RFC 8725, 3.10, and RFC 7515, 4.1.11: a token that brings its own key, or wants to be understood.
_NEVER = ("crit", "b64", "zip", "jku", "jwk", "x5u", "x5c")


class SetFault(StrEnum):
    """Why a token was refused; the value never changes."""

    TOO_LARGE = "too_large"
    NOT_A_TOKEN = "not_a_token"  # noqa: S105 - a fault's name
    HEADER = "header"
    TYPE = "type"
    ALGORITHM = "algorithm"
    KEY_UNKNOWN = "key_unknown"
    SIGNATURE = "signature"
    CLAIMS = "claims"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    TOO_OLD = "too_old"
    IN_THE_FUTURE = "in_the_future"
    EXPIRES = "expires"
    EVENTS = "events"
    SUBJECT = "subject"
    REPLAYED = "replayed"
    STREAM = "stream"


# RFC 8935, 2.4: what the transmitter is told.
_ERR: Mapping[SetFault, str] = {
    SetFault.ALGORITHM: "invalid_key",
    SetFault.KEY_UNKNOWN: "invalid_key",
    SetFault.SIGNATURE: "invalid_key",
    SetFault.ISSUER: "invalid_issuer",
    SetFault.AUDIENCE: "invalid_audience",
    SetFault.STREAM: "access_denied",
}


class SetRefusedError(TwinlockError):
    """A signal's token does not hold: ``fault`` says why, and nothing came of it."""

    code = "signal_refused"
    status = 400

    def __init__(self, fault: SetFault, says: str) -> None:
        super().__init__(says)
        self.fault = fault

    @property
    def err(self) -> str:
        """The code of RFC 8935, 2.4, by which the transmitter is told."""
        return _ERR.get(self.fault, "invalid_request")


class SignalKeysStaleError(TwinlockError):
    """A transmitter's keys were not fetched lately, or not since a new one came: send it again."""

    code = "signal_keys_stale"
    status = 503


class SignalKeysRefusedError(TwinlockError):
    """A transmitter's key set is none, too large, or holds a secret: ask the transmitter."""

    code = "signal_keys_refused"
    status = 422


class SecurityEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a token that verified: ``event`` is its type's URI, ``claims`` its payload."""

    jti: str
    issued_at: datetime
    event: str
    claims: dict[str, Any]
    subject: dict[str, Any]


def read_keys(data: bytes) -> Mapping[str, Key]:
    """Return the public keys of a JWK set (RFC 7517, 5) that can verify, by their ids.

    Keys of other kinds, curves and uses are left out, as the RFC says, and so are those that cannot
    be read or are too short; a lone key may have no id. Prevents: one odd key among good ones, for
    which nothing of a transmitter's is heard any more.

    Raises:
        SignalKeysRefusedError: no set, a secret in it, a doubled id, or nothing that can verify.
    """
    if len(data) > SIGNAL_KEYS_BYTES_MOST:
        raise SignalKeysRefusedError(f"a key set has at most {SIGNAL_KEYS_BYTES_MOST} bytes")
    try:
        value = parse_strict(data)
    except MalformedError as error:
        raise SignalKeysRefusedError(f"a key set is JSON: {error}") from error
    listed = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(listed, list) or not 0 < len(listed) <= SIGNAL_KEYS_MOST:
        raise SignalKeysRefusedError(f"a key set holds 1 to {SIGNAL_KEYS_MOST} keys")
    found: dict[str, Key] = {}
    for one in listed:
        key = _key(one)
        if key is None:
            continue
        if (kid := _kid(one)) in found:
            raise SignalKeysRefusedError("two keys of the set have one id")
        found[kid] = key
    if not found or ("" in found and len(found) > 1):
        raise SignalKeysRefusedError(
            f"the set has no key that can verify (RSA: {RSA_BITS_LEAST} bits at least), or some "
            "without an id"
        )
    return found


_SECRET = frozenset({"d", "k", "p", "q", "dp", "dq", "qi", "oth"})
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}


def _kid(one: Mapping[str, Any]) -> str:
    kid = one.get("kid", "")
    if not isinstance(kid, str) or len(kid) > ID_LENGTH_MOST:
        raise SignalKeysRefusedError("a key's id is a string")
    return kid


def _key(one: object) -> Key | None:
    """Return a key that can verify, or None for one that is not for that."""
    if not isinstance(one, dict):
        raise SignalKeysRefusedError("a key is an object")
    kind = one.get("kty")
    if kind == "oct" or not _SECRET.isdisjoint(one):
        raise SignalKeysRefusedError("the set holds a secret: nobody else may have it")
    if kind not in ("RSA", "EC", "OKP") or one.get("use", "sig") != "sig":
        return None
    if kind in _CURVES and one.get("crv") != _CURVES[kind]:
        return None
    if one.get("alg") not in (None, *ALGORITHMS):
        return None
    if kind == "RSA" and not _is_long(one.get("n")):
        return None
    try:
        return import_key(one)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _is_long(modulus: object) -> bool:
    try:
        number = int.from_bytes(from_b64url(modulus if isinstance(modulus, str) else "!"))
    except MalformedError:
        return False
    return number.bit_length() >= RSA_BITS_LEAST


def verify_set(
    token: str, *, keys: Mapping[str, Key], issuer: str, audience: str, now: datetime
) -> SecurityEvent:
    """Return the one event of ``token``, once every step has passed. Raises SetRefusedError."""
    # 1. Its size, before anything is read of it.
    if len(token) > SIGNAL_BYTES_MOST:
        _refuse(SetFault.TOO_LARGE, f"a token has at most {SIGNAL_BYTES_MOST} characters")
    # 2. Its header: typ, alg, kid (RFC 8417, 2.3; RFC 8725, 3.1, 3.2, 3.11).
    alg, key = _chosen(_header(token), keys)
    # 3. The signature, by that key and no other algorithm than the header's.
    payload = _verified(token, alg, key)
    # 4. The claims: one JSON object without doubled keys.
    claims = _claims(payload)
    # 5. Issuer and audience (RFC 8417, 2.2; RFC 7519, 4.1.3).
    if claims.get("iss") != issuer:
        _refuse(SetFault.ISSUER, "another issuer than this stream's")
    heard = claims.get("aud")
    if heard != audience and not (isinstance(heard, list) and audience in heard):
        _refuse(SetFault.AUDIENCE, "it is not meant for us")
    # 6. Its time; a SET does not expire (SSF 1.0, 4.1.7), and an ID token does (RFC 8417, 4.5).
    if "exp" in claims:
        _refuse(SetFault.EXPIRES, "an event does not expire")
    issued_at = _issued_at(claims.get("iat"), now=now)
    # 7. Its name, by which it counts once (RFC 8417, 2.2).
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= ID_LENGTH_MOST:
        _refuse(SetFault.CLAIMS, f"jti: 1 to {ID_LENGTH_MOST} characters")
    # 8. Exactly one event (SSF 1.0, 4.1.2), and 9. whom it is about.
    event, about = _event(claims.get("events"))
    return SecurityEvent(
        jti=jti,
        issued_at=issued_at,
        event=event,
        claims=about,
        subject=_subject(claims, about),
    )


def _refuse(fault: SetFault, says: str) -> NoReturn:
    raise SetRefusedError(fault, says)


def _header(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != _PARTS or not token.isascii():
        _refuse(SetFault.NOT_A_TOKEN, "a signed token has three parts")
    try:
        header = parse_strict(from_b64url(parts[0]))
    except MalformedError as error:
        raise SetRefusedError(SetFault.HEADER, "the header is not JSON in base64url") from error
    if not isinstance(header, dict) or not header.keys().isdisjoint(_NEVER):
        _refuse(SetFault.HEADER, "the header wants more than a type, an algorithm and a key's id")
    typ = header.get("typ")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") != TYPE:
        _refuse(SetFault.TYPE, f"the type is {TYPE}")
    if header.get("alg") not in ALGORITHMS:
        _refuse(SetFault.ALGORITHM, f"an algorithm is one of {', '.join(ALGORITHMS)}")
    return header


_KINDS: Mapping[str, type] = {
    "RS256": RSAKey,
    "PS256": RSAKey,
    "ES256": ECKey,
    "EdDSA": OKPKey,
    "Ed25519": OKPKey,
}


def _chosen(header: Mapping[str, Any], keys: Mapping[str, Key]) -> tuple[str, Key]:
    """Return the algorithm and the key. Prevents: a key that verifies by another's algorithm."""
    alg, kid = header["alg"], header.get("kid", "")
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None and not kid and len(keys) == 1:
        key = next(iter(keys.values()))
    if key is None:
        _refuse(SetFault.KEY_UNKNOWN, "no key of this issuer has that id")
    own = key.get("alg")
    if not isinstance(key, _KINDS[alg]) or own not in (None, alg):
        _refuse(SetFault.ALGORITHM, "the key is not for that algorithm")
    return alg, key


def _verified(token: str, alg: str, key: Key) -> bytes:
    try:
        if isinstance(key, OKPKey):  # The library warns of one of its two names (RFC 9864).
            return _verified_ed25519(token, key)
        return jws.deserialize_compact(token, key, algorithms=[alg]).payload
    except Exception as error:  # A parser of hostile bytes: refused.
        raise SetRefusedError(SetFault.SIGNATURE, "the signature does not verify") from error


def _verified_ed25519(token: str, key: OKPKey) -> bytes:
    signed, _, signature = token.rpartition(".")
    public = Ed25519PublicKey.from_public_bytes(from_b64url(str(key.get("x")), size=32))
    public.verify(from_b64url(signature, size=64), signed.encode("ascii"))
    return from_b64url(signed.partition(".")[2])


def _claims(payload: bytes) -> dict[str, Any]:
    """Return the claims; times and risks may have fractions (RFC 7519, 2: NumericDate).

    Prevents: a provider whose every word is refused, for the milliseconds that it says.
    """
    try:
        claims = parse_strict(payload, fractions=True)
    except MalformedError as error:
        raise SetRefusedError(SetFault.CLAIMS, f"the claims: {error}") from error
    if not isinstance(claims, dict):
        _refuse(SetFault.CLAIMS, "the claims are an object")
    return claims


def _issued_at(value: object, *, now: datetime) -> datetime:
    if not isinstance(value, int | float) or isinstance(value, bool):
        _refuse(SetFault.CLAIMS, "iat: seconds")
    try:
        at = datetime.fromtimestamp(value, tz=UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise SetRefusedError(SetFault.CLAIMS, "iat: a time") from error
    if at > now + SIGNAL_AHEAD_MOST:
        _refuse(SetFault.IN_THE_FUTURE, "issued in the future")
    if at < now - SIGNAL_AGE_MOST:
        _refuse(SetFault.TOO_OLD, "issued too long ago")
    return at


def _event(events: object) -> tuple[str, dict[str, Any]]:
    if not isinstance(events, dict) or len(events) != 1:
        _refuse(SetFault.EVENTS, "a token tells of exactly one event")
    ((event, about),) = events.items()
    if not isinstance(about, dict) or len(event) > ID_LENGTH_MOST:
        _refuse(SetFault.EVENTS, "an event is an object under its type")
    return event, about


def _subject(claims: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the subject identifier: ``sub_id`` of the token (SSF 1.0, 4.1.1), never ``sub``.

    Prevents: a token that some other reader takes for one that signs somebody in.
    """
    if "sub" in claims:
        _refuse(SetFault.SUBJECT, "sub does not stand in an event's token")
    subject = claims.get("sub_id")
    if not isinstance(subject, dict) or not isinstance(subject.get("format"), str):
        _refuse(SetFault.SUBJECT, "sub_id is a subject identifier")
    if "subject" in about and about["subject"] != subject:
        _refuse(SetFault.SUBJECT, "the event names another subject than its token")
    return subject


def parts_of(subject: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Return the simple identifiers of a subject; of a complex one those that name a person.

    A device, session or group of a complex subject (SSF 1.0, 3.2) narrows whom it means; what is
    done then is done for the person, which is more and never less. Raises SetRefusedError.
    """
    if subject.get("format") != "complex":
        return (subject,)
    user = subject.get("user")
    if not isinstance(user, dict) or user.get("format") == "complex":
        _refuse(SetFault.SUBJECT, "a complex subject names a user")
    return (user,)
