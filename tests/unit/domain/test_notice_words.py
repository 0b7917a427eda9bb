"""The owner's own word: what may be one, who sets it, and which messages hold it."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import ALICES_LAPTOP, DAY, NOON
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    EMAIL,
    PASSWORD,
    SMS,
    SYNCED,
    a_passkey,
    a_session,
    an_account,
    set_word,
)

from twinlock.domain.account import Account
from twinlock.domain.actions import payload_bytes
from twinlock.domain.assurance import Placement
from twinlock.domain.authenticators.model import Passkey
from twinlock.domain.bounds import NEWCOMER_PERIOD, NOTICE_WORD_LEAST, NOTICE_WORD_MOST
from twinlock.domain.canonical import encode
from twinlock.domain.channels import Channel
from twinlock.domain.commands import SessionSignature
from twinlock.domain.errors import InvariantError
from twinlock.domain.events import NewcomerRepudiated, NoticeWordChanged
from twinlock.domain.export import disclose
from twinlock.domain.letters import About, letter_to
from twinlock.domain.notice_words import (
    NoticeWord,
    NoticeWordRefusedError,
    NoticeWordRule,
    commitment,
    fit,
    opened,
    packed,
)
from twinlock.domain.notices import Notice, NoticeKind, notices
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

THIEFS = a_passkey("aut_thief", placement=Placement.ROAMING, bound_at=NOON - DAY)
WORD = NoticeWord(text="blue heron", set_at=NOON - 90 * DAY, by=(SYNCED.entry,))


def a_gate(word: NoticeWord | None = None) -> Gate:
    return Gate.of(replace(an_account(PASSWORD, SYNCED, THIEFS), notice_word=word))


def sets(gate: Gate, text: str, by: Passkey) -> Answer:
    proposed = gate.propose(*set_word(text))
    return gate.prove(proposed.action_id, by).answer


def text_of(account: Account) -> str:
    return "" if account.notice_word is None else account.notice_word.text


# --- What may be one ---


@pytest.mark.parametrize(
    "text",
    [
        "a" * (NOTICE_WORD_LEAST - 2) + "bc",
        "abc" + "d" * (NOTICE_WORD_MOST - 3),
        "Blue heron",
        "one two six",
    ],
)
def test_what_may_be_set_stays_as_it_was_typed(text: str) -> None:
    assert fit(text) == text


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("abc", NoticeWordRule.LENGTH),
        ("abc" + "d" * (NOTICE_WORD_MOST - 2), NoticeWordRule.LENGTH),
        ("123456", NoticeWordRule.LETTERS),
        ("heron1", NoticeWordRule.LETTERS),
        ("blue  heron", NoticeWordRule.LETTERS),
        (" heron", NoticeWordRule.LETTERS),
        ("heron ", NoticeWordRule.LETTERS),
        ("heron\n", NoticeWordRule.LETTERS),
        ("a b c d", NoticeWordRule.LETTERS),
        ("her\u043en", NoticeWordRule.LETTERS),
        ("her\u200bon", NoticeWordRule.LETTERS),
        ("\u202enoreh", NoticeWordRule.LETTERS),
        ("h\u00e9ron", NoticeWordRule.LETTERS),
        ("blue-heron", NoticeWordRule.LETTERS),
        ("abAB ab", NoticeWordRule.PREDICTABLE),
    ],
)
def test_what_may_not_be_set_is_refused_with_its_rule(text: str, rule: NoticeWordRule) -> None:
    with pytest.raises(NoticeWordRefusedError) as refused:
        fit(text)

    assert refused.value.fault is rule
    assert text not in str(refused.value)


# --- What is signed ---


def test_what_is_signed_tells_nobody_the_word() -> None:
    """Prevents: whoever has a payload, and tries a list of words."""
    one, other = packed("blue heron", salt="a" * 26), packed("blue heron", salt="b" * 26)

    assert commitment(one) != commitment(other)
    assert opened(one, commitment(one)) == "blue heron"
    with pytest.raises(InvariantError):
        opened(one, commitment(other))
    with pytest.raises(InvariantError):
        opened("no word", commitment("no word"))


def test_a_word_that_is_not_the_one_signed_is_not_even_proposed() -> None:
    payload, _ = set_word("blue heron")
    gate = a_gate()

    with pytest.raises(InvariantError):
        gate.propose(payload, set_word("grey heron")[1])


def test_no_word_is_printed_and_none_stands_in_a_payload_or_in_facts() -> None:
    gate = a_gate()
    assert sets(gate, "blue heron", SYNCED) is Answer.ALLOW
    (_, decided, _) = gate.book[-1]
    payload, _ = set_word("blue heron")

    assert b"heron" not in payload_bytes(payload)
    assert "heron" not in repr(gate.account)
    assert "heron" not in repr(decided)
    assert all(b"heron" not in encode(one.facts) for one in decided.decisions)


def test_its_owner_is_told_it_in_the_export() -> None:
    account = replace(an_account(), notice_word=WORD)

    assert disclose(account)["notice_word"]["text"] == "blue heron"


# --- Who sets it ---


def test_it_is_set_at_the_floor_at_once_and_a_session_alone_is_not_enough() -> None:
    session = a_session()
    gate = Gate.of(an_account(sessions=(session,)))
    signed = SessionSignature(
        session_id=session.session_id,
        thumbprint=ALICES_LAPTOP,
        evidence=b"signed",
        signed_at=gate.now,
    )
    proposed = gate.propose(*set_word("blue heron"), session=signed)
    assert proposed.answer is Answer.CHALLENGE
    assert reasons(proposed.requirement) == (Reason.PROOF_NEEDED,)
    assert gate.prove(proposed.action_id, PASSWORD).answer is Answer.CHALLENGE
    assert text_of(gate.account) == ""

    assert gate.prove(proposed.action_id, SYNCED).answer is Answer.ALLOW
    assert text_of(gate.account) == "blue heron"
    assert sets(gate, "grey heron", SYNCED) is Answer.ALLOW
    assert text_of(gate.account) == "grey heron"


# --- What a newcomer set ---


@pytest.mark.parametrize("word", [WORD, None])
def test_what_a_newcomer_set_is_gone_with_it_and_the_one_before_stands(
    word: NoticeWord | None,
) -> None:
    gate = a_gate(word)
    sets(gate, "grey heron", THIEFS)
    sets(gate, "white heron", THIEFS)
    assert text_of(gate.account) == "white heron"

    said = gate.repudiate("act", target=THIEFS.authenticator_id, channel=EMAIL)

    assert said.answer is Answer.ALLOW
    assert text_of(gate.account) == ("" if word is None else word.text)


def test_what_an_older_one_set_stays() -> None:
    gate = a_gate(WORD)
    sets(gate, "grey heron", SYNCED)
    gate.repudiate("act", target=THIEFS.authenticator_id, channel=EMAIL)

    assert text_of(gate.account) == "grey heron"


@pytest.mark.parametrize(("later", "stands"), [(0, "blue heron"), (1, "grey heron")])
def test_the_one_before_is_the_last_that_nobody_can_undo(later: int, stands: str) -> None:
    """Once nothing that set a word can be repudiated, it is the one that comes back."""
    gate = a_gate(WORD)
    sets(gate, "grey heron", THIEFS)
    gate.wait(NEWCOMER_PERIOD - DAY - timedelta(seconds=1 - later))
    sets(gate, "white heron", SYNCED)

    assert gate.account.notice_word is not None
    assert gate.account.notice_word.before == stands


# --- Which messages hold it ---


def told(account: Account, channel: Channel, notice: Notice) -> str | None:
    return letter_to(account, channel, notice, about=About(), origin="https://here").word


WAITING = Notice(kind=NoticeKind.WAITING, what="limit.raise", at=NOON, channels=())
CODE = replace(WAITING, kind=NoticeKind.CODE, code="123456")


@pytest.mark.parametrize("notice", [WAITING, CODE])
def test_every_message_to_the_account_holds_it_or_says_that_there_is_none(notice: Notice) -> None:
    account = an_account()

    assert told(account, EMAIL, notice) == ""
    assert told(replace(account, notice_word=WORD), EMAIL, notice) == "blue heron"


def test_a_code_to_a_place_that_is_not_the_accounts_holds_none() -> None:
    """Prevents: a thief who has a code sent to himself, and reads the owner's word in it."""
    account = replace(an_account(channels=(EMAIL,)), notice_word=WORD)

    assert told(account, SMS, CODE) is None


def test_an_address_that_was_taken_away_is_told_with_it_and_one_that_was_repudiated_without() -> (
    None
):
    account = replace(an_account(channels=(EMAIL,)), notice_word=WORD)
    thiefs = replace(SMS, entry=7)

    assert told(account, thiefs, WAITING) == "blue heron"
    assert told(replace(account, doubts=((7, 7),)), thiefs, WAITING) is None


@pytest.mark.parametrize(("word", "old"), [(WORD, "blue heron"), (None, "")])
def test_that_it_was_changed_is_told_with_the_old_one(word: NoticeWord | None, old: str) -> None:
    """Prevents: a thief's own word, which vouches for the message that tells of it."""
    before = replace(an_account(), notice_word=word)
    new = NoticeWord(text="grey heron", set_at=NOON)
    event = NoticeWordChanged(at=NOON, word=new)
    (notice,) = notices(before, what="notice_word.set", action_id="", events=(event,))
    after = replace(before, notice_word=new)

    assert notice.kind is NoticeKind.DONE
    assert notice.channels == (EMAIL.channel_id, DESKTOP.channel_id)
    assert told(after, EMAIL, notice) == old
    assert "heron" not in repr(notice)


def test_that_a_word_was_undone_is_told_with_the_one_that_stands_again() -> None:
    before = replace(an_account(), notice_word=WORD)
    repudiated = NewcomerRepudiated(at=NOON, entries=(3,), since=NOON)
    changed = NoticeWordChanged(at=NOON, word=None)
    (notice,) = notices(before, what="x", action_id="", events=(repudiated, changed))

    assert notice.word is None
