"""The standards' lines: each is shown by a test, or says why not; and no test names another."""

import pytest
from requirements_doc import GROUPS, lines, shown

ALL = sorted(lines())


def test_no_test_names_a_line_that_does_not_exist() -> None:
    assert set(shown()) <= set(ALL)


@pytest.mark.parametrize("one", ALL)
def test_a_line_is_shown_by_a_test_or_says_why_not(one: str) -> None:
    assert shown().get(one) or lines()[one].not_yet


@pytest.mark.parametrize("one", ALL)
def test_a_line_stands_in_one_group(one: str) -> None:
    assert sum(one.startswith(prefix) for prefix in GROUPS) == 1


def test_a_reason_is_a_sentence() -> None:
    for one, line in lines().items():
        assert not line.not_yet or line.not_yet.endswith("."), one
