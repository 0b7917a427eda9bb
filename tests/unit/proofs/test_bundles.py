import copy
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.bundles import (
    TRUST,
    House,
    a_withdrawal,
    phone,
    trust,
)
from support.forgeries import Forger, Path, the_cast
from tidy.repository import ROOT

from twinlock.domain.actions import NotBuilt
from twinlock.domain.authorization import AUTHORIZATION_TYPE
from twinlock.domain.bounds import AUTHENTICATORS_MOST, CHANNELS_MOST
from twinlock.domain.bundle import BUNDLE_BYTES_MOST, PROOFS_MOST, read_bundle
from twinlock.domain.canonical import b64url, encode, from_b64url
from twinlock.domain.commands import Veto
from twinlock.domain.entries import entry_key, entry_label
from twinlock.domain.errors import BundleRefusedError, MalformedError
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.requirements import Answer
from twinlock.proofs.bundle_faults import SENTENCES, BundleFault
from twinlock.proofs.bundles import VerifiedBundle, verify_bundle

BUNDLE_BYTES = 8_000  # What docs/performance.md promises for one at a million entries.
MILLION = 1_000_000


def alices() -> Forger:
    return Forger(the_cast().house, the_cast().paid)


def statement(verified: VerifiedBundle) -> VerifiedBundle:
    """Return what was shown, without the sentences about it."""
    return replace(verified, steps=())


def test_an_honest_withdrawal_is_shown_in_twelve_steps() -> None:
    verified = verify_bundle(alices().to_bytes(), trust=TRUST)

    assert [step.name for step in verified.steps] == [
        "form",
        "checkpoint",
        "growth",
        "inclusion",
        "leaf",
        "openings",
        "policy",
        "payload",
        "authorization",
        "proofs",
        "bindings",
        "assertions",
    ]
    assert [step.number for step in verified.steps] == list(range(1, 13))
    assert verified.payload == a_withdrawal(the_cast().alice)
    assert (verified.type, verified.answer, verified.spent) == (
        "action.spend",
        Answer.ALLOW,
        True,
    )
    assert verified.authorization is not None
    assert verified.authorization.spend == "payout-1"


def test_the_customers_own_signature_is_told_apart_from_the_operators_record() -> None:
    verified = verify_bundle(alices().to_bytes(), trust=TRUST)
    by_code = verify_bundle(the_cast().house.bundle(the_cast().carols), trust=TRUST)

    assert [one.credential_id for one in verified.assertions] == [
        b64url(the_cast().phone.credential_id)
    ]
    assert verified.recorded == ()
    assert (by_code.assertions, by_code.recorded) == ((), ("totp",))
    assert by_code.spent
    assert by_code.steps[-1].says == "the customer's own signature over this payload: none"


def test_a_bundle_that_leaves_the_proof_out_still_verifies_and_says_so() -> None:
    forger = alices()
    forger.doc["proofs"] = []

    verified = verify_bundle(forger.to_bytes(), trust=TRUST)

    assert (verified.assertions, verified.recorded) == ((), ("passkey",))


def test_as_many_proofs_are_read_as_an_action_can_have_been_shown() -> None:
    """Prevents: evidence that nobody can read, since its owner showed every key."""
    proofs = alices().doc["proofs"] * PROOFS_MOST

    def read(count: int) -> int:
        return len(read_bundle(encode(alices().doc | {"proofs": proofs[:count]})).proofs)

    assert AUTHENTICATORS_MOST + CHANNELS_MOST < PROOFS_MOST
    assert read(PROOFS_MOST) == PROOFS_MOST
    with pytest.raises(MalformedError):
        read_bundle(encode(alices().doc | {"proofs": [*proofs, proofs[0]]}))


def test_a_refusal_is_shown_as_what_it_is() -> None:
    house = House()
    alice = house.open_account(phone())
    asked = NotBuilt(account=alice, asked="card.pay", digest="")

    verified = verify_bundle(house.bundle(house.propose(asked)), trust=TRUST)

    assert (verified.type, verified.answer) == ("card.pay", Answer.DENY)
    assert (verified.authorization, verified.spent) == (None, False)


def test_a_veto_is_shown_with_what_it_stopped() -> None:
    house = House()
    alice = house.open_account(phone())
    action = house.propose(a_withdrawal(alice))
    house.consent(action, phone())
    channel = house.accounts[alice].channels[0].channel_id
    house.do(Veto(action_id=action, channel_id=channel), alice)

    verified = verify_bundle(house.bundle(action), trust=TRUST)

    assert (verified.type, verified.payload) == ("action.veto", a_withdrawal(alice))
    assert not verified.spent


def test_a_yes_that_was_not_spent_is_told_from_a_spend() -> None:
    forger = Forger(the_cast().house, the_cast().allowed)
    forger.sign(typ=AUTHORIZATION_TYPE)

    verified = verify_bundle(forger.to_bytes(), trust=TRUST)

    assert verified.authorization is not None
    assert not verified.spent
    assert (verified.authorization.spend, verified.authorization.fee_minor) == ("", "")
    assert (verified.spend_id, verified.fee_minor) == ("", "")
    assert verified.steps[8].says.endswith("this entry is no spend")


def test_a_spend_whose_authorization_is_left_out_is_a_spend_all_the_same() -> None:
    forger = alices()
    forger.doc["authorization"] = ""

    verified = verify_bundle(forger.to_bytes(), trust=TRUST)

    assert (verified.authorization, verified.spent) == (None, True)
    assert (verified.spend_id, verified.fee_minor) == ("payout-1", "5")
    assert verified.steps[8].says == "none shown; this entry is a spend"


def test_a_fee_may_reach_what_the_customer_allowed() -> None:
    forger = alices()
    forger.commit(forger.decision, "spend", ["payout-1", "1000"])
    forger.sign()

    assert verify_bundle(forger.to_bytes(), trust=TRUST).spent


def test_a_policy_that_the_trust_file_names_is_said_to_be_so() -> None:
    verified = verify_bundle(alices().to_bytes(), trust=TRUST)
    pinned = trust(policies=(verified.policy.digest,))

    again = verify_bundle(alices().to_bytes(), trust=pinned)

    assert statement(again) == statement(verified)
    assert again.steps[6].says.endswith("the trust file names it")


def test_evidence_outlives_the_policy_that_decided() -> None:
    house = House()
    alice = house.open_account(phone())
    old, before = house.pay(a_withdrawal(alice), phone()), house.rules().policy.name
    house.version = 2
    new, after = house.pay(a_withdrawal(alice), phone()), house.rules().policy.name
    both = trust(policies=(before.digest, after.digest))

    assert verify_bundle(house.bundle(old), trust=both).policy == before
    assert verify_bundle(house.bundle(new), trust=both).policy == after


def test_a_quorum_dates_the_head_and_without_one_nobody_does() -> None:
    house = the_cast().house
    bundle = house.bundle(the_cast().paid)

    assert verify_bundle(bundle, trust=TRUST).fresh_at == house.now
    assert verify_bundle(bundle, trust=trust(quorum="none")).fresh_at is None


def test_a_bundle_survives_being_laid_out_anew_by_other_hands() -> None:
    forger = alices()
    pretty = json.dumps(dict(reversed(forger.doc.items())), indent=2, ensure_ascii=False)

    shown = verify_bundle(pretty.encode(), trust=TRUST)

    assert statement(shown) == statement(verify_bundle(forger.to_bytes(), trust=TRUST))


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b'{"v":NaN}', id="not a number"),
        pytest.param(b'{"v":1e400}', id="beyond any number"),
        pytest.param(b"[" * 60_000, id="a nest"),
        pytest.param(alices().to_bytes()[:-1], id="cut short"),
        pytest.param(alices().to_bytes() + b"x", id="something behind it"),
        pytest.param(b'{"v":1,' + alices().to_bytes()[1:], id="a doubled key"),
        pytest.param(
            alices().to_bytes().replace(b'"leaf":', b'"leaf":"","leaf":', 1), id="two leaves"
        ),
        pytest.param(alices().to_bytes().ljust(BUNDLE_BYTES_MOST + 1), id="over 64 KB"),
    ],
)
def test_what_is_no_bundle_is_refused_in_the_first_step(document: bytes) -> None:
    with pytest.raises(BundleRefusedError) as caught:
        verify_bundle(document, trust=TRUST)

    assert (caught.value.step, caught.value.name) == (1, "form")
    assert caught.value.fault == BundleFault.MALFORMED
    with pytest.raises(MalformedError):
        read_bundle(document)


def test_a_bundle_of_exactly_64_kb_is_read() -> None:
    document = alices().to_bytes().ljust(BUNDLE_BYTES_MOST)

    assert verify_bundle(document, trust=TRUST).spent


def test_with_the_label_key_a_customer_finds_her_entries_and_nobody_elses() -> None:
    house, alice = the_cast().house, the_cast().alice
    chain = house.accounts[alice].chain
    label_key = from_b64url(chain.label_key)
    keys = [entry_key(label_key, number) for number in range(chain.entries)]
    labels = {b64url(entry_label(key)) for key in keys}

    found = {at for at, leaf in house.log.leaves.items() if json.loads(leaf)["lbl"] in labels}

    own = {entry.index for (named, _), entry in house.entries.items() if named == alice}
    assert found == own
    bundle = house.bundle(the_cast().paid)
    shown = {bundle.decision.key, bundle.proofs[0].binding.key}
    assert shown < {b64url(key) for key in keys}


# --- Growth ---


def grown_from(size: int, known: Checkpoint, *, rewritten: bool = False) -> VerifiedBundle:
    """Verify Alice's bundle, which leads from ``size``, against a head that is known."""
    house = the_cast().house
    if rewritten:
        house = copy.copy(house)
        house.log = copy.deepcopy(house.log)
        house.log.leaves[0] = b"another beginning"
    return verify_bundle(
        house.bundle(the_cast().paid, consistent_from=size), trust=TRUST, known=known
    )


@pytest.mark.parametrize("size", [0, 1, 3, 8, the_cast().house.log.size])
def test_a_head_that_extends_the_known_one_is_accepted(size: int) -> None:
    verified = grown_from(size, the_cast().house.seen(size))

    assert verified.steps[2].says == f"it extends the head of {size} entries that was known"


def test_the_known_head_itself_needs_no_proof() -> None:
    assert grown_from(3, the_cast().house.seen()).spent


@pytest.mark.parametrize(
    ("size", "known", "fault"),
    [
        pytest.param(
            4, the_cast().house.seen(3), BundleFault.CONSISTENCY_MISSING, id="from elsewhere"
        ),
        pytest.param(
            0, the_cast().house.seen(3), BundleFault.CONSISTENCY_MISSING, id="from nowhere"
        ),
        pytest.param(
            3,
            replace(the_cast().house.seen(3), origin="b.example"),
            BundleFault.CONSISTENCY_MISSING,
            id="another log",
        ),
        pytest.param(
            3,
            replace(the_cast().house.seen(3), size=MILLION),
            BundleFault.CHECKPOINT_STALE,
            id="a shorter log",
        ),
        pytest.param(
            3,
            replace(the_cast().house.seen(3), root=bytes(32)),
            BundleFault.CONSISTENCY_BROKEN,
            id="another root",
        ),
        pytest.param(
            3,
            replace(the_cast().house.seen(), root=bytes(32)),
            BundleFault.CONSISTENCY_BROKEN,
            id="one size with two roots",
        ),
    ],
)
def test_a_head_that_does_not_extend_the_known_one_is_refused(
    size: int, known: Checkpoint, fault: BundleFault
) -> None:
    with pytest.raises(BundleRefusedError) as caught:
        grown_from(size, known)

    assert (caught.value.step, caught.value.fault) == (3, fault)


@pytest.mark.parametrize("text", ["=", "AAAA", b64url(bytes(31))])
def test_a_growth_in_another_form_is_refused(text: str) -> None:
    forger = Forger(the_cast().house, the_cast().paid)
    forger.doc |= {"consistent_from": 3, "consistency": text}

    with pytest.raises(BundleRefusedError) as caught:
        verify_bundle(forger.to_bytes(), trust=TRUST, known=the_cast().house.seen(3))

    assert (caught.value.step, caught.value.fault) == (3, BundleFault.CONSISTENCY_BROKEN)


@pytest.mark.requirement("O-34")
def test_a_log_rewritten_with_all_its_keys_is_seen_by_whoever_kept_an_older_head() -> None:
    assert grown_from(0, the_cast().house.seen(0), rewritten=True).spent

    with pytest.raises(BundleRefusedError) as caught:
        grown_from(3, the_cast().house.seen(3), rewritten=True)

    assert caught.value.fault == BundleFault.CONSISTENCY_BROKEN


# --- Promises ---

HONEST_BYTES = alices().to_bytes()
HONEST = statement(verify_bundle(HONEST_BYTES, trust=TRUST))


def shown_or_refused(document: bytes) -> VerifiedBundle | BundleRefusedError:
    """Return what ``document`` shows, or its refusal; any other exception is a failure."""
    try:
        return statement(verify_bundle(document, trust=TRUST))
    except BundleRefusedError as refused:
        return refused


def is_honest_or_refused(outcome: VerifiedBundle | BundleRefusedError) -> bool:
    """A part may be withheld; what is shown then claims no more than before."""
    if isinstance(outcome, BundleRefusedError):
        return 1 <= outcome.step <= 12 and outcome.fault in list(BundleFault)
    unproved = replace(HONEST, assertions=(), recorded=("passkey",))
    unspent = replace(HONEST, authorization=None)
    return outcome in (HONEST, unproved, unspent)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_no_flipped_byte_shows_another_statement(data: st.DataObject) -> None:
    document = bytearray(HONEST_BYTES)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(document) - 1))
        document[at] ^= data.draw(st.integers(1, 255))

    assert is_honest_or_refused(shown_or_refused(bytes(document)))


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(st.characters(min_codepoint=0xD7FF, max_codepoint=0xE000)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PATHS: list[Path] = [
    *[(name,) for name in alices().doc],
    *[("decision", name) for name in alices().decision],
    *[("decision", "openings", name) for name in alices().decision["openings"]],
    *[("proofs", 0, name) for name in alices().proof],
    *[("proofs", 0, "binding", name) for name in alices().binding],
]


@given(st.sampled_from(PATHS), ANYTHING)
@settings(max_examples=300, deadline=None)
def test_no_value_in_any_place_shows_another_statement(path: Path, value: object) -> None:
    forger = alices()
    forger.put(*path, to=value)

    assert is_honest_or_refused(shown_or_refused(forger.to_bytes()))


@given(st.sampled_from(sorted(alices().decision["openings"])), ANYTHING)
@settings(max_examples=100, deadline=None)
def test_no_committed_value_raises_anything_but_a_refusal(field: str, value: object) -> None:
    forger = alices()
    forger.commit(forger.decision, field, json.dumps(value).encode())

    assert isinstance(shown_or_refused(forger.to_bytes()), BundleRefusedError)


@given(ANYTHING)
@settings(max_examples=100, deadline=None)
def test_no_leaf_claims_or_evidence_raises_anything_but_a_refusal(value: object) -> None:
    text = json.dumps(value).encode()
    by_log, by_key, by_evidence = alices(), alices(), alices()
    by_log.log_anew(by_log.decision, text)
    by_key.sign(text)
    by_evidence.show(text)

    for forger in (by_log, by_key, by_evidence):
        assert isinstance(shown_or_refused(forger.to_bytes()), BundleRefusedError)


# --- Size ---


def test_a_bundle_at_a_million_entries_is_below_8_kb() -> None:
    house = House()
    alice = house.open_account(phone())
    house.log.grow(MILLION // 2)
    paid = house.pay(a_withdrawal(alice), phone())
    house.log.grow(MILLION - house.log.size)
    bundle = house.bundle(paid)

    verified = verify_bundle(bundle, trust=TRUST)

    assert verified.head.size == MILLION
    assert len(bundle.decision.path) == len(b64url(bytes(20 * 32)))
    assert len(encode(bundle)) < BUNDLE_BYTES


def test_every_fault_has_its_sentence() -> None:
    assert set(SENTENCES) == set(BundleFault)
    assert len(set(SENTENCES.values())) == len(SENTENCES)


def test_every_fault_is_explained_on_the_page() -> None:
    page = (ROOT / "docs" / "verify.md").read_text(encoding="utf-8")

    for fault, sentence in SENTENCES.items():
        assert f"| `{fault}` | {sentence[0].upper()}{sentence[1:]}. |" in page
