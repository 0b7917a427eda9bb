"""Checks: tables that are walked, on accounts of their own."""

from typing import Any

import pytest
from support.ranges import APP_ACCOUNT, PASSKEY_ACCOUNT, checked, step, without

from twinlock.domain.actions import BUILT
from twinlock.domain.catalogue import CLASS_OF, ActionClass
from twinlock.domain.laws import the_floor_never_sinks
from twinlock.domain.reasons import Reason
from twinlock.range.places import NETWORKS
from twinlock.range.profiles import rules_of
from twinlock.range.results import Status
from twinlock.range.stage import Heard
from twinlock.range.tally import Tally
from twinlock.range.words import Outcome

LISTED = {"name": "old_addr", "signed": True, "age": "40d", "last_used": "5d"}


@pytest.mark.parametrize(
    "name",
    ["no_reach", "rebuilt_from_log", "record_complete", "screen_names", "not_offered"],
)
async def test_a_check_that_cannot_be_made_says_why(name: str) -> None:
    found = await checked({"name": name})

    assert found.status is Status.NOT_PLAYABLE
    assert len(found.not_playable) == 1


FLOOR = {
    "name": "same_floor_on_all_paths",
    "paths": "all_but_tightening",
    "refuse": [["password"], ["sms_code", "email_code"]],
}


async def test_the_floor_is_looked_at_on_every_path() -> None:
    found = await checked(FLOOR)

    assert found.status is Status.PASSED
    walked = {one for one, cls in CLASS_OF.items() if cls is not ActionClass.TIGHTENING}
    walked -= {"api_key.widen", "trusted_contact.remove"}  # There is no key, and no contact.
    walked -= {"member.add", "member.remove", "quorum.loosen"}  # Nor any other member.
    built = 2 * len(BUILT & walked - {"platform.exit"})  # Nobody registered one.
    assert found.looked_at == built + 2  # And one that nobody knows.
    left = 2 * len(walked) - built
    assert found.notes == (f"{left} more are of actions not built yet, and always refused",)


async def test_the_floor_is_looked_at_on_the_paths_that_are_named() -> None:
    paths = ["withdrawal.crypto", "session.start", "unknown.exit"]
    found = await checked({**FLOOR, "paths": paths, "refuse": [["password"], ["recovery_code"]]})

    assert (found.status, found.looked_at) == (Status.PASSED, 6)


async def test_a_floor_that_is_not_this_accounts_is_not_looked_at() -> None:
    found = await checked({**FLOOR, "floor_from": "passkey"})

    assert found.not_playable == ("the floor of this account is not of passkey",)


async def test_proofs_that_nobody_holds_were_not_tried() -> None:
    found = await checked({**FLOOR, "refuse": [["hardware_key"]]})

    assert (found.status, found.looked_at) == (Status.NOT_PLAYABLE, 3)  # Refused unproved.
    assert "withdrawal.crypto with hardware_key: nobody holds any of them" in found.not_playable


async def test_what_was_decided_before_it_was_shown_was_tried() -> None:
    given = {"paths": ["unknown.exit", "recovery.open"], "refuse": [["totp@other_account"]]}
    found = await checked({**FLOOR, **given})

    assert (found.status, found.looked_at, found.not_playable) == (Status.PASSED, 1, ())


async def test_a_path_below_the_floor_is_found() -> None:
    found = await checked(FLOOR, book=without(the_floor_never_sinks))

    assert found.status is Status.FAILED
    assert "withdrawal.crypto with password was allowed" in found.wrong
    assert "destination.add with password would be allowed after its wait" in found.wrong


async def test_paths_that_nobody_knows_are_not_walked() -> None:
    found = await checked({**FLOOR, "paths": "some"})

    assert found.not_playable == ("paths 'some': not understood here",)


HELD = {"name": "every_exit_held", "exits": "all"}


async def test_every_exit_is_held_after_every_change() -> None:
    after = ["session.start", "password.change", "authenticator.bind", "authenticator.remove"]
    found = await checked({**HELD, "after": after}, account=PASSKEY_ACCOUNT)

    assert found.wrong == ()
    assert found.looked_at == 4 * len(NETWORKS)
    assert found.notes == ()


async def test_an_exit_that_is_not_held_is_found() -> None:
    found = await checked(
        {**HELD, "after": ["password.change"], "exits": ["withdrawal.crypto"]},
        book=rules_of("baseline-2024"),
    )

    assert found.wrong == ("withdrawal.crypto after password.change was answered allow",)


async def test_what_cannot_start_a_hold_is_named() -> None:
    found = await checked(
        {**HELD, "after": ["recovery.complete", "authenticator.remove"]},
        account={**APP_ACCOUNT, "authenticators": ["password"]},
    )

    assert found.not_playable == (
        "after recovery.complete: it is refused until it is built",
        "after authenticator.remove: this account has no proof for it",
    )


THEFT = step(
    "withdrawal.crypto",
    by="mallory",
    **{"with": {"amount": "all", "destination": "attacker_addr"}, "proof": ["password"]},
)


async def test_nothing_leaves_until_the_hold_ends() -> None:
    found = await checked(
        {"name": "no_value_leaves", "exits": "all", "until": "hold_end"},
        step("password.change", proof=["password", "totp"]),
        {**THEFT, "id": "x2"},
        capabilities=["PASSWORD", "SMS_RECEIVE"],
    )

    assert (found.status, found.wrong, found.looked_at) == (Status.PASSED, (), 3 * len(NETWORKS))
    assert found.notes == ()


def test_an_action_that_is_not_built_was_not_tried() -> None:
    tally = Tally()
    unbuilt = Heard(outcome=Outcome.DENY, codes=(Reason.ACTION_NOT_BUILT.value,))

    assert [tally.tried(unbuilt) for _ in range(3)] == [False] * 3
    found = tally.result("no_value_leaves", judged=True)
    assert (found.status, found.looked_at) == (Status.NOT_PLAYABLE, 0)
    assert found.not_playable == ("3 more are of actions not built yet, and always refused",)


async def test_an_exit_that_nobody_registered_is_tried_and_refused() -> None:
    found = await checked(
        {
            "name": "no_value_leaves",
            "exits": ["unknown.exit"],
            "within": "6h",
            "by": "alice",
            "proofs": ["totp"],
        }
    )

    assert (found.status, found.looked_at, found.notes) == (Status.PASSED, 3, ())


async def test_an_attack_that_cannot_be_played_shows_nothing_of_what_follows() -> None:
    found = await checked(
        {"name": "no_value_leaves", "proofs": ["password"]}, step("event.case_opened"), THEFT
    )

    assert found.status is Status.NOT_PLAYABLE
    assert found.not_playable[0].startswith("x1: event.case_opened")


async def test_what_leaves_where_it_must_not_is_found() -> None:
    found = await checked(
        {"name": "no_value_leaves", "exits": ["withdrawal.crypto"], "until": "hold_end"},
        THEFT,
        book=rules_of("baseline-2024"),
        capabilities=["PASSWORD"],
    )

    assert "x1 took 100000 cents" in found.wrong
    assert found.wrong[1].startswith("withdrawal.crypto was allowed at ")


async def test_a_notice_goes_to_every_channel_before_anything_takes_effect() -> None:
    found = await checked(
        {"name": "notice_before_effect", "channels": ["email", "sms"], "of": ["x1", "x2"]},
        step("destination.add", **{"with": {"destination": "new_addr"}, "proof": ["totp"]}),
        step("unknown.exit", id="x2", **{"with": {"amount": "small"}}),
    )

    assert (found.status, found.looked_at) == (Status.PASSED, 1)
    assert found.notes == ("x2 takes no effect that could be announced",)


async def test_an_exit_that_lacks_its_proof_has_not_begun_to_wait() -> None:
    unproved = {"with": {"amount": "small", "destination": "attacker_addr"}, "proof": ["password"]}
    found = await checked(
        {"name": "notice_before_effect", "of": ["x1"]}, step("withdrawal.crypto", **unproved)
    )

    assert found.not_playable == ("x1 takes no effect that could be announced",)


async def test_where_nothing_takes_effect_no_notice_was_looked_for() -> None:
    found = await checked(
        {"name": "notice_before_effect", "of": ["x1"]},
        step("unknown.exit", **{"with": {"amount": "small"}}),
    )

    assert (found.status, found.looked_at) == (Status.NOT_PLAYABLE, 0)
    assert found.not_playable == ("x1 takes no effect that could be announced",)


async def test_without_a_channel_or_a_played_step_there_is_no_notice_to_look_for() -> None:
    check = {"name": "notice_before_effect", "of": ["x1"]}
    silent = {**PASSKEY_ACCOUNT, "channels": []}

    unheard = await checked(check, step("freeze.set", proof=["passkey"]), account=silent)
    unplayed = await checked(check, step("event.case_opened"))

    assert unheard.not_playable == ("the account has no channel",)
    assert unplayed.not_playable[0].startswith("x1: event.case_opened")


async def test_a_channel_that_was_not_told_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await checked(
        {"name": "notice_before_effect", "channels": ["desktop"], "of": ["x1"]},
        step("freeze.set", proof=["password"]),
    )

    assert found.wrong == ("x1 was not announced on every channel, with a veto",)


async def test_what_letters_never_offer_is_not_playable() -> None:
    found = await checked(
        {"name": "notice_before_effect", "offers": "money", "of": ["x1"]},
        step("freeze.set", proof=["password"]),
    )

    assert found.status is Status.NOT_PLAYABLE
    assert found.not_playable == ("offers money: letters offer a veto or a freeze",)


async def test_a_letter_without_what_it_should_offer_is_found() -> None:
    """A freeze is told, and its letters offer none."""
    found = await checked(
        {"name": "notice_before_effect", "offers": "freeze", "of": ["x1"]},
        step("freeze.set", proof=["password"]),
    )

    assert found.wrong == ("x1 was not announced on every channel, with a freeze",)


@pytest.mark.parametrize("offers", ["veto", "freeze"])
async def test_an_attempt_that_is_refused_at_once_is_told_with_a_freeze(offers: str) -> None:
    key = {"scopes": ["withdraw"], "ip_list": [], "destinations": []}
    found = await checked(
        {"name": "notice_before_effect", "offers": offers, "of": ["x1"]},
        step("api_key.create", **{"proof": ["password"], "with": key}),
    )

    assert (found.status, found.looked_at, found.wrong) == (Status.PASSED, 1, ())


ENTRIES = {"list": "required", "entries": [LISTED, {"name": "s", "signed": False, "age": "9d"}]}


async def test_an_imported_entry_is_shown_as_proved_by_nobody() -> None:
    account = {**PASSKEY_ACCOUNT, "destinations": ENTRIES}
    check = {"name": "entry_provable", "of": "destinations", "imported": "unverified"}

    assert (await checked(check, account=account)).looked_at == 1
    assert (await checked(check)).not_playable == ("the account lists nothing that was imported",)


@pytest.mark.parametrize(
    "account",
    [pytest.param(PASSKEY_ACCOUNT, id="with a passkey"), pytest.param(APP_ACCOUNT, id="an app")],
)
async def test_who_added_an_entry_can_be_checked_by_a_stranger(account: dict[str, Any]) -> None:
    shows = ["who", "when", "proof", "device_key"]
    check = {"name": "entry_provable", "of": "destinations", "shows": shows}

    offline = await checked({**check, "verifier": "offline"}, account=account)
    listed = await checked(check, account=account)

    assert (offline.wrong, offline.not_playable, offline.looked_at) == ((), (), 4)
    assert (listed.wrong, listed.looked_at) == ((), 3)
    assert listed.not_playable == ("device_key: a list shows none; verifier: offline looks for it",)


async def test_entries_of_something_else_are_not_looked_at() -> None:
    found = await checked({"name": "entry_provable", "of": "dreams", "shows": ["who"]})

    assert found.not_playable == ("entry_provable of 'dreams': not understood here",)


SPEND = step(
    "withdrawal.crypto",
    by="platform",
    **{
        "proof": ["passkey"],
        "with": {
            "call": "spend",
            "amount": "small",
            "destination": "old_addr",
            "authorization": "valid",
        },
    },
)
SLOW = step("event.dependency", **{"with": {"which": "each_in_turn", "state": "slow"}})
ONCE = {"name": "exactly_once", "parallel": 20}


async def test_a_withdrawal_is_spent_and_signed_once_however_often_it_is_asked() -> None:
    found = await checked({**ONCE, "of": "x2"}, SLOW, SPEND, account=PASSKEY_ACCOUNT)

    assert (found.status, found.looked_at) == (Status.PASSED, 20)


@pytest.mark.parametrize(
    ("steps", "of", "why"),
    [
        pytest.param([{**SPEND, "proof": []}], "x1", "was not given: challenge", id="no proof"),
        pytest.param([step("freeze.set")], "x1", "x1 is no withdrawal", id="no withdrawal"),
        pytest.param(
            [{**SPEND, "with": {**SPEND["with"], "authorization": "absent"}}],
            "x1",
            "of x1 is not a valid one",
            id="nothing to spend",
        ),
        pytest.param(
            [step("event.case_opened"), SPEND],
            "x2",
            "x1 comes before: event.case_opened",
            id="a case",
        ),
        pytest.param(
            [{**SLOW, "with": {"which": "clock", "state": "down"}}, SPEND],
            "x2",
            "x2 is no withdrawal that could be spent",
            id="nothing to lean on",
        ),
    ],
)
async def test_what_cannot_be_spent_once_says_why(
    steps: list[dict[str, Any]], of: str, why: str
) -> None:
    found = await checked({**ONCE, "of": of}, *steps, account=PASSKEY_ACCOUNT)

    assert found.status is Status.NOT_PLAYABLE
    assert why in found.not_playable[0]


async def test_nobody_is_asked_more_often_than_an_account_may_be() -> None:
    found = await checked({**ONCE, "of": "x1", "parallel": 101}, SPEND, account=PASSKEY_ACCOUNT)

    assert found.not_playable == ("parallel: an account is asked 100 times at once",)
