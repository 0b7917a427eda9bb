from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, HOUR, NEW_ADDRESS, NOON, OLD_ADDRESS
from support.gates import Gate
from support.leaving import OTHERS, REGISTERED_EXIT, TETHER
from support.policies import STRICT, permits, policy_of
from support.worlds import (
    APP,
    CONTRACT,
    DESKTOP,
    EMAIL,
    FREEZE,
    LIFT,
    PASSWORD,
    ROAMING,
    SAVED,
    SMS,
    SYNCED,
    a_contact,
    a_destination,
    a_passkey,
    add_contact,
    an_account,
    bind,
    change_password,
    list_address,
    make_key,
    remove,
    remove_contact,
    saved_codes,
    send,
    set_word,
    sign_in,
    unlist,
)

from twinlock.adapters.system import SystemEntropy
from twinlock.domain.account import ActionUnknownError, State
from twinlock.domain.actions import (
    AnyPayload,
    ApiKeyNarrow,
    ApiKeyRevoke,
    ApiKeyWiden,
    AuthenticatorBind,
    LimitLower,
    LimitRaise,
    LockLoosen,
    LockTighten,
    NotBuilt,
    QuorumLoosen,
    QuorumTighten,
)
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.bounds import FAILURES_MOST, FREE_FAILURES
from twinlock.domain.entries import ClosedAction, closed
from twinlock.domain.exits import TradeUnusual, TransferSubaccount, WithdrawalCrypto
from twinlock.domain.listed import Destination
from twinlock.domain.policy.facts import DestinationState, Facts
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Never, Requirement
from twinlock.domain.throttle import Throttle
from twinlock.services.looking import Standing
from twinlock.web.payloads import Known, tell_payload
from twinlock.web.rendering import Renderer
from twinlock.web.sheets import Sheet, Status, sheet_of, worth_knowing

KNOWN = a_destination()


def standing(gate: Gate, action: str) -> Standing:
    """Return an open action as the service finds it."""
    opened = gate.action(action)
    where = gate.where(opened.payload)
    state = State(
        account=gate.account,
        destination_id=where,
        destination=gate.destinations.get(where) if where else None,
    )
    return Standing(state=state, action=opened, rules=gate.rules, now=gate.now)


def ended(gate: Gate) -> ClosedAction:
    """Return the action that the gate's last decision closed."""
    before, decided, _ = gate.book[-1]
    decisions = decided.decisions[-1:]
    found = closed(before, decisions[0], number=1, policy=gate.rules.policy.name)
    assert found is not None
    return found


def sheet(gate: Gate, action: str, *, listed: tuple[Destination, ...] = ()) -> Sheet:
    try:
        found: Standing | ClosedAction = standing(gate, action)
    except ActionUnknownError:
        found = ended(gate)
    return sheet_of(found, policy=gate.rules.policy, listed=listed)


def gate_of(*authenticators: object, listed: bool = True) -> Gate:
    account = an_account(*authenticators)  # type: ignore[arg-type] # authenticators of worlds
    return Gate.of(account, *((KNOWN,) if listed else ()))


def factors(told: Sheet) -> list[Factor]:
    return [field.factor for field in told.fields]


def line(told: Sheet, label: str) -> str:
    return next(one.text for one in (*told.told.lines, *told.worth_knowing) if one.label == label)


# --- To others ---


@pytest.mark.parametrize("state", sorted({*DestinationState} - {DestinationState.NONE}))
def test_what_a_contact_reads_of_a_place_is_about_its_owner(state: DestinationState) -> None:
    facts = gate_of(PASSWORD, SYNCED).propose(send()).facts
    assert facts is not None
    found = replace(facts, destination=state)
    mine, theirs = (worth_knowing(send(), found, own=own)[0] for own in (True, False))

    assert "you" not in theirs.text.lower()
    assert theirs.heed is mine.heed


# --- Where the usual way is lost ---


@pytest.mark.parametrize(
    ("bound", "shown", "payload", "instead"),
    [
        ((PASSWORD, APP, SAVED), (), sign_in(), [Factor.PASSWORD, Factor.RECOVERY_CODE]),
        ((PASSWORD, APP, SAVED), (PASSWORD,), sign_in(), [Factor.RECOVERY_CODE]),
        ((PASSWORD, APP, SAVED), (), remove(APP), [Factor.PASSWORD, Factor.RECOVERY_CODE]),
        ((PASSWORD, APP, SAVED), (), FREEZE, [Factor.RECOVERY_CODE]),
        ((PASSWORD, SAVED), (), sign_in(), [Factor.RECOVERY_CODE]),
        ((PASSWORD, APP, SAVED), (), send(), []),
        ((PASSWORD, APP, saved_codes(left=0)), (), sign_in(), []),
        ((PASSWORD, APP), (), sign_in(), []),
        ((PASSWORD, SYNCED, SAVED), (), sign_in(), []),
        ((PASSWORD, SYNCED, SAVED), (), remove(SYNCED), []),
    ],
    ids=[
        "to sign in",
        "after the password",
        "to remove a lost app",
        "to freeze, with nothing beside it",
        "where the password is offered already",
        "never to send",
        "none is left",
        "none was saved",
        "below a passkey, to sign in",
        "below a passkey, to remove it",
    ],
)
def test_a_recovery_code_is_offered_where_it_helps(
    bound: tuple[object, ...],
    shown: tuple[Authenticator, ...],
    payload: AnyPayload,
    instead: list[Factor],
) -> None:
    gate = gate_of(*bound)
    action = gate.propose(payload).action_id
    if shown:
        gate.prove(action, *shown)

    assert [field.factor for field in sheet(gate, action).instead] == instead


def test_a_recovery_code_is_not_offered_where_the_policy_takes_none() -> None:
    without = policy_of(
        "\n".join(permits()).replace(
            '"session.start.permit"', '"session.start.permit") @offers("password,totp"', 1
        )
    )
    gate = Gate.of(an_account(PASSWORD, APP, SAVED), policy=without)

    assert sheet(gate, gate.propose(sign_in()).action_id).instead == ()


def test_a_new_set_of_codes_says_what_each_is_good_for() -> None:
    gate = gate_of(PASSWORD, APP)
    told = sheet(gate, gate.propose(*bind(SAVED)).action_id).told

    assert told.title == "Add an authenticator: recovery codes"
    assert "beside your password" in told.effect


# --- What is asked for ---


@pytest.mark.parametrize(
    ("bound", "payload", "offered", "together"),
    [
        ((PASSWORD, SYNCED), send(), [Factor.PASSKEY], False),
        ((PASSWORD, APP), send(), [Factor.TOTP], False),
        ((PASSWORD, APP, SYNCED), send(), [Factor.PASSKEY], False),
        ((PASSWORD,), send(), [Factor.PASSWORD, Factor.EMAIL_CODE], True),
        ((PASSWORD,), sign_in(), [Factor.PASSWORD, Factor.EMAIL_CODE], True),
        ((PASSWORD, APP), sign_in(), [Factor.TOTP], False),
        ((PASSWORD, SYNCED), sign_in(), [Factor.PASSKEY], False),
        ((PASSWORD, SYNCED), FREEZE, [Factor.PASSKEY, Factor.PASSWORD, Factor.EMAIL_CODE], False),
    ],
    ids=[
        "a passkey",
        "an app",
        "nothing below the passkey",
        "a password and a code",
        "a password and a code, to sign in",
        "the app first, to sign in",
        "no code below the floor, to sign in",
        "anything, to freeze",
    ],
)
def test_what_is_offered_is_what_the_gate_would_take(
    bound: tuple[object, ...], payload: AnyPayload, offered: list[Factor], *, together: bool
) -> None:
    gate = gate_of(*bound)

    told = sheet(gate, gate.propose(payload).action_id)

    assert (told.status, factors(told), told.together) == (Status.ASK, offered, together)


def test_an_app_is_followed_by_its_password() -> None:
    gate = gate_of(PASSWORD, APP)
    started = gate.propose(sign_in()).action_id
    assert sheet(gate, started).then_asks

    gate.prove(started, APP)
    told = sheet(gate, started)

    assert (told.status, factors(told), told.shown) == (
        Status.ASK,
        [Factor.PASSWORD],
        (Factor.TOTP,),
    )


def test_a_code_that_was_sent_is_asked_for() -> None:
    gate = gate_of(PASSWORD)
    action = gate.propose(send()).action_id
    assert {field.challenge_id for field in sheet(gate, action).fields} == {""}

    gate.ask(action, EMAIL)
    (field,) = (one for one in sheet(gate, action).fields if one.factor is Factor.EMAIL_CODE)
    assert field.challenge_id == gate.action(action).challenges[0].challenge_id

    gate.prove(action, EMAIL)
    assert factors(sheet(gate, action)) == [Factor.PASSWORD]


def test_a_code_that_is_too_old_is_not_asked_for() -> None:
    gate = gate_of(PASSWORD)
    action = gate.propose(send()).action_id
    gate.ask(action, EMAIL)

    gate.wait(timedelta(minutes=10))

    assert {field.challenge_id for field in sheet(gate, action).fields} == {""}


def test_a_profile_without_sms_offers_none() -> None:
    account = an_account(PASSWORD, channels=(SMS, DESKTOP))
    allowed, strict = Gate.of(account), Gate.of(account, policy=STRICT)

    for gate, offered in ((allowed, True), (strict, False)):
        told = sheet(gate, gate.propose(sign_in()).action_id)
        assert (Factor.SMS_CODE in factors(told)) is offered


def test_codes_sent_too_often_are_still_offered_and_then_refused_with_a_reason() -> None:
    gate = gate_of(PASSWORD)
    action = gate.propose(send()).action_id
    for _ in range(10):
        gate.ask(action, EMAIL)

    assert gate.ask(action, EMAIL).fault is ProofFault.CODES_LIMITED
    assert Factor.EMAIL_CODE in factors(sheet(gate, action))


@pytest.mark.parametrize(
    ("failures", "until", "never"),
    [(FREE_FAILURES - 1, None, False), (FREE_FAILURES, NOON + timedelta(seconds=30), False)],
)
def test_after_too_many_wrong_answers_the_page_says_when_guesses_are_read_again(
    failures: int, until: object, *, never: bool
) -> None:
    gate = gate_of(PASSWORD, APP)
    action = gate.propose(send()).action_id
    for _ in range(failures):
        gate.wrong(action, Factor.TOTP)

    told = sheet(gate, action)

    assert (told.guesses_from, told.guesses_never) == (until, never)


def test_after_a_hundred_wrong_answers_no_end_is_told() -> None:
    gate = gate_of(PASSWORD, APP)
    action = gate.propose(send()).action_id
    gate.account = replace(gate.account, throttle=Throttle(failures=FAILURES_MOST))

    told = sheet(gate, action)

    assert (told.guesses_from, told.guesses_never) == (None, True)


# --- How it stands ---


def test_a_known_destination_needs_one_proof_and_no_wait() -> None:
    gate = gate_of()
    action = gate.propose(send()).action_id

    told = sheet(gate, action)

    assert (told.then_until, told.wait, told.because) == (None, None, ())
    assert line(told, "Destination").startswith("Known")
    gate.prove(action, SYNCED)
    told = sheet(gate, action)
    assert (told.status, told.fields) == (Status.AUTHORIZED, ())
    assert told.by == gate.now + timedelta(minutes=15)


def test_a_new_destination_tells_its_wait_before_and_after_the_proof() -> None:
    gate = gate_of(listed=False)
    action = gate.propose(send(to=NEW_ADDRESS)).action_id

    told = sheet(gate, action)
    assert (told.then_until, told.wait) == (NOON + DAY, DAY)
    assert [one.code for one in told.because] == ["destination_new"]
    assert told.because[0].until == NOON + DAY

    gate.prove(action, SYNCED)
    gate.wait(HOUR)
    told = sheet(gate, action)
    assert (told.status, told.until, told.wait) == (Status.WAIT, NOON + DAY, DAY - HOUR)
    assert [one.code for one in told.because] == ["destination_new"]
    assert told.announced

    gate.wait_until(NOON + DAY)
    assert sheet(gate, action).status is Status.READY


def test_a_wait_is_told_as_announced_where_nothing_else_explains_it() -> None:
    gate = gate_of(listed=False)
    action = gate.propose(send(to=NEW_ADDRESS)).action_id
    gate.prove(action, SYNCED)
    longer = replace(gate.action(action), until=NOON + 2 * DAY)
    gate.account = replace(gate.account, actions=(longer,))
    gate.wait(DAY)

    told = sheet(gate, action)

    assert [one.code for one in told.because] == ["wait_told"]


def test_a_second_root_is_offered_only_where_it_spares_the_wait() -> None:
    gate = gate_of(PASSWORD, SYNCED, ROAMING)
    above_the_limit = gate.propose(send(150_000)).action_id
    assert sheet(gate, above_the_limit).then_asks
    gate.prove(above_the_limit, SYNCED)

    told = sheet(gate, above_the_limit)
    assert (told.status, told.shortcut, factors(told)) == (Status.WAIT, True, [Factor.PASSKEY])

    new = gate.propose(send(50, to=NEW_ADDRESS)).action_id
    assert not sheet(gate, new).then_asks
    gate.prove(new, SYNCED)
    told = sheet(gate, new)
    assert (told.status, told.shortcut, told.fields) == (Status.WAIT, False, ())


def test_every_kind_of_proof_that_was_shown_has_a_name_on_the_page() -> None:
    """Prevents: no page at all, where a friend or a key has spoken and its owner must once more."""
    gate = gate_of(PASSWORD, SYNCED)
    told = sheet(gate, gate.propose(send(50)).action_id)
    pages = Renderer("https://id.example", entropy=SystemEntropy())
    said: dict[str, Any] = {"code": "", "note": "", "fault": "", "tried": None}

    for factor in Factor:
        page = pages.page("confirm.html", sheet=replace(told, shown=(factor,)), **said)
        assert "Shown already:" in page.content


def test_of_two_keys_the_one_that_leads_further_is_foretold() -> None:
    young = a_passkey("aut_young", bound_at=NOON - DAY)
    gate = gate_of(PASSWORD, young, SYNCED)

    told = sheet(gate, gate.propose(remove(SYNCED)).action_id)

    assert [one.code for one in told.because] == ["loosening_waits"]


def test_a_refusal_that_the_proof_would_run_into_is_foretold() -> None:
    def full_once_proved(facts: Facts) -> Requirement:
        return Never(code=Reason.TOO_MANY) if facts.shown_factors else NOTHING

    gate = gate_of()
    found = standing(gate, gate.propose(remove(PASSWORD)).action_id)
    rules = replace(found.rules, statutes=(full_once_proved,))

    told = sheet_of(replace(found, rules=rules), policy=rules.policy)

    assert (told.status, told.hold) == (Status.ASK, None)
    assert "too_many" in [one.code for one in told.because]


def test_a_freeze_blocks_what_was_authorized() -> None:
    gate = gate_of()
    action = gate.propose(send()).action_id
    gate.prove(action, SYNCED)
    gate.prove(gate.propose(FREEZE).action_id, SYNCED)

    told = sheet(gate, action)

    assert (told.status, told.fields) == (Status.BLOCKED, ())
    assert [(one.code, one.until) for one in told.because] == [("account_frozen", None)]


def test_what_nobody_can_prove_any_more_is_blocked_with_its_reason() -> None:
    gate = gate_of()
    action = gate.propose(send()).action_id
    gate.prove(action, SYNCED)
    gate.account = replace(gate.account, authenticators=(PASSWORD, ROAMING))

    told = sheet(gate, action)

    assert (told.status, [one.code for one in told.because]) == (Status.BLOCKED, ["proof_needed"])


def test_what_nobody_finished_is_too_late_before_anybody_settles_it() -> None:
    gate = gate_of()
    action = gate.propose(send()).action_id

    gate.wait(HOUR - timedelta(milliseconds=1))
    assert sheet(gate, action).status is Status.ASK
    gate.wait(timedelta(milliseconds=1))
    told = sheet(gate, action)

    assert (told.status, told.because, told.fields) == (Status.LAPSED, (), ())


def test_a_hold_that_would_follow_is_told() -> None:
    gate = gate_of(PASSWORD, SYNCED, APP)

    assert sheet(gate, gate.propose(remove(APP)).action_id).hold == 3 * DAY
    assert sheet(gate, gate.propose(list_address(NEW_ADDRESS)).action_id).hold is None
    assert sheet(gate, gate.propose(sign_in("stranger".ljust(43, "S"))).action_id).hold == DAY


def test_without_a_channel_no_notice_is_promised() -> None:
    gate = Gate.of(an_account(channels=()))

    told = sheet(gate, gate.propose(list_address(NEW_ADDRESS)).action_id)

    assert not told.announced


# --- How it ended ---


def test_a_refusal_tells_its_reasons() -> None:
    gate = gate_of()
    refused = gate.propose(send(), session=replace(gate.give_session(), thumbprint=""))

    told = sheet(gate, refused.action_id)

    assert (told.status, told.ended_at) == (Status.REFUSED, NOON)
    assert "proof_not_bound" in [one.code for one in told.because]


def test_every_other_end_is_told_as_what_it_was() -> None:
    gate = gate_of()
    spent = gate.propose(send()).action_id
    gate.prove(spent, SYNCED)
    gate.spend(spent)
    assert sheet(gate, spent).status is Status.SPENT
    vetoed = gate.propose(send()).action_id
    gate.veto(vetoed, DESKTOP)
    assert sheet(gate, vetoed).status is Status.VETOED
    done = gate.propose(FREEZE).action_id
    gate.prove(done, SYNCED)
    assert sheet(gate, done).status is Status.DONE
    lapsed = gate.propose(LIFT).action_id
    gate.wait(HOUR)
    gate.ask(lapsed, SYNCED)
    assert sheet(gate, lapsed).status is Status.LAPSED


# --- What is signed ---


def payloads() -> list[AnyPayload]:
    withdrawing = make_key(
        "read", "withdraw", ip_list=("192.0.2.0/24",), destinations=(KNOWN.destination_id, "dst_x")
    )
    return [
        send(),
        WithdrawalCrypto(
            account=ALICE,
            asset="XRP",
            network="xrpl",
            contract="",
            decimals=6,
            address="rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh",
            memo="1234",
            amount_minor="1",
            max_fee_minor="0",
        ),
        sign_in(),
        bind(SYNCED)[0],
        AuthenticatorBind(
            account=ALICE, authenticator="totp", credential="digest", name="a\u202eb"
        ),
        remove(SYNCED),
        change_password()[0],
        list_address(NEW_ADDRESS, budget_cents=100_00),
        list_address(NEW_ADDRESS),
        unlist(OLD_ADDRESS),
        withdrawing,
        make_key(),
        ApiKeyRevoke(account=ALICE, api_key_id="key_abc"),
        ApiKeyWiden(**POWERS),
        ApiKeyNarrow(**(POWERS | {"ip_list": (), "pairs": (), "price_band_bp": 0})),
        FREEZE,
        LIFT,
        *OTHERS,
        REGISTERED_EXIT,
        TransferSubaccount(**TETHER, subaccount="sub_1", source="sub_2"),
        LimitRaise(account=ALICE, day_cents=None, destination_cents=5),
        LimitLower(account=ALICE, day_cents=5, destination_cents=None),
        LimitLower(account=ALICE, day_cents=5, destination_cents=None, agreement_cents=7),
        set_word()[0],
        add_contact()[0],
        add_contact(first=False)[0],
        remove_contact(),
        LockTighten(account=ALICE, days=30, two_keys=True),
        LockLoosen(account=ALICE, days=1, two_keys=False),
        LockLoosen(account=ALICE, days=0, two_keys=False),
        NotBuilt(account=ALICE, asked="recovery.open", digest="fields"),
    ]


POWERS: dict[str, Any] = {
    "account": ALICE,
    "api_key_id": "key_abc",
    "ip_list": ("203.0.113.1/32",),
    "pairs": ("BTC/USDT",),
    "price_band_bp": 150,
    "notional_daily_cents": 5_00,
}


# Told in other words: amounts and sums as decimals, flags as sentences, the account not at all.
OTHERWISE = {"account", "amount_minor", "max_fee_minor", "decimals", "budget_cents", "daily_cents"}
OTHERWISE |= {"day_cents", "destination_cents", "days", "two_keys", "orders"}
OTHERWISE |= {"agreement_cents", "first"}
OTHERWISE |= {"scopes", "destinations", "name", "authenticator", "asset", "asked", "terms"}
OTHERWISE |= {"price_band_bp", "notional_daily_cents"}


@pytest.mark.requirement("P-07")
@pytest.mark.parametrize("payload", payloads(), ids=lambda one: type(one).__name__)
def test_every_field_stands_on_the_page_whole(payload: AnyPayload) -> None:
    account = an_account(PASSWORD, SYNCED)
    policy = STRICT

    told = tell_payload(payload, Known(policy=policy, account=account, listed=(KNOWN,)))

    shown = {text for one in told.lines for text in (one.text, *one.items)}
    for field in payload.__struct_fields__:
        value = getattr(payload, field)
        if field not in OTHERWISE and value:
            assert {value} <= shown or set(value) <= shown, field
    assert told.title
    assert told.effect.endswith(".")


def test_each_term_of_an_exit_of_the_platforms_own_stands_beside_its_name() -> None:
    assert lines_of(REGISTERED_EXIT)["invoice"] == "2026-17"


def test_no_name_of_a_sub_account_turns_what_stands_beside_it() -> None:
    moved = TransferSubaccount(**TETHER, subaccount="sub_1", source="s\u202ebus")

    assert lines_of(moved)["From"] == "s⟨U+202E⟩bus"


def lines_of(payload: AnyPayload, *, known: Known | None = None) -> dict[str, str]:
    policy = STRICT
    told = tell_payload(payload, known or Known(policy=policy))
    return {one.label: " ".join((one.text, *one.items, one.unit)).strip() for one in told.lines}


def test_limits_and_locks_are_told_in_words() -> None:
    raises = lines_of(LimitRaise(account=ALICE, day_cents=None, destination_cents=5_00))
    assert raises["A day, in all"] == "No limit of your own: what the platform allows"
    assert raises["A day, to one destination"] == "At most US$5.00"
    locks = lines_of(LockTighten(account=ALICE, days=1, two_keys=True))
    assert locks["All that leaves or weakens waits"] == "1 day"
    assert "shown together" in locks["Who is spared the wait"]
    assert (
        lines_of(TradeUnusual(**TETHER, pair="A/B", side="buy", price="2", orders=3))["Orders"]
        == "3"
    )


def test_sums_are_told_in_decimals_of_their_asset() -> None:
    told = lines_of(send(50))

    assert told["Amount"] == "49.99 USDT"
    assert told["Network fee, at most"] == "0.000000000000001 ETH"
    assert told["Token contract"] == CONTRACT


def test_a_fee_on_a_network_that_the_policy_forgot_is_told_in_its_smallest_unit() -> None:
    bare = Known(policy=Policy(replace(STRICT.draft, version=2, assets=())))

    told = lines_of(send(50), known=bare)

    assert told["Network fee, at most"] == "1000 of the coin's smallest unit"


def test_an_authenticator_is_removed_by_its_name() -> None:
    policy = STRICT
    named = replace(SYNCED, name="Alice's phone")
    known = Known(policy=policy, account=an_account(PASSWORD, named))

    told = lines_of(remove(named), known=known)
    gone = lines_of(remove(ROAMING), known=known)

    assert (told["Kind"], told["Name"], told["Id"]) == ("Passkey", "Alice's phone", "aut_passkey")
    assert gone == {"Id": "aut_roaming"}


def test_an_api_key_is_told_with_addresses_and_not_with_our_names_for_them() -> None:
    policy = STRICT
    key = make_key("withdraw", destinations=(KNOWN.destination_id, "dst_gone"))

    told = lines_of(key, known=Known(policy=policy, listed=(KNOWN,)))

    assert told["To these destinations"] == f"ethereum: {OLD_ADDRESS} dst_gone"


def test_a_value_that_nobody_knows_is_told_as_unknown() -> None:
    gate = gate_of()
    gate.prices_up = False
    action = gate.propose(send()).action_id

    assert line(sheet(gate, action), "Worth about, with the fee").startswith("Not known")


def test_a_contact_is_told_by_name_while_the_account_holds_it() -> None:
    bob = a_contact()
    account = replace(an_account(PASSWORD, SYNCED), contacts=(bob,))
    known = tell_payload(remove_contact(), Known(policy=STRICT, account=account))
    over = tell_payload(remove_contact(), Known(policy=STRICT))

    assert [one.text for one in known.lines] == ["Bob", "con_bob"]
    assert [one.text for one in over.lines] == ["con_bob"]
    first, other = (
        tell_payload(add_contact(first=one)[0], Known(policy=STRICT)) for one in (True, False)
    )
    assert (first.title, other.title) == ("Add a trusted contact", "Add another trusted contact")
    assert [one.heed for one in other.lines] == [True, False]
    assert [one.heed for one in first.lines] == [False, False]


def test_a_sum_above_which_somebody_agrees_is_told_in_dollars() -> None:
    lower = LimitLower(account=ALICE, day_cents=None, destination_cents=None, agreement_cents=7_00)
    nobody = LimitLower(account=ALICE, day_cents=None, destination_cents=None)

    assert lines_of(lower)["A trusted contact must agree"] == "To more than US$7.00 a day"
    assert lines_of(nobody)["A trusted contact must agree"] == "Never"


@pytest.mark.parametrize("changed", [QuorumTighten, QuorumLoosen])
def test_how_many_members_agree_is_told_by_the_sum(
    changed: type[QuorumTighten | QuorumLoosen],
) -> None:
    told = lines_of(changed(account=ALICE, two_cents=7_00, three_cents=None))

    assert told["Two members must agree"] == "To more than US$7.00 a day"
    assert told["Three members must agree"] == "Never"
