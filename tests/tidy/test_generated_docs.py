"""Pages that follow from the code are what the code says today."""

from typing import get_args

import pytest
from doc_parts import summary
from generate_docs import DOCS, DRAFTS, PAGES, all_errors, asked_with, bounds_of

from twinlock.adapters import settings
from twinlock.bootstrap.rulebook import rule_book
from twinlock.domain import actions, bounds, drafts, exit_drafts, key_changes, own_drafts


@pytest.mark.requirement("O-20", "O-01")
@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_current(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8")

    assert written == PAGES[name](), "run `make docs`"


def test_every_error_stands_in_its_page() -> None:
    page = (DOCS / "errors.md").read_text(encoding="utf-8")

    assert [error.code for error in all_errors() if f"`{error.code}`" not in page] == []


def test_every_error_is_told_in_whole_sentences_on_one_line() -> None:
    told = [summary(error) for error in all_errors()]

    assert [one for one in told if not one.endswith(".") or "see docs." in one] == []


def test_every_setting_stands_in_its_page() -> None:
    page = (DOCS / "settings.md").read_text(encoding="utf-8")

    assert [row.name for row in settings.describe() if f"`{row.name}`" not in page] == []


@pytest.mark.requirement("O-20")
def test_every_bound_has_a_whole_reason_of_its_own() -> None:
    reasons = {name: reason for name, _, reason in bounds_of(bounds)}

    assert [name for name, reason in reasons.items() if not _is_whole(reason)] == []


def _is_whole(reason: str) -> bool:
    """Say whether this begins as a sentence does, ends as one, and names nothing only we know."""
    return (
        (reason[:1].isupper() or reason[:1].isdigit()) and reason[-1] == "." and "N-B" not in reason
    )


@pytest.mark.requirement("O-01")
def test_what_every_built_action_is_asked_with_is_told() -> None:
    assert set(DRAFTS) == actions.BUILT - {"platform.exit"}  # Its fields are the platform's own.
    assert set(DRAFTS.values()) == {
        *get_args(drafts.Draft),
        *exit_drafts.EXIT_DRAFTS.values(),
        own_drafts.LimitDraft,
        own_drafts.LockTightenDraft,
        own_drafts.LockLoosenDraft,
        key_changes.ApiKeyChangeDraft,
    }
    assert all(meaning for *_, meaning in asked_with())


def test_what_a_signer_is_told_to_pin_is_the_policy_in_force() -> None:
    page = (DOCS / "verify.md").read_text(encoding="utf-8")

    assert rule_book().policy.name.digest in page
