"""What passed as orders keeps keys and sessions alive: those that were there, and are not over."""

from msgspec.structs import replace
from support.gates import Gate
from support.trading import KEY
from support.worlds import PASSWORD, SYNCED, a_session, an_account

from twinlock.domain.commands import RecordTrading
from twinlock.domain.events import ApiKeyUsed, SessionUsed
from twinlock.domain.ids import ApiKeyId

FULL = a_session()
READS = a_session("ses_reads", read_only=True)
OTHER = a_session("ses_other")


def test_only_sessions_that_trade_and_were_named_are_used() -> None:
    sessions = (READS, OTHER, FULL)
    gate = Gate.of(replace(an_account(PASSWORD, SYNCED), sessions=sessions))

    used = gate.run(RecordTrading(session_ids=(FULL.session_id, READS.session_id)))

    assert used.events == (SessionUsed(at=gate.now, session_id=FULL.session_id),)


def test_only_keys_that_were_named_are_used() -> None:
    other = replace(KEY, api_key_id=ApiKeyId("key_other"))
    gate = Gate.of(replace(an_account(PASSWORD, SYNCED), api_keys=(other, KEY)))

    used = gate.run(RecordTrading(api_key_ids=(KEY.api_key_id,)))

    assert used.events == (ApiKeyUsed(at=gate.now, api_key_id=KEY.api_key_id),)


def test_what_is_gone_is_not_brought_back() -> None:
    gate = Gate.of(replace(an_account(PASSWORD, SYNCED), sessions=()))

    assert gate.run(RecordTrading(session_ids=(FULL.session_id,))).events == ()
