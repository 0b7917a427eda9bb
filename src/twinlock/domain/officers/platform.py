"""The platform as its officers left it: who they are, and whether value may leave.

Its state is what the leaves of its own chain in the log say, one after the other; nothing else is
stored of it but what the head of the log holds, under its MAC: how many there are, the last one's
hash, and since when everything stands still.

Always true (tests/property/test_officers_properties.py): no officer alone ends a halt or changes
who counts, however often they speak and whatever else they say; any one of them stops what is not
stopped, at any time; and none makes the chain longer than OFFICER_ACTS_A_DAY by words alone.

Source: design law 7; docs/officers.md.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import assert_never

import msgspec
from msgspec.structs import replace

from twinlock.domain.bounds import (
    AGREEMENT_LIFETIME,
    OFFICER_ACTS_A_DAY,
    OFFICERS_AGREEING,
    OFFICERS_AGREEMENT_LIFETIME,
    OFFICERS_WAIT,
    OFFICERS_WAIT_BEFORE,
)
from twinlock.domain.canonical import MAX_SAFE_INTEGER, b64url, encode, from_b64url, tagged_hash
from twinlock.domain.errors import LogDamagedError, MalformedError, TwinlockError
from twinlock.domain.log.merkle import HASH_BYTES, leaf_hash
from twinlock.domain.officers.keys import (
    OfficersWrongError,
    check_key,
    check_officers,
    instead_of,
    person,
)
from twinlock.domain.officers.statements import (
    AcceptGrowth,
    Activate,
    Approve,
    Change,
    Halt,
    PolicyAct,
    Propose,
    Release,
    Resume,
    Signed,
    Statement,
    StatementRefusedError,
    Suspend,
    Withdraw,
    check_form,
    check_time,
    milliseconds,
)
from twinlock.domain.officers.versions import Versions, is_no, spoken, stopped

PLATFORM_ENTRY = "platform.act"
# Of leaves: since the second one other officers come after a wait; since the third after a longer
# one, and a policy version is in force.
_FORM = 3
_FORMS = range(1, _FORM + 1)
_WAITS = {1: timedelta(0), 2: OFFICERS_WAIT_BEFORE, _FORM: OFFICERS_WAIT}
_NO_LEAF = b64url(bytes(HASH_BYTES))
_MILLISECOND = timedelta(milliseconds=1)
_DAY = timedelta(days=1) // _MILLISECOND


class OfficersMissingError(TwinlockError):
    """No officers were appointed here, so that nobody can speak for the platform."""

    code = "officers_missing"
    status = 409


class NotHaltedError(TwinlockError):
    """The platform is not halted, or was halted once more since."""

    code = "platform_not_halted"
    status = 409


class SpokeTooOftenError(TwinlockError):
    """This officer has spoken as often as one does on a day: only what is not halted is halted."""

    code = "officer_spoke_too_often"
    status = 429
    retry_after = 3_600  # Of a day: what was said longest ago is over by and by.


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """A change that one officer has agreed to, and when (ms)."""

    change: Change
    at: int


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """Who counts, what they did last, and what one of them alone has agreed to so far.

    ``halt`` is the number of the act that stopped everything last, or None; ``resuming`` says when
    (ms) an officer agreed to end that, and ``nonces`` until when (ms) each was used. ``spoke`` is
    how often each did on ``day`` (days since 1970), and ``instead`` the first key of the person
    whose place a key took. ``form`` is that of the last leaf: what was appended in the first one
    was decided without a wait.
    """

    officers: tuple[str, ...] = ()
    since: int = 0
    halt: int | None = None
    halted_at: datetime | None = None
    acts: int = 0
    last: str = _NO_LEAF
    nonces: Mapping[str, int] = {}
    resuming: Mapping[str, int] = {}
    changing: Mapping[str, Agreed] = {}
    day: int = 0
    spoke: Mapping[str, int] = {}
    instead: Mapping[str, str] = {}
    versions: Versions = Versions()
    form: int = 1

    @property
    def people(self) -> frozenset[str]:
        """Whoever is an officer, by their first keys."""
        return frozenset(person(one, self.instead) for one in self.officers)

    def spoke_on(self, officer: str, *, at: int) -> int:
        """Return how often ``officer`` spoke on the day of ``at`` (ms)."""
        return self.spoke.get(officer, 0) if self.day == at // _DAY else 0


class PlatformLeaf(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One leaf of the platform's chain: the first names officers, each other one is a statement.

    With the officers it names the policy version that is in force, by its digest.

    Defaults are left out, so that ``v`` and ``t`` have none.
    """

    at: int
    lbl: str
    n: int
    prev: str
    t: str
    v: int
    officers: tuple[str, ...] = ()
    policy: str = ""
    signed: Signed | None = None


_LEAF = msgspec.json.Decoder(PlatformLeaf)


def label_of(number: int) -> bytes:
    """Return the label (32 bytes) of the platform's leaf ``number``: each number stands once."""
    return tagged_hash("platform-act/v1", number.to_bytes(8, "big"))


def read_leaf(entry: bytes) -> PlatformLeaf | None:
    """Return the leaf of the platform's that ``entry`` is, or None where it is none."""
    try:
        leaf = _LEAF.decode(entry)
        if leaf.signed is not None:
            check_form(leaf.signed)
    except (msgspec.MsgspecError, UnicodeDecodeError, MalformedError):
        return None
    sound = leaf.t == PLATFORM_ENTRY and leaf.v in _FORMS and 0 <= leaf.at <= MAX_SAFE_INTEGER
    if not sound or not 0 <= leaf.n <= MAX_SAFE_INTEGER or encode(leaf) != entry:
        return None
    return leaf if leaf.lbl == b64url(label_of(leaf.n)) else None


def appointed(officers: tuple[str, ...], *, policy: str, at: datetime) -> PlatformLeaf:
    """Return the first leaf of all: the officers, and the digest of the policy in force.

    Raises:
        OfficersWrongError: these cannot be officers.
        MalformedError: that is no digest.
    """
    for key in officers:
        check_key(key)
    check_officers(officers)
    from_b64url(policy, size=HASH_BYTES)
    return _leaf(Platform(), at=at, officers=tuple(sorted(officers)), policy=policy)


def said(platform: Platform, signed: Signed, *, log: str, now: datetime) -> PlatformLeaf:
    """Return the leaf by which ``platform`` takes what an officer said and signed.

    The signature was checked (``proofs.officers``).

    Raises:
        MalformedError: it is no statement that could be read again.
        OfficersMissingError: there are no officers.
        StatementRefusedError: it is of nobody who counts, for another log, over, or used before.
        NotHaltedError, OfficersWrongError: there is nothing to resume, or no such change.
        ProposalUnknownError, ProposalWrongError, PolicyNotReadyError: as ``versions`` says.
        SpokeTooOftenError: it would only make the chain longer.
    """
    statement = signed.said
    check_word(signed, officers=platform.officers, log=log, now=now)
    stops = _stops(platform, statement)
    spoke = platform.spoke_on(statement.officer, at=milliseconds(now))
    if spoke >= OFFICER_ACTS_A_DAY and not stops:
        says = f"an officer speaks {OFFICER_ACTS_A_DAY} times a day (UTC) at most"
        raise SpokeTooOftenError(says)
    if statement.nonce in platform.nonces:
        raise StatementRefusedError("this statement was used before: sign another")
    match statement.act:
        case Resume(halt=halt):
            _check_resume(platform, halt)
        case Change():
            changed(platform, statement.act, by=statement.officer)
        case Halt():
            pass
        case Propose() | Approve() | AcceptGrowth() | Activate() | Withdraw():
            _of_policy(
                platform,
                statement.act,
                officer=statement.officer,
                number=platform.acts,
                at=milliseconds(now),
            )
        case Suspend() | Release():
            raise StatementRefusedError("this is said about an account, and not the platform")
        case _:
            assert_never(statement.act)
    return _leaf(platform, at=now, signed=signed)


def _stops(platform: Platform, statement: Statement) -> bool:
    """Say whether it is a no to what goes on: all that leaves, or what another one proposed."""
    if isinstance(statement.act, Halt):
        return platform.halt is None
    return is_no(platform.versions, statement.act, by=person(statement.officer, platform.instead))


def check_word(signed: Signed, *, officers: tuple[str, ...], log: str, now: datetime) -> None:
    """Check that an officer says this to us, now; that it was not used before is another's.

    Raises:
        MalformedError: it is no statement that could be read again.
        OfficersMissingError: there are no officers.
        StatementRefusedError: it is of nobody who counts, for another log, or over.
    """
    check_form(signed)
    if not officers:
        raise OfficersMissingError("no officers are appointed: twinlock officers appoint")
    if signed.said.log != log:
        raise StatementRefusedError(f"this statement is for another log than {log}")
    if signed.said.officer not in officers:
        raise StatementRefusedError("this key is no officer's")
    check_time(signed.said, now=now)


def _check_resume(platform: Platform, halt: int) -> None:
    if platform.halt is None:
        raise NotHaltedError("the platform is not halted")
    if platform.halt != halt:
        raise NotHaltedError("it was halted once more since: look at why, and sign again")


def changed(platform: Platform, change: Change, *, by: str) -> tuple[str, ...]:
    """Return the officers after ``change``, to which ``by`` agrees.

    Raises:
        OfficersWrongError: it is none that ``by`` may agree to, or leaves too few or too many.
    """
    officers = platform.officers
    if change.since != platform.since:
        raise OfficersWrongError("the officers have changed since: sign again")
    if change.remove and change.remove not in officers:
        raise OfficersWrongError("whoever would go is no officer")
    if change.add:
        check_key(change.add)
    if change.add in officers:
        raise OfficersWrongError("whoever would come is an officer already")
    if by == change.remove:
        raise OfficersWrongError("two others agree that an officer goes")
    left = {*officers, change.add} - {"", change.remove}
    check_officers(tuple(left))
    return tuple(sorted(left))


def _leaf(
    platform: Platform,
    *,
    at: datetime,
    officers: tuple[str, ...] = (),
    policy: str = "",
    signed: Signed | None = None,
) -> PlatformLeaf:
    return PlatformLeaf(
        at=milliseconds(at),
        lbl=b64url(label_of(platform.acts)),
        n=platform.acts,
        prev=platform.last,
        t=PLATFORM_ENTRY,
        v=_FORM,
        officers=officers,
        policy=policy,
        signed=signed,
    )


def _of_policy(
    platform: Platform, act: PolicyAct, *, officer: str, number: int, at: int
) -> Versions:
    by = person(officer, platform.instead)
    return spoken(platform.versions, act, number=number, by=by, people=platform.people, at=at)


def after(platform: Platform, leaf: PlatformLeaf) -> Platform:
    """Return the platform as ``leaf`` leaves it.

    Raises:
        MalformedError: no such leaf could have followed.
        StatementRefusedError: what it holds did not count when it was appended.
        TwinlockError: as ``said``, of what it holds.
    """
    _check_place(platform, leaf)
    hashed = b64url(leaf_hash(encode(leaf)))
    onward = replace(platform, acts=leaf.n + 1, last=hashed, form=leaf.v)
    if leaf.signed is None:
        check_officers(leaf.officers)
        versions = Versions(policy=leaf.policy, since_at=leaf.at)
        return replace(onward, officers=leaf.officers, versions=versions)
    statement = leaf.signed.said
    # Prevents: an officer's word of long ago, which stands in the log, appended once more.
    check_time(statement, now=datetime.fromtimestamp(leaf.at / 1000, tz=UTC))
    if statement.officer not in platform.officers or statement.nonce in platform.nonces:
        raise MalformedError("it is nobody's who counted, or was said before")
    # What is over is refused by its time: nobody has to remember it.
    used = {one: until for one, until in platform.nonces.items() if until > leaf.at}
    day = leaf.at // _DAY
    spoke = platform.spoke if platform.day == day else {}
    onward = replace(
        onward,
        nonces=used | {statement.nonce: statement.until},
        day=day,
        spoke={**spoke, statement.officer: spoke.get(statement.officer, 0) + 1},
    )
    return _done(onward, statement, number=leaf.n, at=leaf.at)


def _check_place(platform: Platform, leaf: PlatformLeaf) -> None:
    if (leaf.n, leaf.prev) != (platform.acts, platform.last):
        raise MalformedError("it does not follow the one before it")
    if leaf.v < platform.form:
        raise MalformedError("it is of an older form than the one before it")
    if bool(leaf.officers) == bool(leaf.signed) or bool(leaf.officers) == bool(leaf.n):
        raise MalformedError("officers are named in the first, and in no other")
    if bool(leaf.policy) != (not leaf.n and leaf.v == _FORM):
        raise MalformedError("a policy is named in the first of this form, and in no other")


def _done(onward: Platform, statement: Statement, *, number: int, at: int) -> Platform:
    """Return the platform after what ``statement`` does, as the act ``number`` at ``at`` (ms)."""
    by = statement.officer
    match statement.act:
        case Halt():
            return replace(
                onward,
                halt=number,
                halted_at=onward.halted_at or datetime.fromtimestamp(at / 1000, tz=UTC),
                resuming={},
                changing=_left(onward, by=by, at=at),
                versions=stopped(onward.versions),
            )
        case Resume(halt=halt):
            return _resumed(onward, halt, by=by, at=at)
        case Change():
            return _agreed(onward, statement.act, by=by, at=at)
        case Propose() | Approve() | AcceptGrowth() | Activate() | Withdraw():
            if onward.form < _FORM:
                raise MalformedError("leaves of that form held no word on policies")
            versions = _of_policy(onward, statement.act, officer=by, number=number, at=at)
            return replace(onward, versions=versions)
        case Suspend() | Release():
            raise MalformedError("it is said about an account")
        case _:
            assert_never(statement.act)


def replayed(entries: Iterable[bytes]) -> Platform:
    """Return the platform that its leaves make, in their order. Raises LogDamagedError.

    An officer's signature is believed: it was checked before it was appended.
    """
    platform = Platform()
    for entry in entries:
        platform = followed(platform, read_leaf(entry))
    return platform


def followed(platform: Platform, leaf: PlatformLeaf | None) -> Platform:
    """Return the platform after a leaf that stands in its chain. Raises LogDamagedError."""
    try:
        if leaf is None:
            raise MalformedError("it is no leaf of the platform's")
        return after(platform, leaf)
    except TwinlockError as error:
        raise LogDamagedError(f"act {platform.acts} of the platform: {error}") from error


def _resumed(platform: Platform, halt: int, *, by: str, at: int) -> Platform:
    if platform.halt != halt:
        raise MalformedError("it resumes what was not halted")
    agreed = {
        one: when
        for one, when in platform.resuming.items()
        if _counts(when, at=at) and one in platform.officers
    } | {by: at}
    if len(agreed) < OFFICERS_AGREEING:
        return replace(platform, resuming=agreed)
    return replace(platform, halt=None, halted_at=None, resuming={})


def _agreed(platform: Platform, change: Change, *, by: str, at: int) -> Platform:
    """Return the platform after ``by`` agreed to a change: made, if two did and the wait is over.

    The same word said again is as old as it was; one that is over is forgotten.
    """
    officers = changed(platform, change, by=by)
    standing = {
        one: agreed for one, agreed in platform.changing.items() if _stands(platform, agreed, at=at)
    }
    before = standing.get(by)
    again = before is not None and before.change == change
    said = before if before is not None and again else Agreed(change=change, at=at)
    changing = {**standing, by: said}
    agreeing = [one.at for one in changing.values() if one.change == change]
    waited = at - min(agreeing) >= _WAITS[platform.form] / _MILLISECOND
    if len(agreeing) < OFFICERS_AGREEING or not waited:
        return replace(platform, changing=changing)
    return replace(
        platform,
        officers=officers,
        since=platform.acts - 1,
        changing={},
        resuming={},
        instead=instead_of(platform.instead, change),
    )


def _stands(platform: Platform, agreed: Agreed, *, at: int) -> bool:
    """Say whether a word for other officers counts still at ``at``."""
    if platform.form == 1:
        return _counts(agreed.at, at=at)
    return at - agreed.at < OFFICERS_AGREEMENT_LIFETIME / _MILLISECOND


def _left(platform: Platform, *, by: str, at: int) -> Mapping[str, Agreed]:
    """Return the words for other officers that a halt of ``by`` leaves.

    A halt is a no to those that too few agree to, but none to one's own going. Prevents: two who
    drive the others out one by one; and a thief among them who halts, and so stays one.
    """
    if platform.form == 1:
        return platform.changing
    standing = {
        one: agreed for one, agreed in platform.changing.items() if _stands(platform, agreed, at=at)
    }
    return {
        one: agreed
        for one, agreed in standing.items()
        if agreed.change.remove == by or _most_agree(platform, agreed.change, standing)
    }


def _most_agree(platform: Platform, change: Change, said: Mapping[str, Agreed]) -> bool:
    """Say whether more than half of those who may agree to ``change`` do."""
    others = [one for one in platform.officers if one != change.remove]
    agree = [one for one in others if one in said and said[one].change == change]
    return 2 * len(agree) > len(others)


def due_at(platform: Platform, change: Change) -> datetime | None:
    """Return when ``change`` can be made at the earliest, or None where nobody agreed to it."""
    said = [one.at for one in platform.changing.values() if one.change == change]
    if not said:
        return None
    return datetime.fromtimestamp(min(said) / 1000, tz=UTC) + OFFICERS_WAIT


def _counts(agreed_at: int, *, at: int) -> bool:
    return at - agreed_at < AGREEMENT_LIFETIME / _MILLISECOND
