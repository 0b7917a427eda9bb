from contextlib import nullcontext
from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import ALICE, BOB, INSTANT, NEW_ADDRESS, NOON
from support.gates import Gate
from support.worlds import (
    APP,
    PASSWORD,
    ROAMING,
    SYNCED,
    an_account,
    bind,
    change_password,
    list_address,
    send,
)

from twinlock.domain import ids
from twinlock.domain.account import Candidate
from twinlock.domain.actions import AnyPayload, PasswordReset, payload_bytes
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofRefusedError
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.bounds import PAYLOAD_BYTES_MOST, SECRET_BYTES_MOST
from twinlock.domain.canonical import encode
from twinlock.domain.commands import Propose
from twinlock.domain.errors import InvariantError
from twinlock.domain.proposals import MemberUnknownError, PayloadTooLargeError, check_proposal
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

ACTION = ids.action_id(ALICE, b"one open action.")


def proposal(payload: AnyPayload, secret: str = "") -> Propose:
    return Propose(action_id=ACTION, payload=payload, veto_key="", secret=secret)


def check(payload: AnyPayload, secret: str = "") -> None:
    check_proposal(an_account(), proposal(payload, secret), now=NOON)


@pytest.mark.parametrize(
    ("payload", "secret"),
    [(send(), ""), bind(ROAMING), bind(APP), change_password()],
    ids=["withdrawal", "passkey", "app", "password"],
)
def test_what_is_consistent_may_be_proposed(payload: AnyPayload, secret: str) -> None:
    check(payload, secret)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(proposal(replace(send(), account=BOB)), id="its payload"),
        pytest.param(
            replace(proposal(send()), action_id=ids.action_id(BOB, b"x" * 16)), id="its name"
        ),
        pytest.param(
            Propose(
                action_id=ids.action_id(BOB, b"x" * 16),
                payload=replace(send(), account=BOB),
                veto_key="",
            ),
            id="all of it",
        ),
    ],
)
def test_a_proposal_for_another_account_is_our_mistake(command: Propose) -> None:
    with pytest.raises(InvariantError, match="are one"):
        check_proposal(an_account(), command, now=NOON)


def of_size(size: int) -> AnyPayload:
    empty = list_address("")
    return list_address("a" * (size - len(payload_bytes(empty))))


def test_an_action_says_so_much_and_no_more() -> None:
    check(of_size(PAYLOAD_BYTES_MOST))
    with pytest.raises(PayloadTooLargeError, match=str(PAYLOAD_BYTES_MOST)):
        check(of_size(PAYLOAD_BYTES_MOST + 1))


@pytest.mark.parametrize("letter", ["s", "é"])
def test_what_takes_effect_is_bounded_in_bytes(letter: str) -> None:
    most = SECRET_BYTES_MOST // len(letter.encode())
    check(list_address(NEW_ADDRESS), letter * most)
    with pytest.raises(PayloadTooLargeError, match="what takes effect"):
        check(list_address(NEW_ADDRESS), letter * (most + 1))


@pytest.mark.parametrize(
    ("payload", "secret", "why"),
    [
        pytest.param(bind(SYNCED)[0], "", "is an authenticator", id="nothing"),
        pytest.param(bind(SYNCED)[0], "{}", "is an authenticator", id="no authenticator"),
        pytest.param(bind(APP)[0], bind(ROAMING)[1], "was signed", id="of another kind"),
        pytest.param(*bind(SYNCED), "is new", id="bound already"),
        pytest.param(change_password()[0], bind(ROAMING)[1], "is a password", id="no password"),
        pytest.param(
            change_password()[0],
            encode(replace(PASSWORD, authenticator_id=SYNCED.authenticator_id)).decode(),
            "is a password",
            id="in place of a passkey",
        ),
    ],
)
def test_what_would_be_bound_is_what_is_signed(payload: AnyPayload, secret: str, why: str) -> None:
    """Prevents: a secret that fails when it is due, before every later command of the account."""
    with pytest.raises(InvariantError, match=why):
        check(payload, secret)


def test_a_change_of_a_password_that_is_not_bound_is_refused_by_law() -> None:
    """It was, when the change was prepared: its removal, or a reset, was due in between."""
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    other = encode(replace(PASSWORD, authenticator_id="aut_other")).decode()
    refused = gate.propose(change_password()[0], other)

    assert refused.answer is Answer.DENY
    assert Reason.TARGET_GONE in reasons(refused.requirement)


def test_an_action_is_for_a_member_of_its_account() -> None:
    asked = replace(proposal(send()), member_id=ids.MemberId("mem_nobody"))

    with pytest.raises(MemberUnknownError):
        check_proposal(an_account(), asked, now=NOON)
    check_proposal(an_account(), replace(asked, member_id=an_account().member_id), now=NOON)


@pytest.mark.parametrize(("left", "may"), [(INSTANT, True), (0 * INSTANT, False)])
def test_what_was_offered_is_taken_up_before_it_ends(left: timedelta, may: bool) -> None:
    candidate = Candidate(
        candidate_id=ids.ChallengeId("cnd"),
        factor=Factor.PASSKEY,
        secret="",
        expires_at=NOON + left,
    )
    account = replace(an_account(), candidates=(candidate,))
    command = replace(proposal(*bind(ROAMING)), candidate_id=candidate.candidate_id)
    with nullcontext() if may else pytest.raises(ProofRefusedError):
        check_proposal(account, command, now=NOON)


@pytest.mark.parametrize(
    ("made", "fits"),
    [
        (PASSWORD, True),
        (replace(PASSWORD, authenticator_id=ids.AuthenticatorId("aut_new")), True),
        (ROAMING, False),
        (replace(PASSWORD, authenticator_id=SYNCED.authenticator_id), False),
    ],
)
def test_what_a_reset_sets_is_a_password_in_the_place_of_a_password(
    made: Authenticator, fits: bool
) -> None:
    payload = PasswordReset(account=ALICE, verifier="digest")
    with nullcontext() if fits else pytest.raises(InvariantError):
        check(payload, encode(made).decode())
