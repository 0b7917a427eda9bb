"""What counts as the same change, and who may decide a contest about it."""

from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, HOUR, LONG_AGO, NEW_ADDRESS, NOON, OLD_ADDRESS
from support.worlds import (
    APP,
    DESKTOP,
    DESKTOP_KEY,
    EMAIL,
    FREEZE,
    LIFT,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    an_account,
    bind,
    change_contact,
    change_password,
    list_address,
    make_key,
    reactivate,
    remove,
    reset_password,
    send,
    sign_in,
    unlist,
)

from twinlock.domain.account import Account, Shown
from twinlock.domain.actions import AccountErase, AnyPayload, LimitRaise, LockLoosen, NotBuilt
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import Suspension, SuspensionKind
from twinlock.domain.contested import (
    change_of,
    contested_until,
    decidable,
    decides,
)
from twinlock.domain.disputes import CHANGE_LETTERS, Contest, opened
from twinlock.domain.ids import ActionId

AT = int(NOON.timestamp())
ENDS = NOON + 14 * DAY
CONTEST = Contest(
    action_id=ActionId("act_1"),
    change=change_of(list_address(NEW_ADDRESS)),
    asked=("phone",),
    objected=("desktop",),
    opened_at=AT,
    ends_at=AT + 14 * 86_400,
    holds=True,
)

SAME = [
    (send(50), send(60)),
    (send(50), replace(send(50), asset="USDC", contract="0x" + "1" * 40)),
    (list_address(NEW_ADDRESS), list_address(NEW_ADDRESS, budget_cents=5)),
    (list_address(NEW_ADDRESS), replace(list_address(NEW_ADDRESS), label="mum")),
    (bind(SYNCED)[0], replace(bind(SYNCED)[0], credential="another", name="x")),
    (reset_password()[0], replace(reset_password()[0], verifier="another")),
    (make_key("withdraw"), make_key("withdraw", "read", public_key="q" * 43)),
    (LIFT, LIFT),
    (
        LimitRaise(account=ALICE, day_cents=500_00, destination_cents=None),
        LimitRaise(account=ALICE, day_cents=501_00, destination_cents=10_00),
    ),
    (
        LockLoosen(account=ALICE, days=0, two_keys=False),
        LockLoosen(account=ALICE, days=1, two_keys=True),
    ),
]
DIFFERENT: list[AnyPayload] = [
    send(50),
    send(50, to=NEW_ADDRESS),
    replace(send(50), memo="7"),
    replace(send(50), network="tron"),
    list_address(OLD_ADDRESS),
    list_address(NEW_ADDRESS),
    bind(SYNCED)[0],
    bind(APP)[0],
    remove(SYNCED),
    remove(APP),
    reactivate(SYNCED),
    reset_password()[0],
    change_contact(EMAIL, SMS)[0],
    change_contact(EMAIL, None)[0],
    change_contact(DESKTOP, None)[0],
    change_contact(None, SMS)[0],
    make_key("withdraw"),
    LIFT,
    AccountErase(account=ALICE),
    LimitRaise(account=ALICE, day_cents=1, destination_cents=None),
    LockLoosen(account=ALICE, days=0, two_keys=False),
    NotBuilt(asked="recovery.open", digest="a", account=ALICE),
    NotBuilt(asked="recovery.open", digest="b", account=ALICE),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_change_is_known_under_another_name(one: AnyPayload, other: AnyPayload) -> None:
    assert change_of(one) == change_of(other)
    assert len(change_of(one)) == CHANGE_LETTERS


def test_different_changes_are_told_apart() -> None:
    assert len({change_of(one) for one in DIFFERENT}) == len(DIFFERENT)


@pytest.mark.parametrize(
    "payload",
    [FREEZE, sign_in(), change_password()[0], unlist(OLD_ADDRESS), make_key("read")],
)
def test_what_takes_effect_at_once_is_not_contested(payload: AnyPayload) -> None:
    assert change_of(payload) == ""


def shown(**changes: Any) -> Shown:  # noqa: ANN401 - any of the fields
    own = Shown(
        source=ROAMING.authenticator_id,
        factor=Factor.PASSKEY,
        root="roaming:aut_roaming",
        bound_at=LONG_AGO,
        at=NOON,
        entry=1,
        bound_entry=ROAMING.entry,
    )
    return replace(own, **changes)


def account_of(*authenticators: Any, **changes: Any) -> Account:  # noqa: ANN401 - any field's
    base = an_account(*(authenticators or (PASSWORD, SYNCED, ROAMING)))
    return replace(base, disputes=opened(base.disputes, CONTEST), **changes)


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        pytest.param({}, True, id="a third key"),
        pytest.param({"root": "phone"}, False, id="the root that asked"),
        pytest.param({"root": "desktop:aut_desktop"}, False, id="may be the machine that objected"),
        pytest.param({"root": None}, False, id="no root"),
        pytest.param({"factor": Factor.TOTP}, False, id="below the floor"),
        pytest.param({"factor": Factor.SESSION}, False, id="born of other things"),
        pytest.param({"factor": Factor.EMAIL_CODE}, False, id="a code"),
        pytest.param({"bound_at": NOON - 30 * DAY}, True, id="thirty days old"),
        pytest.param({"bound_at": NOON - 30 * DAY + HOUR}, False, id="not yet"),
    ],
)
def test_who_decides(changes: dict[str, Any], may: bool) -> None:
    assert decides(account_of(), CONTEST, shown(**changes)) is may


def test_an_app_decides_where_it_is_the_floor_and_nothing_that_is_in_doubt() -> None:
    app = shown(factor=Factor.TOTP)

    assert decides(account_of(PASSWORD, APP), CONTEST, app)
    assert decides(account_of(PASSWORD), CONTEST, app)
    assert not decides(account_of(doubts=((ROAMING.entry, ROAMING.entry),)), CONTEST, shown())


def test_what_the_account_was_opened_with_was_at_hand() -> None:
    young = account_of(opened_at=NOON - DAY)

    assert decides(young, CONTEST, shown(bound_at=NOON - DAY + HOUR))
    assert not decides(young, CONTEST, shown(bound_at=NOON - DAY + 2 * HOUR))


def an_action(account: Account, named: str = "act_1") -> Any:  # noqa: ANN401 - one field is asked
    from support.gates import Gate  # noqa: PLC0415 - only here

    gate = Gate(account=replace(account, disputes=type(account.disputes)()))
    made = gate.propose(list_address(NEW_ADDRESS)).action_id
    return replace(gate.action(made), action_id=ActionId(named))


@pytest.mark.parametrize(
    ("authenticators", "may"),
    [
        ((PASSWORD, SYNCED, ROAMING), True),
        ((PASSWORD, SYNCED), False),
        ((PASSWORD, SYNCED, DESKTOP_KEY), False),
        ((PASSWORD, SYNCED, replace(ROAMING, bound_at=NOON - DAY)), False),
        (
            (
                PASSWORD,
                SYNCED,
                replace(
                    ROAMING, suspension=Suspension(at_ms=AT * 1000, kind=SuspensionKind.FOR_GOOD)
                ),
            ),
            False,
        ),
    ],
)
def test_whether_anything_enrolled_may_decide(authenticators: tuple[Any, ...], may: bool) -> None:
    account = account_of(*authenticators)
    action = an_action(account)

    assert decidable(account, action, now=NOON) is may
    assert not decidable(account, replace(action, action_id=ActionId("act_2")), now=NOON)
    assert not decidable(an_account(*authenticators), action, now=NOON)


def test_until_when_a_change_is_contested() -> None:
    account = account_of()
    own, again = an_action(account), an_action(account, "act_2")
    other = replace(again, payload=list_address(OLD_ADDRESS))

    assert contested_until(account, own, now=ENDS + DAY) == ENDS
    assert contested_until(account, again, now=ENDS - HOUR) == ENDS
    assert contested_until(account, again, now=ENDS) is None
    assert contested_until(account, other, now=NOON) is None
    assert contested_until(an_account(), own, now=NOON) is None
