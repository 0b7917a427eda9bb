"""What is removed gives room, and comes back as nothing it was."""

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, NEW_ADDRESS, NOON
from support.gates import Gate
from support.worlds import (
    EMAIL,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    an_account,
    list_address,
    send,
    unlist,
)

from twinlock.domain import forgetting
from twinlock.domain.account import Account, State
from twinlock.domain.bookkeeping import StateRolledBackError, check_current
from twinlock.domain.bounds import DESTINATIONS_MOST, FORMER_MOST
from twinlock.domain.commands import ImportDestination
from twinlock.domain.events import DestinationAdded
from twinlock.domain.forgetting import (
    first_version,
    is_former,
    is_full,
    may_come_back,
    naming,
    versions_of,
)
from twinlock.domain.ids import DestinationId
from twinlock.domain.likeness import former, tag_of, with_former_look
from twinlock.domain.limits import Spent
from twinlock.domain.listed import Destination
from twinlock.domain.listing import Former
from twinlock.domain.replay import apply
from twinlock.domain.requirements import Answer

ADDRESSES = [f"0x{n:04x}" + f"{n:036x}" for n in range(1, 8)]
ONE, TWO, THREE, FOUR = (a_destination(address) for address in ADDRESSES[:4])


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that names three destinations at most."""
    monkeypatch.setattr(forgetting, "DESTINATIONS_MOST", 3)


def gone(one: Destination, version: int = 2) -> Destination:
    return replace(one, removed=True, version=version)


def name_all(*some: Destination) -> Account:
    account = an_account()
    for one in some:
        account = naming(account, one)
    return account


def test_what_is_removed_is_named_still_and_what_changed_last_stands_last() -> None:
    account = name_all(ONE, TWO, THREE, gone(TWO), gone(ONE), gone(TWO, 3))

    assert account.destinations == {THREE.destination_id: 1}
    assert account.former.removed == ((ONE.destination_id, 2), (TWO.destination_id, 3))
    assert versions_of(account).keys() == {one.destination_id for one in (ONE, TWO, THREE)}


@pytest.mark.usefixtures("three")
def test_the_first_that_was_removed_gives_way_to_a_new_one() -> None:
    account = name_all(ONE, TWO, THREE, gone(TWO, 9), gone(ONE, 5), FOUR)

    assert account.destinations.keys() == {THREE.destination_id, FOUR.destination_id}
    assert account.former == Former(removed=((ONE.destination_id, 5),), forgotten=9)
    again = naming(account, replace(TWO, version=10))
    assert again.former == Former(forgotten=9)  # The highest of all, not the last.
    assert is_full(again)


@pytest.mark.usefixtures("three")
def test_nothing_gives_way_while_there_is_room_nor_to_what_is_named() -> None:
    account = name_all(ONE, TWO, gone(ONE), THREE)

    assert account.former.removed == ((ONE.destination_id, 2),)
    assert naming(account, replace(TWO, version=2)).former == account.former
    assert naming(account, replace(ONE, version=3)).former == Former()


@pytest.mark.parametrize(("listed", "full"), [(-1, False), (0, True)])
def test_a_list_is_full_of_what_is_listed_alone(listed: int, full: bool) -> None:
    names = [DestinationId(f"dst_{n}") for n in range(DESTINATIONS_MOST + listed)]
    removed = tuple((DestinationId(f"dst_r{n}"), 1) for n in range(DESTINATIONS_MOST))
    account = replace(
        an_account(), destinations=dict.fromkeys(names, 1), former=Former(removed=removed)
    )

    assert is_full(account) is full


@pytest.mark.parametrize("version", [1, 7, 8])
def test_what_is_left_of_a_forgotten_one_is_below_whatever_begins_later(version: int) -> None:
    account = replace(an_account(), former=Former(forgotten=7))

    assert first_version(account) == 8
    assert is_former(account, replace(ONE, version=version)) is (version < 8)


def test_what_is_left_of_a_forgotten_one_is_not_at_hand() -> None:
    """Prevents: its row of the day on which it was usable, put back."""
    account = replace(an_account(), former=Former(forgotten=7))
    state = State(
        account=account, destination_id=ONE.destination_id, destination=replace(ONE, version=7)
    )

    assert check_current(state) == replace(state, destination=None)
    with pytest.raises(StateRolledBackError):
        check_current(replace(state, destination=replace(ONE, version=8)))


@pytest.mark.parametrize("version", [1, 7])
def test_a_former_row_is_refused_once_the_same_is_listed_anew(version: int) -> None:
    account = naming(replace(an_account(), former=Former(forgotten=7)), replace(ONE, version=8))
    state = State(account=account, destination_id=ONE.destination_id, destination=None)

    for found in (replace(ONE, version=version), None):
        with pytest.raises(StateRolledBackError):
            check_current(replace(state, destination=found))


@pytest.mark.usefixtures("three")
def test_what_is_at_hand_and_forgotten_is_written_as_it_stands() -> None:
    account = name_all(ONE, TWO, THREE, gone(ONE))
    state = State(account=account, destination_id=ONE.destination_id, destination=gone(ONE))

    after = apply(state, DestinationAdded(at=NOON, destination=FOUR))

    assert (after.destination, after.destination_id) == (None, ONE.destination_id)
    assert after.listed == (FOUR, gone(ONE))
    assert check_current(replace(after, destination=gone(ONE))).destination is None


@pytest.mark.usefixtures("three")
def test_what_is_at_hand_stays_while_another_is_forgotten() -> None:
    account = name_all(ONE, TWO, THREE, gone(ONE))
    state = State(account=account, destination_id=TWO.destination_id, destination=TWO)

    after = apply(state, DestinationAdded(at=NOON, destination=FOUR))

    assert (after.destination, after.listed) == (TWO, (FOUR,))


# --- By the gate ---


def an_owner(*listed: Destination) -> Gate:
    return Gate.of(an_account(PASSWORD, SYNCED, ROAMING, channels=[EMAIL]), *listed)


def add(gate: Gate, address: str, *, budget_cents: int = 0) -> None:
    """List ``address``: proved, told, and waited for."""
    asked = gate.propose(list_address(address, budget_cents=budget_cents)).action_id
    gate.prove(asked, PASSWORD, SYNCED)
    gate.wait(8 * DAY)
    gate.settle()


def remove(gate: Gate, address: str) -> None:
    gate.prove(gate.propose(unlist(address)).action_id, PASSWORD, SYNCED)


@pytest.mark.usefixtures("three")
def test_an_owner_lists_and_removes_for_ever() -> None:
    gate = an_owner()
    for _ in range(2):
        for address in ADDRESSES:
            add(gate, address)
            remove(gate, address)

    account = gate.account
    assert account.destinations == {}
    assert [one for one, _ in account.former.removed] == [
        a_destination(address).destination_id for address in ADDRESSES[-3:]
    ]
    assert set(former(account)) == {tag_of(account, one) for one in ADDRESSES}
    assert account.looks == ""


@pytest.mark.usefixtures("three")
def test_a_list_that_is_full_takes_a_new_one_when_one_is_removed() -> None:
    gate = an_owner(ONE, TWO, THREE)
    assert gate.propose(list_address(NEW_ADDRESS)).answer is Answer.DENY

    remove(gate, ADDRESSES[0])
    add(gate, NEW_ADDRESS)
    assert a_destination(NEW_ADDRESS).destination_id in gate.account.destinations
    assert gate.account.former.removed == ()
    assert gate.account.former.forgotten == 2


def test_the_day_of_what_comes_back_begins_with_what_left_to_it() -> None:
    """Prevents: a budget twice a day, by way of a list that forgets."""
    gate = an_owner(replace(ONE, budget_cents=500_00))
    asked = gate.propose(send(100, to=ADDRESSES[0])).action_id
    gate.prove(asked, SYNCED, ROAMING)
    assert gate.spend(asked).answer is Answer.ALLOW
    remove(gate, ADDRESSES[0])
    left = gate.account.sent_to
    ((_, version),) = gate.account.former.removed
    former_life = replace(gate.account.former, removed=(), forgotten=version)

    for began in (former_life, Former()):
        late = an_owner()
        asked = late.propose(list_address(ADDRESSES[0], budget_cents=500_00)).action_id
        late.prove(asked, PASSWORD, SYNCED)
        late.wait(8 * DAY)
        today = late.now.date().isoformat()
        late.account = replace(
            late.account,
            chain=gate.account.chain,
            former=began,
            sent_to=replace(left, day=today),
        )
        late.settle()
        (listed,) = late.destinations.values()
        assert listed.version == began.forgotten + 1
        counted = Spent(day=today, cents=100_00) if began.forgotten else Spent()
        assert listed.spent == counted


def test_what_is_imported_begins_above_what_was_forgotten() -> None:
    account = replace(an_account(enrolling_until=NOON + DAY), former=Former(forgotten=7))
    gate, old = Gate(account=account), replace(ONE, imported=True, usable_at=None, used_at=None)
    gate.run(ImportDestination(destination=old), at_hand=ONE.destination_id)

    assert gate.account.destinations == {ONE.destination_id: 8}
    assert gate.destinations[ONE.destination_id].version == 8


@pytest.mark.usefixtures("three")
def test_what_waits_may_stand_where_a_former_one_stood() -> None:
    gate = an_owner(ONE)
    asked = gate.propose(list_address(NEW_ADDRESS)).action_id
    assert may_come_back(gate.account) == ()
    remove(gate, ADDRESSES[0])
    assert may_come_back(gate.account) == ()  # Nobody proved it.
    gate.prove(asked, PASSWORD, SYNCED)

    named = (a_destination(NEW_ADDRESS).destination_id,)
    assert may_come_back(gate.account) == named
    forgot = replace(gate.account, former=Former(forgotten=1))
    assert may_come_back(forgot) == named
    assert may_come_back(replace(gate.account, former=Former())) == ()


def test_of_what_looked_so_once_the_last_are_known_and_each_once() -> None:
    account = an_account()
    addresses = [f"0x{n:040x}" for n in range(FORMER_MOST + 1)]
    for address in (*addresses, addresses[1]):
        account = replace(account, former=with_former_look(account, address))

    tags = [tag_of(account, one) for one in (*addresses[2:], addresses[1])]
    assert list(former(account)) == tags
    assert account.account_id == ALICE
