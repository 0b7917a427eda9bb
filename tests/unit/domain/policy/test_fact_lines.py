"""Lines of a file of facts that are none."""

import pytest

from twinlock.domain.policy.fact_lines import LINE_BYTES_MOST, FactLineError, read_line


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
