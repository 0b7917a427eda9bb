"""Every way in is documented, and nothing is documented that is not there (ASVS 5.0.0, V6.1.3)."""

import re
from pathlib import Path

import pytest
from litestar.routes import HTTPRoute
from support.browser import with_pages
from support.service import Service

from twinlock.domain.assurance import PROOFS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ("api.md", "confirm-page.md", "log-page.md", "signals.md")
CALL = re.compile(r"`(GET|POST|PATCH|PUT|DELETE) (/[^`\s]+)`")
# The description itself, in its spellings; api.md names it without a method.
SCHEMA = "/openapi"


def documented() -> set[tuple[str, str]]:
    """Return every call that the pages name, with ``{}`` for what is filled in."""
    text = "\n".join((DOCS / name).read_text("utf-8") for name in PAGES)
    return {(method, plain(path)) for method, path in CALL.findall(text)}


def plain(path: str) -> str:
    return re.sub(r"\{[^}]*\}|…", "{}", path)


def served(service: Service) -> set[tuple[str, str]]:
    return {
        (method, plain(route.path_format))
        for route in with_pages(service).routes
        if isinstance(route, HTTPRoute) and not route.path_format.startswith(SCHEMA)
        for method in route.methods - {"OPTIONS"}
    }


@pytest.mark.requirement("O-01")
async def test_every_path_that_is_served_is_documented_and_no_other(service: Service) -> None:
    assert served(service) == documented()


@pytest.mark.requirement("O-01")
async def test_the_description_of_the_api_names_every_call_of_a_platform(service: Service) -> None:
    described = (await service.http.get("/openapi/openapi.json")).json()["paths"]
    told = {
        (method.upper(), plain(path))
        for path, operations in described.items()
        for method in operations
    }

    assert told == {one for one in served(service) if one[1].startswith(("/v1/", "/access/"))}


@pytest.mark.requirement("O-01")
def test_everything_that_can_be_shown_as_a_proof_is_documented() -> None:
    rows = (DOCS / "policy.md").read_text("utf-8").splitlines()
    (row,) = [one for one in rows if one.startswith("| `factors` |")]

    assert set(re.findall(r"`([a-z_]+)`", row)) == {"factors", *PROOFS}
