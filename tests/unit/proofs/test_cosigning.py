from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.growing_log import GrowingLog

from twinlock.domain.errors import MalformedError, QuorumError, UntrustedNoteError
from twinlock.domain.log.note import KeyType, SignatureLine
from twinlock.domain.log.trust import TrustPolicy, parse_trust_policy
from twinlock.proofs.cosigning import (
    AHEAD_MOST,
    BEHIND_MOST,
    CosignatureUndatedError,
    Gathering,
    check_cosignature,
)
from twinlock.proofs.notes import cosign, verifier_key, verify_checkpoint

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LOG = GrowingLog().grow(5)
NOTE = LOG.note()
SECRETS = [Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (11, 12, 13)]
KEYS = [
    verifier_key(f"witness{number}.example", secret, KeyType.ED25519_COSIGNATURE)
    for number, secret in enumerate(SECRETS, start=1)
]
POLICY = parse_trust_policy(
    (
        f"log {LOG.key}\n"
        + "".join(f"witness w{number} {key}\n" for number, key in enumerate(KEYS, start=1))
        + "group two 2 w1 w2 w3\nquorum two\n"
    ).encode()
)
WITNESS = POLICY.witnesses[0]


def line(number: int = 1, *, at: datetime = NOON, text: bytes = NOTE.text) -> SignatureLine:
    return cosign(text, name=KEYS[number - 1].name, key=SECRETS[number - 1], at=at)


def answer(*lines: SignatureLine) -> bytes:
    return "".join(f"{one}\n" for one in lines).encode()


def check(body: bytes) -> datetime:
    return check_cosignature(body, NOTE, witness=WITNESS, now=NOON).at


@pytest.mark.parametrize("off", [timedelta(0), AHEAD_MOST, -BEHIND_MOST])
def test_the_witnesss_own_line_of_about_now_is_taken(off: timedelta) -> None:
    assert check(answer(line(at=NOON + off))) == NOON + off


@pytest.mark.parametrize("off", [AHEAD_MOST + SECOND, -BEHIND_MOST - SECOND, timedelta(days=-9)])
def test_a_line_of_another_time_is_refused(off: timedelta) -> None:
    with pytest.raises(CosignatureUndatedError):
        check(answer(line(at=NOON + off)))


def test_lines_of_others_are_left_out() -> None:
    body = answer(line(2), line(), SignatureLine(name="x", key_id=b"1234", signature=b"x"))

    assert check_cosignature(body, NOTE, witness=WITNESS, now=NOON).line == line()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(b"", MalformedError, id="nothing"),
        pytest.param(b"yes\n", MalformedError, id="a word"),
        pytest.param(answer(line(2)), UntrustedNoteError, id="another witness's line"),
        pytest.param(
            answer(line(text=LOG.note(4).text)), UntrustedNoteError, id="over another checkpoint"
        ),
        pytest.param(
            answer(replace(line(), signature=line(2).signature)),
            UntrustedNoteError,
            id="another's signature under its name",
        ),
        pytest.param(answer(line(), line()), UntrustedNoteError, id="its line twice"),
        pytest.param(answer(NOTE.signatures[0]), UntrustedNoteError, id="the log's line"),
    ],
)
def test_anything_else_is_refused(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        check(body)


def gathered(*numbers: int) -> Gathering:
    gathering = Gathering(note=NOTE, policy=POLICY)
    for number in numbers:
        witness = POLICY.witnesses[number - 1]
        body = answer(line(number, at=NOON - number * SECOND))
        gathering.cosigned[witness.name] = check_cosignature(body, NOTE, witness=witness, now=NOON)
    return gathering


@pytest.mark.parametrize("numbers", [(), (1,), (3,)])
def test_too_few_make_no_quorum(numbers: tuple[int, ...]) -> None:
    with pytest.raises(QuorumError):
        gathered(*numbers).fresh_at()


def test_what_was_gathered_is_what_a_verifier_takes() -> None:
    gathering = gathered(3, 1)

    witnessed = verify_checkpoint(gathering.whole(), POLICY, origin=LOG.origin)

    assert witnessed.fresh_at == gathering.fresh_at() == NOON - 3 * SECOND
    assert witnessed.checkpoint == gathering.checkpoint == LOG.head()
    names = [one.name for one in gathering.whole().signatures]
    assert names == [LOG.origin, KEYS[0].name, KEYS[2].name]


def with_urls(policy: TrustPolicy) -> TrustPolicy:
    urls = (replace(one, url="http://127.0.0.1:1/w") for one in policy.witnesses)
    return replace(policy, witnesses=tuple(urls))


def without_quorum(policy: TrustPolicy) -> TrustPolicy:
    return replace(policy, quorum=None)


def unchanged(policy: TrustPolicy) -> TrustPolicy:
    return policy


@pytest.mark.parametrize("change", [unchanged, with_urls, without_quorum])
def test_a_policy_that_is_written_is_read_back(
    change: Callable[[TrustPolicy], TrustPolicy],
) -> None:
    policy = change(POLICY)

    assert parse_trust_policy(policy.to_text().encode()) == policy
