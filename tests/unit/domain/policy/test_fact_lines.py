"""Lines of a file of facts: read back as they were, or told by their number."""

import pytest
from support.policies import DEFAULT

from twinlock.domain.policy.backtesting import Snapshot
from twinlock.domain.policy.fact_lines import (
    LINE_BYTES_MOST,
    FactLineError,
    PolicyLine,
    read_line,
    write_entry,
    write_policy,
)


def test_what_is_written_is_read_back() -> None:
    one = Snapshot(7, b'{"at":1}', b'{"now":2}')
    policy = read_line(write_policy(DEFAULT.name.digest, DEFAULT.text), number=1)

    assert read_line(write_entry(one), number=2) == one
    assert isinstance(policy, PolicyLine)
    assert (policy.policy, bytes(policy.text)) == (DEFAULT.name.digest, DEFAULT.text)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"index":1,"leaf":{}',
        b'{"index":1,"leaf":{}}',
        b'{"index":"1","leaf":{},"facts":{}}',
        b'{"index":1,"leaf":{},"facts":{},"more":1}',
        b'{"policy":"d"}',
        b'{"policy":1,"text":{}}',
    ],
)
def test_what_is_no_line_of_facts_is_told_by_its_number(line: bytes) -> None:
    with pytest.raises(FactLineError, match="line 7 is no line of facts"):
        read_line(line, number=7)


def test_a_line_beyond_all_policies_is_refused() -> None:
    with pytest.raises(FactLineError, match="line 1 has more than"):
        read_line(b"x" * (LINE_BYTES_MOST + 1), number=1)
