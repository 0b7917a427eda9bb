"""The page of the log: it compares heads in the visitor's browser, and tells a log that lies."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route
from support.browser import Visitor, visiting
from support.bundles import SparseLog
from support.service import Customer, Service

from twinlock.adapters.keyring.signing import KeyringSigner
from twinlock.domain.log.merkle import Frontier, consistency_proof, leaf_hash
from twinlock.domain.log.tiles import Tile, hashes_in, tiles_needed, width_at
from twinlock.ports.log import Head

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]
SMALL_PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
FIRST, GREW, SAME = "Nothing to compare with yet", "It only grew", "The same head"
SHRANK, FORKED = "The log shrank", "This is another history"
KEPT = "localStorage.getItem('twinlock.log')"
WITHOUT_ED25519 = """
const importKey = crypto.subtle.importKey.bind(crypto.subtle);
crypto.subtle.importKey = (form, key, algorithm, ...rest) => algorithm.name === "Ed25519"
  ? Promise.reject(new DOMException("not known here", "NotSupportedError"))
  : importKey(form, key, algorithm, ...rest);
"""
WITHOUT_STORAGE = """
Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("denied", "SecurityError"); } });
"""
MAKE_PROOFS = """
async (cases) => {
  const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const all = [];
  for (const { old, size, tiles } of cases) {
    const fetched = async (path) => bytes(tiles[path]);
    const { proof } = await TwinlockTree.makeConsistencyProof(BigInt(old), BigInt(size), fetched);
    all.push(proof.map(TwinlockForms.toBase64));
  }
  return all;
}
"""


@pytest_asyncio.fixture(loop_scope="module")
async def looking(visitor: Visitor) -> AsyncIterator[Visitor]:
    """A visitor who never saw the log, and then opens pages without an error in the console."""
    yield visitor
    assert visitor.errors == []


async def look(visitor: Visitor) -> str:
    """Open the page, wait until it has compared, and return what it says of that."""
    assert await visitor.open("/log") == 200
    return await settled(visitor, "own")


async def settled(visitor: Visitor, name: str) -> str:
    region = f"[data-told={name}]"
    await visitor.page.locator(f"{region} [data-outcome=working]").wait_for(state="hidden")
    shown = visitor.page.locator(f"{region} [data-outcome]:visible")
    await shown.first.wait_for()
    return " ".join((await visitor.page.inner_text(region)).split())


async def compare(visitor: Visitor, note: str) -> str:
    await visitor.page.get_by_label("A checkpoint that somebody else was shown").fill(note)
    await visitor.page.get_by_role("button", name="Compare here").click()
    return await settled(visitor, "other")


async def grow(service: Service) -> None:
    """Have somebody open an account: that is an entry."""
    await Customer(service, "carol").open("email")


async def note_of(service: Service) -> str:
    return (await service.api.use.logbook.checkpoint()).decode()


async def show(visitor: Visitor, path: str, body: str | bytes) -> None:
    """Have the browser be answered ``body`` from now on, by a dishonest operator, say."""

    async def answer(route: Route) -> None:
        await route.fulfill(status=200, body=body, content_type="text/plain")

    await visitor.page.route(f"**{path}", answer)


class Fork:
    """Another history, signed with the log's own key: what a dishonest operator can make."""

    def __init__(self, service: Service, size: int) -> None:
        leaves = [leaf_hash(b"forged %d" % at) for at in range(size)]
        self.path = "/" + Tile(level=0, index=0, width=size).path
        self.tile = b"".join(leaves)
        head = Head(size=size, root=Frontier().append(leaves).root())
        origin = service.settings.log_origin
        self.note = KeyringSigner(service.keyring, log_origin=origin).checkpoint(head).decode()

    async def shown_to(self, visitor: Visitor) -> None:
        await show(visitor, "/checkpoint", self.note)
        await show(visitor, self.path, self.tile)


# --- What this browser saw ---


async def test_a_log_that_only_grew_is_told_so_by_the_visitors_own_browser(
    looking: Visitor, service: Service
) -> None:
    await grow(service)
    first = await look(looking)
    before = (await service.api.store.head()).size
    await grow(service)
    later = await look(looking)
    again = await look(looking)

    assert first.startswith(FIRST)
    assert "Signature of the log: verified here" in first
    assert later.startswith(f"{GREW} The log has {before + 1} entries now and had {before} in what")
    assert "from 1 of the log's tiles" in later
    assert again.startswith(SAME)
    assert await looking.page.inner_text("[data-checkpoint]") == (await note_of(service))


async def test_an_older_head_of_a_log_that_holds_the_newer_one_still_is_no_alarm(
    looking: Visitor, service: Service
) -> None:
    """Prevents: a visitor who is frightened since one process of several is behind."""
    await grow(service)
    old = await note_of(service)
    await grow(service)
    await look(looking)
    new = await note_of(service)
    await show(looking, "/checkpoint", old)

    told = await look(looking)

    assert told.startswith("An older head")
    kept = json.loads(await looking.page.evaluate(KEPT))
    assert (kept["note"], "against" in kept) == (new, False)


async def test_a_log_that_shrank_is_told_and_what_was_kept_stays(
    visitor: Visitor, service: Service
) -> None:
    looking = visitor  # The browser tells each tile that is not there in its console.
    await grow(service)
    old = await note_of(service)
    await grow(service)
    await look(looking)
    new = await note_of(service)
    await show(looking, "/checkpoint", old)
    await looking.page.route("**/tile/**", lambda route: route.fulfill(status=404))

    told = await look(looking)

    assert SHRANK in told
    assert "Two heads that contradict each other" in told
    contradicting = looking.page.locator("[data-outcome=against] pre")
    assert await contradicting.all_text_contents() == [new, old]
    kept = json.loads(await looking.page.evaluate(KEPT))
    assert (kept["note"], kept["against"]) == (new, old)

    await looking.page.unroute_all()
    later = await look(looking)
    assert later.startswith(SAME)
    assert "Two heads that contradict each other" in later

    await looking.page.get_by_role("button", name="Forget what this browser kept").click()
    assert (await settled(looking, "own")).startswith(FIRST)


@pytest.mark.parametrize("more", [0, 3], ids=["of the same size", "that grew"])
async def test_another_history_is_told(looking: Visitor, service: Service, more: int) -> None:
    await grow(service)
    await look(looking)
    kept = await note_of(service)
    fork = Fork(service, (await service.api.store.head()).size + more)
    await fork.shown_to(looking)

    told = await look(looking)

    assert FORKED in told
    assert json.loads(await looking.page.evaluate(KEPT))["note"] == kept


async def test_a_head_that_the_log_did_not_sign_is_not_taken_for_one(
    looking: Visitor, service: Service
) -> None:
    await grow(service)
    await look(looking)
    note = await note_of(service)
    size = (await service.api.store.head()).size
    await show(looking, "/checkpoint", note.replace(f"\n{size}\n", f"\n{size + 1}\n"))

    assert (await look(looking)).startswith("Not signed by this log")
    assert json.loads(await looking.page.evaluate(KEPT))["note"] == note


async def test_a_log_under_another_name_is_another_log(looking: Visitor, service: Service) -> None:
    await look(looking)
    note = await note_of(service)
    other = note.replace(service.settings.log_origin, "localhost/other", 1)
    await looking.page.evaluate("note => localStorage.setItem('twinlock.log', note)", _kept(other))

    assert (await look(looking)).startswith("Another log The log's name is localhost/twinlock now")


def _kept(note: str) -> str:
    return json.dumps({"note": note, "at": "2026-11-30T12:00:00Z"})


async def test_what_cannot_be_fetched_is_said_to_be_not_compared(visitor: Visitor) -> None:
    await look(visitor)
    await visitor.page.route("**/checkpoint", lambda route: route.abort())

    told = await look(visitor)

    assert told.startswith("Not compared What it takes could not be fetched.")


@pytest.mark.parametrize("kept", ["nonsense", "{}", '{"note":"a"}', "null"])
async def test_what_was_kept_and_is_none_any_more_is_told_and_can_be_forgotten(
    looking: Visitor, kept: str
) -> None:
    await look(looking)
    await looking.page.evaluate("kept => localStorage.setItem('twinlock.log', kept)", kept)

    assert (await look(looking)).startswith("What this browser kept cannot be read")

    await looking.page.get_by_role("button", name="Forget what this browser kept").click()
    assert (await settled(looking, "own")).startswith(FIRST)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param(WITHOUT_ED25519, "The signature was not checked.", id="Ed25519"),
        pytest.param(WITHOUT_STORAGE, "This browser keeps nothing", id="storage"),
    ],
)
async def test_what_the_browser_cannot_do_is_said_plainly(
    browser: Browser, service: Service, script: str, words: str
) -> None:
    async with visiting(browser, service.settings.origin) as visitor:
        await visitor.context.add_init_script(script)

        told = await look(visitor)

        assert words in told
        assert "verified here" not in told
        assert visitor.errors == []


# --- What somebody else saw ---


async def test_the_checkpoint_of_somebody_else_is_compared_too(
    visitor: Visitor, service: Service
) -> None:
    looking = visitor  # Of a larger log its browser is told, in its console, that there is none.
    theirs = await note_of(service)
    await grow(service)
    size = (await service.api.store.head()).size
    await look(looking)

    assert (await compare(looking, theirs)).startswith(GREW)
    assert (await compare(looking, theirs.replace("\n", "\r\n") + " ")).startswith(GREW)
    assert (await compare(looking, await note_of(service))).startswith(SAME)
    assert (await compare(looking, Fork(service, size).note)).startswith(FORKED)
    assert (await compare(looking, Fork(service, size + 5).note)).startswith(SHRANK)
    forged = theirs.replace(f"\n{size - 1}\n", f"\n{size}\n")
    assert (await compare(looking, forged)).startswith("Not a checkpoint of this log")
    assert (await compare(looking, "hello")).startswith("That is no checkpoint")
    assert (await compare(looking, "—")).startswith("That is no checkpoint")


# --- The arithmetic ---


def _case(old: int, size: int) -> tuple[dict[str, Any], list[str]]:
    log = SparseLog()
    for at in (0, old - 1, old, size - 1):  # Some leaves of their own, where it matters.
        log.grow(max(0, at - log.size))
        if log.size == at:
            log.append(b"leaf %d" % at)
    log.grow(size - log.size)
    needed = tiles_needed(lambda hash_at: consistency_proof(old, size, hash_at))
    rows = {key: log.tile(*key) for key in needed}
    tiles = {}
    for (level, index), row in rows.items():
        width = width_at(size, level=level, index=index)
        path = Tile(level=level, index=index, width=width).path
        tiles[path] = base64.b64encode(row).decode()
    proof = consistency_proof(old, size, hashes_in(rows))
    return {"old": str(old), "size": str(size), "tiles": tiles}, [
        base64.b64encode(one).decode() for one in proof
    ]


async def test_proofs_are_made_from_the_very_tiles_that_the_service_would_read(
    looking: Visitor,
) -> None:
    sizes = (1, 2, 3, 7, 8, 255, 256, 257, 1000, 65_536, 65_537, 70_000, 1_000_003)
    pairs = [(old, new) for old in sizes for new in sizes if old < new]
    await look(looking)

    made = await looking.page.evaluate(MAKE_PROOFS, [_case(*pair)[0] for pair in pairs])

    assert made == [_case(*pair)[1] for pair in pairs]


# --- For everybody ---


async def test_without_script_the_page_tells_all_but_that(
    browser: Browser, service: Service
) -> None:
    async with visiting(browser, service.settings.origin, java_script_enabled=False) as visitor:
        await visitor.open("/log")

        text = await visitor.text()
        note = await visitor.page.text_content("[data-checkpoint]")
        assert note == await note_of(service)
        assert "Without JavaScript your browser compares nothing." in text
        assert "twinlock verify bundle.json --trust trust.json --since checkpoint.old" in text
        assert "How it grew" in text
        assert not any(one in text for one in (FIRST, GREW, SAME, SHRANK, FORKED))
        assert not await visitor.page.get_by_role("button").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [SMALL_PHONE, DESK], ids=["phone", "desk"])
async def test_the_page_is_accessible_and_fits_the_window_whatever_it_tells(
    browser: Browser, service: Service, size: dict[str, int], scheme: str
) -> None:
    await grow(service)
    async with visiting(
        browser, service.settings.origin, viewport=size, color_scheme=scheme
    ) as visitor:
        await look(visitor)
        await visitor.page.eval_on_selector_all("details", "all => all.map(one => one.open = true)")
        assert (await visitor.faults(), await visitor.overflow()) == ([], 0)

        await Fork(service, (await service.api.store.head()).size).shown_to(visitor)
        assert FORKED in await look(visitor)
        assert (await visitor.faults(), await visitor.overflow()) == ([], 0)


async def test_everything_is_reached_by_keyboard(looking: Visitor) -> None:
    await look(looking)
    reached = []
    for _ in range(14):
        await looking.page.keyboard.press("Tab")
        reached.append(await looking.page.evaluate("document.activeElement.textContent.trim()"))

    assert {"Check again", "Forget what this browser kept", "Compare here", "/checkpoint"} <= {
        *reached
    }
