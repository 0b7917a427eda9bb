"""Law 7 over random orders of what officers say of policies: nobody alone brings one into force."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from support.officers import ADA, BEN, CLEO, DORA, EVE, FOUNDING, HALT, Board, Officer

from twinlock.domain.bounds import OFFICERS_WAIT, POLICY_PROPOSAL_LIFETIME, POLICY_WAIT
from twinlock.domain.canonical import b64url, encode
from twinlock.domain.errors import TwinlockError
from twinlock.domain.officers.keys import person
from twinlock.domain.officers.platform import PlatformLeaf, replayed
from twinlock.domain.officers.standing import read_standing, standing_bytes
from twinlock.domain.officers.statements import (
    AcceptGrowth,
    Activate,
    AnyAct,
    Approve,
    Halt,
    Propose,
    Withdraw,
)
from twinlock.domain.officers.versions import ProposalUnknownError, Versions, missing
from twinlock.domain.requirements import NOTHING

MILLISECOND = timedelta(milliseconds=1)
DIGESTS = tuple(b64url(bytes([number]) * 32) for number in range(3))
GROWTH = b64url(b"g" * 32)
PEOPLE = (ADA, BEN, CLEO, DORA)
officers = st.sampled_from(PEOPLE)
Said = tuple[Officer, tuple[object, ...], timedelta]
proposals = st.tuples(st.just("propose"), st.sampled_from((*DIGESTS, FOUNDING)), st.booleans())
words = st.one_of(
    proposals,
    st.sampled_from([("approve",), ("accept",), ("activate",), ("withdraw",), ("halt",)]),
    st.just(("again",)),
    st.tuples(st.just("key"), officers),
)
waits = st.sampled_from((timedelta(0), timedelta(hours=7), POLICY_WAIT, timedelta(days=3)))


def spoken(word: st.SearchStrategy[tuple[object, ...]]) -> st.SearchStrategy[Said]:
    return st.tuples(officers, word, waits)


# Of lone words no version ever comes: most of them are in an order that leads somewhere.
ORDER = ("approve", "accept", "activate")
lives = st.tuples(spoken(proposals), *(spoken(st.just((word,))) for word in ORDER))
said_by_all = st.lists(st.one_of(st.tuples(spoken(words)), lives, lives, lives), max_size=10).map(
    lambda several: [one for some in several for one in some]
)


def act_of(board: Board, word: tuple[object, ...]) -> AnyAct:
    """Return what is said, about the newest proposal where it is about any."""
    match word:
        case ("propose", str(digest), grows):
            return board.proposal(digest, GROWTH if grows else "")
        case ("halt",):
            return HALT
        case _:
            number = max(board.platform.versions.proposals, default=0)
            return _of_proposal(board, str(word[0]), number) if number else Withdraw(proposal=0)


def _of_proposal(board: Board, word: str, number: int) -> AnyAct:
    match word:
        case "approve":
            return board.approval(number)
        case "accept":
            return board.acceptance(number)
        case "activate":
            return board.activation(number)
        case _:
            return Withdraw(proposal=number)


def speak(board: Board, by: Officer, word: tuple[object, ...], wait: timedelta) -> None:
    """Let ``by`` say something, new or once more; most of it is refused."""
    board.now += wait
    try:
        spoken = [one.signed for one in board.leaves if one.signed is not None]
        match word:
            case ("again",) if spoken:
                board.hears(spoken[-1])
            case ("key", Officer() as gone) if gone is not by:
                board.does(by, board.change(add=EVE, remove=gone))
            case _:
                board.does(by, act_of(board, word))
    except TwinlockError:
        return


def act_in(leaf: PlatformLeaf) -> AnyAct | None:
    return None if leaf.signed is None else leaf.signed.said.act


def who(leaf: PlatformLeaf) -> str:
    assert leaf.signed is not None
    return leaf.signed.said.officer


@given(st.lists(st.tuples(words, waits), max_size=40), officers)
def test_no_officer_alone_brings_a_version_into_force(
    said: list[tuple[tuple[object, ...], timedelta]], thief: Officer
) -> None:
    board = Board(*PEOPLE)
    for word, wait in said:
        speak(board, thief, word, wait)

    assert board.platform.versions.policy == FOUNDING


@given(said_by_all)
def test_whatever_comes_was_wanted_by_enough_and_waited(
    said: list[Said],
) -> None:
    """Two persons, three where it grows; a day after the last of their words, within a week."""
    board, before = Board(*PEOPLE), set[str]()
    for by, word, wait in said:
        policy = board.platform.versions.policy
        speak(board, by, word, wait)
        if board.platform.versions.policy == policy:
            continue
        last = board.leaves[-1]
        act = act_in(last)
        assert isinstance(act, Activate)
        spoken = [
            one
            for one in board.leaves
            if one.n == act.proposal
            or (isinstance(act_in(one), Approve | AcceptGrowth) and _about(one) == act.proposal)
        ]
        people = {person(who(one), board.platform.instead) for one in spoken}
        assert len(people) >= (3 if act.growth else 2)
        assert all(_says(one, act) for one in spoken)
        first = min(one.at for one in spoken)
        assert last.at - first < POLICY_PROPOSAL_LIFETIME / MILLISECOND
        if act.digest not in before:  # Else two may have gone back to it.
            told = [one for one in spoken if last.at - one.at >= POLICY_WAIT / MILLISECOND]
            early = {person(who(one), board.platform.instead) for one in told}
            assert len(early) >= (3 if act.growth else 2)
        between = board.leaves[act.proposal + 1 :]
        assert not any(isinstance(act_in(one), Halt) for one in between)
        before |= {policy}


def _about(leaf: PlatformLeaf) -> int:
    act = act_in(leaf)
    assert isinstance(act, Approve | AcceptGrowth)
    return act.proposal


def _says(leaf: PlatformLeaf, activated: Activate) -> bool:
    """Say whether a word names the version that came, and its growth where it names any."""
    match act_in(leaf):
        case Propose(digest=digest, growth=growth) | AcceptGrowth(digest=digest, growth=growth):
            return (digest, growth) == (activated.digest, activated.growth)
        case Approve(digest=digest):
            return digest == activated.digest
        case _:
            return False


@given(said_by_all, officers, st.sampled_from(["withdraw", "halt"]))
def test_after_a_no_nothing_of_it_counts(said: list[Said], officer: Officer, no: str) -> None:
    board = Board(*PEOPLE)
    for by, word, wait in said:
        speak(board, by, word, wait)
    counts = [one for one in (*PEOPLE, EVE) if one.key in board.platform.officers]
    known = board.platform.versions.proposals
    if officer not in counts or not known:
        return
    stopped = known if no == "halt" else [max(known)]
    activations = [board.activation(number) for number in stopped]
    board.now += timedelta(days=1)  # They have words left for that day.
    speak(board, officer, (no,), timedelta(0))
    for act in activations:
        for one in counts:
            assert isinstance(board.refuses(one, act), ProposalUnknownError)


@given(said_by_all)
def test_the_leaves_alone_say_what_is_in_force(
    said: list[Said],
) -> None:
    board = Board(*PEOPLE)
    for by, word, wait in said:
        speak(board, by, word, wait)
        assert len(board.platform.versions.proposals) <= len(PEOPLE) + 1

    again = replayed(map(encode, board.leaves))

    assert again == board.platform
    assert read_standing(standing_bytes(again)).policy == board.platform.versions.policy


@given(said_by_all, st.integers(0, 8 * 24))
def test_what_misses_only_grows_less_with_the_days_and_ends_in_a_refusal(
    said: list[Said], hours: int
) -> None:
    """What may be activated now was never barred by time later, before it lapses."""
    board = Board(*PEOPLE)
    for by, word, wait in said:
        speak(board, by, word, wait)
    platform, at = board.platform, int(board.now.timestamp() * 1000)
    later = at + hours * 3_600_000
    for one in platform.versions.proposals.values():
        misses = missing(platform.versions, one, people=platform.people, at=at)
        then = missing(platform.versions, one, people=platform.people, at=later)
        over = later >= one.at + POLICY_PROPOSAL_LIFETIME / MILLISECOND
        if misses == NOTHING and not over:
            assert then == NOTHING or platform.versions.before == one.digest
        if over:
            assert then != NOTHING


@given(st.integers(1, 71))
def test_another_officer_comes_after_three_days_and_not_before(hours: int) -> None:
    board = Board(*PEOPLE)
    change = board.change(add=EVE)
    board.does(ADA, change)
    board.now += timedelta(hours=hours)
    assert EVE.key not in board.does(BEN, change).officers
    board.now += OFFICERS_WAIT - timedelta(hours=hours)

    assert EVE.key in board.does(BEN, change).officers
    assert board.platform.versions == Versions(
        policy=FOUNDING, since_at=board.platform.versions.since_at
    )
