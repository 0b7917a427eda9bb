"""When a key may be announced, activated and retired."""

from datetime import UTC, datetime, timedelta

import pytest

from twinlock.domain import keys
from twinlock.domain.keys import (
    ANNOUNCED_LEAST,
    OVERLAP_LEAST,
    REQUIRED,
    KeyNeededError,
    KeyNotFoundError,
    KeyRecord,
    KeyState,
    KeyUse,
    Role,
    RotationRefusedError,
)

BORN = datetime(2026, 1, 1, tzinfo=UTC)
ANNOUNCED = datetime(2026, 2, 1, tzinfo=UTC)
USED = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
INNER = timedelta(seconds=30), timedelta(seconds=60)
LENGTHS = {
    Role.SEAL: INNER,
    Role.PLATFORM: INNER,
    Role.INDEX: INNER,
    Role.AUTHORIZATION: (timedelta(days=1), timedelta(days=1)),
    Role.ANSWERS: (timedelta(days=1), timedelta(days=1)),
    Role.SIGNALS: (timedelta(days=1), timedelta(days=1)),
    Role.LOG: (timedelta(days=1), timedelta(days=7)),
}


def a_key(
    role: Role,
    name: str = "old",
    *,
    created_at: datetime = BORN,
    used_from: datetime | None = BORN,
    retired_at: datetime | None = None,
) -> KeyRecord:
    return KeyRecord(
        role=role,
        key_id=name,
        created_at=created_at,
        used_from=used_from,
        retired_at=retired_at,
    )


def announced(role: Role) -> KeyRecord:
    return a_key(role, "new", created_at=ANNOUNCED, used_from=None)


def successor(role: Role) -> KeyRecord:
    return a_key(role, "new", created_at=ANNOUNCED, used_from=USED)


def test_each_role_has_the_lengths_that_its_page_tells() -> None:
    assert {role: (ANNOUNCED_LEAST[role], OVERLAP_LEAST[role]) for role in REQUIRED} == LENGTHS


def test_a_key_has_one_state_and_one_of_a_role_makes() -> None:
    held = (
        announced(Role.LOG),
        a_key(Role.LOG, "first"),
        a_key(Role.LOG, "second", used_from=USED),
        a_key(Role.LOG, "gone", used_from=USED + SECOND, retired_at=USED),
        a_key(Role.LOG, "withdrawn", used_from=None, retired_at=USED),
    )

    assert keys.states(held) == {
        "new": KeyState.NEXT,
        "first": KeyState.OLD,
        "second": KeyState.CURRENT,
        "gone": KeyState.RETIRED,
        "withdrawn": KeyState.RETIRED,
    }
    assert keys.current_of(held) is held[2]
    assert keys.next_of(held) is held[0]


def test_every_price_key_that_is_not_retired_is_believed() -> None:
    held = (a_key(Role.PRICES, "a"), a_key(Role.PRICES, "b", used_from=USED))

    assert set(keys.states(held).values()) == {KeyState.CURRENT}


def test_a_role_without_a_key_has_none_that_makes() -> None:
    assert keys.states(()) == {}
    assert keys.current_of(()) is None
    assert keys.next_of((a_key(Role.LOG),)) is None


def test_one_key_of_a_role_is_announced_at_a_time() -> None:
    keys.check_announce(Role.SEAL, (a_key(Role.SEAL),))
    with pytest.raises(RotationRefusedError, match="announced already"):
        keys.check_announce(Role.SEAL, (a_key(Role.SEAL), announced(Role.SEAL)))
    with pytest.raises(RotationRefusedError, match="its owner's to make"):
        keys.check_announce(Role.PRICES, ())


@pytest.mark.parametrize("role", REQUIRED)
@pytest.mark.parametrize("at_once", [False, True])
def test_a_key_is_activated_once_everybody_holds_it(role: Role, *, at_once: bool) -> None:
    held = (announced(role), a_key(role))
    due = ANNOUNCED + (INNER[0] if at_once else LENGTHS[role][0])

    with pytest.raises(RotationRefusedError, match="announced only just"):
        keys.check_activate(role, held, now=due - SECOND, at_once=at_once)
    assert keys.check_activate(role, held, now=due, at_once=at_once) is held[0]


def test_nobody_outside_waits_for_the_first_key_of_a_role() -> None:
    role, due = Role.SIGNALS_RSA, ANNOUNCED + INNER[0]
    keys.check_announce(role, ())
    first = announced(role)
    withdrawn = a_key(role, "gone", used_from=None, retired_at=BORN)

    with pytest.raises(RotationRefusedError, match="announced only just"):
        keys.check_activate(role, (first, withdrawn), now=due - SECOND, at_once=False)
    assert keys.check_activate(role, (first, withdrawn), now=due, at_once=False) is first
    with pytest.raises(RotationRefusedError, match=r"1 day after"):
        keys.check_activate(role, (first, a_key(role)), now=due, at_once=False)


def test_an_optional_role_has_the_lengths_of_those_whose_tokens_receivers_verify() -> None:
    assert ANNOUNCED_LEAST[Role.SIGNALS_RSA] == ANNOUNCED_LEAST[Role.SIGNALS]
    assert OVERLAP_LEAST[Role.SIGNALS_RSA] == OVERLAP_LEAST[Role.SIGNALS]
    assert set(keys.OURS) == {*REQUIRED, Role.SIGNALS_RSA}


def test_what_was_not_announced_is_not_activated() -> None:
    with pytest.raises(RotationRefusedError, match="keys rotate log"):
        keys.check_activate(Role.LOG, (a_key(Role.LOG),), now=USED, at_once=True)


@pytest.mark.parametrize("role", REQUIRED)
@pytest.mark.parametrize("at_once", [False, True])
def test_a_key_is_retired_once_everybody_has_left_it(role: Role, *, at_once: bool) -> None:
    held = (successor(role), a_key(role))
    due = USED + (INNER[1] if at_once else LENGTHS[role][1])

    def retire(now: datetime) -> KeyRecord:
        return keys.check_retire(role, held, "old", now=now, uses=(), at_once=at_once)

    with pytest.raises(RotationRefusedError, match="activated only just"):
        retire(due - SECOND)
    assert retire(due) is held[1]


@pytest.mark.parametrize("role", REQUIRED)
@pytest.mark.parametrize("at_once", [False, True])
def test_a_key_that_something_needs_is_never_retired(role: Role, *, at_once: bool) -> None:
    uses = (KeyUse(what="rows", count=3), KeyUse(what="heads", count=0))
    held = (successor(role), a_key(role))

    with pytest.raises(KeyNeededError, match=r"needed: 3 rows$"):
        keys.check_retire(
            role, held, "old", now=USED + timedelta(days=99), uses=uses, at_once=at_once
        )


def test_the_key_that_makes_is_never_retired() -> None:
    held = (a_key(Role.SEAL), announced(Role.SEAL))

    with pytest.raises(RotationRefusedError, match="activate another one first"):
        keys.check_retire(Role.SEAL, held, "old", now=USED, uses=(), at_once=True)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(announced(Role.SEAL), id="announced"),
        pytest.param(a_key(Role.SEAL, "new", retired_at=USED), id="retired before"),
    ],
)
def test_what_nobody_uses_goes_at_any_time(key: KeyRecord) -> None:
    held = (a_key(Role.SEAL), key)

    assert keys.check_retire(Role.SEAL, held, "new", now=USED, uses=(), at_once=False) is key


def test_a_key_that_is_not_held_is_not_retired() -> None:
    with pytest.raises(KeyNotFoundError, match="no seal key 'other'"):
        keys.check_retire(Role.SEAL, (), "other", now=USED, uses=(), at_once=True)


def test_a_price_key_goes_when_no_list_needs_it_or_at_once() -> None:
    held = (a_key(Role.PRICES),)
    needed, free = KeyUse(what="list", count=1), KeyUse(what="list", count=0)

    def retire(use: KeyUse, *, at_once: bool) -> KeyRecord:
        return keys.check_retire(Role.PRICES, held, "old", now=BORN, uses=(use,), at_once=at_once)

    with pytest.raises(KeyNeededError, match="1 list"):
        retire(needed, at_once=False)
    assert retire(needed, at_once=True) is held[0]
    assert retire(free, at_once=False) is held[0]


def test_of_two_keys_that_were_activated_together_the_first_makes() -> None:
    held = (a_key(Role.SEAL, "b", used_from=USED), a_key(Role.SEAL, "a", used_from=USED))

    assert keys.current_of(held) is held[0]


def test_a_key_that_was_retired_stays_so_whatever_needs_it() -> None:
    gone = a_key(Role.SEAL, "gone", used_from=USED, retired_at=USED)
    needed = (KeyUse(what="documents", count=3),)
    found = keys.check_retire(Role.SEAL, (gone,), "gone", now=USED, uses=needed, at_once=False)

    assert found is gone


def test_who_must_wait_is_told_why_and_until_when() -> None:
    held = (announced(Role.LOG), a_key(Role.LOG))
    with pytest.raises(RotationRefusedError) as early:
        keys.check_activate(Role.LOG, held, now=ANNOUNCED, at_once=False)
    used = (successor(Role.LOG), a_key(Role.LOG))
    with pytest.raises(RotationRefusedError) as soon:
        keys.check_retire(Role.LOG, used, "old", now=USED, uses=(), at_once=False)
    with pytest.raises(RotationRefusedError, match=r"Z \(30 seconds after\)$"):
        keys.check_activate(Role.LOG, held, now=ANNOUNCED, at_once=True)

    assert str(early.value) == (
        "this key was announced only just: not before 2026-02-02T00:00:00Z (1 day after)"
    )
    assert str(soon.value) == (
        "its successor was activated only just: not before 2026-03-08T00:00:00Z (7 days after)"
    )
