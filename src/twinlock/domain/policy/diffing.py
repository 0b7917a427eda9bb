"""Diffing: how two policies differ, in their words and in what they answer.

Words are compared by ``@id``. Answers are compared cell by cell (``searching``), laws included, so
a difference that the laws hide is none.

Always true (tests/property/test_diffing_properties.py): every example is answered so by both; where
no example was found though all was looked at, no drawn facts tell one policy from the other.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from twinlock.domain.actions import BUILT
from twinlock.domain.laws import Law
from twinlock.domain.money import Asset
from twinlock.domain.policy.examples import Example, example
from twinlock.domain.policy.pairing import Pair
from twinlock.domain.policy.searching import CELLS_MOST, Search, Side, groups
from twinlock.domain.policy.statutes import Statutes
from twinlock.domain.policy.version import Policy
from twinlock.domain.policy.weighing import Change


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One annotation that differs; "" where there is none."""

    name: str
    was: str
    is_: str = msgspec.field(name="is")


class RuleChange(msgspec.Struct, frozen=True, kw_only=True):
    """One rule or permit that differs. ``what`` is added, removed or changed."""

    rule: str
    effect: str
    what: str
    annotations: tuple[Said, ...] = ()
    condition: bool = False
    scope: bool = False


class ActionDifference(msgspec.Struct, frozen=True, kw_only=True):
    """How answers about ``actions``, which are alike in both policies, differ.

    ``examples`` has one for each way in which they do, and ``counts`` the cells of each. ``tried``
    of ``cells`` were looked at; ``complete`` says that nothing was left out.
    """

    actions: tuple[str, ...]
    examples: tuple[Example, ...]
    counts: dict[str, int]
    tried: int
    cells: int
    complete: bool


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How a second policy differs from a first one."""

    first: str
    second: str
    rules: tuple[RuleChange, ...]
    assets: tuple[str, ...]
    actions: tuple[ActionDifference, ...]

    @property
    def none(self) -> bool:
        """Whether both say the same, and so decide alike."""
        return not self.rules and not self.assets


def difference(
    first: Policy, second: Policy, *, laws: tuple[Law, ...], most: int = CELLS_MOST
) -> Difference:
    """Return how ``second`` differs from ``first``, ``most`` cells looked at for each action."""
    rules = tuple(_rules(first.statutes, second.statutes))
    answers = _answers(first.statutes, second.statutes, laws=laws, most=most)
    return Difference(
        first=first.name.digest,
        second=second.name.digest,
        rules=rules,
        assets=tuple(_assets(first.assets, second.assets)),
        actions=tuple(answers) if rules else (),
    )


# --- Words ---


def _rules(first: Statutes, second: Statutes) -> Iterator[RuleChange]:
    old, new = _texts(first), _texts(second)
    for name in sorted(old.keys() | new.keys()):
        was, is_ = old.get(name), new.get(name)
        if was != is_:
            yield _change(name, was, is_)


def _texts(statutes: Statutes) -> Mapping[str, Any]:
    found: Mapping[str, Any] = msgspec.json.decode(statutes.text)["staticPolicies"]
    return found


def _change(name: str, was: Any, is_: Any) -> RuleChange:  # noqa: ANN401 - any JSON
    effect = (was or is_)["effect"]
    if was is None or is_ is None:
        what = "removed" if is_ is None else "added"
        said = _said({} if was is None else was, {} if is_ is None else is_)
        return RuleChange(rule=name, effect=effect, what=what, annotations=tuple(said))
    return RuleChange(
        rule=name,
        effect=effect,
        what="changed",
        annotations=tuple(_said(was, is_)),
        condition=was["conditions"] != is_["conditions"],
        scope=was["action"] != is_["action"] or was["effect"] != is_["effect"],
    )


def _said(was: Mapping[str, Any], is_: Mapping[str, Any]) -> Iterator[Said]:
    old, new = was.get("annotations", {}), is_.get("annotations", {})
    for name in sorted((old.keys() | new.keys()) - {"id"}):
        if old.get(name) != new.get(name):
            yield Said(name=name, was=old.get(name) or "", is_=new.get(name) or "")


def _assets(first: tuple[Asset, ...], second: tuple[Asset, ...]) -> Iterator[str]:
    """Give the assets that only one names, or that both name otherwise."""
    old, new = _by_name(first), _by_name(second)
    return (name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name))


def _by_name(assets: tuple[Asset, ...]) -> Mapping[str, Asset]:
    return {f"{one.symbol} on {one.network}": one for one in assets}


# --- Answers ---


def _answers(
    first: Statutes, second: Statutes, *, laws: tuple[Law, ...], most: int
) -> Iterator[ActionDifference]:
    pair = Pair(first, second)
    named = (first.permits.keys() | second.permits.keys()) & BUILT
    for group in groups(named, sides=(pair.first, pair.second), bodies=pair.bodies):
        action = group[0]
        one, other = _side(pair.first, action), _side(pair.second, action)
        if one == other:
            continue
        search = Search(action, first=one, second=other, laws=laws, bodies=pair.bodies, most=most)
        found = _found(group, search)
        if found.examples or not found.complete:
            yield found


def _found(group: tuple[str, ...], search: Search) -> ActionDifference:
    seen: dict[tuple[Change, ...], Example] = {}
    counts: dict[str, int] = {}
    for one in search:
        if not one.changes:
            continue
        name = " ".join(one.changes)
        counts[name] = counts.get(name, 0) + 1
        if one.changes not in seen:
            seen[one.changes] = example(search.shrunk(one))
    return ActionDifference(
        actions=group,
        examples=tuple(seen[changes] for changes in sorted(seen, key=_gravest)),
        counts=dict(sorted(counts.items())),
        tried=search.tried,
        cells=search.size,
        complete=search.complete and not search.sums,
    )


def _gravest(changes: tuple[Change, ...]) -> tuple[int, ...]:
    order = list(Change)
    return tuple(order.index(one) for one in changes)


def _side(statutes: Statutes, action: str) -> Side:
    permitted = action in statutes.permits
    return Side(permitted=permitted, rules=statutes.of(action) if permitted else ())
