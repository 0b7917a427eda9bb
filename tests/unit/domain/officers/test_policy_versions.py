"""Which policy version is in force: who brings one, who stops it, and what misses until then."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from support.officers import ADA, BEN, CLEO, DORA, EVE, FOUNDING, HALT, Board, hash_of

from twinlock.domain.bounds import (
    OFFICER_ACTS_A_DAY,
    POLICY_PROPOSAL_LIFETIME,
    POLICY_RETURN,
    POLICY_WAIT,
)
from twinlock.domain.canonical import b64url, encode
from twinlock.domain.errors import LogDamagedError, MalformedError
from twinlock.domain.officers.platform import SpokeTooOftenError, replayed
from twinlock.domain.officers.standing import (
    PolicyChangedError,
    check_in_force,
    read_standing,
    standing_bytes,
)
from twinlock.domain.officers.statements import (
    AcceptGrowth,
    Activate,
    Approve,
    Propose,
    StatementRefusedError,
    Withdraw,
)
from twinlock.domain.officers.versions import (
    PolicyNotReadyError,
    ProposalUnknownError,
    ProposalWrongError,
    lapses_at,
)
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Approvals, Never, WaitUntil, all_of

NEW, OTHER, GROWTH = (b64url(bytes([number]) * 32) for number in range(3))
SECOND = timedelta(seconds=1)


@pytest.fixture
def board() -> Board:
    return Board(ADA, BEN, CLEO, DORA)


# --- What decides ---


def test_the_first_leaf_says_what_is_in_force(board: Board) -> None:
    assert board.platform.versions.policy == FOUNDING
    assert read_standing(standing_bytes(board.platform)).policy == FOUNDING


def test_two_officers_and_a_day_bring_another_version(board: Board) -> None:
    number = board.propose(ADA, NEW)
    assert board.missing(number) == Approvals(code=Reason.POLICY_APPROVALS, count=1)
    board.does(BEN, board.approval(number))
    until = board.now + POLICY_WAIT
    assert board.missing(number) == WaitUntil(code=Reason.POLICY_WAITS, until=until)

    board.now = until - 2 * SECOND  # The board's clock moves on by a second with each word.
    refused = board.refuses(CLEO, board.activation(number))
    assert isinstance(refused, PolicyNotReadyError)
    assert f"({until:%Y-%m-%dT%H:%M:%SZ})" in str(refused)
    assert board.missing(number) == WaitUntil(code=Reason.POLICY_WAITS, until=until)
    platform = board.does(CLEO, board.activation(number))

    assert platform.versions.policy == NEW
    assert dict(platform.versions.proposals) == {}
    assert read_standing(standing_bytes(platform)).policy == NEW
    assert replayed(map(encode, board.leaves)) == platform


def test_a_version_decides_only_while_it_is_in_force(board: Board) -> None:
    data = standing_bytes(board.platform)
    check_in_force(FOUNDING, data)
    check_in_force(NEW, b"")  # Nobody was appointed.

    with pytest.raises(PolicyChangedError, match="another policy") as changed:
        check_in_force(NEW, data)
    assert changed.value.in_force == FOUNDING
    with pytest.raises(LogDamagedError):
        check_in_force(NEW, b"{}")


# --- Who brings it ---


def test_one_officer_who_speaks_twice_is_one(board: Board) -> None:
    number = board.propose(ADA, NEW)
    board.does(ADA, board.approval(number))
    board.now += POLICY_WAIT

    refused = board.refuses(ADA, board.activation(number))

    assert isinstance(refused, PolicyNotReadyError)
    assert refused.missing == Approvals(code=Reason.POLICY_APPROVALS, count=1)


def test_a_person_with_another_key_is_one_person(board: Board) -> None:
    board.makes(board.change(add=EVE, remove=ADA), BEN, CLEO)
    number = board.propose(EVE, NEW)
    board.makes(board.change(add=ADA, remove=EVE), BEN, CLEO)
    board.does(ADA, board.approval(number))

    assert board.missing(number) == Approvals(code=Reason.POLICY_APPROVALS, count=1)
    board.does(BEN, board.approval(number))
    board.now += POLICY_WAIT
    assert board.does(CLEO, board.activation(number)).versions.policy == NEW


def test_whoever_is_no_officer_any_more_brings_nothing(board: Board) -> None:
    number = board.propose(ADA, NEW)
    board.does(BEN, board.approval(number))
    board.makes(board.change(remove=BEN), CLEO, DORA)

    assert board.missing(number) == Approvals(code=Reason.POLICY_APPROVALS, count=1)
    assert isinstance(board.refuses(BEN, board.approval(number)), StatementRefusedError)


def test_the_wait_begins_with_the_second_officers_word(board: Board) -> None:
    number = board.propose(ADA, NEW)
    board.now += POLICY_WAIT
    board.does(BEN, board.approval(number))
    second = board.now
    board.now += POLICY_WAIT / 2
    board.does(CLEO, board.approval(number))
    board.does(BEN, board.approval(number))  # What was said is as old as it was.

    until = second + POLICY_WAIT
    assert board.missing(number) == WaitUntil(code=Reason.POLICY_WAITS, until=until)


# --- What lets thieves do more ---


def test_a_growth_takes_a_third_officer(board: Board) -> None:
    number = board.propose(ADA, NEW, GROWTH)
    needed = (
        Approvals(code=Reason.POLICY_APPROVALS, count=1),
        Approvals(code=Reason.POLICY_GROWS, count=1),
    )
    assert board.missing(number) == all_of(*needed)
    board.does(BEN, board.approval(number))
    assert board.missing(number) == needed[1]
    board.does(ADA, board.acceptance(number))
    board.does(BEN, board.acceptance(number))
    assert board.missing(number) == needed[1], "neither of the two is a third"
    board.now += POLICY_WAIT
    board.does(CLEO, board.acceptance(number))
    accepted = board.now

    until = accepted + POLICY_WAIT
    assert board.missing(number) == WaitUntil(code=Reason.POLICY_WAITS, until=until)
    board.now = until
    assert board.does(ADA, board.activation(number)).versions.policy == NEW


def test_a_growth_may_be_accepted_before_the_second_officer_wants_it(board: Board) -> None:
    number = board.propose(ADA, NEW, GROWTH)
    board.does(BEN, board.acceptance(number))
    assert board.missing(number) == Approvals(code=Reason.POLICY_APPROVALS, count=1)
    board.does(BEN, board.approval(number))
    assert board.missing(number) == Approvals(code=Reason.POLICY_GROWS, count=1)
    board.does(CLEO, board.approval(number))

    until = board.now + POLICY_WAIT
    assert board.missing(number) == WaitUntil(code=Reason.POLICY_WAITS, until=until)


def test_of_three_who_want_it_one_accepts_its_growth(board: Board) -> None:
    number = board.propose(ADA, NEW, GROWTH)
    board.does(BEN, board.approval(number))
    board.does(BEN, board.acceptance(number))
    board.does(CLEO, board.approval(number))
    board.now += POLICY_WAIT

    assert board.does(ADA, board.activation(number)).versions.policy == NEW


def test_no_other_growth_is_accepted_than_the_one_that_was_named(board: Board) -> None:
    number = board.propose(ADA, NEW, GROWTH)
    board.does(BEN, board.approval(number))

    for act in (
        AcceptGrowth(digest=NEW, growth=OTHER, proposal=number),
        AcceptGrowth(digest=OTHER, growth=GROWTH, proposal=number),
        Activate(digest=NEW, growth="", proposal=number),
        Activate(digest=NEW, growth=OTHER, proposal=number),
    ):
        assert isinstance(board.refuses(CLEO, act), ProposalUnknownError)


# --- Who stops it ---


def test_one_officers_no_ends_it_at_once(board: Board) -> None:
    number = board.propose(ADA, NEW)
    board.does(BEN, board.approval(number))
    activation = board.activation(number)
    board.does(DORA, Withdraw(proposal=number))
    board.now += POLICY_WAIT

    assert isinstance(board.refuses(ADA, activation), ProposalUnknownError)
    assert isinstance(board.refuses(DORA, Withdraw(proposal=number)), ProposalUnknownError)
    assert board.platform.versions.policy == FOUNDING


def test_a_halt_is_a_no_to_all_that_is_proposed(board: Board) -> None:
    number = board.propose(ADA, NEW)
    other = board.propose(BEN, OTHER)
    board.does(BEN, board.approval(number))
    activation = board.activation(number)
    board.does(CLEO, HALT)
    board.now += POLICY_WAIT

    assert isinstance(board.refuses(ADA, activation), ProposalUnknownError)
    assert other not in board.platform.versions.proposals


def test_under_a_halt_a_better_version_comes(board: Board) -> None:
    """What is wrong with a policy is put right before value leaves again."""
    board.does(CLEO, HALT)

    assert board.brings(NEW, ADA, BEN).versions.policy == NEW
    assert board.platform.halt is not None


def test_a_no_is_heard_whatever_its_officer_said_that_day(board: Board) -> None:
    while board.platform.spoke.get(DORA.key, 0) < OFFICER_ACTS_A_DAY - 1:
        board.halt(DORA)
    own = board.propose(DORA, OTHER)
    number = board.propose(ADA, NEW)

    assert isinstance(board.refuses(DORA, Withdraw(proposal=own)), SpokeTooOftenError)
    assert isinstance(board.refuses(DORA, board.approval(number)), SpokeTooOftenError)
    assert number not in board.does(DORA, Withdraw(proposal=number)).versions.proposals
    assert isinstance(board.refuses(DORA, Withdraw(proposal=number)), SpokeTooOftenError)


def test_a_proposal_lapses_after_a_week(board: Board) -> None:
    number = board.propose(ADA, NEW)
    proposed = board.now
    board.does(BEN, board.approval(number))
    activation = board.activation(number)
    assert lapses_at(board.platform.versions.proposals[number]) == (
        proposed + POLICY_PROPOSAL_LIFETIME
    )
    board.now = proposed + POLICY_PROPOSAL_LIFETIME - 2 * SECOND
    assert board.missing(number) == NOTHING
    board.now += 2 * SECOND

    assert board.missing(number) == Never(code=Reason.POLICY_LAPSED)
    assert isinstance(board.refuses(CLEO, activation), ProposalUnknownError)
    assert number not in board.does(CLEO, board.proposal(OTHER)).versions.proposals


def test_what_would_end_its_wait_too_late_is_over(board: Board) -> None:
    number = board.propose(ADA, NEW)
    board.now += POLICY_PROPOSAL_LIFETIME - POLICY_WAIT

    assert board.missing(number) == Never(code=Reason.POLICY_LAPSED)


# --- What is proposed ---


def test_a_version_follows_the_one_in_force(board: Board) -> None:
    assert isinstance(board.refuses(ADA, Propose(digest=NEW, follows=OTHER)), ProposalWrongError)
    assert isinstance(board.refuses(ADA, Propose(digest=NEW, follows="")), ProposalWrongError)
    assert isinstance(board.refuses(ADA, board.proposal(FOUNDING)), ProposalWrongError)


def test_of_each_officer_the_latest_proposal_stands(board: Board) -> None:
    first = board.propose(ADA, NEW)
    second = board.propose(BEN, OTHER)
    third = board.propose(ADA, NEW, GROWTH)

    assert set(board.platform.versions.proposals) == {second, third}
    assert isinstance(board.refuses(CLEO, board.proposal(NEW)), ProposalWrongError)
    refused = board.refuses(CLEO, Approve(digest=NEW, proposal=first))
    assert isinstance(refused, ProposalUnknownError)


def test_an_activation_ends_all_that_was_proposed_beside_it(board: Board) -> None:
    """Prevents: a version whose growth was told beside another one than is in force."""
    other = board.propose(CLEO, OTHER)
    approval = board.approval(other)
    board.brings(NEW, ADA, BEN)

    assert isinstance(board.refuses(DORA, approval), ProposalUnknownError)


@pytest.mark.parametrize(
    "act",
    [
        Propose(digest="x", follows=NEW),
        Propose(digest=NEW, follows="x"),
        Propose(digest=NEW, follows=OTHER, growth="x"),
        Approve(digest="", proposal=1),
        Approve(digest=NEW, proposal=-1),
        AcceptGrowth(digest=NEW, growth="", proposal=1),
        AcceptGrowth(digest=NEW, growth=GROWTH, proposal=-1),
        Activate(digest="x", proposal=1),
        Activate(digest=NEW, growth="x", proposal=1),
        Activate(digest=NEW, proposal=2**53),
        Withdraw(proposal=-1),
    ],
)
def test_a_word_on_a_policy_that_nobody_signs_is_refused(
    board: Board, act: Propose | Approve | AcceptGrowth | Activate | Withdraw
) -> None:
    assert isinstance(board.refuses(ADA, act), MalformedError)


def test_an_approval_is_of_what_was_proposed(board: Board) -> None:
    number = board.propose(ADA, NEW)

    refused = board.refuses(BEN, Approve(digest=OTHER, proposal=number))

    assert isinstance(refused, ProposalUnknownError)
    assert "another version" in str(refused)


# --- Back ---


def test_two_return_to_the_version_before_without_a_wait(board: Board) -> None:
    board.brings(NEW, ADA, BEN)
    board.now += POLICY_RETURN - POLICY_WAIT
    number = board.propose(ADA, FOUNDING)
    assert board.missing(number) == Approvals(code=Reason.POLICY_APPROVALS, count=1)
    assert isinstance(board.refuses(ADA, board.activation(number)), PolicyNotReadyError)
    board.does(BEN, board.approval(number))

    assert board.missing(number) == NOTHING
    assert board.does(BEN, board.activation(number)).versions.policy == FOUNDING


def test_a_return_is_not_undone_without_a_wait(board: Board) -> None:
    board.brings(NEW, ADA, BEN)
    number = board.propose(ADA, FOUNDING)
    board.does(BEN, board.approval(number))
    board.does(BEN, board.activation(number))
    again = board.propose(ADA, NEW)
    board.does(BEN, board.approval(again))

    until = board.now + POLICY_WAIT
    assert board.missing(again) == WaitUntil(code=Reason.POLICY_WAITS, until=until)


def test_after_a_return_that_waited_two_are_as_quick_back_again(board: Board) -> None:
    board.brings(NEW, ADA, BEN)
    board.brings(FOUNDING, ADA, BEN)
    number = board.propose(ADA, NEW)
    board.does(BEN, board.approval(number))

    assert board.missing(number) == NOTHING


def test_a_return_waits_where_it_grows_comes_late_or_goes_further(board: Board) -> None:
    board.brings(OTHER, ADA, BEN)
    board.brings(NEW, ADA, BEN)
    late = board.now + POLICY_RETURN
    further = board.propose(ADA, FOUNDING)
    board.does(BEN, board.approval(further))
    until = board.now + POLICY_WAIT
    assert board.missing(further) == WaitUntil(code=Reason.POLICY_WAITS, until=until)

    grows = board.propose(ADA, OTHER, GROWTH)
    board.does(BEN, board.approval(grows))
    board.does(CLEO, board.acceptance(grows))
    until = board.now + POLICY_WAIT
    assert board.missing(grows) == WaitUntil(code=Reason.POLICY_WAITS, until=until)

    board.now = late
    back = board.propose(ADA, OTHER)
    board.does(BEN, board.approval(back))
    until = board.now + POLICY_WAIT
    assert board.missing(back) == WaitUntil(code=Reason.POLICY_WAITS, until=until)


# --- The chain ---


def test_a_word_on_policies_stands_in_no_older_leaf(board: Board) -> None:
    leaves = board.leaves
    board.propose(ADA, NEW)
    first = replace(leaves[0], v=2, policy="")
    second = replace(leaves[1], v=2, prev=hash_of(encode(first)))

    with pytest.raises(LogDamagedError, match="held no word on policies"):
        replayed(map(encode, (first, second)))


def test_where_officers_activated_none_the_first_one_follows_nothing() -> None:
    """An installation whose officers were appointed by an older release."""
    board = Board(ADA, BEN, CLEO)
    old = replace(board.leaves[0], v=2, policy="")
    board.platform, board.leaves = replayed([encode(old)]), [old]
    assert read_standing(standing_bytes(board.platform)).policy == ""
    check_in_force(NEW, standing_bytes(board.platform))

    platform = board.brings(NEW, ADA, BEN)

    assert (platform.versions.policy, platform.versions.before) == (NEW, "")
    assert replayed(map(encode, board.leaves)) == platform
    assert platform.versions.since_at == int(board.now.timestamp() * 1000)
    assert board.now < datetime(2026, 4, 1, tzinfo=UTC)
