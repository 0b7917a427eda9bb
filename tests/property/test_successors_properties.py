"""What an imported passkey may do: on any account, for any action, alone and beside others."""

from datetime import timedelta

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import NOON
from support.enrolments import accounts, asked_of
from support.gates import Gate
from support.worlds import a_passkey

from twinlock.domain.account import Account
from twinlock.domain.actions import AuthenticatorBind, SessionStart, class_of
from twinlock.domain.assurance import Level
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Passkey
from twinlock.domain.bounds import SUCCESSOR_WAIT
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.successors import floor_imported, succeeded

OLD = replace(a_passkey("aut_old"), rp_id="old.example")
hours = st.integers(0, 10 * 24).map(lambda number: timedelta(hours=number))


@st.composite
def imported(draw: st.DrawFn) -> Account:
    """Draw an account whose only passkey is that of an older site."""
    account = draw(accounts())
    rest = (one for one in account.authenticators if not isinstance(one, Passkey))
    return replace(
        account, authenticators=(*rest, OLD), imported="d" * 43, enrolling_until=None, sessions=()
    )


@given(imported())
def test_it_sets_the_floor_all_the_same(account: Account) -> None:
    assert account.floor is Level.PHISHING_RESISTANT
    assert floor_imported(account)


@given(imported(), st.data(), hours)
def test_alone_and_beside_anything_it_allows_nothing_but_a_successor_which_waits(
    account: Account, data: st.DataObject, waited: timedelta
) -> None:
    """The owner's other proofs beside it, or a thief's who phished them all on one page."""
    gate = Gate.of(account)
    payload, secret = data.draw(asked_of(account))
    class_is_read = isinstance(payload, SessionStart) or (
        isinstance(payload, AuthenticatorBind) and payload.authenticator == "passkey"
    )
    action = gate.propose(payload, secret).action_id
    assume(gate.is_open(action))
    codes = (one for one in account.channels if one.takes_codes)
    others = [one for one in (*account.authenticators, *codes) if one is not OLD]
    every = data.draw(st.permutations([OLD, *others]))
    for source in every:
        if gate.is_open(action):
            answered = gate.prove(action, source)
            if source is OLD and not class_is_read:
                assert answered.fault in (ProofFault.IMPORTED, ProofFault.NOT_OFFERED)
    gate.wait(waited)
    gate.settle()

    assert all(one.read_only for one in gate.account.sessions)
    assert gate.account.devices == account.devices
    bound = [one for one in gate.account.authenticators if one not in account.authenticators]
    if class_of(payload) in (ActionClass.EXIT, ActionClass.LOOSENING, ActionClass.ACCESS):
        assert gate.account.channels == account.channels
        assert gate.account.api_keys == account.api_keys
        assert gate.account.destinations == account.destinations
        assert gate.account.spent == account.spent
    if succeeded(gate.account):
        assert isinstance(payload, AuthenticatorBind)
        assert gate.now >= NOON + SUCCESSOR_WAIT
        assert [one.authenticator_id for one in bound if isinstance(one, Passkey) and not one.rp_id]


@given(imported(), hours)
def test_what_it_opens_objects_to_nothing_older(account: Account, waited: timedelta) -> None:
    """Prevents: an older site that has its visitors sign in here, and vetoes what they do."""
    gate = Gate.of(replace(account, freeze=type(account.freeze)()))
    assume(gate.sign_in(OLD).fault is None)
    (session,) = gate.account.sessions

    assert session.read_only
    assert session.bound_at == session.started_at


@given(imported(), st.data())
def test_beside_a_passkey_of_our_own_it_is_read_for_nothing(
    account: Account, data: st.DataObject
) -> None:
    own = a_passkey("aut_own")
    account = replace(account, authenticators=(*account.authenticators, own))
    gate = Gate.of(account)
    payload, secret = data.draw(asked_of(account))
    action = gate.propose(payload, secret).action_id
    assume(gate.is_open(action))
    asked = gate.ask(action, own)
    assume(asked.fault is None)

    answered = gate.answer(action, gate.right(action, OLD))
    assert answered.fault is ProofFault.IMPORTED
