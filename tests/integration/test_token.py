"""Keys in a real PKCS #11 token (SoftHSM): made there, working there, and every way to fail."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import pkcs11
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pkcs11 import Attribute, KeyType, ObjectClass
from support.softhsm import MODULE, PIN, SoftToken, make_token
from support.until import until

from twinlock.adapters.keyring import token as tokens
from twinlock.adapters.keyring.pkcs11 import RETRY_SECONDS, Token
from twinlock.adapters.keyring.rsa_keys import check_signature
from twinlock.adapters.settings import TokenPlace
from twinlock.domain.errors import (
    SealBrokenError,
    TokenKeyWrongError,
    TokenMissingError,
    TokenPinWrongError,
    TokenUnavailableError,
    UnavailableError,
)
from twinlock.domain.keys import Role

PRIVATE = {Attribute.CLASS: ObjectClass.PRIVATE_KEY}
HANDLE, OTHER = "0a" * 16, "0b" * 16
NONCE, SECRET, OWNER = b"n" * 12, b"s" * 32, b"acc_a"


class Seconds:
    """A clock for retries that a test moves."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at

    def retry(self) -> None:
        self.at += RETRY_SECONDS


@pytest.fixture
def soft(tmp_path: Path) -> SoftToken:
    return make_token(tmp_path)


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def token(soft: SoftToken, seconds: Seconds) -> Token:
    return Token(soft.place, seconds=seconds)


def test_what_a_token_signs_is_what_anybody_verifies(token: Token) -> None:
    key = token.make_signing("log", HANDLE)

    signature = key.sign(b"a checkpoint")

    Ed25519PublicKey.from_public_bytes(key.public).verify(signature, b"a checkpoint")
    assert len(signature) == 64
    assert key.sign(b"a checkpoint") == signature
    assert token.signing("log", HANDLE, public=key.public).sign(b"a checkpoint") == signature


def test_what_a_token_signs_by_rs256_is_what_anybody_verifies(token: Token) -> None:
    key = token.make_signing(Role.SIGNALS_RSA, HANDLE)

    signature = key.sign(b"a token")

    check_signature(key.public, signature, b"a token")
    assert (len(key.public), len(signature)) == (384, 384)
    again = token.signing(Role.SIGNALS_RSA, HANDLE, public=key.public)
    assert again.sign(b"a token") == signature
    other = token.make_signing("log", OTHER)
    for role, handle, public in (
        ("log", HANDLE, other.public),
        (Role.SIGNALS_RSA, OTHER, key.public),
    ):
        with pytest.raises(TokenKeyWrongError, match="another role or kind"):
            token.signing(role, handle, public=public)


def test_a_token_opens_what_it_sealed_for_this_owner_and_nothing_else(token: Token) -> None:
    key = token.make_seal("seal", HANDLE)
    other = token.make_seal("seal", OTHER)

    wrapped = key.wrap(SECRET, nonce=NONCE, owner=OWNER)

    assert len(wrapped) == len(SECRET) + 16
    again = token.seal("seal", HANDLE)
    assert again.unwrap(wrapped, nonce=NONCE, owner=OWNER) == SECRET
    for one, changed, nonce, owner in (
        (other, wrapped, NONCE, OWNER),
        (key, wrapped, NONCE, b"acc_b"),
        (key, wrapped, b"m" * 12, OWNER),
        (key, wrapped[:-1] + b"\0", NONCE, OWNER),
        (key, wrapped[:16], NONCE, OWNER),
        (key, b"", NONCE, OWNER),
    ):
        with pytest.raises(SealBrokenError):
            one.unwrap(changed, nonce=nonce, owner=owner)
    assert key.unwrap(wrapped, nonce=NONCE, owner=OWNER) == SECRET


@pytest.mark.requirement("O-31")
def test_what_a_token_makes_never_leaves_it(token: Token, soft: SoftToken) -> None:
    token.make_seal("seal", HANDLE)
    token.make_signing("log", OTHER)
    token.make_signing(Role.SIGNALS_RSA, "0c" * 16)

    with pkcs11.lib(str(MODULE)).get_token(token_label=soft.place.label).open() as session:
        kept = [
            *session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY}),
            *session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY}),
        ]
        assert len(kept) == 3
        (secret,) = session.get_objects({Attribute.KEY_TYPE: KeyType.RSA, **PRIVATE})
        for part in (Attribute.PRIVATE_EXPONENT, Attribute.PRIME_1, Attribute.PRIME_2):
            with pytest.raises(pkcs11.PKCS11Error):
                _ = secret[part]
        for key in kept:
            assert (key[Attribute.SENSITIVE], key[Attribute.EXTRACTABLE]) == (True, False)
            with pytest.raises(pkcs11.PKCS11Error):
                _ = key[Attribute.VALUE]


def test_a_key_that_is_destroyed_is_gone_and_destroying_again_is_nothing(token: Token) -> None:
    public = token.make_signing("log", HANDLE).public
    token.make_seal("seal", OTHER)

    token.destroy("log", HANDLE)
    token.destroy("log", HANDLE)
    token.destroy("log", OTHER)  # Of another role: it stays.

    with pytest.raises(TokenKeyWrongError, match="holds no log key"):
        token.signing("log", HANDLE, public=public)
    token.seal("seal", OTHER)


# --- Keys that are not the ones ---


def test_a_key_of_another_role_or_kind_or_name_is_refused(token: Token) -> None:
    public = token.make_signing("log", HANDLE).public
    token.make_seal("seal", OTHER)

    for ask, why in (
        (lambda: token.signing("authorization", HANDLE, public=public), "another role or kind"),
        (lambda: token.seal("platform", OTHER), "another role or kind"),
        (lambda: token.seal("log", HANDLE), "holds no log key"),
        (lambda: token.signing("seal", OTHER, public=public), "holds no seal key"),
        (lambda: token.seal("seal", "0c" * 16), "holds no seal key"),
        (lambda: token.signing("log", HANDLE, public=other_public()), "is another one"),
    ):
        with pytest.raises(TokenKeyWrongError, match=why):
            ask()


def other_public() -> bytes:
    return Ed25519PrivateKey.generate().public_key().public_bytes_raw()


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ({Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: True}, "taken out"),
        ({Attribute.EXTRACTABLE: False, Attribute.SENSITIVE: False}, "taken out"),
        ({Attribute.ENCRYPT: False}, "may not seal"),
    ],
)
def test_a_key_that_somebody_else_made_looser_is_refused(
    token: Token, template: dict[Attribute, bool], why: str
) -> None:
    safe = {Attribute.EXTRACTABLE: False, Attribute.SENSITIVE: True}
    token.call(
        lambda session: session.generate_key(
            KeyType.AES,
            256,
            store=True,
            id=bytes.fromhex(HANDLE),
            label="twinlock seal",
            template=safe | template,
        )
    )

    with pytest.raises(TokenKeyWrongError, match=why):
        token.seal("seal", HANDLE).wrap(SECRET, nonce=NONCE, owner=OWNER)


def test_two_keys_under_one_handle_are_refused(token: Token) -> None:
    token.make_seal("seal", HANDLE)
    with pytest.raises(TokenKeyWrongError, match="more than once"):
        token.make_seal("seal", HANDLE)


# --- Tokens that are not there, slow, or gone ---


def test_a_token_that_is_gone_is_told_and_comes_back(
    token: Token, soft: SoftToken, seconds: Seconds
) -> None:
    key = token.make_signing("log", HANDLE)
    signature = key.sign(b"x")

    with soft.gone():
        with pytest.raises(TokenUnavailableError) as gone:
            key.sign(b"x")
        with pytest.raises(TokenUnavailableError, match="failed"):
            token.check()  # At once: nobody waits for it.
        seconds.retry()
        with pytest.raises(TokenUnavailableError, match="not one token"):
            token.check()
    assert (gone.value.code, gone.value.status) == ("token_unavailable", 503)
    assert isinstance(gone.value, UnavailableError)
    seconds.retry()
    token.check()
    assert key.sign(b"x") == signature


async def test_a_token_that_hangs_costs_a_moment_once(
    token: Token, soft: SoftToken, seconds: Seconds
) -> None:
    key = token.make_signing("log", HANDLE)
    token.check()

    with soft.hanging():
        with pytest.raises(TokenUnavailableError, match="in time"):
            key.sign(b"x")
        seconds.retry()
        with pytest.raises(TokenUnavailableError, match="hangs"):
            key.sign(b"x")
        with pytest.raises(TokenUnavailableError):
            token.check()

    def answers() -> bool:
        seconds.retry()
        with suppress(TokenUnavailableError):
            return len(key.sign(b"x")) == 64
        return False

    await until(answers)


async def test_who_is_patient_keeps_no_request_waiting(token: Token, soft: SoftToken) -> None:
    key = token.make_signing("log", HANDLE)

    def patient() -> bytes:
        with token.patiently():
            return key.sign(b"x")

    with soft.hanging():
        waiting = asyncio.create_task(asyncio.to_thread(patient))
        await until(lambda: token.busy)
        with pytest.raises(TokenUnavailableError, match="busy"):
            key.sign(b"x")
    assert len(await waiting) == 64


def test_what_a_failing_token_cannot_open_is_not_called_broken(
    token: Token, soft: SoftToken
) -> None:
    key = token.make_seal("seal", HANDLE)
    wrapped = key.wrap(SECRET, nonce=NONCE, owner=OWNER)

    with soft.gone(), pytest.raises(TokenUnavailableError):
        key.unwrap(wrapped, nonce=NONCE, owner=OWNER)


def test_a_token_that_is_not_there_is_refused(soft: SoftToken, tmp_path: Path) -> None:
    nowhere = TokenPlace(module=MODULE, label="nobody's", pin_file=soft.place.pin_file)
    with pytest.raises(TokenMissingError, match="not one token"):
        Token(nowhere)
    broken = tmp_path / "module.so"
    broken.write_bytes(b"no module")
    for module in (broken, tmp_path / "absent.so"):
        with pytest.raises(TokenMissingError, match="no PKCS #11 module"):
            Token(TokenPlace(module=module, label="x", pin_file=soft.place.pin_file))


@pytest.mark.parametrize("pin", ["0815-falsch", "", "1"])
def test_a_wrong_pin_is_refused_told_without_it_and_never_tried_again(
    soft: SoftToken, pin: str
) -> None:
    soft.place.pin_file.write_text(pin)

    with pytest.raises(TokenPinWrongError) as refused:
        Token(soft.place)

    assert str(soft.place.pin_file) in str(refused.value)
    assert not pin or pin not in str(refused.value).replace(str(soft.place.pin_file), "")
    assert refused.value.__cause__ is None


def test_a_pin_that_was_changed_is_not_tried_twice(
    token: Token, soft: SoftToken, seconds: Seconds
) -> None:
    key = token.make_signing("log", HANDLE)
    with soft.gone(), pytest.raises(TokenUnavailableError):
        key.sign(b"x")
    soft.place.pin_file.write_text("0815-falsch")
    for _ in range(5):  # SoftHSM, like others, counts wrong ones.
        seconds.retry()
        with pytest.raises(TokenUnavailableError, match="PinIncorrect"):
            token.check()

    soft.place.pin_file.write_text(PIN)
    seconds.retry()
    with pytest.raises(TokenUnavailableError, match="PinIncorrect"):
        token.check()
    assert Token(soft.place).signing("log", HANDLE, public=key.public).public == key.public


@pytest.mark.parametrize("how", ["open to others", "absent", "a link", "not text", "too long"])
def test_a_pin_file_that_is_none_is_refused(soft: SoftToken, tmp_path: Path, how: str) -> None:
    pin_file = soft.place.pin_file
    match how:
        case "open to others":
            pin_file.chmod(0o640)
        case "absent":
            pin_file.unlink()
        case "a link":
            pin_file.rename(tmp_path / "elsewhere")
            pin_file.symlink_to(tmp_path / "elsewhere")
        case "not text":
            pin_file.write_bytes(b"\xff")
        case _:
            pin_file.write_text("1" * 257)

    with pytest.raises(TokenPinWrongError):
        Token(soft.place)


@pytest.mark.requirement("O-33")
def test_no_pin_is_printed(token: Token, soft: SoftToken) -> None:
    token.make_seal("seal", HANDLE)
    for one in (token, token.seal("seal", HANDLE), soft.place):
        assert PIN not in f"{one!r} {one} {vars(one) if hasattr(one, '__dict__') else ''}"


def test_a_process_opens_one_session_on_a_token(soft: SoftToken) -> None:
    assert tokens.open_token(None) is None
    one = tokens.open_token(soft.place)
    assert one is tokens.open_token(soft.place)
    Token(soft.place).make_seal("seal", OTHER)  # Beside it: logged in already.
    assert one is not None
    one.check()
    assert os.environ["SOFTHSM2_CONF"]


def test_without_the_extra_a_token_is_missing(
    soft: SoftToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "twinlock.adapters.keyring.pkcs11", None)

    with pytest.raises(TokenMissingError, match=r"twinlock\[hsm\]"):
        tokens.open_token(soft.place)
