"""Keys in a PKCS #11 token, such as a hardware security module: made there, and never given out.

A token is asked through one session, in a thread of its own, and waited for no longer than
``ANSWER_SECONDS``: one that hangs or is gone costs its callers an answer, never the process.

Always true (tests/integration/test_token.py):

* an object is ours only by its handle, its role's label, its kind, and that it cannot be extracted;
* while a call hangs, or after one failed, the next are refused at once until the token answers;
* a PIN that was refused is not tried again: tokens lock after a few;
* no PIN stands in a repr, an error or a log.

Source: PKCS #11 v3.0, 2.3.14 (EdDSA, here with the curve's name as its parameters) and v2.40,
2.11.2 (AES-GCM) and 2.1.13 (RSA PKCS #1 v1.5 with SHA-256).
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pkcs11
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pkcs11 import (
    Attribute,
    GCMParams,
    KeyType,
    Mechanism,
    MechanismFlag,
    ObjectClass,
    Session,
)
from pkcs11.types import DecryptMixin, EncryptMixin, Key, PublicKey, SignMixin

from twinlock.adapters import private_files
from twinlock.adapters.keyring.rsa_keys import EXPONENT, RSA_BITS, RSA_BYTES, check_signature
from twinlock.adapters.settings import TokenPlace
from twinlock.domain.errors import (
    FileUnsafeError,
    MalformedError,
    SealBrokenError,
    TokenKeyWrongError,
    TokenMissingError,
    TokenPinWrongError,
    TokenUnavailableError,
    TwinlockError,
    present,
)
from twinlock.domain.keys import Role

T = TypeVar("T")

# For one call; a module on the network takes 2 ms, SoftHSM 0.4. A batch that waited any longer
# would be cut off by the database (500 ms).
ANSWER_SECONDS = 0.25
OPEN_SECONDS = 10.0  # Where no request waits: some modules log in over slow networks.
RETRY_SECONDS = 1.0  # Between two tries to reach a token that failed.
PIN_BYTES_MOST = 256
TAG_BITS = 128
NONCE_BITS = 96
_patience: ContextVar[float] = ContextVar("patience", default=ANSWER_SECONDS)
_PROBE = b"twinlock token probe"
# PrintableString "edwards25519": the form that tokens of before and after v3.0 understand.
_CURVE = b"\x13\x0cedwards25519"
_POINT_PREFIX = b"\x04\x20"  # DER: an octet string of 32 bytes.
_PUBLIC_BYTES = 32
_EDDSA = KeyType.EC_EDWARDS, Mechanism.EDDSA
_RS256 = KeyType.RSA, Mechanism.SHA256_RSA_PKCS
_KEPT_IN = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}


class _Asked:
    """One thread that does what it is asked, in turn; who asks waits for a bounded time."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._last: Future[Any] | None = None
        # Not of an executor: those are waited for when a process ends, however long they hang.
        threading.Thread(target=self._go_on, name="token", daemon=True).start()

    @property
    def hangs(self) -> bool:
        """Whether what somebody gave up waiting for is still being done."""
        return self._last is not None and not self._last.done()

    def ask(self, work: Callable[[], T], *, seconds: float) -> T:
        """Return what ``work`` returns. Raises TokenUnavailableError: not in time."""
        if self.hangs:
            raise TokenUnavailableError("the token hangs; repeat with the same idempotency key")
        answer: Future[T] = Future()
        self._work.put((answer, work))
        try:
            return answer.result(seconds)
        except TimeoutError:
            self._last = answer
            raise TokenUnavailableError(
                "the token did not answer in time; repeat with the same idempotency key"
            ) from None

    def _go_on(self) -> None:
        while True:
            answer, work = self._work.get()
            try:
                answer.set_result(work())
            except BaseException as error:  # noqa: BLE001 - it is the caller's, wherever he waits
                answer.set_exception(error)


class Token:
    """One token and a session on it. Implements ``ports.KeyToken``."""

    def __init__(self, place: TokenPlace, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._seconds = seconds
        self._asked = _Asked()
        self._session: Session | None = None
        self._anew = False
        self._failed_at: float | None = None
        self._refused: TwinlockError | None = None
        self._guard = threading.Lock()
        self._asked.ask(self._open, seconds=OPEN_SECONDS)

    def __repr__(self) -> str:
        return f"Token({self._place.label!r})"

    # --- What keys are asked ---

    @contextmanager
    def patiently(self) -> Iterator[None]:
        """Wait longer for answers in this block, where no request waits for them."""
        before = _patience.set(OPEN_SECONDS)
        try:
            yield
        finally:
            _patience.reset(before)

    def call(self, work: Callable[[Session], T], *, seconds: float | None = None) -> T:
        """Return what ``work`` does with the session.

        Raises:
            TokenUnavailableError: the token failed, hangs, or did a moment ago; or it is taken.
        """
        seconds = seconds or _patience.get()
        if not self._guard.acquire(timeout=seconds):  # One at a time.
            raise TokenUnavailableError("the token is busy; repeat with the same idempotency key")
        try:
            self._check_due()
            try:
                found = self._asked.ask(lambda: self._with_session(work), seconds=seconds)
            except TokenUnavailableError:
                self._failed_at = self._seconds()
                raise
            self._failed_at = None
            return found
        finally:
            self._guard.release()

    @property
    def busy(self) -> bool:
        """Whether somebody is waiting for an answer."""
        return self._guard.locked()

    def check(self) -> None:
        """Return while the token answers; one that failed is tried again now and then.

        Raises:
            TokenUnavailableError: it does not.
        """
        if self._failed_at is not None or self._asked.hangs:
            self.call(_probe)

    def _check_due(self) -> None:
        failed = self._failed_at
        if failed is not None and self._seconds() - failed < RETRY_SECONDS:
            raise TokenUnavailableError("the token failed; repeat with the same idempotency key")

    def _with_session(self, work: Callable[[Session], T]) -> T:
        try:
            if self._session is None:
                self._open()
            return work(present(self._session, "a session was opened"))
        except (TokenMissingError, TokenPinWrongError) as error:
            raise TokenUnavailableError(str(error)) from error
        except TokenKeyWrongError:
            self._forget()  # A token that was pulled out shows no key: look again in another one.
            raise
        except pkcs11.PKCS11Error as error:
            self._forget()
            raise TokenUnavailableError(
                f"the token failed ({type(error).__name__}); repeat with the same idempotency key"
            ) from error

    def _forget(self) -> None:
        """Give a session up that failed: the next call opens another, in a module begun anew."""
        self._anew = True
        session, self._session = self._session, None
        if session is not None:
            with suppress(pkcs11.PKCS11Error):
                session.close()

    def _open(self) -> None:
        """Open a session. Never while a call hangs: ending a module may wait for that call."""
        if self._refused is not None:
            raise self._refused
        place = self._place
        try:
            module = pkcs11.lib(str(place.module))
            if self._anew:
                module.reinitialize()  # Or a module goes on with the slots that it once saw.
            found = module.get_token(token_label=place.label)
        except (pkcs11.NoSuchToken, pkcs11.MultipleTokensReturned) as error:
            self._anew = True
            raise TokenMissingError(f"there is not one token labelled {place.label!r}") from error
        except pkcs11.PKCS11Error as error:
            self._anew = True
            raise TokenMissingError(f"{place.module} is no PKCS #11 module that loads") from error
        try:
            self._session = found.open(rw=True, user_pin=_pin(place.pin_file))
        except pkcs11.exceptions.UserAlreadyLoggedIn:
            self._session = found.open(rw=True)  # By another session of this process.
        except (pkcs11.PinIncorrect, pkcs11.exceptions.PinLenRange, pkcs11.PinLocked) as error:
            # Without its cause: some modules quote what they were given.
            self._refused = TokenPinWrongError(f"{type(error).__name__}: {place.pin_file}")
            raise self._refused from None
        except pkcs11.PKCS11Error as error:
            raise TokenMissingError(
                f"the token {place.label!r} cannot be used ({type(error).__name__})"
            ) from error
        self._anew = False

    # --- Implements ``ports.KeyToken`` ---

    def make_signing(self, role: str, handle: str) -> "TokenSigning":
        """Make an Ed25519 key under ``handle``, or of the role that has them an RSA key."""
        named: dict[str, Any] = {
            "id": bytes.fromhex(handle),
            "label": _label(role),
            "private_template": _KEPT_IN,
        }

        def make(session: Session) -> bytes:
            if role == Role.SIGNALS_RSA:
                both = MechanismFlag.SIGN | MechanismFlag.VERIFY
                public, _ = session.generate_keypair(
                    KeyType.RSA, RSA_BITS, store=True, capabilities=both, **named
                )
                return _modulus(public)
            curve = session.create_domain_parameters(
                KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: _CURVE}, local=True
            )
            public, _ = curve.generate_keypair(
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, **named
            )
            return _point(public)

        public = self.call(make, seconds=OPEN_SECONDS)
        return self.signing(role, handle, public=public)

    def make_seal(self, role: str, handle: str) -> "TokenSeal":
        """Make an AES-256 key under ``handle``."""
        self.call(
            lambda session: session.generate_key(
                KeyType.AES,
                256,
                store=True,
                id=bytes.fromhex(handle),
                label=_label(role),
                capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
                template=_KEPT_IN,
            ),
            seconds=OPEN_SECONDS,
        )
        return self.seal(role, handle)

    def signing(self, role: str, handle: str, *, public: bytes) -> "TokenSigning":
        """Return the key under ``handle``, once it has signed for ``public``.

        Raises:
            TokenKeyWrongError: it is not there, or another one.
        """
        key = TokenSigning(self, role, handle, public=public)
        signature = key.sign(_PROBE)
        try:
            if role == Role.SIGNALS_RSA:
                check_signature(public, signature, _PROBE)
            else:
                Ed25519PublicKey.from_public_bytes(public).verify(signature, _PROBE)
        except (InvalidSignature, MalformedError):
            raise TokenKeyWrongError(f"the token's {role} key {handle} is another one") from None
        return key

    def seal(self, role: str, handle: str) -> "TokenSeal":
        """Return the key under ``handle``. Raises TokenKeyWrongError: it is not there, or open."""
        key = TokenSeal(self, role, handle)
        self.call(key.found)
        return key

    def destroy(self, role: str, handle: str) -> None:
        """Destroy what was made under ``handle``, whatever is left of it."""
        found = {Attribute.ID: bytes.fromhex(handle), Attribute.LABEL: _label(role)}

        def end(session: Session) -> None:
            for one in list(session.get_objects(found)):
                one.destroy()

        self.call(end, seconds=OPEN_SECONDS)


class TokenSigning:
    """A key in a token that signs: Ed25519 or RSA. Implements ``ports.SigningKey``."""

    def __init__(self, token: Token, role: str, handle: str, *, public: bytes) -> None:
        self._token = token
        self._object = _Object(role, handle)
        self._public = public
        self._kind = _RS256 if role == Role.SIGNALS_RSA else _EDDSA

    @property
    def public(self) -> bytes:
        """The public key."""
        return self._public

    def sign(self, message: bytes, /) -> bytes:
        """Return the signature. Raises TokenUnavailableError."""
        key_type, mechanism = self._kind

        def sign(session: Session) -> bytes:
            key = self._object.of(session, ObjectClass.PRIVATE_KEY, key_type)
            if not isinstance(key, SignMixin):
                raise TokenKeyWrongError("the token's key may not sign")
            return key.sign(message, mechanism=mechanism)

        return self._token.call(sign)


class TokenSeal:
    """An AES-256-GCM key in a token. Implements ``ports.SealKey``."""

    def __init__(self, token: Token, role: str, handle: str) -> None:
        self._token = token
        self._object = _Object(role, handle)

    def found(self, session: Session) -> tuple[EncryptMixin, DecryptMixin]:
        """Return the key's object, for sealing and for opening. Raises TokenKeyWrongError."""
        key = self._object.of(session, ObjectClass.SECRET_KEY, KeyType.AES)
        if not isinstance(key, EncryptMixin) or not isinstance(key, DecryptMixin):
            raise TokenKeyWrongError("the token's key may not seal")
        return key, key

    def wrap(self, secret: bytes, *, nonce: bytes, owner: bytes) -> bytes:
        """Return ciphertext ‖ tag. Raises TokenUnavailableError."""

        def encrypt(session: Session) -> bytes:
            sealing, _ = self.found(session)
            return _whole(sealing.encrypt(secret, **_gcm(nonce, owner)))

        return self._token.call(encrypt)

    def unwrap(self, wrapped: bytes, *, nonce: bytes, owner: bytes) -> bytes:
        """Return what was wrapped for this owner.

        Modules tell bytes that are not theirs in many ways, some of them as they tell of their own
        failures: so what fails is believed to be wrong only if the token still does its work.

        Raises:
            SealBrokenError: it was not wrapped so.
            TokenUnavailableError: the token does not answer.
        """

        def decrypt(session: Session) -> bytes:
            sealing, opening = self.found(session)
            try:
                return _whole(opening.decrypt(wrapped, **_gcm(nonce, owner)))
            except pkcs11.PKCS11Error as error:
                params = _gcm(session.generate_random(NONCE_BITS), b"")
                opening.decrypt(sealing.encrypt(_PROBE, **params), **params)
                raise SealBrokenError("a wrapped key is not what we wrapped") from error

        return self._token.call(decrypt)


@dataclass(slots=True)
class _Object:
    """A key's object in the session that it was looked up in; looked up anew in another one."""

    role: str
    handle: str
    _found: tuple[Session, Key] | None = field(default=None, repr=False)

    def of(self, session: Session, kind: ObjectClass, key_type: KeyType) -> Key:
        """Return the object in this session. Raises TokenKeyWrongError."""
        if self._found is None or self._found[0] is not session:
            self._found = session, self._look_up(session, kind, key_type)
        return self._found[1]

    def _look_up(self, session: Session, kind: ObjectClass, key_type: KeyType) -> Key:
        named = f"{self.role} key {self.handle}"
        try:
            key = session.get_key(object_class=kind, id=bytes.fromhex(self.handle))
        except pkcs11.NoSuchKey:
            raise TokenKeyWrongError(f"the token holds no {named} of its kind") from None
        except pkcs11.MultipleObjectsReturned:
            raise TokenKeyWrongError(f"the token holds {named} more than once") from None
        if key.key_type is not key_type or key[Attribute.LABEL] != _label(self.role):
            raise TokenKeyWrongError(f"{named} is of another role or kind in the token")
        if key[Attribute.EXTRACTABLE] or not key[Attribute.SENSITIVE]:
            raise TokenKeyWrongError(f"{named} could be taken out of the token")
        return key


def _probe(session: Session) -> None:
    session.generate_random(64)


def _pin(path: Path) -> str:
    try:
        return private_files.read(path, limit=PIN_BYTES_MOST).decode("utf-8").rstrip("\n")
    except FileNotFoundError:
        raise TokenPinWrongError(f"{path} does not exist") from None
    except (FileUnsafeError, UnicodeDecodeError) as error:
        raise TokenPinWrongError(f"{path} is no private file with a PIN") from error


def _label(role: str) -> str:
    return f"twinlock {role}"


def _gcm(nonce: bytes, owner: bytes) -> dict[str, Any]:
    params = GCMParams(nonce, owner, TAG_BITS)
    return {"mechanism": Mechanism.AES_GCM, "mechanism_param": params}


def _whole(data: bytes | Iterator[bytes]) -> bytes:
    return data if isinstance(data, bytes) else b"".join(data)


def _point(public: PublicKey) -> bytes:
    """Return the 32 bytes of a public key's point: raw in v3.0, in an octet string before."""
    point: bytes = public[Attribute.EC_POINT]
    raw = point.removeprefix(_POINT_PREFIX) if len(point) > _PUBLIC_BYTES else point
    if len(raw) != _PUBLIC_BYTES:
        raise TokenKeyWrongError("the token made a key that is not of Ed25519")
    return raw


def _modulus(public: PublicKey) -> bytes:
    """Return the bytes of an RSA key's modulus."""
    exponent: bytes = public[Attribute.PUBLIC_EXPONENT]
    modulus: bytes = public[Attribute.MODULUS].lstrip(b"\0")
    if int.from_bytes(exponent, "big") != EXPONENT or len(modulus) != RSA_BYTES:
        raise TokenKeyWrongError("the token made an RSA key of another size or exponent")
    return modulus
