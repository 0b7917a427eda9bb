"""Pages that follow from the code are what the code says today."""

import pytest
from generate_docs import DOCS, PAGES, all_errors

from twinlock.adapters import settings


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_current(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8")

    assert written == PAGES[name](), "run `make docs`"


def test_every_error_stands_in_its_page() -> None:
    page = (DOCS / "errors.md").read_text(encoding="utf-8")

    assert [error.code for error in all_errors() if f"`{error.code}`" not in page] == []


def test_every_setting_stands_in_its_page() -> None:
    page = (DOCS / "settings.md").read_text(encoding="utf-8")

    assert [row.name for row in settings.describe() if f"`{row.name}`" not in page] == []
