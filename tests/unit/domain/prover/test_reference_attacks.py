"""The minimal attacks on two reference policies: known sets, known times, known bugs."""

from collections import Counter

import pytest
from support.reference_policies import (
    CAPABILITIES,
    HARDENED,
    WEAK,
    Line,
    Table,
    enrolled,
    enrolments,
    hours,
    policy,
)

from twinlock.domain.prover.closure import (
    Attack,
    attacks,
    closed,
    grown,
    in_state,
    minimal_sets,
)

Sets = dict[frozenset[str], float]


def solved(lines: list[Line]) -> tuple[Attack, ...]:
    table = Table()
    table.add(lines)
    theft = table.atom("theft")
    return attacks(list(table.rules), [theft], range(len(CAPABILITIES)))[theft]


def sets(text: str) -> Sets:
    """Return sets as they are written: names joined by +, then the hours; alternatives by /."""
    found: Sets = {}
    for written in text.split(","):
        *parts, time = written.split()
        choices: list[frozenset[str]] = [frozenset()]
        for part in parts:
            for name in part.split("+"):
                choices = [one | {each} for one in choices for each in name.split("/")]
        found |= dict.fromkeys(choices, float(time))
    return found


OF_WEAK = sets(
    "sim_swap 0, pc_malware 0, phone_malware 0, db_write 0, api_secret 0,"
    "password/session_cookie+mailbox/phish_totp/totp_seed 0,"
    "agent 1, deepfake_id+id_docs 2, deepfake_id+mailbox 2"
)
OF_HARDENED = sets(
    "phone_malware+stolen_hwkey 0, phone_malware+inattentive 72, stolen_hwkey+inattentive 72,"
    "sim_swap+deepfake_id+id_docs+inattentive 408"
)


def test_the_weak_policy_falls_to_eight_single_capabilities_and_eight_pairs() -> None:
    lines = policy(WEAK)

    assert len(lines) == 48
    assert hours(solved(lines)) == OF_WEAK
    assert len(OF_WEAK) == 14


def test_without_recovery_of_the_mailbox_by_phone_the_sim_alone_is_not_enough() -> None:
    lines = policy(WEAK, mailbox_by_phone=False)
    gone = sets("sim_swap 0")
    come = sets("sim_swap+mailbox/session_cookie/password 0")

    assert len(lines) == 47
    assert hours(solved(lines)) == {k: v for k, v in OF_WEAK.items() if k not in gone} | come


def test_the_hardened_policy_takes_two_capabilities() -> None:
    lines = policy(HARDENED)

    assert len(lines) == 47
    assert hours(solved(lines)) == OF_HARDENED


def test_the_hardened_policy_holds_without_the_hardware_key_and_an_inattentive_owner() -> None:
    table = Table()
    table.add(policy(HARDENED))
    others = [table.atom(c) for c in CAPABILITIES if c not in ("stolen_hwkey", "inattentive")]

    assert len(others) == 14
    assert table.atom("theft") not in closed(list(table.rules), others)


def test_the_hardened_policy_without_recovery_of_the_mailbox_by_phone() -> None:
    lines = policy(HARDENED, mailbox_by_phone=False)
    last = sets("sim_swap+deepfake_id+id_docs+inattentive 408")
    come = sets("mailbox/pc_malware+sim_swap+deepfake_id+id_docs+inattentive 408")

    assert len(lines) == 46
    assert hours(solved(lines)) == {k: v for k, v in OF_HARDENED.items() if k not in last} | come


def test_of_192_enrolments_exactly_34_fall_to_a_single_capability() -> None:
    """Where keyA has no notice channel off the phone, or keyB alone has none at all."""
    states, table = enrolments(), Table()
    for number, (factors, channels) in enumerate(states):
        table.add(enrolled(HARDENED, factors=factors, channels=channels), state=number)
    theft = table.atom("theft")
    rules, masks = list(table.rules), table.states
    found = attacks(rules, [theft], range(len(CAPABILITIES)), states=masks)[theft]
    least = [
        min((one.bit_count() for one in minimal_sets(in_state(found, number))), default=99)
        for number in range(len(states))
    ]
    weak = [state for state, size in zip(states, least, strict=True) if size < 2]

    assert (len(states), len(weak)) == (192, 34)
    assert sum("keyA" in fs and not {"pc", "guardian"} & set(chs) for fs, chs in weak) == 32
    assert [(fs, chs) for fs, chs in weak if "keyA" not in fs] == [
        (("keyB",), ()),
        (("keyB", "totp"), ()),
    ]
    without = [size for (fs, _), size in zip(states, least, strict=True) if {"totp"} >= set(fs)]
    assert Counter(without) == {3: 8, 4: 24}


def test_many_states_at_once_have_the_attacks_of_each_alone() -> None:
    states, table = enrolments(), Table()
    for number, (factors, channels) in enumerate(states):
        table.add(enrolled(HARDENED, factors=factors, channels=channels), state=number)
    theft = table.atom("theft")
    rules = list(table.rules)
    together = attacks(rules, [theft], range(len(CAPABILITIES)), states=table.states)[theft]
    for number in range(0, len(states), 7):
        own = [rule for rule, at in table.rules.items() if table.states[at] >> number & 1]
        alone = attacks(own, [theft], range(len(CAPABILITIES)))[theft]
        mine = in_state(together, number)

        assert hours(mine) == hours(alone)
        assert len(mine) == len(alone)


BUGS = {
    "recovery by document alone": (
        HARDENED.replace("id_docs mail sms +168 F168 N", "id_docs +1"),
        "deepfake_id+id_docs+phone_malware/stolen_hwkey 1, deepfake_id+id_docs+inattentive 73",
    ),
    "one agent resets alone": (
        HARDENED + "newkey <- agent",
        "agent+phone_malware/stolen_hwkey 0, agent+inattentive 72",
    ),
    "fallback to SMS": (
        HARDENED + "bound <- pw sms\nwl <- bound +1 G\ntheft <- wl bound G",
        "phone_malware 1, stolen_hwkey 1, sim_swap+password/pc_malware 1",
    ),
    "a short wait for the allowlist": (
        HARDENED.replace("| keyA +72 G N", "| keyA +12 G N"),
        "phone_malware 12",
    ),
    "rows without a MAC": (HARDENED + "newkey <- db_write\nwl <- db_write", "db_write 0"),
    "old API keys may trade across": (HARDENED + "theft <- api", "api_secret 0"),
    "one exit forgotten": (HARDENED + "theft <- bound", "phone_malware 0, stolen_hwkey 0"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_seeded_bug_adds_exactly_these_attacks(name: str) -> None:
    text, adds = BUGS[name]

    assert text != HARDENED
    assert hours(grown(solved(policy(HARDENED)), solved(policy(text)))) == sets(adds)


def test_notices_by_e_mail_and_sms_only_add_exactly_these_attacks() -> None:
    told = policy(HARDENED, channels=("email", "sms"))

    assert hours(grown(solved(policy(HARDENED)), solved(told))) == sets(
        "phone_malware 72, sim_swap+stolen_hwkey 72, sim_swap+deepfake_id+id_docs 408"
    )
