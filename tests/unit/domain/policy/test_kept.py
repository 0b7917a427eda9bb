"""A policy version that was kept: read back as it was, or refused."""

import msgspec
import pytest
from support.policies import DEFAULT, STRICT

from twinlock.domain.canonical import encode
from twinlock.domain.policy.annotations import PolicyFault, PolicyRefusedError
from twinlock.domain.policy.kept import read_as_now, read_kept
from twinlock.domain.policy.version import Policy, header_of, policy_digest


@pytest.mark.parametrize("policy", [DEFAULT, STRICT], ids=["default", "strict"])
def test_a_kept_policy_is_the_same_one(policy: Policy) -> None:
    found = read_kept(policy.text, digest=policy.name.digest)

    assert (found.name, found.text, found.assets) == (policy.name, policy.text, policy.assets)
    assert [rule.rule_id for rule in found.statutes.rules] == [
        rule.rule_id for rule in policy.statutes.rules
    ]


def refused(text: bytes, digest: str) -> PolicyRefusedError:
    with pytest.raises(PolicyRefusedError) as error:
        read_kept(text, digest=digest)
    return error.value


def edited(**changed: object) -> tuple[bytes, str]:
    """Return the text of a policy that says something else, and its own digest."""
    whole = {**msgspec.json.decode(DEFAULT.text), **changed}
    text = encode({name: value for name, value in whole.items() if value is not ...})
    return text, policy_digest(header_of(text))


def test_the_text_of_another_digest_is_refused() -> None:
    assert refused(DEFAULT.text, STRICT.name.digest).fault is PolicyFault.UNREADABLE
    assert refused(b"{}", STRICT.name.digest).fault is PolicyFault.UNREADABLE


@pytest.mark.parametrize(
    "changed", [{"assets": ...}, {"more": 1}, {"assets": [1]}, {"version": "one"}]
)
def test_a_text_of_another_form_is_refused(changed: dict[str, object]) -> None:
    assert refused(*edited(**changed)).fault is PolicyFault.SCHEMA_DIFFERS


def test_a_policy_that_was_checked_against_other_facts_is_refused() -> None:
    text, digest = edited(ranges={"narrow": {"kind": "Bool", "most": 0, "words": []}})

    assert "other facts" in refused(text, digest).says


def test_a_policy_of_other_facts_is_read_with_those_of_now_to_be_compared() -> None:
    text, digest = edited(ranges={"narrow": {"kind": "Bool", "most": 0, "words": []}})

    found = read_as_now(text)

    assert found.name.digest != digest
    assert found.draft.statutes == DEFAULT.draft.statutes


def test_rules_that_this_version_refuses_are_refused() -> None:
    statutes = msgspec.json.decode(DEFAULT.draft.statutes)
    del statutes["staticPolicies"]["freeze.set.permit"]
    text, digest = edited(statutes=statutes)

    assert refused(text, digest).fault is PolicyFault.TIGHTENING
