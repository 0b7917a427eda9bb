"""Lines of facts: what was written is read back, byte for byte."""

from hypothesis import given
from hypothesis import strategies as st
from support.facts import facts
from support.policies import policies

from twinlock.domain.canonical import encode
from twinlock.domain.policy.backtesting import Snapshot
from twinlock.domain.policy.fact_lines import PolicyLine, read_line, write_entry, write_policy
from twinlock.domain.policy.facts import Facts
from twinlock.domain.policy.version import Policy


@given(facts(), st.integers(0, 2**53 - 1))
def test_an_entry_is_read_back(found: Facts, place: int) -> None:
    one = Snapshot(place, encode({"at": 1, "dec": "allow", "pol": "p"}), encode(found))

    assert read_line(write_entry(one).rstrip(b"\n"), number=1) == one


@given(policies())
def test_a_policy_is_read_back(policy: Policy) -> None:
    line = read_line(write_policy(policy.name.digest, policy.text).rstrip(b"\n"), number=1)

    assert isinstance(line, PolicyLine)
    assert (line.policy, bytes(line.text)) == (policy.name.digest, policy.text)
