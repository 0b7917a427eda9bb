"""Questions and answers one by one: what is asked, what counts, and why not."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import ALICES_LAPTOP, DAY, HOUR, INSTANT, MALLORYS_LAPTOP, NOON
from support.gates import Gate, Source
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    FREEZE,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_session,
    an_account,
    reset_password,
    send,
    sign_in,
)

from twinlock.domain.account import Account, Challenge, OpenAction, Session, Shown
from twinlock.domain.actions import AnyPayload
from twinlock.domain.assurance import PROOFS, Factor, Level
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Authenticator, Suspension, SuspensionKind
from twinlock.domain.bounds import (
    CHALLENGE_LIFETIME,
    CHALLENGES_PER_ACTION_MOST,
    CODES_PER_HOUR_MOST,
    CODES_UNPROVED_PER_HOUR_MOST,
    SESSION_IDLE,
    SIGNED_AT_TOLERANCE,
)
from twinlock.domain.canonical import from_b64url
from twinlock.domain.channels import Channel
from twinlock.domain.commands import Ask, Right, SessionSignature, Wrong
from twinlock.domain.errors import InvariantError
from twinlock.domain.ids import ChallengeId, ChannelId, SessionId
from twinlock.domain.proving import (
    against,
    ask,
    digest_of,
    fault_told,
    judge,
    level_for,
    reaches_floor,
    session_shown,
    suspended_fault,
)
from twinlock.domain.throttle import Throttle

SECOND = int(NOON.timestamp())
CLOSED = Throttle(failures=5, until=NOON + HOUR)


@dataclass
class Scene:
    """An account with one open action, where ``ask`` and ``judge`` are called bare."""

    account: Account
    action: OpenAction

    @classmethod
    def of(cls, account: Account, payload: AnyPayload | None = None) -> "Scene":
        gate = Gate(account=account)
        action = gate.propose(payload or send()).action_id
        return cls(gate.account, gate.action(action))

    def ask(
        self, command: Ask, *, offers: frozenset[Factor] = frozenset(Factor)
    ) -> Challenge | ProofFault:
        return ask(self.account, self.action, command, offers=offers, now=NOON)

    def judge(self, right: Right) -> Shown | ProofFault:
        return judge(self.account, self.action, right, now=NOON)


def question(factor: Factor, channel: ChannelId | None = None) -> Ask:
    code = factor in (Factor.EMAIL_CODE, Factor.SMS_CODE)
    return Ask(
        action_id=Scene.of(an_account()).action.action_id,
        challenge_id=ChallengeId("chl_1"),
        factor=factor,
        nonce="nonce",
        channel_id=channel,
        code_mac="mac" if code else "",
    )


MAIL = question(Factor.EMAIL_CODE, EMAIL.channel_id)
WEAK = an_account(PASSWORD, channels=(EMAIL, SMS))


# --- Asking ---


@pytest.mark.parametrize("factor", [Factor.PASSWORD, Factor.TOTP, Factor.PASSKEY])
def test_what_is_bound_is_asked_for(factor: Factor) -> None:
    asked = Scene.of(an_account(PASSWORD, APP, SYNCED)).ask(question(factor))

    assert isinstance(asked, Challenge)
    assert asked.expires_at == NOON + CHALLENGE_LIFETIME
    assert (asked.factor, asked.nonce, asked.code_mac) == (factor, "nonce", "")


@pytest.mark.parametrize(
    ("account", "command", "fault"),
    [
        pytest.param(
            an_account(PASSWORD),
            question(Factor.PASSKEY),
            ProofFault.AUTHENTICATOR_GONE,
            id="not bound",
        ),
        pytest.param(
            an_account(),
            question(Factor.SESSION),
            ProofFault.AUTHENTICATOR_GONE,
            id="a session is signed and not asked for",
        ),
        pytest.param(an_account(), MAIL, ProofFault.BELOW_FLOOR, id="a code below the floor"),
        pytest.param(
            WEAK, question(Factor.EMAIL_CODE), ProofFault.AUTHENTICATOR_GONE, id="no channel named"
        ),
        pytest.param(
            WEAK,
            question(Factor.EMAIL_CODE, SMS.channel_id),
            ProofFault.AUTHENTICATOR_GONE,
            id="a channel of another kind",
        ),
        pytest.param(
            an_account(PASSWORD, channels=(SMS,)),
            MAIL,
            ProofFault.AUTHENTICATOR_GONE,
            id="a channel of nobody",
        ),
        pytest.param(
            replace(WEAK, throttle=CLOSED), MAIL, ProofFault.THROTTLED, id="the throttle is closed"
        ),
        pytest.param(
            replace(WEAK, codes_sent=(SECOND - 3600 + 1,) * CODES_PER_HOUR_MOST),
            MAIL,
            ProofFault.CODES_LIMITED,
            id="too many codes in an hour",
        ),
    ],
)
def test_what_is_not_asked_for(account: Account, command: Ask, fault: ProofFault) -> None:
    assert Scene.of(account).ask(command) is fault


def test_an_hour_later_codes_are_sent_again() -> None:
    account = replace(WEAK, codes_sent=(SECOND - 3600,) * CODES_UNPROVED_PER_HOUR_MOST)
    asked = Scene.of(account).ask(MAIL)

    assert isinstance(asked, Challenge)
    assert (asked.channel_id, asked.code_mac) == (EMAIL.channel_id, "mac")


@pytest.mark.parametrize("payload", [sign_in(), FREEZE])
def test_to_look_and_to_tighten_a_code_is_asked_for_below_the_floor(payload: AnyPayload) -> None:
    assert isinstance(Scene.of(an_account(), payload).ask(MAIL), Challenge)


def test_a_closed_throttle_does_not_keep_a_passkey_out() -> None:
    scene = Scene.of(replace(an_account(), throttle=CLOSED))

    assert isinstance(scene.ask(question(Factor.PASSKEY)), Challenge)


def test_a_profile_without_sms_sends_none() -> None:
    sms = question(Factor.SMS_CODE, SMS.channel_id)

    offers = frozenset(Factor) - {Factor.SMS_CODE}
    assert Scene.of(WEAK).ask(sms, offers=offers) is ProofFault.NOT_OFFERED
    assert isinstance(Scene.of(WEAK).ask(MAIL, offers=offers), Challenge)


@pytest.mark.parametrize(("factor", "mac"), [(Factor.PASSKEY, "mac"), (Factor.EMAIL_CODE, "")])
def test_only_a_code_has_a_mac(factor: Factor, mac: str) -> None:
    with pytest.raises(InvariantError, match="a code has a MAC"):
        Scene.of(an_account()).ask(replace(MAIL, factor=factor, code_mac=mac))


def test_no_question_pushes_out_one_of_another_factor() -> None:
    account = an_account(PASSWORD, APP, SYNCED)
    gate = Gate(account=replace(account, channels=(EMAIL, SMS)))
    action = gate.propose(FREEZE).action_id
    for source in (SYNCED, PASSWORD, EMAIL, APP, SMS, SYNCED, EMAIL, PASSWORD, APP):
        gate.ask(action, source)
    kept = gate.action(action).challenges

    assert [one.factor for one in kept] == [
        Factor.PASSKEY,
        Factor.SMS_CODE,
        Factor.PASSKEY,
        Factor.EMAIL_CODE,
    ]
    assert len(kept) == CHALLENGES_PER_ACTION_MOST


def test_a_passkeys_question_stands_beside_the_one_before_it_and_a_code_replaces_it() -> None:
    gate = Gate(account=replace(an_account(PASSWORD, SYNCED), channels=(EMAIL,)))
    action = gate.propose(FREEZE).action_id
    asked = []
    for source in (SYNCED, EMAIL) * 3:
        gate.ask(action, source)
        asked.append(gate.action(action).challenges[-1])

    assert gate.action(action).challenges == (asked[2], asked[4], asked[5])


def test_a_question_whose_time_is_over_is_forgotten() -> None:
    gate = Gate(account=replace(an_account(PASSWORD, SYNCED), channels=(EMAIL,)))
    action = gate.propose(FREEZE).action_id
    gate.ask(action, EMAIL)
    gate.wait(CHALLENGE_LIFETIME)
    gate.ask(action, SYNCED)

    assert [one.factor for one in gate.action(action).challenges] == [Factor.PASSKEY]


# --- Judging ---


def answered(
    source: Source,
    account: Account | None = None,
    /,
    **changes: Any,  # noqa: ANN401 - any of the fields
) -> Shown | ProofFault:
    """Ask ``source``, and judge its right answer with ``changes`` made to it."""
    gate = Gate(account=account or an_account(PASSWORD, APP, SYNCED))
    action = gate.propose(send()).action_id
    gate.ask(action, source)
    right = replace(gate.right(action, source), **changes)
    return judge(gate.account, gate.action(action), right, now=gate.now)


@pytest.mark.parametrize(("source", "root"), [(PASSWORD, None), (APP, "phone"), (SYNCED, "phone")])
def test_a_right_answer_is_shown_with_its_root_and_age(
    source: Authenticator, root: str | None
) -> None:
    shown = answered(source)

    assert isinstance(shown, Shown)
    assert (shown.source, shown.root, shown.at) == (source.authenticator_id, root, NOON)
    assert (shown.bound_at, shown.bound_entry) == (source.bound_at, source.entry)
    assert shown.entry == 2  # Its own: the proposal took 0, the question 1.


def test_a_proof_names_its_evidence_by_the_digest() -> None:
    shown = answered(SYNCED, evidence=b"what the passkey signed")

    assert isinstance(shown, Shown)
    assert shown.digest == digest_of(b"what the passkey signed") != ""


def test_a_right_code_is_shown_with_its_channels_root() -> None:
    channel = replace(EMAIL, entry=12)
    shown = answered(channel, an_account(PASSWORD, channels=(channel, SMS)))

    assert isinstance(shown, Shown)
    assert shown.bound_entry == 12
    assert (shown.source, shown.factor, shown.root) == (
        EMAIL.channel_id,
        Factor.EMAIL_CODE,
        "phone",
    )


@pytest.mark.parametrize(
    ("source", "changes", "fault"),
    [
        (SYNCED, {"challenge_id": None}, ProofFault.CHALLENGE_GONE),
        (SYNCED, {"challenge_id": ChallengeId("chl_other")}, ProofFault.CHALLENGE_GONE),
        (SYNCED, {"factor": Factor.TOTP}, ProofFault.CHALLENGE_GONE),
        (SYNCED, {"against": "another key"}, ProofFault.AUTHENTICATOR_GONE),
        (SYNCED, {"source": "aut_nobody"}, ProofFault.AUTHENTICATOR_GONE),
        (
            SYNCED,
            {"source": PASSWORD.authenticator_id, "against": PASSWORD.verifier},
            ProofFault.AUTHENTICATOR_GONE,
        ),
        (PASSWORD, {"against": "another hash"}, ProofFault.AUTHENTICATOR_GONE),
        (APP, {"against": "another seed"}, ProofFault.AUTHENTICATOR_GONE),
        (APP, {"totp_step": 0}, ProofFault.CODE_REPLAYED),
    ],
)
def test_an_answer_that_fits_another_question_counts_for_nothing(
    source: Authenticator, changes: dict[str, Any], fault: ProofFault
) -> None:
    assert answered(source, **changes) is fault


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"source": SMS.channel_id}, ProofFault.AUTHENTICATOR_GONE),
        ({"source": "chn_nobody"}, ProofFault.AUTHENTICATOR_GONE),
        ({"against": "another mac"}, ProofFault.CHALLENGE_GONE),
        ({"factor": Factor.SMS_CODE}, ProofFault.CHALLENGE_GONE),
        ({"challenge_id": None}, ProofFault.CHALLENGE_GONE),
    ],
)
def test_a_code_counts_for_the_channel_it_was_sent_to(
    changes: dict[str, Any], fault: ProofFault
) -> None:
    assert answered(EMAIL, WEAK, **changes) is fault


@pytest.mark.parametrize("source", [PASSWORD, APP])
def test_a_password_and_an_app_need_no_question(source: Authenticator) -> None:
    assert isinstance(answered(source, challenge_id=None), Shown)


@pytest.mark.parametrize(("step", "counts"), [(6, False), (7, False), (8, True)])
def test_a_step_of_the_app_counts_once_and_none_before_it(step: int, counts: bool) -> None:
    used = replace(APP, last_step=7)

    assert isinstance(answered(APP, an_account(PASSWORD, used), totp_step=step), Shown) is counts


@pytest.mark.parametrize("source", [PASSWORD, APP])
def test_while_the_throttle_is_closed_nothing_that_can_be_guessed_is_read(
    source: Authenticator,
) -> None:
    account = replace(an_account(PASSWORD, APP, SYNCED), throttle=CLOSED)
    right = Right(
        factor=Factor.TOTP if source is APP else Factor.PASSWORD,
        source=source.authenticator_id,
        against=against(source)[0],
        totp_step=1,
    )

    assert Scene.of(account).judge(right) is ProofFault.THROTTLED
    assert isinstance(answered(SYNCED, account), Shown)


@pytest.mark.parametrize(
    ("throttle", "factor", "told"),
    [
        (Throttle(), Factor.TOTP, ProofFault.CODE_WRONG),
        (CLOSED, Factor.TOTP, ProofFault.THROTTLED),
        (CLOSED, Factor.PASSKEY, ProofFault.CODE_WRONG),
    ],
)
def test_a_wrong_answer_that_is_not_read_tells_nothing(
    throttle: Throttle, factor: Factor, told: ProofFault
) -> None:
    account = replace(an_account(), throttle=throttle)
    wrong = Wrong(factor=factor, fault=ProofFault.CODE_WRONG)

    assert fault_told(account, Scene.of(account).action, wrong, now=NOON) is told


# --- Reaching the floor ---


@pytest.mark.parametrize(
    ("account", "before", "now", "reaches"),
    [
        pytest.param(an_account(), (), SYNCED, True, id="the floor's own"),
        pytest.param(an_account(), (), PASSWORD, False, id="below it"),
        pytest.param(an_account(), (PASSWORD,), SYNCED, True, id="after a weaker one"),
        pytest.param(an_account(), (SYNCED,), PASSWORD, False, id="a weaker one after it"),
        pytest.param(an_account(SYNCED, ROAMING), (SYNCED,), ROAMING, True, id="another of it"),
        pytest.param(WEAK, (PASSWORD,), EMAIL, True, id="a code after the password"),
        pytest.param(WEAK, (EMAIL,), PASSWORD, True, id="the password after a code"),
        pytest.param(WEAK, (), EMAIL, False, id="a code alone"),
        pytest.param(
            replace(an_account(), authenticators=()), (), EMAIL, False, id="nothing is bound"
        ),
    ],
)
def test_which_proof_reaches_the_floor(
    account: Account, before: tuple[Source, ...], now: Source, reaches: bool
) -> None:
    scene = Scene.of(an_account())
    action = replace(scene.action, shown=tuple(bare(one) for one in before))

    assert reaches_floor(account, action, bare(now), offers=PROOFS) is reaches


def bare(source: Source) -> Shown:
    name = getattr(source, "authenticator_id", "") or getattr(source, "channel_id", "")
    factor = {PASSWORD: Factor.PASSWORD, EMAIL: Factor.EMAIL_CODE}.get(source, Factor.PASSKEY)
    return Shown(source=name, factor=factor, root=None, bound_at=source.bound_at, at=NOON, entry=0)


# --- Sessions ---


@pytest.mark.parametrize(
    ("session", "thumbprint", "late", "shown"),
    [
        pytest.param(a_session(), ALICES_LAPTOP, 0 * HOUR, True, id="signed now"),
        pytest.param(a_session(), ALICES_LAPTOP, SIGNED_AT_TOLERANCE, True, id="in time"),
        pytest.param(a_session(), ALICES_LAPTOP, -SIGNED_AT_TOLERANCE, True, id="a fast clock"),
        pytest.param(
            a_session(), ALICES_LAPTOP, SIGNED_AT_TOLERANCE + INSTANT, False, id="kept for later"
        ),
        pytest.param(
            a_session(), ALICES_LAPTOP, -SIGNED_AT_TOLERANCE - INSTANT, False, id="from tomorrow"
        ),
        pytest.param(a_session(), ALICES_LAPTOP, None, False, id="not signed"),
        pytest.param(a_session(), "", 0 * HOUR, False, id="a copied name"),
        pytest.param(a_session(), MALLORYS_LAPTOP, 0 * HOUR, False, id="another device"),
        pytest.param(a_session(thumbprint=""), "", 0 * HOUR, False, id="a session without a key"),
        pytest.param(a_session("ses_bob"), ALICES_LAPTOP, 0 * HOUR, False, id="no such session"),
        pytest.param(
            a_session(started_at=NOON - SESSION_IDLE - INSTANT),
            ALICES_LAPTOP,
            0 * HOUR,
            False,
            id="idle for too long",
        ),
        pytest.param(
            a_session(started_at=NOON - DAY, seen_at=NOON),
            ALICES_LAPTOP,
            0 * HOUR,
            False,
            id="a day old",
        ),
    ],
)
def test_a_session_is_a_proof_while_its_device_signs_now(
    session: Session, thumbprint: str, late: timedelta | None, shown: bool
) -> None:
    signature = SessionSignature(
        session_id=SessionId("ses_alice"),
        thumbprint=thumbprint,
        signed_at=None if late is None else NOON - late,
    )
    found = session_shown(an_account(sessions=(session,)), signature, now=NOON)

    assert (found is not None) is shown
    assert found is None or (found.factor, found.root) == (Factor.SESSION, None)


def test_a_sessions_proof_names_the_entry_that_began_it() -> None:
    signature = SessionSignature(
        session_id=SessionId("ses_alice"), thumbprint=ALICES_LAPTOP, signed_at=NOON
    )
    account = an_account(sessions=(replace(a_session(), entry=7),))
    found = session_shown(account, signature, now=NOON)

    assert found is not None
    assert found.bound_entry == 7


def test_evidence_is_kept_by_its_digest() -> None:
    assert digest_of(b"") == ""
    assert len(from_b64url(digest_of(b"signature"))) == 32


@pytest.mark.parametrize(
    ("authenticator", "secret"),
    [(PASSWORD, PASSWORD.verifier), (APP, APP.seed), (SYNCED, SYNCED.public_key)],
)
def test_what_an_answer_is_checked_against(authenticator: Authenticator, secret: str) -> None:
    assert against(authenticator) == (secret,)


def test_a_channel_that_takes_no_codes_is_no_way_to_ask() -> None:
    account = an_account(PASSWORD, channels=(DESKTOP,))

    assert Scene.of(account, FREEZE).ask(replace(MAIL, channel_id=DESKTOP.channel_id)) is (
        ProofFault.AUTHENTICATOR_GONE
    )


def test_the_same_authenticator_is_shown_once_for_one_action() -> None:
    gate = Gate()
    action = gate.propose(send()).action_id
    gate.prove(action, PASSWORD)
    again = gate.answer(action, gate.right(action, PASSWORD))

    assert again.fault is ProofFault.ALREADY_SHOWN
    assert len(gate.action(action).shown) == 1


@pytest.mark.parametrize(
    ("late", "counts"), [(-INSTANT, True), (0 * INSTANT, False), (INSTANT, False)]
)
def test_a_question_is_good_to_just_before_its_end(late: timedelta, counts: bool) -> None:
    gate = Gate()
    action = gate.propose(send()).action_id
    gate.ask(action, SYNCED)
    right = gate.right(action, SYNCED)
    gate.wait(CHALLENGE_LIFETIME + late)
    found = judge(gate.account, gate.action(action), right, now=gate.now)

    assert isinstance(found, Shown) is counts


LOST = Suspension(at_ms=SECOND * 1_000, kind=SuspensionKind.FOR_GOOD)
OTHER_KEY = replace(ROAMING, suspension=LOST)


@pytest.mark.parametrize(
    ("bound", "fault"),
    [
        ((PASSWORD, SYNCED), None),
        ((PASSWORD,), None),
        ((PASSWORD, SYNCED, OTHER_KEY), None),
        ((PASSWORD, OTHER_KEY), ProofFault.SUSPENDED),
        ((replace(PASSWORD, suspension=LOST), SYNCED), None),
    ],
)
def test_a_factor_is_suspended_where_all_that_could_answer_is(
    bound: tuple[Authenticator, ...], fault: ProofFault | None
) -> None:
    assert suspended_fault(an_account(*bound), Factor.PASSKEY, now=NOON) is fault


RESET, _ = reset_password()
MAILED, TEXTED, TYPED = Factor.EMAIL_CODE, Factor.SMS_CODE, Factor.PASSWORD
BOTH_CODES = frozenset({MAILED, TEXTED})


@pytest.mark.parametrize(
    ("channels", "shown", "offers", "level"),
    [
        pytest.param((EMAIL, SMS), BOTH_CODES, BOTH_CODES, Level.OUT_OF_BAND, id="one from each"),
        pytest.param((EMAIL, SMS), {*BOTH_CODES, TYPED}, BOTH_CODES, Level.OUT_OF_BAND, id="more"),
        pytest.param((EMAIL, SMS), {MAILED}, BOTH_CODES, Level.NONE, id="one of two"),
        pytest.param((EMAIL, SMS), set(), BOTH_CODES, Level.NONE, id="none"),
        pytest.param((EMAIL, SMS), {MAILED}, {MAILED}, Level.NONE, id="one of two is offered"),
        pytest.param((EMAIL,), {MAILED}, {MAILED}, Level.OUT_OF_BAND, id="the only one is offered"),
        pytest.param((EMAIL, DESKTOP), {MAILED}, BOTH_CODES, Level.OUT_OF_BAND, id="one is there"),
        pytest.param((EMAIL, DESKTOP), {TEXTED}, BOTH_CODES, Level.NONE, id="of no channel"),
        pytest.param((EMAIL, SMS), {MAILED}, {TYPED}, Level.NONE, id="no code is offered"),
        pytest.param((EMAIL, SMS), set(), {TYPED}, Level.NONE, id="nothing asked, nothing shown"),
    ],
)
def test_a_forgotten_password_takes_a_code_from_each_kind_of_channel(
    channels: tuple[Channel, ...],
    shown: frozenset[Factor],
    offers: frozenset[Factor],
    level: Level,
) -> None:
    """Prevents: one stolen mailbox that sets a new password."""
    account = an_account(PASSWORD, channels=channels)

    assert level_for(account, RESET, shown, offers=frozenset(offers)) is level


def test_no_codes_stand_in_for_anything_stronger() -> None:
    account = an_account(PASSWORD, SYNCED, channels=(EMAIL, SMS))

    assert level_for(account, RESET, BOTH_CODES, offers=BOTH_CODES) is Level.NONE
    assert level_for(WEAK, send(), BOTH_CODES, offers=BOTH_CODES) is Level.NONE
