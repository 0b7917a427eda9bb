"""Certificates: few and short for many states, and read without trust."""

import time

import msgspec
import pytest
from support.reference_policies import CAPABILITIES, HARDENED, Table, enrolled, enrolments, policy

from twinlock.domain.bounds import CERTIFICATE_BYTES_MOST
from twinlock.domain.canonical import decode, encode
from twinlock.domain.errors import InvariantError
from twinlock.domain.prover.certificate import (
    Certificate,
    CertificateRefusedError,
    Question,
    accepted,
)
from twinlock.domain.prover.closure import Rule, attacks
from twinlock.domain.prover.covering import ClaimFalseError, certify, claim_of, question_of

POLICY, FOREIGN = b"p" * 32, b"f" * 32
ALL = range(len(CAPABILITIES))


def hardened(text: str = HARDENED) -> Question:
    table = Table()
    table.add(policy(text))
    claim = claim_of(k=2, goals=[table.atom("theft")], capabilities=ALL, states=1)
    return question_of(list(table.atoms), list(table.rules), table.states, [claim])


def every_enrolment() -> Question:
    """Return the claims of two for the 158 states that meet it, and of three where no key is."""
    states, table = enrolments(), Table()
    for number, (factors, channels) in enumerate(states):
        table.add(enrolled(HARDENED, factors=factors, channels=channels), state=number)
    theft, rules = table.atom("theft"), list(table.rules)
    falls = 0
    for one in attacks(rules, [theft], ALL, 1, states=table.states)[theft]:
        falls |= one.states
    keyless = sum(1 << at for at, (factors, _) in enumerate(states) if {"totp"} >= set(factors))
    claims = [
        claim_of(k=2, goals=[theft], capabilities=ALL, states=2 ** len(states) - 1 & ~falls),
        claim_of(k=3, goals=[theft], capabilities=ALL, states=keyless),
    ]
    return question_of(list(table.atoms), rules, table.states, claims)


def refusal(data: bytes, question: Question, *, policy: bytes = POLICY) -> str:
    with pytest.raises(CertificateRefusedError) as refused:
        accepted(data, question, policy=policy)

    assert (refused.value.code, refused.value.status) == ("certificate_refused", 422)
    return str(refused.value)


def test_a_certificate_is_accepted_for_its_own_question_and_policy() -> None:
    question = hardened()
    certificate = certify(question, policy=POLICY)

    assert accepted(encode(certificate), question, policy=POLICY) == certificate
    assert len(certificate.proofs[0]) == 3
    assert len(encode(certificate)) < 300


def test_one_certificate_serves_hundreds_of_states() -> None:
    question = every_enrolment()
    certificate = certify(question, policy=POLICY)
    data = encode(certificate)

    assert accepted(data, question, policy=POLICY) == certificate
    assert len(data) < 1_000
    assert [sum(int(one[2], 16).bit_count() for one in sets) for sets in certificate.proofs] > [158]


def test_a_certificate_is_checked_within_ten_milliseconds() -> None:
    question = every_enrolment()
    data = encode(certify(question, policy=POLICY))
    taken = []
    for _ in range(20):
        begun = time.process_time()
        accepted(data, question, policy=POLICY)
        taken.append(time.process_time() - begun)

    assert min(taken) < 0.010


def test_rules_that_differ_in_their_times_only_are_one() -> None:
    rules = [Rule(head=1, body=(0,), delay=1), Rule(head=1, body=(0, 0), gated=True)]

    assert question_of(["a", "b"], rules, [1, 2], []).rules == (((0,), (1,), "0+2"),)


def test_rules_of_one_body_are_told_as_one_where_they_stand_in_the_same_states() -> None:
    rules = [Rule(head=head, body=(0,)) for head in (1, 2, 3)]

    assert question_of(["a", "b", "c", "d"], rules, [1, 2, 1], []).rules == (
        ((0,), (1, 3), "0+1"),
        ((0,), (2,), "1+1"),
    )


@pytest.mark.parametrize(
    ("mask", "runs"),
    [
        (0, ""),
        (0b1, "0+1"),
        (0b1110, "1+3"),
        (0b1101, "0+1 2+2"),
        (2**3_000 - 1, "0+3000"),
        (1 << 3_000 | 0b10, "1+1 3000+1"),
    ],
)
def test_a_rule_names_its_states_by_runs(mask: int, runs: str) -> None:
    """And is followed in these states, and no others."""
    rules = [Rule(head=1, body=(0,))]
    claims = [claim_of(k=2, goals=[1], capabilities=[0], states=state) for state in (mask, 0b10000)]
    stands, elsewhere = (question_of(["a", "b"], rules, [mask], [claim]) for claim in claims)

    assert stands.rules == (((0,), (1,), runs),)
    if mask:
        with pytest.raises(ClaimFalseError):
            certify(stands, policy=POLICY)
    if not mask & 0b10000:
        data = encode(certify(elsewhere, policy=POLICY))
        assert accepted(data, elsewhere, policy=POLICY).proofs == ((("1", "1", "10"),),)


def test_a_claim_that_is_false_has_no_certificate() -> None:
    question = hardened(HARDENED + "theft <- api")

    with pytest.raises(ClaimFalseError) as refuted:
        certify(question, policy=POLICY)

    assert (refuted.value.claim, refuted.value.state) == (0, 0)
    assert refuted.value.atoms == (CAPABILITIES.index("api_secret"),)
    assert (refuted.value.code, refuted.value.status) == ("claim_false", 422)


def test_a_claim_says_in_which_state_it_is_false() -> None:
    rules = [Rule(head=2, body=(0,)), Rule(head=2, body=(1,))]
    claim = claim_of(k=2, goals=[2], capabilities=[0, 1], states=0b111)

    with pytest.raises(ClaimFalseError) as refuted:
        certify(question_of(["a", "b", "theft"], rules, [0, 0b010], [claim]), policy=POLICY)

    assert (refuted.value.state, refuted.value.atoms) == (1, (1,))


def test_a_claim_about_no_state_needs_no_set() -> None:
    rules = [Rule(head=1, body=(0,))]
    claim = claim_of(k=2, goals=[1], capabilities=[0], states=0)
    question = question_of(["a", "theft"], rules, [1], [claim])

    assert certify(question, policy=POLICY).proofs == ((),)


def test_of_states_that_are_safe_alone_and_not_together_each_has_a_set() -> None:
    """Capability 0 gives 1 in one state, and 1 gives the goal in the other."""
    rules = [Rule(head=1, body=(0,)), Rule(head=2, body=(1,))]
    claim = claim_of(k=2, goals=[2], capabilities=[0], states=0b11)
    question = question_of(["a", "b", "theft"], rules, [0b01, 0b10], [claim])
    certificate = certify(question, policy=POLICY)

    assert sorted(certificate.proofs[0]) == [("1", "1", "2"), ("1", "3", "1")]
    assert accepted(encode(certificate), question, policy=POLICY) == certificate


@pytest.mark.parametrize("k", [0, -1])
def test_a_claim_of_fewer_than_none_is_none(k: int) -> None:
    with pytest.raises(InvariantError):
        claim_of(k=k, goals=[1], capabilities=[0], states=1)


def test_a_claim_without_a_goal_is_none() -> None:
    with pytest.raises(InvariantError):
        claim_of(k=2, goals=[], capabilities=[0], states=1)


@pytest.mark.parametrize("name", ["ключ", "a\nb", "\x7f"])
def test_an_atom_has_a_name_that_every_library_writes_alike(name: str) -> None:
    with pytest.raises(InvariantError):
        question_of([name], [], [], [])


def test_names_with_quotes_have_one_digest_here_and_in_the_checker() -> None:
    claim = claim_of(k=1, goals=[0], capabilities=[], states=1)
    question = question_of(['"theft" \\ <b>/&\''], [], [], [claim])
    certificate = certify(question, policy=POLICY)

    assert accepted(encode(certificate), question, policy=POLICY) == certificate


def test_a_certificate_of_another_policy_is_refused() -> None:
    question = hardened()
    data = encode(certify(question, policy=FOREIGN))

    assert "of another policy" in refusal(data, question)


def test_a_certificate_of_other_rules_is_refused() -> None:
    data = encode(certify(hardened(), policy=POLICY))

    assert "another question" in refusal(data, hardened(HARDENED + "theft <- api"))


def test_a_certificate_that_is_cut_off_anywhere_is_refused() -> None:
    question = hardened()
    data = encode(certify(question, policy=POLICY))
    for end in range(len(data)):
        assert "this is no certificate" in refusal(data[:end], question)


def test_a_byte_changed_anywhere_ends_in_a_refusal_or_in_another_proof() -> None:
    """A set may say less than it could, as of a capability that lies in another, too."""
    question = hardened()
    data = encode(certify(question, policy=POLICY))
    proving = [
        edited
        for at in range(len(data))
        for other in (b"0", b"f", b'"', b",", b"\xff")
        for edited in [data[:at] + other + data[at + 1 :]]
        if edited != data and _is_accepted(edited, question)
    ]

    assert len(proving) < len(data) // 10
    for edited in proving:
        fields = decode(edited)
        assert fields | {"proofs": None} == decode(data) | {"proofs": None}


def _is_accepted(data: bytes, question: Question) -> bool:
    """Nothing but a refusal may come instead."""
    try:
        return accepted(data, question, policy=POLICY) is not None
    except CertificateRefusedError:
        return False


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"form":"twinlock-certificate/v1"}',
        b"[" * 5_000,
        b"1e400",
        b'{"a":1,"a":1}',
    ],
)
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    assert "this is no certificate" in refusal(data, hardened())


def test_an_unknown_field_is_refused() -> None:
    question = hardened()
    more = msgspec.to_builtins(certify(question, policy=POLICY)) | {"trust_me": True}

    assert "trust_me" in refusal(encode(more), question)


@pytest.mark.parametrize("mask", ["-1", "0x1", "1_0", " 1", "01", "F", "", "g", "1\n", "٣"])
def test_a_mask_in_another_form_is_refused(mask: str) -> None:
    question = hardened()
    certificate = msgspec.to_builtins(certify(question, policy=POLICY))
    edited = certificate | {"proofs": [[[mask, "1", "1"]]]}

    assert "this is no certificate" in refusal(encode(edited), question)


def test_a_huge_certificate_is_refused_before_it_is_read() -> None:
    question = hardened()
    certificate = certify(question, policy=POLICY)
    fits = b" " * CERTIFICATE_BYTES_MOST
    huge = encode(
        Certificate(
            policy=certificate.policy,
            question=certificate.question,
            proofs=(certificate.proofs[0] * 2_000,),
        )
    )

    assert "no certificate" in refusal(fits, question)
    assert "at most" in refusal(fits + b" ", question)
    assert "at most" in refusal(huge, question)


def test_a_certificate_is_canonical() -> None:
    question = hardened()
    data = encode(certify(question, policy=POLICY))

    assert encode(decode(data)) == data
    assert "canonical" in refusal(data.replace(b",", b", ", 1), question)
