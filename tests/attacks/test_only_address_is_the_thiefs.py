"""The thief's address is the only one, bound by a code of the app itself, and says "not me".

Mallory relayed one code of Alice's app to an account without an address, or has the passkey that
added hers, and took Alice's new one off. Nothing undoes the only address. She wants it to undo each
that Alice adds, for 30 days, and then to veto all she does. She is stopped by law 3: where none but
new addresses are left, they undo nothing that an older app or passkey proved. She leaves refusals.
"""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import DAY, INSTANT, NOON
from support.gates import Gate, Source
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_passkey,
    an_account,
    bind,
    change_contact,
    remove,
    repudiate,
    suspend,
)

from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.bounds import NEWCOMER_PERIOD
from twinlock.domain.channels import Channel
from twinlock.domain.ids import ChannelId
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons


def mail(name: str, base: Channel = EMAIL) -> Channel:
    channel_id = ChannelId(f"chn_{name}")
    return replace(base, channel_id=channel_id, address=f"{name}@example.net", bound_at=NOON)


def later(gate: Gate, days: float = 3) -> None:
    gate.wait(timedelta(days=days))
    gate.settle()


def added(gate: Gate, new: Channel, *by: Source, old: Channel | None = None) -> Channel:
    gate.change_contact(old, new, *by)
    later(gate)
    found = gate.account.channel(new.channel_id)
    assert found is not None
    return found


def tied(gate: Gate, named: str, by: Source) -> Authenticator:
    gate.prove(gate.propose(*bind(a_passkey(named))).action_id, by)
    later(gate)
    found = gate.account.authenticator(named)
    assert found is not None
    return found


def names(gate: Gate) -> list[str]:
    return [one.channel_id for one in gate.account.channels]


def by_code(gate: Gate, target: Authenticator | Channel, code: Channel) -> Answer:
    """Say "not me" of ``target`` by a code that was sent to ``code``."""
    action = gate.propose(repudiate(target)).action_id
    return gate.prove(action, code).answer


def moved_in(own: Authenticator, kind: Channel = EMAIL, *, by_key: bool = False) -> Gate:
    """Let one relayed consent add the thief's address, itself or by a key that is gone since."""
    gate = Gate.of(an_account(PASSWORD, own, channels=()))
    proof = tied(gate, "aut_thief", own) if by_key else own
    added(gate, mail("thief", kind), proof)
    if by_key:
        gate.prove(gate.propose(remove(proof)).action_id, proof)
        later(gate, 4)
        assert gate.account.authenticator("aut_thief") is None
    return gate


@pytest.mark.parametrize("by_key", [False, True], ids=["by a code", "by a key that is gone"])
@pytest.mark.parametrize("kind", [EMAIL, DESKTOP], ids=["mailbox", "program"])
@pytest.mark.parametrize("own", [APP, SYNCED], ids=["app", "passkey"])
def test_it_undoes_no_address_of_the_owners_who_undoes_it(
    own: Authenticator, kind: Channel, by_key: bool
) -> None:
    gate = moved_in(own, kind, by_key=by_key)
    thiefs = gate.account.channel("chn_thief")
    assert thiefs is not None
    alices = added(gate, mail("alice"), own)
    said = gate.repudiate("act_over", target=alices.channel_id, channel=thiefs)
    asked = gate.prove(gate.propose(repudiate(thiefs)).action_id, own)

    assert reasons(said.requirement) == (Reason.NOT_ENTITLED,)
    assert asked.answer is Answer.ALLOW
    assert names(gate) == ["chn_alice"]


def test_nor_by_a_code_that_is_sent_there() -> None:
    gate = moved_in(APP)
    (thiefs,) = gate.account.channels
    alices = added(gate, mail("alice"), APP)

    assert by_code(gate, alices, thiefs) is Answer.CHALLENGE
    assert names(gate) == ["chn_thief", "chn_alice"]


def test_nor_what_took_its_place_nor_a_new_key() -> None:
    gate = moved_in(APP)
    (thiefs,) = gate.account.channels
    key = tied(gate, "aut_alice", APP)
    of_key = gate.repudiate("act_over", target="aut_alice", channel=thiefs)
    gate.prove(gate.propose(repudiate(key)).action_id, APP)
    added(gate, mail("alice"), APP, old=thiefs)
    of_mail = gate.repudiate("act_over", target="chn_alice", channel=thiefs)

    for said in (of_key, of_mail):
        assert reasons(said.requirement) == (Reason.NOT_ENTITLED,)
    assert names(gate) == ["chn_alice"]


def test_nor_what_the_app_proved_beside_a_newer_key() -> None:
    """The key alone is younger than hers: what that alone proved, she may undo."""
    gate = moved_in(APP)
    (thiefs,) = gate.account.channels
    key = tied(gate, "aut_alice", APP)
    alices = {
        name: added(gate, mail(name), *by) for name, by in (("one", [key]), ("two", [APP, key]))
    }
    said = [
        gate.repudiate("act_over", target=one.channel_id, channel=thiefs) for one in alices.values()
    ]

    assert [one.answer for one in said] == [Answer.ALLOW, Answer.DENY]
    assert names(gate) == ["chn_thief", "chn_two"]


def test_nor_where_a_stolen_passkey_took_the_owners_new_one_off() -> None:
    young = replace(EMAIL, bound_at=NOON - 20 * DAY, entry=88)
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING, channels=(young,)))
    thiefs = added(gate, mail("thief"), SYNCED)
    gate.prove(gate.propose(*change_contact(young, None)).action_id, SYNCED)
    later(gate)
    gate.prove(gate.propose(suspend(SYNCED)).action_id, ROAMING)
    alices = added(gate, mail("alice"), ROAMING)
    gate.repudiate("act_over", target=alices.channel_id, channel=thiefs)
    gate.prove(gate.propose(repudiate(thiefs)).action_id, ROAMING)

    assert names(gate) == ["chn_alice"]


# --- The other way round: the new mailbox is the owner's, and so is its link ---

REPLACED = replace(mail("new"), bound_at=NOON - 20 * DAY, entry=70, replaced=EMAIL)
ADDED = replace(REPLACED, replaced=None)
RIPE = replace(ADDED, bound_at=NOON + 3 * DAY - NEWCOMER_PERIOD)  # When hers is there.


@pytest.mark.parametrize(
    ("channels", "heard"),
    [
        pytest.param((REPLACED,), True, id="in the place of an old one"),
        pytest.param((ADDED, DESKTOP), True, id="beside an old one"),
        pytest.param((ADDED,), False, id="the only one"),
        pytest.param((RIPE,), True, id="thirty days old"),
        pytest.param((replace(RIPE, bound_at=RIPE.bound_at + INSTANT),), False, id="nearly so"),
    ],
)
def test_a_new_mailbox_undoes_a_key_of_hers_where_an_older_one_is_known(
    channels: tuple[Channel, ...], heard: bool
) -> None:
    """What is refused the app itself may do, or the password: nothing is asked of them but age."""
    gate = Gate.of(an_account(PASSWORD, APP, channels=channels))
    hers = tied(gate, "aut_thief", APP)
    said = gate.repudiate("act_over", target="aut_thief", channel=channels[0])
    if not heard:
        assert reasons(said.requirement) == (Reason.NOT_ENTITLED,)
        gate.prove(gate.propose(repudiate(hers)).action_id, PASSWORD)

    assert gate.account.authenticator("aut_thief") is None


@pytest.mark.parametrize("link", [True, False], ids=["by its link", "by its code"])
def test_a_new_mailbox_alone_undoes_what_newer_ones_proved(link: bool) -> None:
    gate = Gate.of(an_account(PASSWORD, APP, channels=(ADDED,)))
    hers = tied(gate, "aut_thief", APP)
    thiefs = added(gate, mail("thief"), hers)
    if link:
        gate.repudiate("act_over", target="chn_thief", channel=ADDED)
    else:
        assert by_code(gate, thiefs, ADDED) is Answer.ALLOW

    assert gate.account.channels == (ADDED,)


def test_and_what_a_password_proved_that_may_have_leaked() -> None:
    gate = Gate.of(an_account(PASSWORD, channels=(ADDED,)))
    added(gate, mail("thief"), PASSWORD, ADDED)
    gate.repudiate("act_over", target="chn_thief", channel=ADDED)

    assert gate.account.channels == (ADDED,)


def test_and_where_the_app_that_proved_it_is_gone() -> None:
    gate = Gate.of(an_account(PASSWORD, APP, channels=(ADDED,)))
    added(gate, mail("thief"), APP)
    gate.prove(gate.propose(remove(APP)).action_id, APP)
    later(gate, 4)
    assert gate.account.authenticator(APP.authenticator_id) is None
    gate.repudiate("act_over", target="chn_thief", channel=ADDED)

    assert gate.account.channels == (ADDED,)
