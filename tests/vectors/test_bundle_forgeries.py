"""Forged bundles, each named for its defect: one real bundle with one thing changed.

The forger holds no key, then the authorization key, then every key of the log and its witnesses.
What even the last of them cannot make is the customer's signature.
"""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
import pytest
from support.bundles import KID, MALLORYS_KEY, ORIGIN, TRUST, a_withdrawal, trust
from support.forgeries import Forger, the_cast

from twinlock.domain.actions import payload_bytes
from twinlock.domain.authorization import AUTHORIZATION_TYPE, SPEND_TYPE
from twinlock.domain.bundle import Bundle
from twinlock.domain.canonical import b64url, encode
from twinlock.domain.errors import BundleRefusedError
from twinlock.domain.policy.version import policy_digest
from twinlock.domain.trust import Trust
from twinlock.proofs.bundle_faults import BundleFault as F
from twinlock.proofs.bundles import verify_bundle

Change: TypeAlias = Callable[[Forger], None]
OpeningChange: TypeAlias = Callable[[list[str]], list[str]]
(
    FORM,
    CHECKPOINT,
    _,
    INCLUSION,
    LEAF,
    OPENINGS,
    POLICY,
    PAYLOAD,
    JWS,
    PROOFS,
    BINDINGS,
    CONSENT,
) = range(1, 13)
NONCE = bytes(range(32))
DECISION = ("decision",)
BINDING = ("proofs", 0, "binding")
PAYLOAD_FIELDS = list(json.loads(payload_bytes(a_withdrawal(the_cast().alice))))
LEAF_FIELDS = ("at", "dec", "lbl", "pol", "prev", "t", "v")


def refused(forger: Forger, trusted: Trust = TRUST) -> tuple[int, str]:
    with pytest.raises(BundleRefusedError) as caught:
        verify_bundle(forger.to_bytes(), trust=trusted)
    assert [number for number, _, _ in caught.value.passed] == list(range(1, caught.value.step))
    return caught.value.step, caught.value.fault


def alices() -> Forger:
    return Forger(the_cast().house, the_cast().paid)


def put(*path: str | int, to: object) -> Change:
    """Put a value at ``path``, or what a function makes of the value there."""
    return lambda forger: forger.put(*path, to=to)


def drop(*path: str | int) -> Change:
    return lambda forger: forger.parent(path).__delitem__(path[-1])


def take(action: str, *path: str | int) -> Change:
    """Take a part of somebody else's bundle, or of another payment of Alice's."""

    def change(forger: Forger) -> None:
        donor = Forger(the_cast().house, getattr(the_cast(), action))
        forger.put(*path, to=donor.get(*path))

    return change


def replace(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


def flip(text: str) -> str:
    """Change one character in the middle for another one of the same alphabet."""
    at = len(text) // 2
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def without_last_line(text: str) -> str:
    return "\n".join([*text.split("\n")[:-2], ""])


# --- Without any key ---


@pytest.mark.parametrize(
    ("change", "step", "fault"),
    [
        pytest.param(put("v", to=2), FORM, F.VERSION_UNKNOWN, id="another version"),
        pytest.param(put("extra", to=1), FORM, F.MALFORMED, id="an unknown member"),
        pytest.param(drop("policy"), FORM, F.MALFORMED, id="a missing member"),
        pytest.param(
            put("decision", "openings", "payload", to=lambda old: [*old, "more"]),
            FORM,
            F.MALFORMED,
            id="an opening of three parts",
        ),
        pytest.param(put("proofs", to=[1]), FORM, F.MALFORMED, id="a number for a proof"),
        pytest.param(put("proofs", to=lambda old: old * 17), FORM, F.MALFORMED, id="17 proofs"),
        pytest.param(put("decision", "path", to="A" * 2_689), FORM, F.MALFORMED, id="long path"),
        pytest.param(put("policy", to="x" * 65_536), FORM, F.MALFORMED, id="over 64 KB"),
        pytest.param(put("origin", to="b.example"), CHECKPOINT, F.LOG_UNKNOWN, id="another log"),
        pytest.param(
            put("checkpoint", to=replace("\n\n", "\n")),
            *(CHECKPOINT, F.CHECKPOINT_MALFORMED),
            id="a checkpoint without its empty line",
        ),
        pytest.param(
            put("checkpoint", to=replace(f"{ORIGIN}\n", "b.example\n")),
            *(CHECKPOINT, F.CHECKPOINT_UNTRUSTED),
            id="a checkpoint of another log",
        ),
        pytest.param(
            put("checkpoint", to=replace("\n", "\n1")),
            *(CHECKPOINT, F.CHECKPOINT_UNTRUSTED),
            id="a larger head",
        ),
        pytest.param(
            put("checkpoint", to=replace(f"— {ORIGIN}", "— b.example")),
            *(CHECKPOINT, F.CHECKPOINT_UNTRUSTED),
            id="a head that the log did not sign",
        ),
        pytest.param(
            put("checkpoint", to=without_last_line),
            *(CHECKPOINT, F.QUORUM_MISSING),
            id="a head that one witness of two cosigned",
        ),
        pytest.param(put("policy", to=flip), POLICY, F.POLICY_OTHER, id="another policy"),
        pytest.param(
            put("policy", to=replace(":", ": ")),
            POLICY,
            F.POLICY_OTHER,
            id="a policy laid out anew",
        ),
        pytest.param(
            put("authorization", to=lambda old: old[:-9] + flip(old[-9:])),
            *(JWS, F.AUTHORIZATION_SIGNATURE_BAD),
            id="a changed signature",
        ),
        pytest.param(
            put("authorization", to=lambda old: old.rpartition(".")[0] + "."),
            *(JWS, F.AUTHORIZATION_SIGNATURE_BAD),
            id="an authorization without its signature",
        ),
        pytest.param(
            put("authorization", to=lambda old: old.replace("..", ".e30.")),
            *(JWS, F.AUTHORIZATION_MALFORMED),
            id="an authorization with claims of its own",
        ),
        pytest.param(
            put("authorization", to=lambda old: old + "..AA"),
            *(JWS, F.AUTHORIZATION_SIGNATURE_BAD),
            id="an authorization with a second gap",
        ),
        pytest.param(
            put("authorization", to="nothing"), JWS, F.AUTHORIZATION_MALFORMED, id="no token"
        ),
        pytest.param(
            put("authorization", to="W10..AA"), JWS, F.AUTHORIZATION_MALFORMED, id="a list"
        ),
        pytest.param(
            put("authorization", to="e30..AA"), JWS, F.AUTHORIZATION_MALFORMED, id="no header"
        ),
        pytest.param(
            put("authorization", to=lambda old: "A" * 16_384 + old),
            *(JWS, F.AUTHORIZATION_MALFORMED),
            id="an endless token",
        ),
        pytest.param(
            take("bobs", "authorization"),
            JWS,
            F.AUTHORIZATION_SIGNATURE_BAD,
            id="Bob's authorization",
        ),
        pytest.param(
            take("again", "authorization"),
            *(JWS, F.AUTHORIZATION_SIGNATURE_BAD),
            id="the authorization of the same payment made again",
        ),
        pytest.param(
            take("bobs", "decision"), JWS, F.AUTHORIZATION_SIGNATURE_BAD, id="Bob's decision"
        ),
        pytest.param(
            take("allowed", "decision"),
            *(JWS, F.AUTHORIZATION_OTHER_KIND),
            id="the spend of what was only allowed",
        ),
        pytest.param(
            put("proofs", 0, "factor", to="session"),
            *(PROOFS, F.PROOF_NOT_COMMITTED),
            id="a passkey passed off as a session",
        ),
        pytest.param(
            put("proofs", 0, "factor", to="totp"),
            *(PROOFS, F.PROOF_KIND_UNKNOWN),
            id="a code with evidence",
        ),
        pytest.param(
            put("proofs", 0, "evidence", to=flip),
            *(PROOFS, F.PROOF_NOT_COMMITTED),
            id="an assertion with one byte changed",
        ),
        pytest.param(
            put("proofs", to=lambda old: old * 2), PROOFS, F.PROOF_TWICE, id="one proof twice"
        ),
        pytest.param(take("bobs", "proofs"), PROOFS, F.PROOF_NOT_COMMITTED, id="Bob's proof"),
        pytest.param(
            take("again", "proofs"),
            *(PROOFS, F.PROOF_NOT_COMMITTED),
            id="the consent to the same payment made again",
        ),
        pytest.param(
            take("bobs", *BINDING), BINDINGS, F.BINDING_OTHER_ACCOUNT, id="the binding of Bob's key"
        ),
    ],
)
def test_a_bundle_that_was_changed_is_refused(change: Change, step: int, fault: F) -> None:
    forger = alices()
    change(forger)

    assert refused(forger) == (step, fault)


@pytest.mark.parametrize(
    ("entry", "step"), [(DECISION, INCLUSION), (BINDING, BINDINGS)], ids=["decision", "binding"]
)
@pytest.mark.parametrize(
    ("part", "to", "fault"),
    [
        pytest.param("index", lambda old: old + 1, F.NOT_INCLUDED, id="the next index"),
        pytest.param("index", -1, F.NOT_INCLUDED, id="a negative index"),
        pytest.param("index", 10**15, F.NOT_INCLUDED, id="an index beyond the log"),
        pytest.param("path", flip, F.NOT_INCLUDED, id="a sibling changed"),
        pytest.param("path", lambda old: old[40:], F.INCLUSION_MALFORMED, id="not whole hashes"),
        pytest.param("path", "", F.NOT_INCLUDED, id="no siblings"),
        pytest.param("path", "=", F.INCLUSION_MALFORMED, id="no base64url"),
        pytest.param("leaf", lambda old: old + " ", F.NOT_INCLUDED, id="a space behind the leaf"),
    ],
)
def test_an_entry_that_is_not_in_the_log_is_refused(
    entry: tuple[str | int, ...], step: int, part: str, to: object, fault: F
) -> None:
    forger = alices()
    forger.put(*entry, part, to=to)

    assert refused(forger) == (step, fault)


@pytest.mark.parametrize("field", LEAF_FIELDS)
def test_a_leaf_with_one_field_changed_is_not_in_the_log(field: str) -> None:
    forger = alices()
    leaf = forger.leaf(forger.decision)
    leaf[field] = leaf[field] + 1 if isinstance(leaf[field], int) else flip(leaf[field])
    forger.decision["leaf"] = encode(leaf).decode()

    assert refused(forger) == (INCLUSION, F.NOT_INCLUDED)


@pytest.mark.parametrize("field", PAYLOAD_FIELDS)
def test_a_payload_with_one_field_changed_opens_no_commitment(field: str) -> None:
    forger = alices()
    payload = json.loads(forger.decision["openings"]["payload"][1])
    payload[field] = payload[field] + 1 if field == "decimals" else payload[field] + "0"
    forger.decision["openings"]["payload"][1] = encode(payload).decode()

    assert refused(forger) == (OPENINGS, F.OPENING_WRONG)


@pytest.mark.parametrize(
    ("entry", "step", "field"),
    [(DECISION, OPENINGS, name) for name in ("action", "facts", "payload", "proofs", "spend")]
    + [(BINDING, BINDINGS, "payload")],
)
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param(lambda one: [b64url(NONCE), one[1]], F.OPENING_WRONG, id="salt"),
        pytest.param(lambda one: ["AA", one[1]], F.OPENING_MALFORMED, id="short salt"),
        pytest.param(lambda one: [one[0], '"mallory"'], F.OPENING_WRONG, id="value"),
        pytest.param(lambda one: [one[0], one[1] + " "], F.OPENING_WRONG, id="a space more"),
        pytest.param(None, F.OPENING_MISSING, id="none"),
    ],
)
def test_an_opening_that_was_changed_is_refused(
    entry: tuple[str | int, ...], step: int, field: str, change: OpeningChange | None, fault: F
) -> None:
    forger = alices()
    if change is None:
        forger.parent((*entry, "openings", field)).pop(field)
    else:
        forger.put(*entry, "openings", field, to=change)

    assert refused(forger) == (step, fault)


@pytest.mark.parametrize(
    ("entry", "step"), [(DECISION, LEAF), (BINDING, BINDINGS)], ids=["decision", "binding"]
)
@pytest.mark.parametrize(
    "key",
    [
        pytest.param(flip, id="changed"),
        pytest.param("", id="none"),
        pytest.param("=", id="no base64url"),
        pytest.param(b64url(bytes(31)), id="short"),
        pytest.param(b64url(NONCE), id="of another entry"),
    ],
)
def test_an_entry_under_another_key_is_refused(
    entry: tuple[str | int, ...], step: int, key: object
) -> None:
    forger = alices()
    forger.put(*entry, "key", to=key)

    assert refused(forger) == (step, F.LABEL_OTHER)


@pytest.mark.parametrize(
    ("path", "step", "fault"),
    [
        (("checkpoint",), CHECKPOINT, F.CHECKPOINT_MALFORMED),
        (("decision", "leaf"), INCLUSION, F.INCLUSION_MALFORMED),
        (("decision", "key"), LEAF, F.LABEL_OTHER),
        (("decision", "openings", "payload", 1), OPENINGS, F.OPENING_MALFORMED),
        (("policy",), POLICY, F.POLICY_MALFORMED),
        (("proofs", 0, "evidence"), PROOFS, F.EVIDENCE_MALFORMED),
        (("proofs", 0, "binding", "leaf"), BINDINGS, F.INCLUSION_MALFORMED),
    ],
)
def test_half_a_character_is_refused_in_a_file_and_in_a_value(
    path: tuple[str | int, ...], step: int, fault: F
) -> None:
    forger = alices()
    forger.put(*path, to="\ud800")
    with pytest.raises(BundleRefusedError) as caught:
        verify_bundle(msgspec.convert(forger.doc, Bundle), trust=TRUST)

    assert refused(forger) == (FORM, F.MALFORMED)
    assert (caught.value.step, caught.value.fault) == (step, fault)


def test_an_opening_of_what_was_never_committed_is_refused() -> None:
    forger = alices()
    forger.decision["openings"]["note"] = [b64url(NONCE), '"paid by Alice"']

    assert refused(forger) == (OPENINGS, F.OPENING_NOT_COMMITTED)


# --- With the authorization key ---


@pytest.mark.parametrize(
    ("claim", "to"),
    [
        ("iss", "b.example"),
        ("index", 0),
        ("index", "0"),
        ("iat", lambda old: old + 1),
        ("exp", lambda old: old + 1),
        ("exp", 2**53 - 1),
        ("jti", the_cast().bobs),
        ("type", "authenticator.bind"),
        ("account", "acc_mallory"),
        ("payload", {}),
        ("payload_digest", b64url(NONCE)),
        ("policy", b64url(NONCE)),
        ("policy_version", 2),
        ("facts", b64url(NONCE)),
        ("spend", ""),
        ("spend", "payout-2"),
        ("fee_minor", ""),
        ("fee_minor", "6"),
        ("extra", 1),
    ],
)
def test_an_authorization_that_says_other_than_its_entry_is_refused(claim: str, to: object) -> None:
    forger = alices()
    claims = forger.claims()
    claims[claim] = to(claims[claim]) if callable(to) else to
    forger.sign(claims)

    assert refused(forger) == (JWS, F.AUTHORIZATION_SIGNATURE_BAD)


@pytest.mark.parametrize("field", PAYLOAD_FIELDS)
def test_an_authorization_for_a_payload_with_one_field_changed_is_refused(field: str) -> None:
    forger = alices()
    claims = forger.claims()
    claims["payload"][field] = "mallory"
    forger.sign(claims)

    assert refused(forger) == (JWS, F.AUTHORIZATION_SIGNATURE_BAD)


@pytest.mark.parametrize(
    ("signing", "fault"),
    [
        pytest.param({"key": MALLORYS_KEY}, F.AUTHORIZATION_SIGNATURE_BAD, id="another key"),
        pytest.param({"kid": "mallory"}, F.AUTHORIZATION_KEY_UNKNOWN, id="another key's name"),
        pytest.param({"typ": "session+jwt"}, F.AUTHORIZATION_OTHER_KIND, id="another kind"),
        pytest.param({"typ": AUTHORIZATION_TYPE}, F.AUTHORIZATION_OTHER_KIND, id="a mere yes"),
    ],
)
def test_an_authorization_signed_otherwise_is_refused(signing: dict[str, Any], fault: F) -> None:
    forger = alices()
    forger.sign(**signing)

    assert refused(forger) == (JWS, fault)


def test_the_authorization_key_alone_makes_no_spend_of_a_yes() -> None:
    """Whatever is signed under a stolen key, with a spend in it or none."""
    for spend in ({}, {"spend": "thief-spend-01", "fee_minor": "0"}):
        forger = Forger(the_cast().house, the_cast().allowed)
        forger.sign(forger.claims() | spend, typ=SPEND_TYPE)
        assert refused(forger) == (JWS, F.AUTHORIZATION_OTHER_KIND)

        forger.sign(forger.claims() | spend, typ=AUTHORIZATION_TYPE)
        if spend:
            assert refused(forger) == (JWS, F.AUTHORIZATION_SIGNATURE_BAD)


@pytest.mark.parametrize(
    "claims", [b'{"a":1,"a":1}', b"{}", b"[]", b"\xff", b" {}", b'{"index":1.0}', b'"\\ud800"']
)
def test_claims_that_are_not_of_their_one_form_are_refused(claims: bytes) -> None:
    forger = alices()
    forger.sign(claims)

    assert refused(forger) == (JWS, F.AUTHORIZATION_SIGNATURE_BAD)


def test_an_authorization_under_a_key_that_is_no_longer_trusted_is_refused() -> None:
    rotated = Trust(
        v=1,
        log=TRUST.log,
        authorization_keys={KID: b64url(MALLORYS_KEY.public_key().public_bytes_raw())},
        rp_id=TRUST.rp_id,
        origin=TRUST.origin,
    )

    assert refused(alices(), rotated) == (JWS, F.AUTHORIZATION_SIGNATURE_BAD)


def test_a_policy_that_the_trust_file_does_not_name_is_refused() -> None:
    pinned = trust(policies=(policy_digest(b"{}"),))

    assert refused(alices(), pinned) == (POLICY, F.POLICY_NOT_PINNED)
