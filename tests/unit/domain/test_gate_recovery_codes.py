"""Recovery codes at the gate: what each helps to, and what none of them ever does."""

import pytest
from msgspec.structs import replace
from support.cast import ALICES_LAPTOP, DAY, HOUR, MALLORYS_LAPTOP, NOON, OLD_ADDRESS
from support.gates import Gate, Source
from support.policies import permits, policy_of
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    FREEZE,
    LIFT,
    PASSWORD,
    SAVED,
    SYNCED,
    a_destination,
    an_account,
    an_app,
    bind,
    change_password,
    list_address,
    make_key,
    remove,
    saved_codes,
    send,
    sign_in,
    unlist,
)

from twinlock.domain.account import Account, Session
from twinlock.domain.actions import AnyPayload
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Authenticator, RecoveryCodes
from twinlock.domain.bounds import AUTHENTICATORS_MOST, FREE_FAILURES, SESSION_LIFETIME
from twinlock.domain.commands import Right
from twinlock.domain.events import SessionStarted
from twinlock.domain.notices import NoticeKind, notices
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

WITH_APP = an_account(PASSWORD, APP, SAVED)
WITH_PASSKEY = an_account(PASSWORD, SYNCED, SAVED)
NEW = saved_codes("aut_new")
NEW_APP = an_app("aut_new")


def saved(number: int) -> Right:
    """Return the recovery code of this number, as the services have checked it."""
    return Right(
        factor=Factor.RECOVERY_CODE, source=SAVED.authenticator_id, against=SAVED.left[number]
    )


def left(account: Account) -> tuple[str, ...]:
    return next(one.left for one in account.authenticators if isinstance(one, RecoveryCodes))


# --- Once ---


@pytest.mark.requirement("N-B15", "P-01")
def test_a_code_counts_once_for_one_action() -> None:
    gate = Gate(account=WITH_APP)
    first, second = (gate.propose(FREEZE).action_id for _ in range(2))
    assert gate.prove(first, SAVED).answer is Answer.ALLOW
    again = gate.answer(
        second,
        saved(0),
    )

    assert again.fault is ProofFault.AUTHENTICATOR_GONE
    assert left(gate.account) == SAVED.left[1:]


def test_a_second_code_for_one_action_is_not_used_up() -> None:
    gate = Gate(account=WITH_APP)
    action = gate.propose(remove(APP)).action_id
    gate.prove(action, SAVED)
    again = gate.answer(
        action,
        saved(1),
    )

    assert again.fault is ProofFault.ALREADY_SHOWN
    assert left(gate.account) == SAVED.left[1:]


@pytest.mark.requirement("O-04")
def test_the_owner_is_told_that_a_code_was_used() -> None:
    gate = Gate(account=WITH_APP)
    decision = gate.prove(gate.propose(remove(APP)).action_id, SAVED)
    told = notices(gate.account, what="it", action_id="act", events=decision.events)

    assert [one.kind for one in told] == [NoticeKind.RECOVERY_CODE]
    assert SAVED.left[0] not in repr(told)


# --- What it helps to ---


@pytest.mark.parametrize("sources", [(PASSWORD, SAVED), (SAVED, PASSWORD)])
def test_a_code_and_the_password_sign_in_where_the_app_is_lost(
    sources: tuple[Source, ...],
) -> None:
    gate = Gate(account=WITH_APP)

    assert gate.sign_in(*sources).answer is Answer.ALLOW


def test_a_code_without_the_password_does_not() -> None:
    gate = Gate(account=WITH_APP)
    told = gate.sign_in(SAVED)

    assert told.answer is Answer.CHALLENGE
    assert reasons(told.requirement) == (Reason.PROOF_NEEDED,)


def test_below_a_passkey_they_may_look_and_no_more() -> None:
    gate = Gate(account=WITH_PASSKEY)

    assert gate.sign_in(PASSWORD, SAVED).answer is Answer.READ_ONLY


@pytest.mark.parametrize("account", [WITH_APP, WITH_PASSKEY])
def test_a_code_alone_freezes(account: Account) -> None:
    gate = Gate(account=account)

    assert gate.prove(gate.propose(FREEZE).action_id, SAVED).answer is Answer.ALLOW


def test_a_lost_app_is_removed_after_its_wait_and_replaced() -> None:
    gate = Gate(account=WITH_APP)
    removal = gate.propose(remove(APP)).action_id
    told = gate.prove(removal, PASSWORD, SAVED)
    assert told.answer is Answer.HOLD

    gate.wait(3 * DAY)
    gate.propose(FREEZE)
    assert not gate.is_open(removal)
    assert APP.authenticator_id not in {one.authenticator_id for one in gate.account.authenticators}


def test_a_new_app_is_bound_after_its_wait_and_is_born_of_the_phone() -> None:
    gate = Gate(account=WITH_APP)
    binding = gate.propose(*bind(NEW_APP)).action_id
    assert gate.prove(binding, PASSWORD, SAVED).answer is Answer.HOLD

    gate.wait(DAY)
    gate.propose(FREEZE)
    bound = gate.account.authenticator(NEW_APP.authenticator_id)
    assert bound is not None
    assert bound.born_of == "phone"


# --- What it never does ---

NEVER = [
    pytest.param(send(), "", id="money leaves"),
    pytest.param(list_address("0x" + "5" * 40), "", id="a way out"),
    pytest.param(unlist(OLD_ADDRESS), "", id="a destination is taken off"),
    pytest.param(make_key("read"), "key_1", id="an API key"),
    pytest.param(make_key("withdraw", ip_list=("203.0.113.7/32",)), "key_1", id="a withdraw key"),
    pytest.param(*change_password(), id="a new password"),
    pytest.param(LIFT, "", id="a freeze is lifted"),
]


@pytest.mark.requirement("N-B15")
@pytest.mark.parametrize(("payload", "secret"), NEVER)
@pytest.mark.parametrize("account", [WITH_APP, WITH_PASSKEY, an_account(PASSWORD, SAVED)])
def test_for_nothing_else_is_a_code_read_or_used_up(
    account: Account, payload: AnyPayload, secret: str
) -> None:
    gate = Gate.of(account, a_destination())
    action = gate.propose(payload, secret).action_id
    if not gate.is_open(action):
        return  # It was refused for another reason, for good.
    told = [
        gate.ask(action, SAVED).fault,
        gate.answer(action, gate.right(action, SAVED)).fault,
        gate.wrong(action, Factor.RECOVERY_CODE).fault,
    ]

    assert told == [ProofFault.NOT_OFFERED] * 3
    assert left(gate.account) == SAVED.left
    assert gate.account.throttle.failures == 0


def test_below_a_passkey_nothing_is_replaced() -> None:
    gate = Gate(account=WITH_PASSKEY)
    for payload, secret in ((remove(SYNCED), ""), bind(NEW_APP)):
        action = gate.propose(payload, secret).action_id

        assert gate.prove(action, SAVED).fault is ProofFault.BELOW_FLOOR


@pytest.mark.parametrize("device", [ALICES_LAPTOP, MALLORYS_LAPTOP])
def test_a_session_of_a_code_is_over_before_anything_may_leave(device: str) -> None:
    """Prevents: the password and one saved code, and a destination's budget on that session."""
    gate = Gate.of(WITH_APP, a_destination(budget_cents=100_00))
    session = started(gate, device)
    said = []
    for _ in range(2 * 26):
        said.append(gate.propose(send(), session=gate.signs(session)).answer)
        gate.wait(HOUR / 2)

    assert Answer.ALLOW not in said
    usual = Gate.of(WITH_APP, a_destination(budget_cents=100_00))
    decision = usual.sign_in(PASSWORD, APP)
    by_app = next(one.session for one in decision.events if isinstance(one, SessionStarted))
    assert usual.propose(send(), session=usual.signs(by_app)).answer is Answer.ALLOW


def started(gate: Gate, device: str) -> Session:
    decision = gate.sign_in(PASSWORD, SAVED, device=device)
    return next(one.session for one in decision.events if isinstance(one, SessionStarted))


def test_the_hold_of_such_a_sign_in_lasts_as_long_as_its_session() -> None:
    gate = Gate(account=replace(WITH_APP, enrolling_until=NOON + HOUR))
    started(gate, ALICES_LAPTOP)

    assert [one.ends_at for one in gate.account.holds] == [NOON + SESSION_LIFETIME]


@pytest.mark.requirement("N-B15", "N-B10")
def test_wrong_codes_are_counted_like_all_guesses() -> None:
    gate = Gate(account=WITH_APP)
    action = gate.propose(sign_in()).action_id
    told = [gate.wrong(action, Factor.RECOVERY_CODE).fault for _ in range(FREE_FAILURES + 1)]

    assert told == [ProofFault.CODE_WRONG] * FREE_FAILURES + [ProofFault.THROTTLED]
    assert gate.answer(action, gate.right(action, SAVED)).fault is ProofFault.THROTTLED
    assert left(gate.account) == SAVED.left


WITHOUT_SAVED = policy_of(
    "\n".join(permits()).replace(
        '"session.start.permit"', '"session.start.permit") @offers("password,totp"', 1
    )
)


def test_where_the_policy_offers_none_no_code_is_read_or_used_up() -> None:
    """Prevents: a proof that nobody asks for, and that counts when it is given all the same."""
    gate = Gate.of(WITH_APP, policy=WITHOUT_SAVED)
    action = gate.propose(sign_in()).action_id

    assert gate.answer(action, gate.right(action, SAVED)).fault is ProofFault.NOT_OFFERED
    assert left(gate.account) == SAVED.left
    assert gate.prove(action, PASSWORD, APP).answer is Answer.ALLOW


# --- A new set ---


@pytest.mark.requirement("N-B15")
def test_a_new_set_ends_the_old_one_when_its_wait_is_over() -> None:
    gate = Gate(account=WITH_APP)
    binding = gate.propose(*bind(NEW)).action_id
    assert gate.prove(binding, APP).answer is Answer.HOLD
    assert left(gate.account) == SAVED.left
    gate.wait(DAY)
    gate.propose(FREEZE)

    assert [one.authenticator_id for one in gate.account.authenticators] == [
        PASSWORD.authenticator_id,
        APP.authenticator_id,
        NEW.authenticator_id,
    ]


def test_what_a_removed_set_has_shown_counts_no_more() -> None:
    gate = Gate(account=WITH_APP)
    action = gate.propose(remove(APP)).action_id
    gate.prove(action, PASSWORD, SAVED)
    kept = (PASSWORD, APP, NEW)
    gate.account = replace(gate.account, authenticators=kept)
    gate.wait(30 * DAY)
    gate.propose(FREEZE)

    assert APP in gate.account.authenticators


@pytest.mark.parametrize(
    ("bound", "sources", "has_new"),
    [
        pytest.param((PASSWORD, SAVED), (PASSWORD, EMAIL), True, id="the floor's proof"),
        pytest.param((PASSWORD, saved_codes(left=0)), (PASSWORD, EMAIL), True, id="none is left"),
        pytest.param((PASSWORD, APP, SAVED), (PASSWORD,), False, id="less than the floor"),
        pytest.param((PASSWORD, APP, SAVED), (PASSWORD, SAVED), True, id="an old code"),
        pytest.param((PASSWORD, SYNCED, SAVED), (PASSWORD,), False, id="less than a passkey"),
    ],
)
def test_whoever_reaches_the_floor_may_have_new_codes(
    bound: tuple[Authenticator, ...], sources: tuple[Source, ...], has_new: bool
) -> None:
    gate = Gate(account=an_account(*bound, channels=(EMAIL, DESKTOP)))
    gate.prove(gate.propose(*bind(NEW)).action_id, *sources)
    gate.wait(4 * DAY)
    gate.propose(FREEZE)

    assert (gate.account.authenticator(NEW.authenticator_id) is not None) is has_new


def test_a_newcomer_replaces_no_older_codes() -> None:
    """Prevents: a thief's app that ends the codes with which the owner would come back."""
    newer = an_app("aut_newer", bound_at=NOON - DAY)
    gate = Gate(account=an_account(PASSWORD, newer, SAVED))
    told = gate.prove(gate.propose(*bind(NEW)).action_id, newer)

    assert told.answer is Answer.DENY
    assert Reason.NEWCOMER in reasons(told.requirement)


def test_in_a_full_account_new_codes_take_the_place_of_the_old_ones() -> None:
    more = tuple(an_app(f"aut_{number}") for number in range(AUTHENTICATORS_MOST - 3))
    gate = Gate(account=an_account(PASSWORD, APP, SAVED, *more))

    assert gate.prove(gate.propose(*bind(NEW)).action_id, APP).answer is Answer.HOLD
    too_many = gate.propose(*bind(NEW_APP))
    assert Reason.TOO_MANY in reasons(too_many.requirement)


@pytest.mark.parametrize("gone", [PASSWORD, SAVED])
def test_codes_alone_are_no_way_in(gone: Authenticator) -> None:
    """The last password stays beside an app and codes; the codes themselves may go."""
    gate = Gate(account=WITH_APP)
    told = gate.propose(remove(gone))

    assert (Reason.LAST_AUTHENTICATOR in reasons(told.requirement)) is (gone is PASSWORD)


def test_a_code_of_just_now_is_as_old_as_its_set() -> None:
    fresh = saved_codes(bound_at=NOON - 29 * DAY)
    gate = Gate(account=an_account(PASSWORD, APP, fresh))
    told = gate.prove(gate.propose(remove(APP)).action_id, PASSWORD, fresh)
    assert Reason.NEWCOMER in reasons(told.requirement)

    gate = Gate(account=an_account(PASSWORD, APP, fresh))
    gate.wait(DAY)
    told = gate.prove(gate.propose(remove(APP)).action_id, PASSWORD, fresh)
    assert told.answer is Answer.HOLD
