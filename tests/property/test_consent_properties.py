"""A signature is consent to one exact payload: whoever turns a bit of it is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.worlds import list_address, make_key, send

from twinlock.domain.actions import AnyPayload, payload_bytes
from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.canonical import encode
from twinlock.proofs.intents import challenge
from twinlock.proofs.passkeys import KnownPasskey, RelyingParty, verify_assertion
from twinlock.range.authenticator import Ceremony, SoftwareAuthenticator

RP = RelyingParty(rp_id="prove.example", origin="https://prove.example")
NONCE = bytes(range(16))
PHONE = SoftwareAuthenticator(bytes(range(32)), synced=True)
PASSKEY = KnownPasskey(
    credential_id=PHONE.credential_id,
    public_key=PHONE.public_key,
    backup_eligible=True,
    sign_count=0,
)
PAYLOADS = (
    send(),
    list_address("0x" + "2" * 40, budget_cents=100_00),
    make_key("withdraw", ip_list=("::1",), destinations=("dst_1",)),
)
FIELDS = [(one, name) for one in PAYLOADS for name in one.__struct_fields__]
signed = {
    payload_bytes(one): PHONE.get(
        Ceremony(challenge=challenge(NONCE, payload_bytes(one)), rp_id=RP.rp_id, origin=RP.origin)
    )
    for one in PAYLOADS
}


def consented(original: bytes, presented: bytes, nonce: bytes = NONCE) -> None:
    """Check what was signed for ``original`` as if it had been asked for ``presented``."""
    verify_assertion(
        signed[original], challenge=challenge(nonce, presented), rp=RP, passkey=PASSKEY
    )


def place_of(payload: AnyPayload, field: str) -> tuple[int, int]:
    """Return where the value of ``field`` begins and ends in the canonical bytes."""
    whole = payload_bytes(payload)
    start = whole.index(b'"%s":' % field.encode()) + len(field) + 3
    return start, start + len(encode(getattr(payload, field)))


@pytest.mark.requirement("P-02", "P-06")
@pytest.mark.parametrize(("payload", "field"), FIELDS)
def test_no_bit_of_any_field_can_be_turned(payload: AnyPayload, field: str) -> None:
    original = payload_bytes(payload)
    start, end = place_of(payload, field)
    consented(original, original)

    for bit in range(8 * start, 8 * end):
        turned = bytearray(original)
        turned[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProofRefusedError) as refused:
            consented(original, bytes(turned))
        assert refused.value.fault is ProofFault.WRONG_CHALLENGE


@pytest.mark.requirement("P-02", "P-06")
@given(st.sampled_from(PAYLOADS), st.sampled_from(PAYLOADS), st.binary(min_size=16, max_size=32))
def test_a_signature_serves_no_other_payload_and_no_other_question(
    asked: AnyPayload, presented: AnyPayload, nonce: bytes
) -> None:
    """No code from an older one: the same payload asked again has another nonce."""
    if (asked, nonce) == (presented, NONCE):
        return

    with pytest.raises(ProofRefusedError) as refused:
        consented(payload_bytes(asked), payload_bytes(presented), nonce)
    assert refused.value.fault is ProofFault.WRONG_CHALLENGE
