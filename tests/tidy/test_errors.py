"""Errors and reasons: one code each, for ever, and each explained."""

import re

import pytest
from generate_docs import all_errors
from tidy.repository import SOURCE

from twinlock.domain.errors import TwinlockError
from twinlock.domain.reasons import EXPLANATIONS, Reason

CODE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
LEAST_STATUS, MOST_STATUS = 400, 599


@pytest.mark.parametrize("error", all_errors(), ids=lambda error: error.__name__)
def test_an_error_has_a_code_of_its_own_and_a_status(error: type[TwinlockError]) -> None:
    assert "code" in vars(error)
    assert CODE.fullmatch(error.code)
    assert LEAST_STATUS <= error.status <= MOST_STATUS


def test_no_two_errors_share_a_code() -> None:
    codes = [error.code for error in all_errors()]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_says_why_until_when_and_what_would_lift_it(reason: Reason) -> None:
    explanation = EXPLANATIONS[reason]

    assert all(part.endswith(".") for part in explanation)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_given_somewhere(reason: Reason) -> None:
    code = [path for path in SOURCE.rglob("*.py") if path.name != "reasons.py"]
    in_code = any(f"Reason.{reason.name}" in path.read_text(encoding="utf-8") for path in code)
    in_statutes = any(
        f'@reason("{reason}")' in path.read_text(encoding="utf-8")
        for path in (SOURCE / "policies").glob("*.cedar")
    )

    assert in_code or in_statutes
