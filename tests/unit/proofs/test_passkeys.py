from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from webauthn import verify_authentication_response, verify_registration_response

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.canonical import b64url, from_b64url
from twinlock.domain.errors import InvariantError
from twinlock.proofs import passkeys
from twinlock.proofs.ceremonies import MAX_CLIENT_DATA, base64_of
from twinlock.proofs.passkeys import (
    Attachment,
    BoundPasskey,
    KnownPasskey,
    RelyingParty,
    verify_assertion,
    verify_registration,
)
from twinlock.range.authenticator import (
    Ceremony,
    SoftwareAuthenticator,
    attestation_object,
    client_data,
)

RP = RelyingParty(rp_id="prove.example", origin="https://prove.example")
CHALLENGE = bytes(range(32))
ASKED = Ceremony(challenge=CHALLENGE, rp_id=RP.rp_id, origin=RP.origin)


def a_phone(*, synced: bool = True) -> SoftwareAuthenticator:
    return SoftwareAuthenticator(bytes(range(32)), synced=synced)


def bound(authenticator: SoftwareAuthenticator, ceremony: Ceremony = ASKED) -> BoundPasskey:
    return verify_registration(authenticator.create(ceremony), challenge=CHALLENGE, rp=RP)


def known(*, backup_eligible: bool = True, sign_count: int = 0) -> KnownPasskey:
    phone = a_phone()
    return KnownPasskey(
        credential_id=phone.credential_id,
        public_key=phone.public_key,
        backup_eligible=backup_eligible,
        sign_count=sign_count,
    )


def test_a_new_passkey_is_bound_with_its_key_and_its_claims() -> None:
    phone = a_phone()

    assert bound(phone) == BoundPasskey(
        credential_id=phone.credential_id,
        public_key=phone.public_key,
        backup_eligible=True,
        backed_up=True,
        sign_count=0,
        aaguid="00000000-0000-0000-0000-000000000000",
        transports=("internal",),
        attachment=Attachment.PLATFORM,
    )


def test_what_a_bound_passkey_signs_is_accepted() -> None:
    phone = a_phone()
    answer = phone.get(ASKED)

    checked = verify_assertion(answer, challenge=CHALLENGE, rp=RP, passkey=bound(phone))

    assert (checked.backed_up, checked.sign_count, checked.sign_count_regressed) == (True, 0, False)
    assert checked.assertion == passkeys.read_assertion(answer)
    assert b64url(checked.assertion.signature) == answer["response"]["signature"]


def test_kept_bytes_are_checked_again_years_later_without_the_json() -> None:
    phone = a_phone()
    kept = passkeys.read_assertion(phone.get(ASKED))

    assert (
        passkeys.check_assertion(kept, challenge=CHALLENGE, rp=RP, passkey=bound(phone)).assertion
        == kept
    )


def test_another_library_agrees_with_the_software_authenticator() -> None:
    key = SoftwareAuthenticator(bytes(32), transports=("usb", "nfc"))

    registered = verify_registration_response(
        credential=key.create(ASKED),
        expected_challenge=CHALLENGE,
        expected_rp_id=RP.rp_id,
        expected_origin=RP.origin,
        require_user_verification=True,
    )
    asserted = verify_authentication_response(
        credential=key.get(ASKED),
        expected_challenge=CHALLENGE,
        expected_rp_id=RP.rp_id,
        expected_origin=RP.origin,
        credential_public_key=key.public_key,
        credential_current_sign_count=0,
        require_user_verification=True,
    )

    assert registered.credential_public_key == key.public_key
    assert asserted.new_sign_count == 1


@pytest.mark.requirement("W-01", "N-B23")
@pytest.mark.parametrize(
    ("eligible", "backed_up", "accepted"),
    [(False, False, True), (False, True, False), (True, False, True), (True, True, True)],
)
def test_a_new_passkey_cannot_be_backed_up_and_not_eligible(
    eligible: bool, backed_up: bool, accepted: bool
) -> None:
    ceremony = replace(ASKED, backup_eligible=eligible, backed_up=backed_up)

    if accepted:
        passkey = bound(a_phone(), ceremony)
        assert (passkey.backup_eligible, passkey.backed_up) == (eligible, backed_up)
    else:
        with pytest.raises(ProofRefusedError) as refused:
            bound(a_phone(), ceremony)
        assert refused.value.fault is ProofFault.BACKUP_FLAGS_CHANGED


@pytest.mark.requirement("W-01", "N-B23")
@pytest.mark.parametrize("was_eligible", [False, True])
@pytest.mark.parametrize("eligible", [False, True])
@pytest.mark.parametrize("backed_up", [False, True])
def test_backup_eligibility_never_changes_and_backup_state_may(
    was_eligible: bool, eligible: bool, backed_up: bool
) -> None:
    answer = a_phone().get(replace(ASKED, backup_eligible=eligible, backed_up=backed_up))
    passkey = known(backup_eligible=was_eligible)

    if eligible == was_eligible and (eligible or not backed_up):
        checked = verify_assertion(answer, challenge=CHALLENGE, rp=RP, passkey=passkey)
        assert checked.backed_up is backed_up
    else:
        with pytest.raises(ProofRefusedError) as refused:
            verify_assertion(answer, challenge=CHALLENGE, rp=RP, passkey=passkey)
        assert refused.value.fault is ProofFault.BACKUP_FLAGS_CHANGED


@pytest.mark.requirement("W-02")
@pytest.mark.parametrize(
    ("on_record", "answered", "regressed"),
    [
        pytest.param(0, 0, False, id="never counted"),
        pytest.param(0, 1, False, id="begins to count"),
        pytest.param(1, 1, True, id="the first again"),
        pytest.param(1, 0, True, id="counts no more after one"),
        pytest.param(5, 6, False, id="one on"),
        pytest.param(5, 900, False, id="many on"),
        pytest.param(5, 5, True, id="the same again"),
        pytest.param(5, 4, True, id="one back"),
        pytest.param(5, 0, True, id="counts no more"),
        pytest.param(2**32 - 1, 2**32 - 1, True, id="at the end of counting"),
    ],
)
def test_a_sign_count_that_does_not_grow_is_a_signal_and_no_refusal(
    on_record: int, answered: int, regressed: bool
) -> None:
    checked = verify_assertion(
        a_phone().get(replace(ASKED, sign_count=answered)),
        challenge=CHALLENGE,
        rp=RP,
        passkey=known(sign_count=on_record),
    )

    assert (checked.sign_count, checked.sign_count_regressed) == (answered, regressed)


def test_a_device_bound_key_counts_its_signatures() -> None:
    key = a_phone(synced=False)
    passkey = bound(key)
    counts = [
        verify_assertion(key.get(ASKED), challenge=CHALLENGE, rp=RP, passkey=passkey).sign_count
        for _ in range(3)
    ]

    assert (passkey.backup_eligible, counts) == (False, [1, 2, 3])


@pytest.mark.parametrize(
    ("expected", "answered", "accepted"),
    [
        pytest.param(None, None, True, id="neither"),
        pytest.param(None, b"bob", True, id="nobody is expected"),
        pytest.param(b"alice", None, True, id="the authenticator names nobody"),
        pytest.param(b"alice", b"alice", True, id="the same"),
        pytest.param(b"alice", b"bob", False, id="another"),
        pytest.param(b"alice", b"", False, id="an empty one"),
    ],
)
def test_an_answer_that_names_another_user_is_refused(
    expected: bytes | None, answered: bytes | None, accepted: bool
) -> None:
    answer = a_phone().get(replace(ASKED, user_handle=answered))

    def check() -> None:
        verify_assertion(answer, challenge=CHALLENGE, rp=RP, passkey=known(), user_handle=expected)

    if accepted:
        check()
    else:
        with pytest.raises(ProofRefusedError) as refused:
            check()
        assert refused.value.fault is ProofFault.WRONG_USER


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"tokenBinding": {"status": "not-supported"}}, id="tokenBinding, unsupported"),
        pytest.param({"tokenBinding": {"status": "present", "id": "x"}}, id="tokenBinding"),
        pytest.param({"tokenBinding": "unused"}, id="tokenBinding of U2F"),
        pytest.param({"other_keys_can_be_added_here": "really"}, id="an unknown member"),
        pytest.param({"androidPackageName": "com.android.chrome"}, id="an Android browser's"),
    ],
)
def test_members_of_the_client_data_that_we_do_not_judge_are_passed_over(
    members: dict[str, object],
) -> None:
    phone, ceremony = a_phone(), replace(ASKED, client_data=members)

    passkey = bound(phone, ceremony)
    assert fault_in(phone.get(ceremony), passkey) is None


def test_old_browsers_leave_cross_origin_out() -> None:
    phone, ceremony = a_phone(), replace(ASKED, cross_origin=None)

    passkey = bound(phone, ceremony)
    assert fault_in(phone.get(ceremony), passkey) is None


def test_members_of_the_json_that_we_do_not_know_are_passed_over() -> None:
    created, got = a_phone().create(ASKED), a_phone().get(ASKED)
    created["response"] |= {"publicKey": "?", "publicKeyAlgorithm": 0, "authenticatorData": None}
    for answer in (created, got):
        answer |= {"clientExtensionResults": {"prf": [[]]}, "new": 1}
        answer["response"]["new"] = {}

    passkey = verify_registration(created, challenge=CHALLENGE, rp=RP)
    assert fault_in(got, passkey) is None


EXTENSIONS = cbor2.dumps({"credProtect": 2})


def test_extension_outputs_are_ignored() -> None:
    phone = a_phone()
    data = bytearray(phone.authenticator_data(ASKED) + EXTENSIONS)
    data[32] |= 0x80
    answer = phone.assert_over(client_data(ASKED, "webauthn.get"), bytes(data))
    assert fault_in(answer) is None

    created = from_b64url(phone.create(ASKED)["response"]["attestationObject"])
    data = bytearray(cbor2.loads(created)["authData"] + EXTENSIONS)
    data[32] |= 0x80
    answer = phone.attest(client_data(ASKED, "webauthn.create"), attestation_object(bytes(data)))
    registered = verify_registration(answer, challenge=CHALLENGE, rp=RP)
    assert registered.public_key == phone.public_key


@pytest.mark.parametrize("flags", [0x02, 0x20, 0x22])
def test_flags_that_are_reserved_for_later_change_nothing(flags: int) -> None:
    phone = a_phone()
    data = bytearray(phone.authenticator_data(ASKED))
    data[32] |= flags
    answer = phone.assert_over(client_data(ASKED, "webauthn.get"), bytes(data))

    assert fault_in(answer) is None


def test_the_browsers_hints_are_kept_as_far_as_they_are_known() -> None:
    answer = SoftwareAuthenticator(bytes(32), transports=("usb", "nfc")).create(ASKED)
    answer["response"]["transports"] = ["usb", "telepathy", "nfc", "usb"]

    passkey = verify_registration(answer, challenge=CHALLENGE, rp=RP)
    assert (passkey.transports, passkey.attachment) == (("nfc", "usb"), Attachment.CROSS_PLATFORM)


@pytest.mark.parametrize("attachment", [None, "telepathic", ""])
def test_an_attachment_that_nobody_defined_is_none(attachment: str | None) -> None:
    answer = a_phone().create(ASKED) | {"authenticatorAttachment": attachment}

    assert verify_registration(answer, challenge=CHALLENGE, rp=RP).attachment is None


def test_a_browser_need_not_tell_transports_or_attachment() -> None:
    answer = a_phone().create(ASKED)
    del answer["authenticatorAttachment"], answer["response"]["transports"]

    passkey = verify_registration(answer, challenge=CHALLENGE, rp=RP)
    assert (passkey.transports, passkey.attachment) == ((), None)


@pytest.mark.parametrize(
    ("rp_id", "origin"),
    [
        ("prove.example", "https://prove.example"),
        ("prove.example", "https://prove.example:8443"),
        ("localhost", "http://localhost:8000"),
        ("localhost", "https://localhost"),
    ],
)
def test_a_relying_party_is_one_host_and_one_origin(rp_id: str, origin: str) -> None:
    assert RelyingParty(rp_id=rp_id, origin=origin).origin == origin


@pytest.mark.parametrize(
    ("rp_id", "origin"),
    [
        pytest.param("example", "https://prove.example", id="a wider RP id"),
        pytest.param("prove.example", "http://prove.example", id="without TLS"),
        pytest.param("prove.example", "https://prove.example/", id="a slash behind"),
        pytest.param("prove.example", "https://Prove.example", id="upper case"),
        pytest.param("prove.example", "https://a@prove.example", id="a user name"),
        pytest.param("prove.example", "https://prove.example\n", id="a line end"),
        pytest.param("localhost", "http://localhost.example", id="a host that begins likewise"),
        pytest.param("127.0.0.1", "http://127.0.0.1", id="an address"),
    ],
)
def test_no_other_relying_party_is_configured(rp_id: str, origin: str) -> None:
    with pytest.raises(InvariantError):
        RelyingParty(rp_id=rp_id, origin=origin)


def test_a_challenge_of_another_length_is_our_own_mistake() -> None:
    with pytest.raises(InvariantError, match="32 bytes"):
        verify_assertion(a_phone().get(ASKED), challenge=bytes(31), rp=RP, passkey=known())


def padded_client_data(size: int) -> Ceremony:
    bare = len(client_data(replace(ASKED, client_data={"pad": ""}), "webauthn.get"))
    return replace(ASKED, client_data={"pad": "x" * (size - bare)})


@given(st.integers(-2, 2))
def test_client_data_has_at_most_4096_bytes(over: int) -> None:
    answer = a_phone().get(padded_client_data(MAX_CLIENT_DATA + over))

    assert (fault_in(answer) is None) == (over <= 0)


@given(st.integers(-2, 2))
def test_authenticator_data_has_at_most_2048_bytes(over: int) -> None:
    phone = a_phone()
    data = bytearray(phone.authenticator_data(ASKED).ljust(2048 + over, b"\0"))
    data[32] |= 0x80
    answer = phone.assert_over(client_data(ASKED, "webauthn.get"), bytes(data))

    assert fault_in(answer) is (ProofFault.MALFORMED if over > 0 else None)


@pytest.mark.parametrize(
    ("size", "fault"), [(1024, ProofFault.BAD_SIGNATURE), (1025, ProofFault.MALFORMED)]
)
def test_a_signature_has_at_most_1024_bytes(size: int, fault: ProofFault) -> None:
    answer = a_phone().get(ASKED)
    answer["response"]["signature"] = b64url(bytes(size))

    assert fault_in(answer) is fault


@pytest.mark.parametrize(
    ("size", "fault"), [(1023, ProofFault.WRONG_CREDENTIAL), (1024, ProofFault.MALFORMED)]
)
def test_a_credential_id_has_at_most_1023_bytes(size: int, fault: ProofFault) -> None:
    name = b64url(bytes(size))

    assert fault_in(a_phone().get(ASKED) | {"id": name, "rawId": name}) is fault


@pytest.mark.parametrize("size", [1, 1023])
def test_a_credential_id_is_as_long_as_its_maker_likes(size: int) -> None:
    phone, name = a_phone(), bytes(range(1, 256)) * 5
    phone.credential_id = name[:size]

    passkey = bound(phone)
    assert passkey.credential_id == name[:size]
    assert fault_in(phone.get(ASKED), passkey) is None


@pytest.mark.parametrize(("size", "fault"), [(64, None), (65, ProofFault.MALFORMED)])
def test_a_user_handle_has_at_most_64_bytes(size: int, fault: ProofFault | None) -> None:
    assert fault_in(a_phone().get(replace(ASKED, user_handle=bytes(size)))) is fault


@pytest.mark.parametrize(
    ("field", "limit"),
    [
        ("credential_id", 1023),
        ("client_data", 4096),
        ("authenticator_data", 2048),
        ("signature", 1024),
        ("user_handle", 64),
    ],
)
def test_bytes_that_did_not_come_as_json_have_the_same_limits(field: str, limit: int) -> None:
    kept = passkeys.read_assertion(a_phone().get(ASKED))

    assert len(getattr(replace(kept, **{field: bytes(limit)}), field)) == limit
    with pytest.raises(ProofRefusedError) as refused:
        replace(kept, **{field: bytes(limit + 1)})
    assert refused.value.fault is ProofFault.MALFORMED


def fault_in(answer: dict[str, Any], passkey: KnownPasskey | None = None) -> ProofFault | None:
    try:
        verify_assertion(answer, challenge=CHALLENGE, rp=RP, passkey=passkey or known())
    except ProofRefusedError as error:
        return error.fault
    return None


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 1023])
def test_as_much_base64_is_read_as_so_many_bytes_take(size: int) -> None:
    assert base64_of(size).max_length == len(b64url(bytes(size)))
