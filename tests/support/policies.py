"""Policies for tests: those that we ship, the laxest that can be written, and many others."""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from hypothesis import strategies as st

from twinlock.adapters import cedar
from twinlock.adapters.policies import shipped
from twinlock.domain.policy import annotations, fitting
from twinlock.domain.policy.annotations import Agree
from twinlock.domain.policy.version import ASSETS, Draft, Policy
from twinlock.domain.reasons import Reason

_RULE = re.compile(r'^@id\("[^"]+"\).*?;$', re.MULTILINE | re.DOTALL)
_HOLD = re.compile(r'@hold_seconds\("(\d+)"\)')
_SUM = re.compile(r'(?<!")\b(50000|100000|10000000)\b')  # Not what an annotation says.
HOLDS = (1, 3_600, 86_400, 172_800, 604_800)  # Seconds.
SUMS = (0, 1, 500_00, 1_000_00, 100_000_00, 10**12 - 1)  # Cents.


def policy_of(text: str, *, profile: str = "test", version: int = 1) -> Policy:
    """Return the policy that ``text`` spells, without asking the second engine."""
    return Policy(
        Draft(
            version=version,
            profile=profile,
            assets=ASSETS,
            statutes=cedar.read_policy(text),
            schema=cedar.own_schema(),
        )
    )


@contextmanager
def approvals_built() -> Iterator[None]:
    """Read policies as a version would that can ask people to agree; this one refuses that."""
    fit = fitting.Fit(lambda demand: isinstance(demand, Agree), "a review")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(annotations, "NOT_BUILT", frozenset())
        patch.setattr(fitting, "FITS", {**fitting.FITS, Reason.PLATFORM_RULE: fit})
        yield


def rules_in(text: str) -> list[str]:
    """Return the rules of a policy's text, one by one."""
    return _RULE.findall(text)


def with_rules(*rules: str) -> str:
    """Return the default permits with other rules."""
    return "\n".join([*permits(), *rules])


def permits() -> list[str]:
    """Return the permits of the default profile."""
    return [rule for rule in rules_in(shipped("default")) if "permit (" in rule]


def _changed(rule: str, chance: random.Random) -> str:
    hold = _HOLD.search(rule)
    if hold is not None:
        rule = re.sub(rf"\b{hold[1]}\b", str(chance.choice(HOLDS)), rule)
    total = str(chance.choice(SUMS))
    if "notional_an_hour_cents" in rule:  # Of trades, and held to a range of its own.
        return rule
    return _SUM.sub(total, rule)


@cache
def any_policy(seed: int, profile: str) -> Policy:
    """Return a policy with any numbers and some of the rules, also such as no officer would."""
    chance = random.Random(seed)  # noqa: S311 - the same policy each time
    rules = rules_in(shipped(profile))
    kept = [rule for rule in rules if "permit (" in rule or chance.random() < 0.8]
    return policy_of("\n".join(_changed(rule, chance) for rule in kept), profile="any")


DEFAULT = policy_of(shipped("default"), profile="default")
STRICT = policy_of(shipped("strict"), profile="strict")
# The weakest that can be written: whatever holds under it is held by the laws alone.
LAX = policy_of("\n".join(permits()), profile="lax")


def policies(seeds: int = 24) -> st.SearchStrategy[Policy]:
    """Draw a policy: one that we ship, the laxest, or one of ``seeds`` others."""
    strict = st.integers(0, seeds - 1).map(lambda seed: any_policy(seed, "strict"))
    return ordinary_policies(seeds) | st.just(STRICT) | strict


def ordinary_policies(seeds: int = 24) -> st.SearchStrategy[Policy]:
    """Draw a policy that whatever an account has bound can fulfil."""
    others = st.integers(0, seeds - 1).map(lambda seed: any_policy(seed, "default"))
    return st.sampled_from((DEFAULT, LAX)) | others


def changed(policy: Policy, change: Callable[[str], str], *, name: str) -> Policy:
    """Return the default policy with its text changed."""
    return policy_of(change(shipped(policy.profile)), profile=name)
