"""Signatures over single requests and answers, for platforms that want them: all but the key.

A platform key that was made with a public key is good for signed requests only, and what answers
them is signed too. Bearer secrets are copied out of logs, proxies and memory; a signing key need
not leave the machine, or the module, that it was made in (ASVS 5.0.0, V4.1.5).

Always true (tests/unit/domain/test_message_signatures.py): a request is signed by one signature
that covers all that decides what it does (method, target, body, platform key, idempotency key) and
nothing that we do not know; every field it covers has one line; its parameters are those below,
each once; its life is short. An answer's signature covers that of its request, so that no answer
passes for another's.

Source: RFC 9421 (2.1 to 2.5, 3.2, 7), RFC 9530 (content-digest, sha-256).
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, NoReturn

import msgspec

from twinlock.domain.bounds import MESSAGE_CLOCK_TOLERANCE, MESSAGE_LIFETIME_MOST
from twinlock.domain.errors import MalformedError, TwinlockError
from twinlock.domain.structured_fields import (
    InnerList,
    Item,
    read_bytes,
    read_inner_list,
    read_member,
    write_bytes,
    write_inner_list,
    write_item,
)

ALGORITHM = "ed25519"  # RFC 9421, 3.3.6.
LABEL = "twinlock"  # Of our own signatures; others may choose theirs.
REQUEST_TAG = "twinlock-request"
ANSWER_TAG = "twinlock-answer"
SIGNATURE_BYTES = 64
INPUT, SIGNATURE, DIGEST = "signature-input", "signature", "content-digest"
AUTHORIZATION, IDEMPOTENCY_KEY, CONTENT_TYPE = "authorization", "idempotency-key", "content-type"
_NONCE = re.compile(r"[A-Za-z0-9+/=_-]{16,128}")  # 96 random bits at the least, as base64.
_FIELD_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_TARGET = frozenset({"@authority", "@path", "@query"})
_FIELDS = frozenset(
    {AUTHORIZATION, DIGEST, CONTENT_TYPE, "content-length", "date", IDEMPOTENCY_KEY, "x-request-id"}
)
_PARAMETERS = MappingProxyType(
    {"created": int, "expires": int, "nonce": str, "keyid": str, "alg": str, "tag": str}
)
_ANSWER_PARAMETERS = MappingProxyType({"created": int, "keyid": str, "alg": str, "tag": str})
_REQUESTS_SIGNATURE = Item(SIGNATURE, (("req", True),))  # RFC 9421, 2.4.
# RFC 9421, 5.1: what a signature must look like, told to whoever sent none that is good.
ACCEPT_SIGNATURE = (
    f'{LABEL}=("@method" "@authority" "@path" "@query" "authorization" "content-digest"'
    f' "idempotency-key");created;expires;nonce;keyid;alg="{ALGORITHM}";tag="{REQUEST_TAG}"'
)


class SignatureFault(StrEnum):
    """Why a message's signature was refused."""

    MISSING = "signature_missing"
    """There is no Signature or no Signature-Input, and this platform key is good with both only."""
    MALFORMED = "signature_malformed"
    """Signature, Signature-Input or Content-Digest is not in the one form of a structured field."""
    AMBIGUOUS = "signature_ambiguous"
    """More than one signature, or a field or component that stands twice."""
    NOT_COVERED = "component_missing"
    """The signature does not cover all that it must, or covers a field that is not there."""
    UNKNOWN = "component_unknown"
    """The signature covers something that is not read here, or with a parameter."""
    PARAMETERS = "parameters_wrong"
    """A parameter is missing, unknown or not what it must be."""
    WRONG_KEY = "signature_key_wrong"
    """``keyid`` names another key."""
    NOT_YET = "signature_not_yet"
    """It says that it was created later than now: compare the clocks."""
    EXPIRED = "signature_expired"
    """It is over, or was made to last too long."""
    DIGEST = "digest_wrong"
    """The body is not the one that Content-Digest tells of."""
    WRONG = "signature_wrong"
    """The signature does not verify over what was received."""
    REPLAYED = "signature_replayed"
    """This nonce was used before."""


class SignatureRefusedError(TwinlockError):
    """A message's signature is missing or wrong; ``fault`` says why (docs/reason-codes.md)."""

    code = "message_signature_refused"
    status = 401

    def __init__(self, says: str, *, fault: SignatureFault) -> None:
        super().__init__(says)
        self.fault = fault


class RequestMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it was received. Names of ``fields`` are in lower case; lines in their order.

    ``authority`` is the host, in lower case and without a usual port; ``path`` as it was sent;
    ``query`` without its question mark.
    """

    method: str
    scheme: str
    authority: str
    path: str
    query: str
    fields: tuple[tuple[str, str], ...]
    body: bytes


class AnswerMessage(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as it was received; ``request_signature`` is what our request's Signature said."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes
    request_signature: str


class Unverified(NamedTuple):
    """Everything about a signature was checked but the signature: over ``base``, under ``keyid``.

    ``field`` is the Signature field as it was sent. An answer has no nonce and no end.
    """

    base: bytes
    signature: bytes
    keyid: str
    field: str
    nonce: str = ""
    expires_at: datetime = datetime.max.replace(tzinfo=UTC)


def content_digest(body: bytes) -> str:
    """Return the Content-Digest field of ``body`` (RFC 9530)."""
    return f"sha-256={write_bytes(hashlib.sha256(body).digest())}"


def read_request(message: RequestMessage, *, keyid: str, now: datetime) -> Unverified:
    """Return what the one signature of a request is over, after all checks but the last.

    Raises:
        SignatureRefusedError: as its faults say.
    """
    fields = _Lines(message.fields)
    inner, signature = _read(fields)
    names = [_name(one) for one in inner.items]
    if len(set(names)) != len(names):
        _refuse(SignatureFault.AMBIGUOUS, "a component is covered twice")
    if missing := _required(message, fields, names) - set(names):
        _refuse(SignatureFault.NOT_COVERED, f"not covered: {', '.join(sorted(missing))}")
    params = _parameters(inner, _PARAMETERS, tag=REQUEST_TAG)
    if params["keyid"] != keyid:
        _refuse(SignatureFault.WRONG_KEY, "keyid is the middle part of the platform key")
    expires_at = _check_life(int(params["created"]), int(params["expires"]), now=now)
    nonce = str(params["nonce"])
    if not _NONCE.fullmatch(nonce):
        _refuse(SignatureFault.PARAMETERS, "a nonce is 16 to 128 characters of base64")
    if DIGEST in names:
        _check_digest(fields.one(DIGEST), message.body)
    values = {name: _request_value(message, name, fields) for name in names}
    base = signature_base(inner, lambda item: values[item.value])
    return Unverified(base, signature, keyid, fields.one(SIGNATURE), nonce, expires_at)


def read_answer(message: AnswerMessage) -> Unverified:
    """Return what the one signature of an answer is over, after all checks but the last.

    Raises:
        SignatureRefusedError: as its faults say.
    """
    fields = _Lines(message.fields)
    inner, signature = _read(fields)
    if len(set(inner.items)) != len(inner.items):
        _refuse(SignatureFault.AMBIGUOUS, "a component is covered twice")
    if {Item("@status"), Item(DIGEST), _REQUESTS_SIGNATURE} - set(inner.items):
        _refuse(SignatureFault.NOT_COVERED, "an answer's status, digest and request are covered")
    params = _parameters(inner, _ANSWER_PARAMETERS, tag=ANSWER_TAG)
    _check_digest(fields.one(DIGEST), message.body)

    def value(item: Item) -> str:
        if item == _REQUESTS_SIGNATURE:
            return message.request_signature
        if item == Item("@status"):
            return str(message.status)
        if item in (Item(DIGEST), Item(CONTENT_TYPE)):
            return fields.one(item.value)
        _refuse(SignatureFault.UNKNOWN, f"{item.value} is not read of an answer")

    return Unverified(
        signature_base(inner, value), signature, str(params["keyid"]), fields.one(SIGNATURE)
    )


class Draft(NamedTuple):
    """A signature to be made: sign ``base``, then send ``fields(signature)`` along."""

    base: bytes
    signature_input: str
    digest: str

    def fields(self, signature: bytes) -> dict[str, str]:
        """Return the fields that carry the signature; Content-Digest where there is one."""
        digest = {DIGEST: self.digest} if self.digest else {}
        return {
            **digest,
            INPUT: f"{LABEL}={self.signature_input}",
            SIGNATURE: f"{LABEL}={write_bytes(signature)}",
        }


def draft_request(message: RequestMessage, *, keyid: str, nonce: str, now: datetime) -> Draft:
    """Return what a platform signs of ``message``, which has its other fields already."""
    digest = content_digest(message.body) if _has_body(message) else ""
    lines = (*message.fields, (DIGEST, digest)) if digest else message.fields
    fields = _Lines(lines)
    optional = (DIGEST, CONTENT_TYPE, IDEMPOTENCY_KEY)
    names = ("@method", *sorted(_TARGET), AUTHORIZATION)
    names = (*names, *(one for one in optional if fields.all(one)))
    created = int(now.timestamp())
    inner = InnerList(
        tuple(Item(name) for name in names),
        (
            ("created", created),
            ("expires", created + int(MESSAGE_LIFETIME_MOST.total_seconds()) // 5),
            ("nonce", nonce),
            ("keyid", keyid),
            ("alg", ALGORITHM),
            ("tag", REQUEST_TAG),
        ),
    )
    base = signature_base(inner, lambda item: _request_value(message, item.value, fields))
    return Draft(base, write_inner_list(inner), digest)


def draft_answer(
    *, status: int, content_type: str, body: bytes, to: Unverified, keyid: str, now: datetime
) -> Draft:
    """Return what we sign of an answer to the request whose signature is ``to``."""
    digest = content_digest(body)
    values = {Item("@status"): str(status), Item(DIGEST): digest, _REQUESTS_SIGNATURE: to.field}
    if content_type:
        values[Item(CONTENT_TYPE)] = content_type
    params = (
        ("created", int(now.timestamp())),
        ("keyid", keyid),
        ("alg", ALGORITHM),
        ("tag", ANSWER_TAG),
    )
    inner = InnerList(tuple(values), params)
    return Draft(signature_base(inner, values.__getitem__), write_inner_list(inner), digest)


class _Lines:
    """A message's fields by name. Prevents: one line that is signed, and another that is read."""

    def __init__(self, fields: tuple[tuple[str, str], ...]) -> None:
        self._lines: dict[str, list[str]] = {}
        for name, value in fields:
            self._lines.setdefault(name, []).append(value)

    def all(self, name: str) -> list[str]:
        return self._lines.get(name, [])

    def one(self, name: str, *, gone: SignatureFault = SignatureFault.NOT_COVERED) -> str:
        """Return the value of a field that has one line (RFC 9421, 2.1)."""
        lines = self.all(name)
        if not lines:
            _refuse(gone, f"there is no {name}")
        if len(lines) > 1:
            _refuse(SignatureFault.AMBIGUOUS, f"{name} stands twice")
        value = lines[0].strip(" \t")
        if not _FIELD_VALUE.fullmatch(value):
            _refuse(SignatureFault.MALFORMED, f"{name} is not printable ASCII")
        return value


def _refuse(fault: SignatureFault, says: str) -> NoReturn:
    raise SignatureRefusedError(says, fault=fault)


def _read(fields: _Lines) -> tuple[InnerList, bytes]:
    """Return what the one signature says it covers, and its bytes (RFC 9421, 4)."""
    told = fields.one(INPUT, gone=SignatureFault.MISSING)
    made = fields.one(SIGNATURE, gone=SignatureFault.MISSING)
    try:
        label, text = read_member(told)
        inner = read_inner_list(text)
        signed, text = read_member(made)
        signature = read_bytes(text)
    except MalformedError as error:
        _refuse(SignatureFault.MALFORMED, str(error))
    if label != signed:
        _refuse(SignatureFault.AMBIGUOUS, "Signature and Signature-Input tell of different ones")
    if len(signature) != SIGNATURE_BYTES:
        _refuse(SignatureFault.MALFORMED, f"a signature has {SIGNATURE_BYTES} bytes")
    return inner, signature


def _name(item: Item) -> str:
    known = item.value in _FIELDS or item.value in _DERIVED
    if item.params or not known:
        _refuse(SignatureFault.UNKNOWN, f"{item.value[:40]} is not read here, or not so")
    return item.value


def _has_body(message: RequestMessage) -> bool:
    return bool(message.body) or message.method != "GET"


def _required(message: RequestMessage, fields: _Lines, names: list[str]) -> set[str]:
    """Return what a signature must cover, where it covers ``names``: of the target, all of it."""
    needed = {"@method", AUTHORIZATION}
    if _has_body(message):
        needed.add(DIGEST)
    if fields.all(IDEMPOTENCY_KEY):
        needed.add(IDEMPOTENCY_KEY)
    return needed if "@target-uri" in names else needed | _TARGET


def _parameters(inner: InnerList, wanted: Mapping[str, type], *, tag: str) -> dict[str, str | int]:
    params = dict(inner.params)
    fits = params.keys() == wanted.keys() and all(
        type(params[name]) is kind for name, kind in wanted.items()
    )
    if not fits:
        _refuse(SignatureFault.PARAMETERS, f"the parameters are {', '.join(wanted)}, each once")
    if (params["alg"], params["tag"]) != (ALGORITHM, tag):
        _refuse(SignatureFault.PARAMETERS, f'alg is "{ALGORITHM}" and tag "{tag}"')
    return params


def _check_life(created: int, expires: int, *, now: datetime) -> datetime:
    """Return when it ends. Seconds of POSIX; both ends are the signer's, within bounds of ours."""
    at = now.timestamp()
    if created > at + MESSAGE_CLOCK_TOLERANCE.total_seconds():
        _refuse(SignatureFault.NOT_YET, "created later than now")
    if not created < expires <= created + MESSAGE_LIFETIME_MOST.total_seconds():
        _refuse(SignatureFault.EXPIRED, f"a signature lasts {MESSAGE_LIFETIME_MOST} at most")
    if expires <= at:
        _refuse(SignatureFault.EXPIRED, "it has expired")
    return datetime.fromtimestamp(expires, tz=UTC)


def _check_digest(field: str, body: bytes) -> None:
    """Check that ``field`` tells of ``body``: sha-256 and nothing else (RFC 9530, 2 and 6.5)."""
    if field == content_digest(body):
        return
    try:
        name, text = read_member(field)
        digest = read_bytes(text)
    except MalformedError as error:
        _refuse(SignatureFault.MALFORMED, f"Content-Digest: {error}")
    if name != "sha-256" or len(digest) != hashlib.sha256().digest_size:
        _refuse(SignatureFault.MALFORMED, "Content-Digest holds one sha-256")
    _refuse(SignatureFault.DIGEST, "the body is another one")


_DERIVED: Mapping[str, Callable[[RequestMessage], str]] = MappingProxyType(
    {
        "@method": lambda of: of.method,
        "@scheme": lambda of: of.scheme,
        "@authority": lambda of: of.authority,
        "@path": lambda of: of.path or "/",
        "@query": lambda of: f"?{of.query}",
        "@target-uri": lambda of: (
            f"{of.scheme}://{of.authority}{of.path or '/'}{'?' if of.query else ''}{of.query}"
        ),
    }
)


def _request_value(message: RequestMessage, name: str, fields: _Lines) -> str:
    return _DERIVED[name](message) if name in _DERIVED else fields.one(name)


def signature_base(inner: InnerList, value: Callable[[Item], str]) -> bytes:
    """Return the signature base (RFC 9421, 2.5): a line for each component, then what is covered.

    Prevents: a value with a line break, which would pass for a component of its own.
    """
    lines = [(write_item(item), value(item)) for item in inner.items]
    lines.append(('"@signature-params"', write_inner_list(inner)))
    if not all(_FIELD_VALUE.fullmatch(text) for _, text in lines):
        _refuse(SignatureFault.MALFORMED, "what is covered is printable ASCII")
    return "\n".join(f"{name}: {text}" for name, text in lines).encode("ascii")
