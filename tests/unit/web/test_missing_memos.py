"""A memo or tag that is missing: the page says what it costs, and the place is another one."""

import pytest
from msgspec.structs import replace
from support.cast import ALICE, LONG_AGO
from support.gates import Gate
from support.policies import DEFAULT
from support.worlds import PASSWORD, SYNCED, a_destination, an_account, destination_id

from twinlock.domain.actions import DestinationAdd
from twinlock.domain.addresses import AddressForm
from twinlock.domain.exits import WithdrawalCrypto
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import reasons
from twinlock.web.exit_words import NO_MEMO
from twinlock.web.lines import Line
from twinlock.web.payloads import Known, tell_payload

XRPL = "rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh"
SHARED = {AddressForm.XRPL, AddressForm.STELLAR, AddressForm.EOS, AddressForm.TON}


def sends(memo: str) -> WithdrawalCrypto:
    return WithdrawalCrypto(
        account=ALICE,
        asset="XRP",
        network="xrpl",
        contract="",
        decimals=6,
        address=XRPL,
        memo=memo,
        amount_minor="1",
        max_fee_minor="0",
    )


def lists(memo: str) -> DestinationAdd:
    return DestinationAdd(account=ALICE, network="xrpl", address=XRPL, memo=memo, budget_cents=0)


def memo_line(payload: WithdrawalCrypto | DestinationAdd, form: AddressForm | None) -> Line:
    """Return the line of the memo where the network's addresses have ``form``."""
    assets = tuple(
        replace(one, form=form) if one.network == "xrpl" else one for one in DEFAULT.assets
    )
    told = tell_payload(payload, Known(policy=Policy(replace(DEFAULT.draft, assets=assets))))
    (line,) = (one for one in told.lines if one.label == "Memo")
    return line


@pytest.mark.parametrize("form", [*AddressForm, None])
def test_where_deposits_share_an_address_a_missing_memo_stands_out(
    form: AddressForm | None,
) -> None:
    """Prevents: a deposit of which the exchange that gets it cannot say whose it is."""
    shared = form in SHARED
    for payload in (sends(""), lists("")):
        line = memo_line(payload, form)
        assert (line.text, line.note, line.heed) == ("None", NO_MEMO if shared else "", shared)


@pytest.mark.parametrize("form", SHARED)
def test_a_memo_that_is_there_is_told_whole_and_warned_of_by_nothing(form: AddressForm) -> None:
    for payload in (sends("0"), lists("0")):
        line = memo_line(payload, form)
        assert (line.text, line.note, line.heed) == ("0", "", False)


@pytest.mark.parametrize(("memo", "new"), [("1234", False), ("", True), ("1235", True)])
def test_a_listed_address_without_its_tag_is_a_new_place(memo: str, *, new: bool) -> None:
    """Prevents: a tag that is left out once, and a tap that sends the money to nobody."""
    listed = replace(
        a_destination(XRPL, network="xrpl"),
        destination_id=destination_id("xrpl", XRPL, "1234"),
        memo="1234",
        usable_at=LONG_AGO,
    )
    gate = Gate.of(an_account(PASSWORD, SYNCED), listed)
    action = gate.propose(sends(memo)).action_id
    said = gate.prove(action, SYNCED)

    assert (Reason.DESTINATION_NEW in reasons(said.requirement)) is new
