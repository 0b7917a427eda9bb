"""What an API key signs, as bytes from outside: one right answer, and everything that is none."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import ALICE, LONG_AGO, NOON
from support.worlds import an_account, send

from twinlock.client import ApiKey as SigningKey
from twinlock.domain.account import Account, ApiKey, OpenAction
from twinlock.domain.actions import payload_bytes, payload_digest
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.canonical import b64url, decode, from_b64url
from twinlock.domain.errors import MalformedError
from twinlock.domain.exits import WithdrawalCrypto
from twinlock.domain.ids import ActionId, ApiKeyId, DestinationId, MemberId
from twinlock.proofs.api_keys import check_answer, read_public_key

SECRET = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = SigningKey(SECRET)
ORDER = 2**252 + 27742317777372353535851937790883648493  # RFC 8032, 5.1: L
HOME = "203.0.113.7"
FIELD = 2**255 - 19


def account_with(public_key: str = KEY.public_key) -> Account:
    key = ApiKey(
        api_key_id=ApiKeyId("key_1"),
        public_key=public_key,
        scopes=("withdraw",),
        ip_list=(f"{HOME}/32",),
        destinations=(DestinationId("dst_1"),),
        daily_cents=100,
        created_at=LONG_AGO,
    )
    return replace(an_account(), api_keys=(key,))


def an_action(payload: WithdrawalCrypto | None = None, *, name: str = "act_1") -> OpenAction:
    payload = payload or send()
    return OpenAction(
        action_id=ActionId(name),
        member_id=MemberId("mem_1"),
        payload=payload,
        digest=payload_digest(payload_bytes(payload)),
        proposed_at=NOON,
        lapses_at=NOON,
        veto_key="",
    )


def told(payload: WithdrawalCrypto) -> dict[str, Any]:
    """Return a payload as the API tells it, and as a customer's server reads it."""
    read: dict[str, Any] = decode(payload_bytes(payload))
    return read


def signature(payload: WithdrawalCrypto | None = None, *, name: str = "act_1") -> dict[str, Any]:
    return dict(KEY.sign(name, told(payload or send())))


def fault_of(
    response: dict[str, Any] | None, *, account: Account | None = None, ip: str = HOME
) -> ProofFault:
    with pytest.raises(ProofRefusedError) as refused:
        check_answer(account or account_with(), an_action(), response, ip=ip)
    return refused.value.fault


def test_what_the_client_signs_is_what_is_checked() -> None:
    right = check_answer(account_with(), an_action(), signature(), ip=f"::ffff:{HOME}")

    assert (right.factor, right.source, right.against) == (Factor.API_KEY, "key_1", KEY.public_key)
    assert right.ip == HOME
    assert decode(right.evidence) == {"action": "act_1", **signature()}


def test_where_no_address_is_told_there_is_none() -> None:
    assert check_answer(account_with(), an_action(), signature(), ip="").ip == ""


@pytest.mark.parametrize("ip", ["here", "203.0.113.7/32", "203.0.113.256"])
def test_an_address_that_is_none_is_told(ip: str) -> None:
    with pytest.raises(MalformedError):
        check_answer(account_with(), an_action(), signature(), ip=ip)


# --- Another action, another payload, another key ---


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(send(51), id="amount"),
        pytest.param(send(to="0x" + "9" * 40), id="address"),
        pytest.param(replace(send(), memo="1"), id="memo"),
        pytest.param(replace(send(), max_fee_minor="1001"), id="fee"),
        pytest.param(replace(send(), contract="0x" + "1" * 40), id="token"),
        pytest.param(replace(send(), account="acc_bob"), id="account"),
    ],
)
def test_a_signature_over_another_payload_is_refused(other: WithdrawalCrypto) -> None:
    assert fault_of(signature(other)) is ProofFault.BAD_SIGNATURE


def test_a_signature_for_another_action_is_refused() -> None:
    """Prevents: one signature replayed for each proposal of the same payload."""
    assert fault_of(signature(name="act_2")) is ProofFault.BAD_SIGNATURE


def test_a_foreign_key_is_refused() -> None:
    foreign = SigningKey(Ed25519PrivateKey.generate()).sign("act_1", told(send()))

    assert fault_of(dict(foreign)) is ProofFault.AUTHENTICATOR_GONE


def test_a_foreign_signature_under_the_accounts_own_key_is_refused() -> None:
    foreign = SigningKey(Ed25519PrivateKey.generate()).sign("act_1", told(send()))

    assert fault_of({**foreign, "public_key": KEY.public_key}) is ProofFault.BAD_SIGNATURE


# --- Bytes ---


def test_the_same_signature_with_a_higher_s_is_refused() -> None:
    """RFC 8032, 5.1.7: S is below L. Prevents: a second encoding of one signature."""
    raw = from_b64url(signature()["signature"], size=64)
    higher = int.from_bytes(raw[32:], "little") + ORDER
    again = raw[:32] + higher.to_bytes(32, "little")

    assert fault_of({**signature(), "signature": b64url(again)}) is ProofFault.BAD_SIGNATURE


@given(st.integers(0, 511))
def test_a_signature_with_one_bit_turned_is_refused(bit: int) -> None:
    raw = bytearray(from_b64url(signature()["signature"], size=64))
    raw[bit // 8] ^= 1 << bit % 8

    assert fault_of({**signature(), "signature": b64url(bytes(raw))}) is ProofFault.BAD_SIGNATURE


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(None, id="nothing"),
        pytest.param({}, id="no fields"),
        pytest.param({"public_key": KEY.public_key}, id="no signature"),
        pytest.param({"signature": "A" * 86}, id="no key"),
        pytest.param({**signature(), "more": 1}, id="a field more"),
        pytest.param({**signature(), "signature": 1}, id="a number"),
        pytest.param({**signature(), "signature": "A" * 85}, id="a letter less"),
        pytest.param({**signature(), "signature": "A" * 87}, id="a letter more"),
        pytest.param({**signature(), "signature": "!" * 86}, id="no base64url"),
        pytest.param({**signature(), "signature": "A" * 85 + "B"}, id="bits that count nothing"),
        pytest.param({**signature(), "public_key": "A" * 42}, id="a short key"),
    ],
)
def test_malformed_answers_are_told_as_such(response: dict[str, Any] | None) -> None:
    assert fault_of(response) is ProofFault.MALFORMED


# --- Public keys ---

LOW_ORDER = [0, 1, FIELD - 1, FIELD, FIELD + 1]


@pytest.mark.parametrize("y", LOW_ORDER)
def test_a_key_under_which_anybody_signs_is_refused(y: int) -> None:
    """Prevents: a key of small order, whose owner can say that somebody else signed."""
    weak = b64url(y.to_bytes(32, "little"))

    with pytest.raises(ProofRefusedError) as refused:
        read_public_key(weak)
    assert refused.value.fault is ProofFault.KEY_INVALID
    assert (
        fault_of({"public_key": weak, "signature": "A" * 86}, account=account_with(weak))
        is ProofFault.KEY_INVALID
    )


@pytest.mark.parametrize("text", ["", "A" * 42, "A" * 44, "!" * 43, "A" * 42 + "B"])
def test_a_key_has_32_bytes_in_one_form(text: str) -> None:
    with pytest.raises(ProofRefusedError) as refused:
        read_public_key(text)
    assert refused.value.fault is ProofFault.MALFORMED


# --- The client's own side ---


def pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_the_client_reads_the_key_that_openssl_makes() -> None:
    assert SigningKey.from_pem(pem(SECRET)).public_key == KEY.public_key


def test_the_client_takes_keys_of_ed25519_alone() -> None:
    with pytest.raises(TypeError, match="Ed25519"):
        SigningKey.from_pem(pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(ValueError, match="PEM"):
        SigningKey.from_pem(b"no key")


def test_what_is_signed_names_its_account() -> None:
    assert told(send())["account"] == ALICE
