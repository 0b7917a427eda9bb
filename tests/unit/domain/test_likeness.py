"""What people take for a known address is blocked, and nothing else is."""

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, HOUR
from support.gates import Gate
from support.policies import policy_of, with_rules
from support.worlds import (
    EMAIL,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    an_account,
    list_address,
    send,
)

from twinlock.domain.account import Account
from twinlock.domain.actions import DestinationAdd, DestinationRemove
from twinlock.domain.bounds import PAID_MOST
from twinlock.domain.canonical import encode
from twinlock.domain.decisions import Decision
from twinlock.domain.likeness import ends_of, listed, resembles, tag_of, without_look
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

GOOD = "0xd8da" + "1" * 32 + "6045"
LIKE = "0xd8da" + "2" * 32 + "6045"
LAWS_ALONE = policy_of(with_rules())
THREE = "0xd8d1" + "2" * 32 + "6045"


def blocked(decision: Decision) -> bool:
    """Say whether it is refused as a look-alike, which nothing lifts."""
    found = Reason.LOOK_ALIKE in reasons(decision.requirement)
    assert not found or decision.answer is Answer.DENY
    return found


@pytest.mark.parametrize(
    ("address", "ends"),
    [
        ("0xD8dA6BF26964aF9D7eEd9e03E53415D37aA96045", ("d8da", "6045")),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", ("BvBM", "NVN2")),
        ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", ("J98t", "WNLy")),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", ("w508", "f3t4")),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", ("0xlx", "5jj0")),
        ("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", ("w508", "n4n9")),
        ("LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9", ("Vg2k", "hMH9")),
        ("MQMHBtvnBfxTzt3K2bdxgSE7qZPHSXWsGM", ("QMHB", "WsGM")),
        ("DBXu2kgc3xtvCUWFcxFE3r9hEYgmuaaCyD", ("BXu2", "aCyD")),
        ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", ("R7NH", "Lj6t")),
        ("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", ("EPjF", "Dt1v")),
        ("r9cZA1mLK5R5Am25ArfXFmqgNwjZgnfk59", ("9cZA", "fk59")),
        ("GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ", ("A7QY", "VSGZ")),
        ("UQCD39VS5jcptHL8vMjEXrzGaRcCVYto7HUn4bpAOg8xqEBI", ("CD39", "qEBI")),
        ("GB82WEST12345698765432", ("82WE", "5432")),
        ("US/021000021/000123456789", ("1234", "6789")),
        ("US/021000021/0000", ("0", "0")),
        ("CN/BKCHCNBJ110/00A1B2C3D4E5", ("A1B2", "D4E5")),
        ("rabbit", ("rabb", "bbit")),
        ("alice", ("alic", "lice")),
        ("abc", ("abc", "abc")),
    ],
)
def test_people_compare_what_follows_the_fixed_prefix(address: str, ends: tuple[str, str]) -> None:
    assert ends_of(address) == ends


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        pytest.param(GOOD, False, id="itself"),
        pytest.param(LIKE, True, id="four and four"),
        pytest.param("0xd8da11" + "2" * 29 + "16045", True, id="six and five"),
        pytest.param(THREE, False, id="three and four"),
        pytest.param("0xd8da" + "2" * 32 + "6041", False, id="four and three"),
        pytest.param("0xD8DA" + "2" * 32 + "6045", True, id="in capitals"),
    ],
)
def test_four_and_four_are_enough_and_three_are_not(other: str, alike: bool) -> None:
    assert resembles(GOOD, other) is alike
    assert resembles(other, GOOD) is alike


def test_two_accounts_at_one_bank_are_told_apart() -> None:
    """Prevents: a company that cannot pay one of a hundred people, who all bank at one bank."""
    bank = "US/021000021"
    assert not resembles(f"{bank}/100000001234", f"{bank}/200000001234")
    assert resembles(f"{bank}/100000001234", f"{bank}/100099991234")
    assert resembles(f"{bank}/100000001234", f"{bank}/0100000001234")
    assert resembles("CN/BKCHCNBJXXX/100000001234", "CN/BKCHCNBJ110/100000001234")


def a_gate(**changes: object) -> Gate:
    account = an_account(PASSWORD, SYNCED, ROAMING, channels=[EMAIL])
    return Gate.of(account, a_destination(GOOD, **changes))  # type: ignore[arg-type] # its own


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({}, id="usable"),
        pytest.param({"used_at": None}, id="lapsed"),
        pytest.param({"removed": True}, id="removed"),
        pytest.param({"imported": True, "usable_at": None, "used_at": None}, id="imported"),
    ],
)
def test_whatever_is_or_was_listed_is_known(state: dict[str, object]) -> None:
    gate = a_gate(**state)

    assert blocked(gate.propose(send(to=LIKE)))
    assert blocked(gate.propose(list_address(LIKE)))
    assert not blocked(gate.propose(send(to=GOOD)))
    assert not blocked(gate.propose(send(to=THREE)))
    assert gate.account.actions != ()  # What is blocked is over, and the others are open.


def test_it_is_blocked_on_another_network_and_beside_another_memo_too() -> None:
    gate = a_gate()
    elsewhere = DestinationAdd(
        account=ALICE, network="polygon", address=LIKE, memo="7", label="", budget_cents=0
    )

    assert blocked(gate.propose(elsewhere))


def test_what_is_known_is_removed_however_it_looks() -> None:
    gate = a_gate()
    gone = DestinationRemove(account=ALICE, network="ethereum", address=LIKE, memo="")

    assert not blocked(gate.propose(gone))


def test_what_nobody_ever_proved_is_forgotten_when_it_is_removed_and_known_again_when_listed() -> (
    None
):
    gate = a_gate(imported=True, usable_at=None, used_at=None)
    gone = DestinationRemove(account=ALICE, network="ethereum", address=GOOD, memo="")
    gate.prove(gate.propose(gone).action_id, PASSWORD, SYNCED)

    assert gate.account.looks == ""
    again = gate.propose(list_address(GOOD)).action_id
    gate.prove(again, PASSWORD, SYNCED, ROAMING)
    gate.wait(8 * DAY)
    gate.propose(list_address(GOOD))  # Whoever holds the stream settles what waits.

    assert listed(gate.account) == (tag_of(gate.account, GOOD),)
    assert blocked(gate.propose(send(to=LIKE)))


def test_what_waits_on_a_proof_is_known_and_what_nobody_proved_is_not() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, channels=[EMAIL]))
    asked = gate.propose(list_address(GOOD)).action_id

    assert not blocked(gate.propose(send(to=LIKE)))
    gate.prove(asked, PASSWORD, SYNCED)
    assert blocked(gate.propose(send(to=LIKE)))
    assert blocked(gate.propose(list_address(LIKE)))
    assert not blocked(gate.propose(send(to=GOOD)))


def pay(gate: Gate, address: str) -> Answer:
    """Pay an address that is not listed, with two roots."""
    action = gate.propose(send(to=address)).action_id
    gate.prove(action, SYNCED)
    gate.prove(action, ROAMING)
    return gate.spend(action).answer


def test_what_was_paid_without_being_listed_is_known() -> None:
    gate = Gate.of(an_account(SYNCED, ROAMING, channels=[EMAIL]), policy=LAWS_ALONE)

    assert pay(gate, GOOD) is Answer.ALLOW
    assert blocked(gate.propose(send(to=LIKE)))
    assert blocked(gate.propose(list_address(LIKE)))
    assert pay(gate, GOOD) is Answer.ALLOW
    assert len(gate.account.paid) == 1


def test_what_was_authorized_before_its_double_was_paid_is_decided_again() -> None:
    gate = Gate.of(an_account(SYNCED, ROAMING, channels=[EMAIL]), policy=LAWS_ALONE)
    bad = gate.propose(send(to=LIKE)).action_id
    gate.prove(bad, SYNCED)
    gate.prove(bad, ROAMING)

    assert pay(gate, GOOD) is Answer.ALLOW
    assert blocked(gate.spend(bad))


def test_of_what_was_paid_the_last_are_remembered() -> None:
    gate = Gate.of(an_account(SYNCED, ROAMING, channels=[EMAIL]), policy=LAWS_ALONE)
    payees = [f"0x{n:04x}" + "1" * 36 for n in range(PAID_MOST + 1)]
    for payee in payees:
        assert pay(gate, payee) is Answer.ALLOW
        gate.wait(timedelta(days=1))

        kept = msgspec.json.decode(encode(gate.account), type=Account)
        gate.account = kept  # As a document that was sealed: its names in another order.

    assert set(gate.account.paid) == {tag_of(gate.account, one) for one in payees[1:]}


def test_what_is_listed_is_not_remembered_as_paid_too() -> None:
    gate = a_gate()
    asked = gate.propose(send(to=GOOD)).action_id
    gate.prove(asked, SYNCED)

    assert gate.spend(asked).answer is Answer.ALLOW
    assert gate.account.paid == {}


def test_two_of_one_address_are_kept_apart() -> None:
    account = an_account(SYNCED)
    one = replace(account, looks=tag_of(account, GOOD) * 2)

    assert listed(one) == (tag_of(account, GOOD),) * 2


def test_a_wait_that_ends_finds_what_came_to_be_known_meanwhile() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING, channels=[EMAIL]))
    asked = gate.propose(list_address(LIKE)).action_id
    gate.prove(asked, PASSWORD, SYNCED)
    gate.account = replace(gate.account, paid={tag_of(gate.account, GOOD): 7})
    gate.wait(2 * DAY + HOUR)
    gate.propose(send(to=THREE))

    assert tag_of(gate.account, LIKE) not in listed(gate.account)


def test_a_look_that_is_not_kept_is_not_taken_away() -> None:
    account = an_account()

    assert without_look(account, "0x" + "1" * 40) == account.looks
