"""What is gathered of any account and action lies in what the table of facts says it can be."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.asked import an_action, at_hand, facts_of
from support.cast import ALICE, DAY, HOUR, LONG_AGO, MALLORYS_LAPTOP, NEW_ADDRESS, NOON
from support.enrolments import accounts, asked_of, destinations
from support.facts import cents
from support.leaving import OTHERS
from support.worlds import ERASE, an_account, list_address, make_key, send, sign_in, unlist

from twinlock.domain.account import Account, ApiKey, OpenAction, Shown
from twinlock.domain.actions import BUILT, AnyPayload, NotBuilt, type_of
from twinlock.domain.api_keys import key_helps
from twinlock.domain.assurance import Factor
from twinlock.domain.catalogue import CLASS_OF
from twinlock.domain.exits import EXITS
from twinlock.domain.ids import ApiKeyId
from twinlock.domain.limits import Limits, Spent
from twinlock.domain.listed import Destination
from twinlock.domain.policy.facts import Within
from twinlock.domain.policy.terms import Between, Choice, Shape, Span, Value
from twinlock.domain.policy.varying import VARYING, box_of, classes_of, only
from twinlock.domain.policy.vocabulary import VOCABULARY, context_of, whole_box

API_KEY = ApiKey(
    api_key_id=ApiKeyId("key_1"),
    public_key="P" * 43,
    scopes=("withdraw",),
    ip_list=("::1",),
    destinations=(),
    daily_cents=1_000_00,
    created_at=LONG_AGO,
    proved_by=(Factor.PASSKEY,),
)
PAYLOADS: tuple[AnyPayload, ...] = (
    *(NotBuilt(account=ALICE, asked=asked, digest="") for asked in sorted(CLASS_OF.keys() - BUILT)),
    ERASE,
    list_address(NEW_ADDRESS, budget_cents=10**13),
    make_key("read", "trade", "withdraw", ip_list=("::1", "::2"), destinations=("dst_1", "dst_2")),
    make_key("read"),
    unlist(NEW_ADDRESS),
    send(1, to=NEW_ADDRESS),
    *OTHERS,
    sign_in(MALLORYS_LAPTOP),
)


def lies_in(value: Value, shape: Shape) -> bool:
    match shape:
        case Span(least=least, most=most):
            return isinstance(value, int) and least <= value <= most
        case Choice(of=of):
            return value in of
        case Between(least=least, most=most):
            return isinstance(value, frozenset) and least <= value <= most


def by_the_key(at: datetime) -> Shown:
    return Shown(
        source=API_KEY.api_key_id,
        factor=Factor.API_KEY,
        root=None,
        bound_at=LONG_AGO,
        at=at,
        entry=0,
        ip=Within.INSIDE,
    )


@st.composite
def lived_in(draw: st.DrawFn) -> Account:
    """Draw an account from which something left, and which may have an API key."""
    return replace(
        draw(accounts()),
        spent=draw(st.just(Spent()) | st.builds(Spent, day=st.just("2026-01-15"), cents=cents)),
        last_exit_at=draw(st.sampled_from([0, int((NOON - DAY).timestamp())])),
        api_keys=draw(st.sampled_from([(), (API_KEY,)])),
        legal_holds=draw(st.sampled_from([{}, {"AZ 1": 1}])),
    )


@st.composite
def actions_in(draw: st.DrawFn, account: Account) -> OpenAction:
    """Draw an open action with proofs of anything bound; an API key's where one is read at all."""
    payload, secret = draw(asked_of(account) | st.tuples(st.sampled_from(PAYLOADS), st.just("")))
    bound = [*account.authenticators, *account.channels]
    sources = draw(st.lists(st.sampled_from([*bound, "ses_alice"]), unique=True, max_size=3))
    claimed = draw(st.sampled_from([0, 10**11]))
    action = an_action(payload, *sources, secret=secret, claimed_cents=claimed)
    if key_helps(action) and draw(st.booleans()):
        action = replace(action, shown=(*action.shown, by_the_key(NOON)), proved_at=NOON)
    return replace(action, unsigned=draw(st.booleans()))


@given(lived_in(), st.none() | destinations, st.data())
def test_what_is_gathered_lies_in_what_the_table_says(
    account: Account, listed: Destination | None, data: st.DataObject
) -> None:
    action = data.draw(actions_in(account))
    hand = {"destination_id": listed and listed.destination_id, "destination": listed}
    now = data.draw(st.sampled_from([NOON, NOON + HOUR, NOON + 31 * DAY]))

    found = context_of(facts_of(action, account, now=now, **hand))

    box = box_of(type_of(action.payload))
    assert {name: value for name, value in found.items() if not lies_in(value, box[name])} == {}


def test_the_table_speaks_of_known_facts_and_of_what_is_built() -> None:
    assert VARYING.keys() <= VOCABULARY.keys()
    for name, (actions, constant) in VARYING.items():
        assert actions <= BUILT
        assert lies_in(constant, whole_box()[name])
        for action in CLASS_OF:
            fixed = box_of(action)[name] == only(constant)
            assert fixed is (action not in actions)


WITH_A_KEY = replace(
    an_account(), api_keys=(API_KEY,), limits=Limits(day_cents=10**9, announced_cents=10**9)
)
UNKNOWN = replace(send(), asset="XRP", network="xrpl", contract="")
POWERFUL = make_key("withdraw", ip_list=("::1",), destinations=("dst_1",))
VARIES: dict[str, tuple[OpenAction, dict[str, Any]]] = {
    "api_key": (an_action(send(), shown=(by_the_key(NOON),), proved_at=NOON), {}),
    "destination": (an_action(send(to=NEW_ADDRESS)), {}),
    "destination_day_cents": (
        an_action(send()),
        at_hand(spent=Spent(day="2026-01-15", cents=1)),
    ),
    "value_cents": (an_action(send()), {}),
    "value_unknown": (an_action(UNKNOWN), {}),
    "within_announced": (an_action(send()), {}),
    "budget_cents": (an_action(list_address(NEW_ADDRESS, budget_cents=1)), {}),
    "new_device": (an_action(sign_in(MALLORYS_LAPTOP)), {}),
    "scopes": (an_action(POWERFUL), {}),
    "ip_list": (an_action(POWERFUL), {}),
    "key_destinations": (an_action(POWERFUL), {}),
}


@pytest.mark.parametrize("name", sorted(name for name, one in VARYING.items() if one.actions))
def test_a_fact_varies_where_the_table_says_so(name: str) -> None:
    """Prevents: a warning that a rule never matches, where it does."""
    action, hand = VARIES[name]
    found = context_of(facts_of(action, WITH_A_KEY, **hand), [name])[name]

    kinds = EXITS if type_of(action.payload) in EXITS else {type_of(action.payload)}
    assert VARYING[name].actions == kinds
    assert found != VARYING[name].constant


def test_a_key_that_may_withdraw_loosens_and_another_gives_access() -> None:
    classes = {
        context_of(facts_of(an_action(payload)), ["class"])["class"]
        for payload in (POWERFUL, make_key("read"))
    }

    assert classes_of("api_key.create") == classes == {"access", "loosening"}
