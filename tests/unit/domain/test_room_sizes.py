"""How large an account grows, and that its owner can freeze it and sign in however full it is."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, HOUR, MALLORYS_LAPTOP, MEMBER, NOON
from support.gates import Gate
from support.officers import ADA
from support.suspending import Desk
from support.worlds import (
    APP,
    EMAIL,
    FREEZE,
    SMS,
    SYNCED,
    a_password,
    a_session,
    an_account,
    list_address,
    send,
    sign_in,
)

from twinlock.domain import ids
from twinlock.domain.account import (
    Account,
    ActionState,
    ApiKey,
    Candidate,
    Challenge,
    Device,
    OpenAction,
    Session,
    Shown,
)
from twinlock.domain.actions import (
    AnyPayload,
    ApiKeyRevoke,
    AuthenticatorRepudiate,
    AuthenticatorSuspend,
    ContactRepudiate,
    DestinationRemove,
    FreezeSet,
    SessionStart,
)
from twinlock.domain.assurance import Factor, Placement
from twinlock.domain.authenticators.model import Passkey, Suspension, SuspensionKind
from twinlock.domain.bounds import (
    API_KEYS_MOST,
    AUTHENTICATORS_MOST,
    BEHIND_MOST,
    CANDIDATES_MOST,
    CHALLENGES_PER_ACTION_MOST,
    CHANNELS_MOST,
    CODES_PER_DAY_MOST,
    DESTINATIONS_MOST,
    DEVICES_MOST,
    DOCUMENT_BYTES_MOST,
    DOCUMENT_ROOM,
    DOUBTS_MOST,
    FAILURES_MOST,
    FORMER_MOST,
    HOLDS_MOST,
    LEGAL_HOLDS_MOST,
    LEGAL_REFERENCE_MOST,
    LOOSE_ACTIONS_MOST,
    MEMBERS_MOST,
    NOTICES_PER_HOUR_MOST,
    OBJECTIONS_MOST,
    OPEN_ACTIONS_MOST,
    PAID_MOST,
    PASSING_BYTES_MOST,
    RISK_MOST,
    SENT_TO_MOST,
    SESSIONS_MOST,
    SIGNALLED_CHANNELS_MOST,
    SILENT_ROOTS_MOST,
    URGENT_ACTIONS_LEAST,
    URGENT_BYTES_MOST,
)
from twinlock.domain.canonical import encode
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.disputes import (
    CHANGE_LETTERS,
    NO_DISPUTES,
    Contest,
    Disputes,
    Objection,
)
from twinlock.domain.errors import DocumentTooLargeError
from twinlock.domain.floods import Rings
from twinlock.domain.freezes import Freeze
from twinlock.domain.holds import Hold
from twinlock.domain.ids import (
    ActionId,
    ApiKeyId,
    AuthenticatorId,
    ChallengeId,
    ChannelId,
    DestinationId,
    SessionId,
)
from twinlock.domain.likeness import TAG
from twinlock.domain.limits import Limits, SentTo, Spent
from twinlock.domain.listing import Former
from twinlock.domain.locks import Lock
from twinlock.domain.proving import codes_help
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, Never
from twinlock.domain.risk.counters import LEVELS
from twinlock.domain.risk.visits import (
    HOURS,
    IP_KEPT,
    NODE_LETTERS,
    RTT_KEPT,
    RTT_MOST,
    UA_KEPT,
    VERSION_MOST,
    History,
    Visit,
    VisitFault,
)
from twinlock.domain.room import (
    VERIFIER_LETTERS,
    bytes_that_last,
    check_room,
    crowded_out,
    outgrown,
    urgent,
)
from twinlock.domain.signals import Signals
from twinlock.domain.suspensions import NO_SUSPENSION, AccountSuspension
from twinlock.domain.throttle import Throttle
from twinlock.proofs.passwords import NOBODYS_HASH

NAMED = "a" * 26  # what follows the prefix of every id
MEMBERS = tuple(f"member:mem_{n:026d}" for n in range(MEMBERS_MOST))  # Their roots in a company.
WEAK = (
    "phone",
    "knowledge",
    "mailbox",
    *(f"suspend:{root}" for root in ("phone", "knowledge", "roaming", "desktop")),
    *MEMBERS,
)
PASSWORD = replace(a_password(), verifier="v" * VERIFIER_LETTERS)  # as long as ours are
BYTES_32 = "b" * 43  # base64url
SECOND = int(NOON.timestamp())
MANY = 9_999_999  # Entries of one account: 2,700 a day for ten years.
PROOFS_OF_A_SIGN_IN = 4  # Password, app and a code, below the floor; and what reaches it.
LATE = NOON + timedelta(milliseconds=123)  # written with its fraction


def a_key_of_size(credential: int = 86, public: int = 103) -> Passkey:
    """Return a passkey as browsers make them: 64 bytes of id, ES256."""
    return Passkey(
        authenticator_id=AuthenticatorId(f"aut_{NAMED}"),
        member_id=MEMBER,
        bound_at=LATE,
        entry=123_456,
        name="a security key at home",
        credential_id="c" * credential,
        public_key="p" * public,
        backup_eligible=True,
        backed_up=True,
        sign_count=123_456,
        placement=Placement.ROAMING,
    )


def asked(factor: Factor) -> Challenge:
    return Challenge(
        challenge_id=ChallengeId(f"chl_{NAMED}"),
        factor=factor,
        expires_at=LATE,
        nonce=BYTES_32,
        channel_id=ChannelId(f"chn_{NAMED}"),
        code_mac=BYTES_32,
    )


# A code to each kind of channel, and two questions to passkeys. Those to a password or an app are
# no longer than the latter.
QUESTIONS = (
    asked(Factor.EMAIL_CODE),
    asked(Factor.SMS_CODE),
    *[replace(asked(Factor.PASSKEY), channel_id=None, code_mac="")] * 2,
)


def a_full_action(payload: AnyPayload, secret: str = "", *, proofs: int = 2) -> OpenAction:
    proof = Shown(
        source=f"aut_{NAMED}",
        factor=Factor.PASSKEY,
        root=f"roaming:aut_{NAMED}",
        bound_at=LATE,
        at=LATE,
        entry=123_456,
        digest=BYTES_32,
    )
    return OpenAction(
        action_id=ids.action_id(ALICE, b"one open action."),
        member_id=ids.MemberId(f"mem_{NAMED}"),
        payload=payload,
        digest=BYTES_32,
        proposed_at=LATE,
        lapses_at=LATE,
        veto_key=BYTES_32,
        claimed_cents=10**12,
        value_cents=10**12,
        proved_at=LATE,
        until=LATE,
        offered_until=LATE,
        session_id=SessionId(f"ses_{NAMED}"),
        shown=(proof,) * proofs,
        challenges=QUESTIONS,
        secret=secret,
        entry=123_456,
    )


def a_stranger_s(payload: AnyPayload) -> OpenAction:
    """Return what a stranger can make of a proposal: questions, and no proof."""
    made = a_full_action(payload, proofs=0)
    return replace(
        made,
        claimed_cents=0,
        value_cents=0,
        proved_at=None,
        until=None,
        offered_until=None,
        session_id=None,
        device_signed=isinstance(payload, SessionStart),
        visit=VISIT if isinstance(payload, SessionStart) else None,
        risk=RISK_MOST if isinstance(payload, SessionStart) else 0,
    )


KEY = ApiKey(
    api_key_id=ApiKeyId(f"key_{NAMED}"),
    public_key=BYTES_32,
    scopes=("read", "trade", "withdraw"),
    ip_list=("203.0.113.7/32",),
    destinations=(f"dst_{NAMED}",),
    daily_cents=10**9,
    created_at=LATE,
    by=(123_456,),
    entry=123_456,
    proved_by=(Factor.PASSWORD, Factor.TOTP),
    spent=(20_468, 10**9),
    stopped=True,
    used_on=20_468,
    declared_at=2**32 - 1,
    lapse_told=2**32 - 1,
)
VISIT = Visit(
    ip="i" * LEVELS * NODE_LETTERS,
    ua="u" * LEVELS * NODE_LETTERS,
    place=(-899, -1_799),
    rtt=RTT_MOST,
    version=VERSION_MOST,
    faults=(VisitFault.LOOKUP_DOWN, VisitFault.COUNTS_DOWN),
)


def seen(kept: tuple[int, ...]) -> str:
    return ".".join("".join(f"{n:0{NODE_LETTERS}}_" for n in range(most)) for most in kept)


LONG_HISTORY = History(
    ip=seen(IP_KEPT),
    ua=seen(UA_KEPT),
    rtt="Q_" * RTT_KEPT,
    hours="_" * HOURS,
    place=(-899, -1_799),
    version=VERSION_MOST,
    at=SECOND - 15 * 86_400,  # So that a sign-in of which nobody tells is no stranger's.
)
CHANNEL = Channel(
    channel_id=ChannelId(f"chn_{NAMED}"),
    kind=ChannelKind.DESKTOP,
    address="alice.customer@example.com",
    bound_at=LATE,
    entry=123_456,
    by=(123_456,),
)


LONGEST_SESSION = Session(
    session_id=SessionId(f"ses_{NAMED}"),
    member_id=MEMBER,
    thumbprint=BYTES_32,
    started_at=LATE,
    seen_at=LATE,
    bound_at=LATE,
    read_only=True,
    entry=MANY,
    by=(MANY,) * PROOFS_OF_A_SIGN_IN,
    behind=((MANY, MANY),) * BEHIND_MOST,
    risk=RISK_MOST,
)


HOLD = Hold(because="authenticator.remove", placed_at=LATE, ends_at=LATE + DAY)
GUESSED_AT_ALL = Throttle(failures=FAILURES_MOST - 1, until=LATE, whose=(1 << MEMBERS_MOST) - 1)


def a_full_account(*actions: OpenAction) -> Account:
    """Return an account with every list but that of actions as long as it may be."""
    candidate = Candidate(
        candidate_id=ChallengeId(f"cnd_{NAMED}"),
        factor=Factor.PASSKEY,
        secret=BYTES_32,
        expires_at=LATE,
    )
    codes = replace(candidate, factor=Factor.RECOVERY_CODE, secret="s" * 214)  # one set at most
    base = replace(an_account(*[a_key_of_size()] * AUTHENTICATORS_MOST), former=LONGEST_FORMER)
    return replace(
        replace(base, undercut_at=SECOND, fell_at=SECOND, shed_at=SECOND, picked_at=SECOND),
        enrolling_until=LATE,
        destinations_required=True,
        channels=(CHANNEL,) * CHANNELS_MOST,
        devices=(Device(thumbprint=BYTES_32, since=LATE, seen_at=LATE),) * DEVICES_MOST,
        sessions=(LONGEST_SESSION,) * SESSIONS_MOST,
        holds=(HOLD,) * HOLDS_MOST,
        freeze=Freeze(
            until=LATE,
            set_at=LATE,
            weak=dict.fromkeys(WEAK, LATE),
            bound_at=SECOND,
            weak_bound_at=SECOND,
        ),
        throttle=GUESSED_AT_ALL,
        known_throttle=GUESSED_AT_ALL,
        candidates=(*(candidate,) * (CANDIDATES_MOST - 1), codes),
        codes_sent=(SECOND,) * CODES_PER_DAY_MOST,
        flood_told_at=SECOND,
        key_told_at=SECOND,
        attempt_told_at=SECOND,
        rings=Rings(SECOND, NOTICES_PER_HOUR_MOST, SECOND, SECOND, SECOND),
        sim_changed_at=LATE,
        signals=Signals(
            since=SECOND,
            warned_until=SECOND,
            told_at=SECOND,
            muted={ChannelId(f"chn_{n:026d}"): SECOND for n in range(SIGNALLED_CHANNELS_MOST)},
        ),
        actions=actions,
        api_keys=(KEY,) * API_KEYS_MOST,
        destinations={DestinationId(f"dst_{n:026d}"): 99 for n in range(DESTINATIONS_MOST)},
        looks="l" * TAG * DESTINATIONS_MOST,
        paid={f"{n:0{TAG}d}": MANY for n in range(PAID_MOST)},
        spent=Spent(day="2026-01-15", cents=10**12),
        unlisted=Spent(day="2026-01-15", cents=10**12),
        sent_to=SentTo(
            day="2026-01-15",
            cents={f"{n:010d}": 10**12 for n in range(SENT_TO_MOST)} | {"": 10**12},
        ),
        last_exit_at=SECOND,
        legal_holds={f"{n}" * LEGAL_REFERENCE_MOST: SECOND for n in range(LEGAL_HOLDS_MOST)},
        doubts=((MANY, MANY),) * DOUBTS_MOST,
        history=LONG_HISTORY,
        disputes=LONGEST_DISPUTES,
        suspension=LONGEST_SUSPENSION,
    )


# Of a while ago; two agreed to its end in the hour before their own keys went.
LONGEST_SUSPENSION = AccountSuspension(
    set_at=SECOND * 1000 - 1,
    ends_at=SECOND * 1000,
    by=BYTES_32,
    agreed={f"{n:043d}": SECOND * 1000 for n in range(2)},
)
LONGEST_FORMER = Former(looks="l" * TAG * FORMER_MOST)
ROOT = f"roaming:aut_{NAMED}"
LONGEST_DISPUTES = Disputes(
    objections=(Objection("c" * CHANGE_LETTERS, MEMBERS[:1], SECOND),) * OBJECTIONS_MOST,
    contest=Contest(
        action_id=ActionId(f"act_{NAMED}_{NAMED}"),
        change="c" * CHANGE_LETTERS,
        asked=(*(f"roaming:aut_{n:026d}" for n in range(4)), *MEMBERS[:1]),
        objected=MEMBERS[1:2],
        opened_at=SECOND,
        ends_at=SECOND,
        holds=True,
    ),
    held=dict.fromkeys(("phone", "desktop", "roaming", "known", "member"), SECOND),
    silent=dict.fromkeys(MEMBERS[:SILENT_ROOTS_MOST], SECOND),
)


def size(account: Account) -> int:
    return len(encode(account))


LONGEST = DestinationRemove(account=ALICE, network="n" * 20, address="a" * 128, memo="m" * 128)
URGENT = [
    FreezeSet(account=ALICE),
    SessionStart(account=ALICE, device=BYTES_32),
    ApiKeyRevoke(account=ALICE, api_key_id=ApiKeyId(f"key_{NAMED}")),
    AuthenticatorSuspend(account=ALICE, authenticator_id=f"aut_{NAMED}"),
    AuthenticatorRepudiate(account=ALICE, authenticator_id=f"aut_{NAMED}"),
    ContactRepudiate(account=ALICE, channel_id=f"chn_{NAMED}"),
    LONGEST,
]


def typed_proof(factor: Factor) -> Shown:
    """Return a proof that answers no question, so that none is gone."""
    return Shown(
        source=f"aut_{NAMED}",
        factor=factor,
        root="phone",
        bound_at=LATE,
        at=LATE,
        entry=MANY,
        bound_entry=MANY,
    )


@pytest.mark.parametrize("payload", URGENT)
def test_an_urgent_action_with_every_question_has_its_room(payload: AnyPayload) -> None:
    named = f"dst_{NAMED}" if payload is LONGEST else ""
    typed = [typed_proof(factor) for factor in (Factor.PASSWORD, Factor.TOTP)]
    action = replace(a_stranger_s(payload), secret=named, shown=tuple(typed), proved_at=LATE)

    assert len(action.challenges) == CHALLENGES_PER_ACTION_MOST
    assert urgent(action)
    assert len(encode(action)) + 1 <= URGENT_BYTES_MOST


def test_a_removal_that_is_longer_than_any_is_not_urgent() -> None:
    assert not urgent(a_stranger_s(replace(LONGEST, memo="m" * 129)))


def without_what_passes(account: Account) -> Account:
    """Return ``account`` without all that ``check_room`` does not count, actions apart."""
    return replace(
        account,
        chain=replace(account.chain, entries=2**32 - 1, last_leaf=BYTES_32),
        enrolling_until=None,
        devices=(),
        sessions=(),
        holds=(),
        freeze=Freeze(),
        throttle=Throttle(),
        known_throttle=Throttle(),
        candidates=(),
        codes_sent=(),
        flood_told_at=0,
        key_told_at=0,
        attempt_told_at=0,
        rings=Rings(),
        undercut_at=0,
        fell_at=0,
        shed_at=0,
        picked_at=0,
        sim_changed_at=None,
        paid={},
        signals=Signals(),
        spent=Spent(),
        unlisted=Spent(),
        sent_to=SentTo(),
        last_exit_at=0,
        legal_holds={},
        doubts=(),
        history=History(),
        disputes=NO_DISPUTES,
        suspension=NO_SUSPENSION,
    )


def test_what_time_adds_to_an_account_has_its_room() -> None:
    """Whatever ``check_room`` does not count, at its bounds."""
    full = a_full_account()

    assert size(full) - size(without_what_passes(full)) <= PASSING_BYTES_MOST


def test_what_lasts_is_counted_with_its_counters_at_their_longest() -> None:
    unused = replace(KEY, spent=(0, 0))
    reading = replace(unused, scopes=("read", "trade"))
    full = replace(
        a_full_account(),
        authenticators=(SYNCED, PASSWORD, APP),
        api_keys=(unused, reading),
        erased_at=LATE,
    )
    used = {
        "used_on": 99_999,
        "suspension": Suspension(at_ms=9_999_999_999_999, kind=SuspensionKind.FOR_GOOD),
    }
    grown = replace(
        without_what_passes(full),
        erased_at=None,
        actions=tuple(one for one in full.actions if not urgent(one)),
        authenticators=(
            replace(SYNCED, sign_count=2**32 - 1, backed_up=True, **used),
            replace(PASSWORD, **used),
            replace(APP, last_step=2**32 - 1, **used),
        ),
        destinations={},
        former=replace(
            full.former,
            removed=tuple((one, 999_999) for one in full.destinations),
            forgotten=999_999,
        ),
        limits=WIDEST,
        lock=Lock(days=30),
        api_keys=(replace(unused, spent=(99_999, unused.daily_cents), used_on=99_999), reading),
    )

    assert bytes_that_last(full) == size(grown)
    assert bytes_that_last(grown) == size(grown)


WIDEST = Limits(day_cents=10**12, destination_cents=10**12, agreement_cents=10**12)


def filled(lasts: int = DOCUMENT_ROOM) -> Account:
    """Return an account in which just so many bytes last, and all that passes is at its bounds.

    Its authenticators answer; the name of the first makes up the bytes.
    """
    full = a_full_account()
    keys = (replace(SYNCED, sign_count=2**32 - 1, backed_up=True), PASSWORD, APP, a_key_of_size())
    lasting = replace(
        full,
        authenticators=keys,
        channels=(EMAIL, SMS),
        limits=WIDEST,
        lock=Lock(days=30),
        destinations={},
        looks="",
        former=Former(
            removed=tuple((DestinationId(f"dst_{n:026d}"), 999_999) for n in range(12)),
            forgotten=999_999,
            looks=full.looks[: TAG * 12],
        ),
        actions=(replace(a_full_action(send(), proofs=1), lapses_at=LATE + 30 * DAY),),
    )
    named = longer(lasting, 1)
    return longer(named, lasts - bytes_that_last(named))


def longer(account: Account, letters: int) -> Account:
    """Return ``account`` with so many letters more in the name of its first authenticator."""
    first, *rest = account.authenticators
    named = replace(first, name=first.name + "k" * letters)
    return replace(account, authenticators=(named, *rest))


@pytest.mark.parametrize("kind", [sign_in(BYTES_32), LONGEST, FREEZE])
def test_in_the_fullest_account_strangers_leave_room_for_a_freeze_and_a_sign_in(
    kind: AnyPayload,
) -> None:
    """Prevents: an account that grows too full to be stopped, by signing in and by strangers.

    Nothing is refused, and the document is never too large to be sealed on the way.
    """
    gate = Gate()
    gate.account = filled()
    gate.wait(2 * HOUR)
    sizes: list[int] = []

    def ask_everything(action: str) -> None:
        # What bounds the codes of an hour is not what this is about.
        yesterday = (SECOND - 86_400,) * CODES_PER_DAY_MOST
        gate.account = replace(
            gate.account, codes_sent=yesterday, sim_changed_at=None, signals=Signals()
        )
        for source in (PASSWORD, EMAIL, SMS, APP, SYNCED):
            if source not in (EMAIL, SMS) or codes_help(gate.account, gate.action(action)):
                assert gate.ask(action, source).fault is None
            sizes.append(size(gate.account))

    for _ in range(LOOSE_ACTIONS_MOST + 1):
        ask_everything(gate.propose(kind).action_id)
    assert len([one for one in gate.account.actions if urgent(one)]) == URGENT_ACTIONS_LEAST
    for payload in (FREEZE, sign_in("laptop".ljust(43, "A"))):
        own = gate.propose(payload).action_id
        ask_everything(own)
        assert gate.answer(own, gate.right(own, SYNCED)).answer is Answer.ALLOW
    assert DOCUMENT_ROOM < max(sizes) <= DOCUMENT_BYTES_MOST


def test_the_fullest_account_is_full_to_the_byte() -> None:
    full = filled()
    longest = replace(a_full_action(LONGEST), secret=f"dst_{NAMED}")
    standing = (replace(longest, until=None, offered_until=None),) * URGENT_ACTIONS_LEAST
    worst = size(replace(full, actions=(*full.actions, *standing)))

    check_room(full)
    with pytest.raises(DocumentTooLargeError, match="finish or remove"):
        check_room(longer(full, 1))
    assert DOCUMENT_BYTES_MOST - 256 < worst <= DOCUMENT_BYTES_MOST


@pytest.mark.parametrize(
    ("lasts", "stand"),
    [
        (DOCUMENT_ROOM, URGENT_ACTIONS_LEAST),
        (DOCUMENT_ROOM - URGENT_BYTES_MOST + 1, URGENT_ACTIONS_LEAST),
        (DOCUMENT_ROOM - URGENT_BYTES_MOST, URGENT_ACTIONS_LEAST + 1),
        (DOCUMENT_ROOM - 2 * URGENT_BYTES_MOST, LOOSE_ACTIONS_MOST),
    ],
)
def test_where_less_lasts_more_urgent_actions_stand(lasts: int, stand: int) -> None:
    account = filled(lasts)
    named = (ActionId(f"act_{n}") for n in range(LOOSE_ACTIONS_MOST))
    four = tuple(replace(a_stranger_s(sign_in()), action_id=name) for name in named)
    crowded = replace(account, actions=(*account.actions, *four))
    gone = [one.action_id for one in crowded_out(crowded, "act_0", now=NOON)]

    assert gone == [f"act_{n + 1}" for n in range(LOOSE_ACTIONS_MOST - stand)]


def test_whoever_fills_an_account_is_suspended_all_the_same() -> None:
    """Prevents: a mule who keeps two sign-ins open, and proves much of each, for no officer's word.

    Nor does a legal hold find room then, and the account is erased before anybody looks.
    """
    gate = Gate()
    names = (ActionId(f"act_{n}") for n in range(URGENT_ACTIONS_LEAST))
    proved = replace(
        a_full_action(sign_in(), proofs=6), until=None, offered_until=None, lapses_at=LATE + DAY
    )
    two = tuple(replace(proved, action_id=name) for name in names)
    full = replace(filled(), suspension=NO_SUSPENSION, devices=(), sessions=(), legal_holds={"": 1})
    account = replace(full, actions=(*full.actions, *two))
    spare = DOCUMENT_BYTES_MOST - size(account)
    gate.account = replace(account, legal_holds={"r" * spare: 1})  # To the byte.
    gate.wait(HOUR)
    desk = Desk(gate)
    assert size(gate.account) == DOCUMENT_BYTES_MOST
    desk.does(ADA, desk.suspending)

    assert desk.is_suspended()
    assert size(gate.account) <= DOCUMENT_BYTES_MOST
    assert [urgent(one) for one in gate.account.actions].count(True) == 1


def test_what_grows_beyond_its_place_pushes_no_other_out_of_a_full_account() -> None:
    """Prevents: a thief who answers on and on for one sign-in, until the owner's freeze is gone."""
    account = filled()
    freeze = replace(a_stranger_s(FREEZE), action_id=ActionId("act_freeze"))
    grown = replace(a_full_action(sign_in(), proofs=6), action_id=ActionId("act_grown"))
    crowded = replace(account, actions=(*account.actions, freeze, grown))

    with pytest.raises(DocumentTooLargeError, match="finish or remove"):
        crowded_out(crowded, "act_grown", now=NOON)
    assert crowded_out(crowded, "act_freeze", now=NOON) == (grown,)


def test_who_answers_what_has_lapsed_is_told_so_also_where_room_is_made_on_the_way() -> None:
    gate = Gate()
    account = filled()
    named = [replace(a_stranger_s(sign_in()), action_id=ActionId(f"act_{n}")) for n in range(3)]
    lapsed = replace(a_stranger_s(FREEZE), action_id=ActionId("act_own"), lapses_at=NOON)
    gate.account = replace(account, actions=(*account.actions, lapsed, *named))
    told = gate.ask("act_own", SYNCED)
    _, decided, _ = gate.book[-1]

    assert len(decided.decisions) > 1
    assert told.requirement == Never(code=Reason.AUTHORIZATION_EXPIRED)


def test_what_comes_to_last_pushes_urgent_actions_out_that_it_leaves_no_room_for() -> None:
    gate = Gate()
    account = filled()
    account = replace(
        account, actions=(), freeze=Freeze(), authenticators=account.authenticators[:3]
    )
    spare = DOCUMENT_ROOM - URGENT_BYTES_MOST - bytes_that_last(account)
    gate.account = longer(account, spare)
    gate.wait(HOUR)  # It is not being enrolled any more.
    first, *rest = (gate.propose(sign_in(MALLORYS_LAPTOP)).action_id for _ in range(3))
    listing = gate.propose(list_address("a" * 128)).action_id
    _, decided, _ = gate.book[-1]
    gate.prove(listing, PASSWORD, SYNCED)

    assert gate.is_open(listing)
    assert not gate.is_open(first)
    assert all(map(gate.is_open, rest))
    assert [one.action_id for one in decided.decisions] == [first, listing]
    assert size(gate.account) <= DOCUMENT_BYTES_MOST


@pytest.mark.parametrize(
    ("field", "bytes_most"),
    [
        ("authenticators", 4_200),
        ("channels", 720),
        ("devices", 900),
        ("sessions", 1_660),
        ("holds", 500),
        ("candidates", 580),
        ("codes_sent", 220),
        ("api_keys", 1_860),
        ("destinations", 3_700),
        ("looks", 1_020),
        ("former", 1_030),
        ("paid", 360),
    ],
)
def test_each_list_full_of_ordinary_values_leaves_room_for_the_others(
    field: str, bytes_most: int
) -> None:
    full = a_full_account()
    none = type(getattr(full, field))()
    without = replace(full, **{field: none})

    assert size(full) - size(without) <= bytes_most
    assert bytes_most < DOCUMENT_ROOM / 2


@pytest.mark.parametrize(
    ("keys", "destinations", "api_keys", "waiting"),
    [
        pytest.param(2, 3, 0, 6, id="two passkeys, three destinations"),
        pytest.param(3, 10, 1, 5, id="three, ten, and an API key"),
        pytest.param(AUTHENTICATORS_MOST, 40, API_KEYS_MOST, 1, id="a customer with all there is"),
    ],
)
def test_how_many_exits_may_wait_in_an_ordinary_account(
    keys: int, destinations: int, api_keys: int, waiting: int
) -> None:
    full = a_full_account()
    exit_ = replace(a_full_action(send(), proofs=1), challenges=(), offered_until=None)
    ordinary = replace(
        full,
        authenticators=full.authenticators[:keys],
        channels=full.channels[:2],
        devices=full.devices[:2],
        sessions=full.sessions[:2],
        holds=full.holds[:1],
        candidates=(),
        codes_sent=(),
        api_keys=full.api_keys[:api_keys],
        destinations=dict(list(full.destinations.items())[:destinations]),
        looks=full.looks[: TAG * destinations],
        former=Former(),
        actions=(exit_,) * waiting,
    )

    check_room(ordinary)


# --- What gives way to what its owner asks for ---


def loose(name: str, **changes: Any) -> OpenAction:  # noqa: ANN401 - any of the fields
    action = replace(a_full_action(send(), proofs=0), action_id=ActionId(name), challenges=())
    return replace(action, shown=(), proved_at=None, **changes)


def account_of(*actions: OpenAction, bytes_over: int) -> Account:
    """Return an account with these actions that has so many bytes more than there is room for."""
    sessions = (a_session("ses_owner"), a_session("ses_looks", read_only=True))
    account = replace(filled(DOCUMENT_ROOM - 5_120), actions=actions, sessions=sessions)
    return longer(account, DOCUMENT_ROOM + bytes_over - bytes_that_last(account))


OWN, OLD, YOUNG = (
    loose(name, proposed_at=at)
    for name, at in (("act_own", NOON), ("act_old", NOON + HOUR), ("act_new", NOON + 2 * HOUR))
)
ONE = len(encode(OLD)) + 1  # With its comma.
SHOWN = a_full_action(send(), proofs=1).shown
TWICE = (*SHOWN, replace(SHOWN[0], source="ses_looks", factor=Factor.SESSION))
SIGNED, LOOKS = (
    (replace(SHOWN[0], source=name, factor=Factor.SESSION),) for name in ("ses_owner", "ses_looks")
)


@pytest.mark.parametrize(
    ("actions", "over", "gone"),
    [
        pytest.param((OWN, OLD, YOUNG), 0, (), id="there is room"),
        pytest.param((OWN, OLD, YOUNG), 1, (OLD,), id="the oldest that is not its own"),
        pytest.param((OWN, YOUNG, OLD), ONE, (OLD,), id="to the byte"),
        pytest.param((OWN, YOUNG, OLD), ONE + 1, (OLD, YOUNG), id="and one byte more"),
        pytest.param(
            (OWN, replace(OLD, state=ActionState.AUTHORIZED), YOUNG), 1, (YOUNG,), id="a yes stays"
        ),
        pytest.param(
            (OWN, replace(OLD, shown=SHOWN, proved_at=NOON), YOUNG),
            1,
            (YOUNG,),
            id="so does what was proved",
        ),
        pytest.param(
            (OWN, replace(OLD, shown=SHOWN), YOUNG),
            1,
            (YOUNG,),
            id="what shows something goes last",
        ),
        pytest.param((OWN, replace(OLD, shown=SHOWN)), 1, (OLD,), id="and goes all the same"),
        pytest.param(
            (OWN, OLD, replace(YOUNG, shown=SHOWN)),
            ONE + 1,
            (replace(YOUNG, shown=SHOWN),),
            id="none goes that need not",
        ),
        pytest.param(
            (OWN, OLD, replace(YOUNG, shown=SIGNED)), 1, (OLD,), id="what a session signed stays"
        ),
        pytest.param(
            (replace(OWN, shown=SIGNED), replace(OLD, shown=SIGNED), replace(YOUNG, shown=TWICE)),
            1,
            (YOUNG,),
            id="or goes last",
        ),
        pytest.param(
            (replace(OWN, shown=SIGNED), replace(YOUNG, shown=SIGNED)),
            1,
            (YOUNG,),
            id="for what one signed",
        ),
        pytest.param(
            (OWN, replace(OLD, shown=LOOKS)), 1, (OLD,), id="one that looks only signs nothing"
        ),
    ],
)
def test_what_nobody_proved_gives_way_where_the_account_is_full(
    actions: tuple[OpenAction, ...], over: int, gone: tuple[OpenAction, ...]
) -> None:
    account = account_of(*actions, bytes_over=over)

    assert [one.action_id for one in outgrown(account, "act_own", now=NOON)] == [
        one.action_id for one in gone
    ]


def test_what_gives_way_is_nothing_urgent_and_nothing_where_it_would_not_help() -> None:
    urgent_one = replace(a_stranger_s(sign_in()), action_id=ActionId("act_urgent"))
    account = account_of(OWN, urgent_one, OLD, bytes_over=ONE + 1)

    with pytest.raises(DocumentTooLargeError, match="finish or remove something first"):
        outgrown(account, "act_own", now=NOON)
    signed = account_of(OWN, replace(OLD, shown=SIGNED), bytes_over=1)
    with pytest.raises(DocumentTooLargeError):
        outgrown(signed, "act_own", now=NOON)
    assert [one.action_id for one in outgrown(longer_by(account, -1), "act_own", now=NOON)] == [
        "act_old"
    ]


def longer_by(account: Account, letters: int) -> Account:
    first, *rest = account.authenticators
    named = replace(first, name=first.name[:letters])
    return replace(account, authenticators=(named, *rest))


def test_a_key_is_counted_as_if_it_were_stopped() -> None:
    """Prevents: an account so full that its owner's own stop does not fit."""
    stopped = replace(a_full_account(), api_keys=(KEY,))
    runs = replace(stopped, api_keys=(replace(KEY, stopped=False),))

    assert KEY.stopped
    assert bytes_that_last(runs) == bytes_that_last(stopped)


def test_an_older_system_s_hash_is_counted_as_long_as_ours_will_be() -> None:
    """Prevents: a full account whose owner cannot sign in, since our hash does not fit in."""
    short = replace(PASSWORD, verifier="$2b$12$" + "v" * 53)
    account = replace(a_full_account(), authenticators=(PASSWORD,))

    assert len(NOBODYS_HASH) == VERIFIER_LETTERS
    assert bytes_that_last(replace(account, authenticators=(short,))) == bytes_that_last(account)


def test_urgent_actions_do_not_count_in_a_full_account() -> None:
    full = filled()

    check_room(replace(full, actions=(*full.actions, *[a_stranger_s(sign_in())] * 4)))


def test_a_full_account_takes_no_more_and_can_still_be_frozen() -> None:
    """Prevents: proposals that fill the document until a freeze no longer fits."""
    gate = Gate()
    listed = {DestinationId(f"dst_{n:026d}"): 1 for n in range(DESTINATIONS_MOST - 1)}
    keys = (PASSWORD, SYNCED, *[a_key_of_size()] * (AUTHENTICATORS_MOST - 2))
    gate.account = replace(gate.account, destinations=listed, authenticators=keys)
    with pytest.raises(DocumentTooLargeError):
        fill(gate)
    for _ in range(20):
        action = gate.propose(sign_in(BYTES_32)).action_id
        gate.ask(action, gate.account.channels[0])
        gate.ask(action, SYNCED)
    frozen = gate.prove(gate.propose(FREEZE).action_id, SYNCED)

    assert frozen.answer.value == "allow"
    assert size(gate.account) < DOCUMENT_BYTES_MOST


def fill(gate: Gate) -> None:
    for number in range(OPEN_ACTIONS_MOST):
        address = f"{number:0120d}"
        gate.prove(gate.propose(list_address(address)).action_id, SYNCED, PASSWORD)
