"""What of a person's records is told, and that no field is told or withheld by accident."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from support.cast import ALICE, NOON
from support.exported import held, lines
from support.worlds import APP, PASSWORD, ROAMING, SAVED, an_account, send

from twinlock.domain.account import Candidate, Chain, Challenge, OpenAction
from twinlock.domain.assurance import Factor
from twinlock.domain.discreet import Discreet
from twinlock.domain.entries import Kept, Opening
from twinlock.domain.events import ActionProposed
from twinlock.domain.export import (
    WITHHELD,
    Exported,
    Recorded,
    disclose,
    tell_entry,
    withheld,
)
from twinlock.domain.ids import ActionId, ChallengeId, MemberId
from twinlock.domain.notice_words import NoticeWord
from twinlock.domain.notices import Notice, NoticeKind

WRITTEN_DOWN = Path(__file__).with_name("exported_fields.txt")
# Hidden when they are printed, and told to the person all the same: what opens their own leaves,
# and their own word.
TOLD = {
    (Opening, "salt"),
    (Opening, "value"),
    (NoticeWord, "text"),
    (NoticeWord, "before"),
    (Notice, "word"),
}


def test_each_field_that_is_held_was_thought_of() -> None:
    """A new field fails here until somebody has said whether it is told, and written it down.

    ``python -m support.exported > tests/unit/domain/exported_fields.txt`` writes it anew.
    """
    assert WRITTEN_DOWN.read_text("utf-8").splitlines() == list(lines())


def test_a_secret_that_is_hidden_when_it_is_printed_is_not_told() -> None:
    secret = {
        (kind, field)
        for kind in held()
        if issubclass(kind, Discreet)
        for field in kind.HIDDEN & set(kind.__struct_fields__)
    }

    assert secret - TOLD <= {(kind, field) for kind, one in WITHHELD.items() for field in one}
    assert secret >= TOLD


def test_what_is_withheld_is_held_and_has_its_reason() -> None:
    assert set(WITHHELD) <= set(held())
    assert all(set(one) <= set(kind.__struct_fields__) for kind, one in WITHHELD.items())
    assert all(one.why.endswith(".") for one in withheld())
    assert len(withheld()) == sum(len(one) for one in WITHHELD.values())


def test_no_secret_of_an_account_is_told_and_everything_else_is() -> None:
    action = OpenAction(
        action_id=ActionId("act_1"),
        member_id=MemberId("mem_1"),
        payload=send(),
        digest="digest",
        proposed_at=NOON,
        lapses_at=NOON + timedelta(days=1),
        veto_key="SECRET-veto",
        secret="SECRET-bound",  # noqa: S106 - of a test
        challenges=(
            Challenge(
                challenge_id=ChallengeId("chl_1"),
                factor=Factor.EMAIL_CODE,
                expires_at=NOON,
                nonce="nonce",
                code_mac="SECRET-mac",
            ),
        ),
    )
    candidate = Candidate(
        candidate_id=ChallengeId("cnd_1"),
        factor=Factor.TOTP,
        secret="SECRET-seed",  # noqa: S106 - of a test
        expires_at=NOON,
    )
    account = an_account(
        replace(PASSWORD, verifier="SECRET-hash"),
        replace(APP, seed="SECRET-app"),
        replace(SAVED, left=("SECRET-code",)),
        ROAMING,
        channels=(),
    )
    account = replace(
        account,
        chain=replace(account.chain, label_key="SECRET-label"),
        actions=(action,),
        candidates=(candidate,),
        legal_holds={"court 7": 1},
    )
    told = disclose(account)
    written = msgspec.json.encode(told).decode()

    assert "SECRET" not in written
    assert set(told) == set(account.__struct_fields__)
    assert told["account_id"] == ALICE
    assert [one["kind"] for one in told["authenticators"]] == [
        "password",
        "totp",
        "recovery_code",
        "passkey",
    ]
    passkey = told["authenticators"][3]
    assert passkey["public_key"] == ROAMING.public_key
    assert told["actions"][0]["payload"]["type"] == "withdrawal.crypto"
    assert told["actions"][0]["challenges"][0]["nonce"] == "nonce"
    assert told["legal_holds"] == {"court 7": 1}


def test_a_code_on_its_way_is_not_told() -> None:
    notice = Notice(kind=NoticeKind.CODE, what="x", at=NOON, channels=(), code="123456")

    assert "123456" not in str(disclose(notice))


@pytest.mark.parametrize("field", ["payload", "label_key"])
def test_an_entry_is_told_with_what_opens_it_but_the_label_key(field: str) -> None:
    proposed = ActionProposed(
        at=NOON,
        action=OpenAction(
            action_id=ActionId("act_1"),
            member_id=MemberId("mem_1"),
            payload=send(),
            digest="",
            proposed_at=NOON,
            lapses_at=NOON,
            veto_key="SECRET",
        ),
    )
    kept = Kept(events=(proposed,), openings={field: Opening("salt", "value")}, evidence="signed")
    told = tell_entry(Recorded(number=3, index=7, leaf=b'{"v":1}', facts=b'{"now":1}', kept=kept))

    assert (told.number, told.index, told.leaf, told.facts) == (3, 7, '{"v":1}', {"now": 1})
    assert told.openings == (
        {} if field == "label_key" else {field: {"salt": "salt", "value": "value"}}
    )
    assert told.events[0]["event"] == "action.proposed/1"
    assert "SECRET" not in str(told.events)
    assert told.evidence == "signed"


def test_the_document_ends_by_saying_that_it_is_whole() -> None:
    assert Exported.__struct_fields__[-1] == "complete"


def test_what_stands_by_name_is_told_by_name_and_hides_the_same() -> None:
    told = disclose({"first": Chain(label_key="SECRET", entries=3, last_leaf="l")})

    assert told == {"first": {"entries": 3, "last_leaf": "l"}}
