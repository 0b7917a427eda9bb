"""The page of a proof in a browser: one file that asks for nothing, and says what the JSON says."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Request
from support.browser import visiting
from support.studies import few_states

from twinlock.cli.proof_page import write_page
from twinlock.domain.bounds import SMALL_SUM_CENTS
from twinlock.range.profiles import DEFAULT, PROFILES, rules_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
A4_PIXELS = 703  # What 186 mm of paper are at 96 to the inch.
LARGEST_BYTES = 1_000_000
ELSEWHERE = re.compile(r"""(?:src|href|action|poster|data)\s*=\s*["'](?!#)|url\(|@import|<script""")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("proof") / "default.html"
    write_page(path, prover=few_states(), book=rules_of(DEFAULT), k=2)
    return path


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """The JSON of the same proof, as ``--json`` prints it."""
    proof, _ = few_states().prove(rules_of(DEFAULT), k=2)
    return msgspec.json.decode(msgspec.json.encode(proof), type=dict[str, Any])


@pytest_asyncio.fixture(loop_scope="module")
async def asked(browser: Browser, page_file: Path) -> list[str]:
    """What the browser asks for to show the page."""
    seen: list[str] = []
    async with visiting(browser, "file://") as visitor:

        def note(request: Request) -> None:
            seen.append(request.url)

        visitor.page.on("request", note)
        await visitor.open(str(page_file))
    return seen


async def test_the_page_is_one_file_that_asks_for_nothing(
    asked: list[str], page_file: Path
) -> None:
    text = page_file.read_text("utf-8")  # noqa: ASYNC240 - nothing else runs beside it

    assert asked == [f"file://{page_file}"]
    assert ELSEWHERE.findall(text) == []
    assert "://" not in text
    assert len(text.encode()) < LARGEST_BYTES


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_the_page_is_accessible_and_fits_the_window(
    browser: Browser, page_file: Path, size: dict[str, int], scheme: str
) -> None:
    async with visiting(browser, "file://", viewport=size, color_scheme=scheme) as visitor:
        await visitor.open(str(page_file))
        await visitor.page.eval_on_selector_all("details", "all => all.map(one => one.open = true)")

        assert (await visitor.faults(), await visitor.overflow()) == ([], 0)
        assert visitor.errors == []


async def test_the_page_fits_the_paper(browser: Browser, page_file: Path) -> None:
    size = {"width": A4_PIXELS, "height": 1000}
    async with visiting(browser, "file://", viewport=size) as visitor:
        await visitor.open(str(page_file))
        await visitor.page.emulate_media(media="print")

        assert await visitor.overflow() == 0
        assert not await visitor.page.get_by_role("navigation").is_visible()


async def test_with_the_keyboard_every_attack_opens(browser: Browser, page_file: Path) -> None:
    async with visiting(browser, "file://", viewport=DESK) as visitor:
        await visitor.open(str(page_file))
        closed = visitor.page.locator("details.attack:not([open]) > summary").first
        name = await closed.inner_text()
        await closed.focus()
        await visitor.page.keyboard.press("Enter")

        opened = visitor.page.locator("details.attack[open]").filter(has_text=name.split("\n")[0])
        assert await opened.locator("ol.path").first.is_visible()


async def test_the_page_says_what_the_json_says(
    browser: Browser, page_file: Path, told: dict[str, Any]
) -> None:
    async with visiting(browser, "file://", viewport=DESK) as visitor:
        await visitor.open(str(page_file))
        page = visitor.page
        assert told["policy"] in await visitor.text()
        assert await page.locator("#stands .badge").inner_text() == "✓ Proved · default"

        for bar in await page.locator("#stands .bars li > span").all():
            says, number = (await bar.inner_text()).rsplit(maxsplit=1)
            size = int(found.group()) if (found := re.search(r"\d+", says)) else 99
            count = sum(one["k"] == size for one in told["verdicts"])
            assert (says, number) == (says, f"{count:,}")

        narrow = sum(one["k_any"] < 2 <= one["k"] for one in told["verdicts"])
        rows = await page.locator("#narrow tbody th").all_inner_texts()
        assert sum(int(row.replace(",", "")) for row in rows) == narrow
        await every_cell(page, told)


async def every_cell(page: Page, told: dict[str, Any]) -> None:
    """Compare the time in each cell with the soonest attack that needs nothing else."""
    names = await page.locator("#capabilities table").first.locator("tbody code").all_inner_texts()
    cells = await page.locator("#pairs td b").all_inner_texts()
    large = [one for one in told["attacks"] if one["cents"] > SMALL_SUM_CENTS]
    soonest: dict[frozenset[str], int] = {}
    for one in large:
        held = frozenset(one["capabilities"])
        soonest[held] = min(one["minutes"], soonest.get(held, one["minutes"]))

    assert len(cells) == len(names) ** 2
    for number, cell in enumerate(cells):
        pair = {names[number // len(names)], names[number % len(names)]}
        times = [minutes for held, minutes in soonest.items() if held <= pair]
        assert minutes_of(cell) == min(times, default=None), pair


def minutes_of(cell: str) -> int | None:
    """Return the minutes that a cell names; None is never."""
    if cell in {"–", "now"}:
        return None if cell == "–" else 0
    count, unit = cell.split()
    return int(count) * {"min": 1, "h": 60, "d": 24 * 60}[unit]


async def test_every_profile_stands_beside_the_others(browser: Browser, page_file: Path) -> None:
    async with visiting(browser, "file://", viewport=DESK) as visitor:
        await visitor.open(str(page_file))
        shown = await visitor.page.locator("#profiles figcaption > code").all_inner_texts()
        stands = await visitor.page.locator("#profiles figcaption .badge").all_inner_texts()

    assert shown == list(PROFILES)
    assert stands == ["✗ not proved", "✗ not proved", "✓ proved", "✓ proved"]
