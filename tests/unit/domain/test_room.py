"""Room in an account: who gives way, what always fits, and how large a document grows."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, HOUR, MALLORYS_LAPTOP, MEMBER, NEW_ADDRESS, NOON
from support.gates import Gate
from support.worlds import (
    FREEZE,
    PASSWORD,
    SYNCED,
    an_account,
    list_address,
    send,
    sign_in,
    unlist,
)

from twinlock.domain import ids
from twinlock.domain.account import (
    Account,
    ActionState,
    ApiKey,
    Candidate,
    Challenge,
    Channel,
    ChannelKind,
    Device,
    Freeze,
    OpenAction,
    Session,
    Shown,
    Spent,
)
from twinlock.domain.actions import AnyPayload, FreezeSet, SessionStart
from twinlock.domain.assurance import Factor, Placement
from twinlock.domain.authenticators.model import Passkey
from twinlock.domain.bounds import (
    API_KEYS_MOST,
    AUTHENTICATORS_MOST,
    CANDIDATES_MOST,
    CHALLENGES_PER_ACTION_MOST,
    CHANNELS_MOST,
    CODES_PER_HOUR_MOST,
    CODES_UNPROVED_PER_HOUR_MOST,
    DESTINATIONS_MOST,
    DEVICES_MOST,
    DOCUMENT_BYTES_MOST,
    DOCUMENT_ROOM,
    HOLDS_MOST,
    LOOSE_ACTIONS_MOST,
    OPEN_ACTIONS_MOST,
    SESSIONS_MOST,
)
from twinlock.domain.canonical import encode
from twinlock.domain.errors import DocumentTooLargeError
from twinlock.domain.events import ActionLapsed
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
from twinlock.domain.room import check_room, gives_way, urgent
from twinlock.domain.throttle import Throttle

NAMED = "a" * 26  # what follows the prefix of every id
BYTES_32 = "b" * 43  # base64url
LATE = NOON + timedelta(milliseconds=123)  # written with its fraction


# --- What gives way ---


def an_action(payload: AnyPayload, name: str = "act", **changes: Any) -> OpenAction:  # noqa: ANN401 - fields
    action = OpenAction(
        action_id=ActionId(name),
        member_id=MEMBER,
        payload=payload,
        digest="",
        proposed_at=NOON,
        lapses_at=NOON + HOUR,
        veto_key="",
    )
    return replace(action, **changes)


def shown() -> Shown:
    return Shown(
        source="aut_password", factor=Factor.PASSWORD, root=None, bound_at=NOON, at=NOON, entry=0
    )


@pytest.mark.parametrize(
    ("payload", "is_urgent"),
    [(FREEZE, True), (unlist(NEW_ADDRESS), True), (sign_in(), True), (send(), False)],
)
def test_to_tighten_and_to_sign_in_is_urgent(payload: AnyPayload, is_urgent: bool) -> None:
    assert urgent(an_action(payload)) is is_urgent


PROVED = {"proved_at": NOON}


@pytest.mark.parametrize(
    ("actions", "gone"),
    [
        pytest.param([], None, id="nothing is open"),
        pytest.param([{}] * (LOOSE_ACTIONS_MOST - 1), None, id="there is room"),
        pytest.param([{}] * LOOSE_ACTIONS_MOST, 0, id="the oldest"),
        pytest.param(
            [{"proposed_at": NOON + HOUR}, *[{}] * (LOOSE_ACTIONS_MOST - 1)], 1, id="not the first"
        ),
        pytest.param(
            [{"shown": (shown(),)}, *[{}] * (LOOSE_ACTIONS_MOST - 1)], 1, id="what shows least"
        ),
        pytest.param([PROVED] * OPEN_ACTIONS_MOST, None, id="what waits on its proof stays"),
        pytest.param(
            [*[PROVED] * (OPEN_ACTIONS_MOST - 1), {}],
            OPEN_ACTIONS_MOST - 1,
            id="the only loose one",
        ),
        pytest.param(
            [*[PROVED] * (OPEN_ACTIONS_MOST - 1), PROVED | {"payload": sign_in()}],
            OPEN_ACTIONS_MOST - 1,
            id="a sign-in that waits for its password",
        ),
        pytest.param(
            [{"state": ActionState.AUTHORIZED}] * OPEN_ACTIONS_MOST, None, id="a yes stays"
        ),
    ],
)
def test_of_too_many_the_one_goes_that_nobody_proved(
    actions: list[dict[str, Any]], gone: int | None
) -> None:
    open_ = tuple(an_action(send(), f"act_{n}") for n in range(len(actions)))
    changed = tuple(replace(one, **changes) for one, changes in zip(open_, actions, strict=True))
    found = gives_way(replace(an_account(), actions=changed), now=NOON)

    assert (None if found is None else found.action_id) == (None if gone is None else f"act_{gone}")


def test_what_gives_way_lapses_in_a_decision_of_its_own() -> None:
    gate = Gate()
    first = gate.propose(send()).action_id
    for _ in range(LOOSE_ACTIONS_MOST):
        gate.propose(send())
    _, decided, _ = gate.book[-1]

    assert not gate.is_open(first)
    assert [type(event) for event in decided.decisions[0].events] == [ActionLapsed]
    assert len(gate.account.actions) == LOOSE_ACTIONS_MOST


def test_strangers_keep_nobody_from_signing_in_or_freezing() -> None:
    gate = Gate()
    for number in range(8):
        gate.prove(gate.propose(send(number + 1, to=NEW_ADDRESS)).action_id, SYNCED)
    full = gate.propose(send())
    for _ in range(20):
        gate.propose(sign_in(MALLORYS_LAPTOP))
    frozen = gate.prove(gate.propose(FREEZE).action_id, PASSWORD)

    assert full.answer.value == "deny"
    assert frozen.answer.value == "allow"
    assert gate.sign_in(SYNCED).answer.value == "allow"


# --- How large a document grows ---


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


CODES_ASKED = (asked(Factor.EMAIL_CODE), asked(Factor.SMS_CODE))
KEYS_ASKED = (replace(asked(Factor.PASSKEY), channel_id=None, code_mac=""),) * 2
QUESTIONS = (*CODES_ASKED, *KEYS_ASKED)


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
    )


def a_full_account(*actions: OpenAction) -> Account:
    """Return an account with every list but that of actions as long as it may be."""
    session = Session(
        session_id=SessionId(f"ses_{NAMED}"),
        member_id=MEMBER,
        thumbprint=BYTES_32,
        started_at=LATE,
        seen_at=LATE,
        bound_at=LATE,
    )
    key = ApiKey(
        api_key_id=ApiKeyId(f"key_{NAMED}"),
        public_key=BYTES_32,
        scopes=("read", "trade", "withdraw"),
        ip_list=("203.0.113.7/32",),
        destinations=(f"dst_{NAMED}",),
        daily_cents=10**9,
        created_at=LATE,
    )
    channel = Channel(
        channel_id=ChannelId(f"chn_{NAMED}"),
        kind=ChannelKind.DESKTOP,
        address="alice.customer@example.com",
        bound_at=LATE,
    )
    candidate = Candidate(
        candidate_id=ChallengeId(f"cnd_{NAMED}"),
        factor=Factor.PASSKEY,
        secret=BYTES_32,
        expires_at=LATE,
    )
    base = an_account(*[a_key_of_size()] * AUTHENTICATORS_MOST)
    return replace(
        base,
        enrolling_until=LATE,
        destinations_required=True,
        channels=(channel,) * CHANNELS_MOST,
        devices=(Device(thumbprint=BYTES_32, since=LATE, seen_at=LATE),) * DEVICES_MOST,
        sessions=(session,) * SESSIONS_MOST,
        holds=(Hold(because="authenticator.remove", placed_at=LATE, ends_at=LATE + DAY),)
        * HOLDS_MOST,
        freeze=Freeze(until=LATE, set_at=LATE, weak={"phone": LATE, "knowledge": LATE}),
        throttle=Throttle(failures=99, until=LATE),
        candidates=(candidate,) * CANDIDATES_MOST,
        codes_sent=(LATE,) * CODES_PER_HOUR_MOST,
        actions=actions,
        api_keys=(key,) * API_KEYS_MOST,
        destinations={DestinationId(f"dst_{n:026d}"): 99 for n in range(DESTINATIONS_MOST)},
        spent=Spent(day="2026-01-15", cents=10**12),
    )


def size(account: Account) -> int:
    return len(encode(account))


def growth(action: OpenAction) -> int:
    return size(a_full_account(action)) - size(a_full_account())


def test_what_is_urgent_fits_into_a_document_whose_room_is_used_up() -> None:
    """Strangers can ask for so many sign-ins, with so many questions, and for no more."""
    asked_for_a_key = [
        replace(a_stranger_s(payload), challenges=KEYS_ASKED)
        for payload in (FreezeSet(account=ALICE), SessionStart(account=ALICE, device=BYTES_32))
    ]
    largest = max(growth(one) for one in asked_for_a_key)
    code = max(len(encode(one)) for one in CODES_ASKED)
    strangers = LOOSE_ACTIONS_MOST * (largest + 1) + CODES_UNPROVED_PER_HOUR_MOST * (code + 1)

    assert len(QUESTIONS) == CHALLENGES_PER_ACTION_MOST
    assert DOCUMENT_ROOM + strangers < DOCUMENT_BYTES_MOST


@pytest.mark.parametrize(
    ("field", "bytes_most"),
    [
        ("authenticators", 4_200),
        ("channels", 650),
        ("devices", 900),
        ("sessions", 1_200),
        ("holds", 500),
        ("candidates", 400),
        ("codes_sent", 320),
        ("api_keys", 1_350),
        ("destinations", 3_700),
    ],
)
def test_each_list_full_of_ordinary_values_leaves_room_for_the_others(
    field: str, bytes_most: int
) -> None:
    full = a_full_account()
    without = replace(full, **{field: {} if field == "destinations" else ()})

    assert size(full) - size(without) <= bytes_most
    assert bytes_most < DOCUMENT_ROOM / 2


@pytest.mark.parametrize(
    ("keys", "destinations", "api_keys", "waiting"),
    [
        pytest.param(2, 3, 0, 7, id="two passkeys, three destinations"),
        pytest.param(3, 10, 1, 6, id="three, ten, and an API key"),
        pytest.param(AUTHENTICATORS_MOST, 50, API_KEYS_MOST, 1, id="a customer with all there is"),
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
        actions=(exit_,) * waiting,
    )

    check_room(ordinary)


def test_a_full_account_is_told_so_and_its_urgent_actions_do_not_count() -> None:
    lasting = a_full_action(send())
    few = a_full_account()
    while size(few) <= DOCUMENT_ROOM:
        few = replace(few, actions=(*few.actions, lasting))
    room = replace(few, actions=(*few.actions[1:], *[a_stranger_s(sign_in())] * 4))

    with pytest.raises(DocumentTooLargeError, match="finish or remove"):
        check_room(few)
    check_room(replace(room, authenticators=few.authenticators[:4]))


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
