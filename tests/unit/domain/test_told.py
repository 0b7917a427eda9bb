"""Signals that follow from an entry: which, of what, and under which names."""

import pytest
from msgspec.structs import replace
from support.cast import ALICE, NOON
from support.companies import BOB, BOBS
from support.worlds import an_account

from twinlock.domain.account import Chain, Session, Shown
from twinlock.domain.assurance import Factor, Placement
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    Password,
    RecoveryCodes,
    Totp,
)
from twinlock.domain.canonical import b64url
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.decisions import Decision
from twinlock.domain.entries import SALTS_BYTES, Kept, Origin, record
from twinlock.domain.errors import LogDamagedError
from twinlock.domain.events import (
    AuthenticatorBound,
    AuthenticatorReactivated,
    AuthenticatorRemoved,
    AuthenticatorSuspended,
    ChannelBound,
    ChannelRemoved,
    Event,
    FreezeLifted,
    FreezeSet,
    MemberJoined,
    MemberLeft,
    NewcomerRepudiated,
    ProofAccepted,
    SessionEnded,
    SessionStarted,
)
from twinlock.domain.ids import ActionId, AuthenticatorId, ChannelId, SessionId
from twinlock.domain.outside_events import CodesFlooded
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.requirements import Answer
from twinlock.domain.signals import KINDS, SignalKind
from twinlock.domain.transmitting.told import EMITTED, URIS, ToldEvent, name_of, told_of
from twinlock.domain.webhooks.outcomes import LogEntry

CHAIN = Chain(label_key=b64url(b"k" * 32), entries=7, last_leaf=b64url(b"l" * 32))
POLICY = PolicyName(version=1, digest=b64url(b"p" * 32))
ORIGIN = Origin(account_id=ALICE, actor="platform:1", policy=POLICY)
ONE, TWO = SessionId("ses_" + "a" * 26), SessionId("ses_" + "b" * 26)
AT = int(NOON.timestamp())
SOME, MEMBER = AuthenticatorId("aut_1"), an_account().member_id
PASSWORD = Password(
    authenticator_id=SOME, member_id=MEMBER, bound_at=NOON, entry=1, verifier="hash"
)
TOTP = Totp(authenticator_id=SOME, member_id=MEMBER, bound_at=NOON, entry=1, seed="s")
CODES = RecoveryCodes(authenticator_id=SOME, member_id=MEMBER, bound_at=NOON, entry=1, left=())
PHONE = Passkey(
    authenticator_id=SOME,
    member_id=MEMBER,
    bound_at=NOON,
    entry=1,
    credential_id="c",
    public_key="p",
    backup_eligible=True,
)
KEY = replace(PHONE, placement=Placement.ROAMING)
GONE = AuthenticatorRemoved(at=NOON, authenticator_id=SOME)
MAILBOX = Channel(
    channel_id=ChannelId("chn_1"), kind=ChannelKind.EMAIL, address="a@example.com", bound_at=NOON
)
SESSION = Session(
    session_id=ONE,
    member_id=MEMBER,
    thumbprint="t",
    started_at=NOON,
    seen_at=NOON,
    bound_at=NOON,
)
SHOWN = Shown(
    source=SOME, factor=Factor.RECOVERY_CODE, root="paper", bound_at=NOON, at=NOON, entry=7
)
SHOWED = ProofAccepted(at=NOON, action_id=ActionId("act_1"), shown=SHOWN)


def entry_of(*events: Event) -> LogEntry:
    """Return entry 3 of the log: a decision about Alice's account."""
    decision = Decision(kind="it", action_id="", answer=Answer.ALLOW, events=events)
    entry, _ = record(decision, CHAIN, origin=ORIGIN, at=NOON, salts=b"s" * SALTS_BYTES)
    kept = Kept(events=entry.events, openings=dict(entry.openings))
    return LogEntry(index=3, account_id=ALICE, leaf=entry.leaf, kept=kept)


def bound(one: Authenticator) -> AuthenticatorBound:
    return AuthenticatorBound(at=NOON, authenticator=one)


def changed(change: str, credential: str) -> ToldEvent:
    claims = {"event_timestamp": AT, "change_type": change, "credential_type": credential}
    return ToldEvent(kind=SignalKind.CREDENTIAL_CHANGE, claims=claims)


COMPROMISED = ToldEvent(
    kind=SignalKind.CREDENTIAL_COMPROMISE, claims={"credential_type": "authenticator"}
)
LESS = ToldEvent(
    kind=SignalKind.ASSURANCE_LEVEL_CHANGE,
    claims={
        "event_timestamp": AT,
        "namespace": "twinlock-session",
        "current_level": "read-only",
        "change_direction": "decrease",
    },
)
RECOVERING = ToldEvent(kind=SignalKind.RECOVERY_ACTIVATED, claims={})
RECOVERY_INFORMATION = ToldEvent(kind=SignalKind.RECOVERY_INFORMATION_CHANGED, claims={})


def suspended(*, for_good: bool) -> AuthenticatorSuspended:
    return AuthenticatorSuspended(at=NOON, authenticator_id=SOME, until=NOON, for_good=for_good)


def revoked(session: SessionId) -> ToldEvent:
    return ToldEvent(
        kind=SignalKind.SESSION_REVOKED, claims={"event_timestamp": AT}, session=session
    )


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ((), ()),
        ((CodesFlooded(at=NOON),), ()),
        ((SessionEnded(at=NOON, session_id=ONE),), (revoked(ONE),)),
        (
            tuple(SessionEnded(at=NOON, session_id=one) for one in (ONE, TWO, ONE)),
            (revoked(ONE), revoked(TWO)),
        ),
        ((SessionStarted(at=NOON, session=SESSION),), ()),
        ((SessionStarted(at=NOON, session=replace(SESSION, read_only=True)),), (LESS,)),
        ((SHOWED,), ()),
        (
            (replace(SHOWED, used_code="h"),),
            (ToldEvent(kind=SignalKind.RECOVERY_ACTIVATED, claims={}),),
        ),
        (
            (FreezeSet(at=NOON, until=NOON),),
            (ToldEvent(kind=SignalKind.ACCOUNT_DISABLED, claims={}),),
        ),
        ((FreezeLifted(at=NOON),), (ToldEvent(kind=SignalKind.ACCOUNT_ENABLED, claims={}),)),
        (
            (
                ChannelRemoved(at=NOON, channel_id=MAILBOX.channel_id),
                ChannelBound(at=NOON, channel=MAILBOX),
            ),
            (RECOVERY_INFORMATION,),
        ),
        ((NewcomerRepudiated(at=NOON, entries=(7,), since=NOON),), (COMPROMISED,)),
        ((bound(PASSWORD),), (changed("create", "password"),)),
        ((GONE, bound(PASSWORD)), (changed("update", "password"),)),
        ((bound(TOTP),), (changed("create", "app"),)),
        ((bound(CODES),), (changed("create", "recovery-code"),)),
        ((bound(PHONE),), (changed("create", "fido2-platform"),)),
        ((bound(KEY),), (changed("create", "fido2-roaming"),)),
        ((GONE,), (changed("delete", "authenticator"),)),
        (
            (MemberJoined(at=NOON, member=BOB, passkey=BOBS),),
            (changed("create", "fido2-roaming"),),
        ),
        ((MemberLeft(at=NOON, member_id=BOB.member_id),), (changed("delete", "authenticator"),)),
        (
            (AuthenticatorReactivated(at=NOON, authenticator_id=SOME),),
            (changed("update", "authenticator"),),
        ),
        ((suspended(for_good=False),), (changed("revoke", "authenticator"), COMPROMISED)),
        (
            (suspended(for_good=True),),
            (
                changed("revoke", "authenticator"),
                COMPROMISED,
                ToldEvent(kind=SignalKind.CREDENTIAL_CHANGE_REQUIRED, claims={}),
            ),
        ),
    ],
)
def test_what_follows_from_an_entry(events: tuple[Event, ...], told: tuple[ToldEvent, ...]) -> None:
    assert told_of(entry_of(*events)) == told
    assert {one.kind for one in told} <= EMITTED


def test_of_an_erasure_only_that_is_told() -> None:
    entry = entry_of(SessionEnded(at=NOON, session_id=ONE))
    erased = replace(entry, kept=None)

    assert told_of(erased) == (ToldEvent(kind=SignalKind.ACCOUNT_PURGED, claims={}),)
    assert told_of(replace(erased, account_id="")) == ()


def test_an_entry_that_is_another_accounts_is_not_told() -> None:
    entry = entry_of(SessionEnded(at=NOON, session_id=ONE))
    with pytest.raises(LogDamagedError):
        told_of(replace(entry, account_id="acc_" + "b" * 26))


def test_names_differ_between_streams_entries_and_numbers() -> None:
    leaf, other = (entry_of(SessionEnded(at=NOON, session_id=one)).leaf for one in (ONE, TWO))
    names = {
        name_of(stream, one, number)
        for stream in ("ssf_a", "ssf_b")
        for one in (leaf, other)
        for number in (0, 1)
    }

    assert len(names) == 8
    assert name_of("ssf_a", leaf, 0) in names


def test_every_kind_that_is_told_has_the_uri_by_which_it_is_read() -> None:
    assert {KINDS[URIS[kind]] for kind in EMITTED} == EMITTED
