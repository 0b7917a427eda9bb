"""What the log of the process says of an error that a caller is told."""

from typing import Any, cast

import pytest
from litestar import Request
from structlog.testing import capture_logs

from twinlock.api.problems import of_twinlock
from twinlock.domain.errors import (
    InvariantError,
    MalformedError,
    TwinlockError,
    UnavailableError,
)

NOBODY = cast("Request[Any, Any, Any]", None)  # Who asked is not looked at.


def logged(error: TwinlockError) -> list[dict[str, object]]:
    with capture_logs() as lines:
        of_twinlock(NOBODY, error)
    return [dict(line) for line in lines]


def test_a_world_that_is_down_is_one_line_for_each_request_and_no_traceback() -> None:
    (line,) = logged(UnavailableError("the database does not answer"))

    assert line["code"] == "unavailable"
    assert line["reason"] == "the database does not answer"
    assert "exc_info" not in line


def test_a_broken_invariant_is_logged_with_where_it_broke() -> None:
    error = InvariantError("two and two")
    (line,) = logged(error)

    assert line["exc_info"] is error


@pytest.mark.parametrize("error", [MalformedError("what you sent")], ids=lambda one: one.code)
def test_what_a_caller_did_wrong_is_not_logged_as_our_error(error: TwinlockError) -> None:
    assert logged(error) == []
