"""Imagined facts: what statutes read of them is what was imagined."""

from functools import cache

from hypothesis import assume, given
from hypothesis import strategies as st

from twinlock.domain.actions import BUILT
from twinlock.domain.key_laws import by_api_key, own_proof
from twinlock.domain.policy.cells import Compared, values_of
from twinlock.domain.policy.imagining import NOW, imagine
from twinlock.domain.policy.terms import Value
from twinlock.domain.policy.varying import box_of
from twinlock.domain.policy.vocabulary import VOCABULARY, context_of

COMPARED = Compared(numbers={1, 60, 86_400, 50_000}, words={"passkey", "withdraw"})


@cache
def values(action: str, name: str) -> tuple[Value, ...]:
    """Return the values of a fact that are worth imagining of an action."""
    return values_of(name, box_of(action)[name], COMPARED)


@given(st.data())
def test_what_is_imagined_is_read_of_the_facts(data: st.DataObject) -> None:
    action = data.draw(st.sampled_from(sorted(BUILT)))
    names = data.draw(st.sets(st.sampled_from(sorted(VOCABULARY)), max_size=6))
    wanted = {name: data.draw(st.sampled_from(values(action, name))) for name in sorted(names)}
    found = imagine(action, wanted)
    assume(found is not None)

    assert found is not None
    assert context_of(found, wanted) == wanted
    assert (found.action, found.now) == (action, NOW)
    assert (found.proved_at is not None) == (own_proof(found) or by_api_key(found))
    assert len(found.shown_roots) <= found.roots_enrolled


@given(st.data())
def test_one_fact_alone_can_be_anything_that_its_action_lets_it_be(data: st.DataObject) -> None:
    """Prevents: rules that look idle since what they match was never imagined."""
    action = data.draw(st.sampled_from(sorted(BUILT)))
    name = data.draw(st.sampled_from(sorted(VOCABULARY.keys() - {"class"})))
    # What is shown hangs together: at times only where it also proves.
    beside: dict[str, Value] = {"proved": True} if name in ("held_seconds", "device_bound") else {}
    for value in values(action, name):
        possible = imagine(action, {**beside, name: value}) or imagine(action, {name: value})
        assert possible is not None or name in ("factors", "api_key"), (name, value)
