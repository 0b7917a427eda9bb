"""The page that verifies a bundle in the browser: it says what ``twinlock verify`` says."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from support.browser import BrowserCustomer, Visitor, visiting
from support.bundles import TRUST, checkpoint
from support.forgeries import the_cast
from support.recorded import Shown, shown_in
from support.service import Service
from unit.proofs import test_bundle_steps, test_bundles
from vectors import (
    test_bundle_forgeries,
    test_bundle_forgeries_of_devices,
    test_bundle_forgeries_of_insiders,
)

from twinlock.cli.verdict import payload_lines, spend_lines, verdict
from twinlock.domain.canonical import encode
from twinlock.domain.errors import BundleRefusedError
from twinlock.proofs.bundle_faults import SENTENCES
from twinlock.proofs.bundles import VerifiedBundle

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]
OLD_SIZE = 4
AT_ONCE = 200  # Cases in one call of the browser: some megabytes.
SMALL_PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
PRESS = "Verify it here"
# Runs the page's own scripts over many files, and says of each what came of it.
VERIFY_ALL = """
async (cases) => {
  const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const forms = JSON.parse(document.querySelector("#forms").content.textContent);
  const all = [];
  for (const one of cases) {
    const trust = await TwinlockReading.readTrust(bytes(one.trust));
    const known = one.known && {
      origin: one.known.origin, size: BigInt(one.known.size), root: bytes(one.known.root) };
    const said = await TwinlockBundle.verify(bytes(one.data), { trust, forms, known });
    const { found } = said;
    all.push({
      verdict: said.verdict,
      step: said.number ?? 12,
      fault: said.fault ?? "",
      detail: said.detail ?? "",
      passed: said.passed.map(({ number, name, says }) => [number, name, says]),
      sentence: found ? TwinlockWords.verdict(found, forms) : "",
      lines: found ? TwinlockWords.payloadLines(found, forms) : [],
      limits: found ? TwinlockWords.limits(found) : [],
    });
  }
  return all;
}
"""
WITHOUT_ED25519 = """
const importKey = crypto.subtle.importKey.bind(crypto.subtle);
crypto.subtle.importKey = (form, key, algorithm, ...rest) => algorithm.name === "Ed25519"
  ? Promise.reject(new DOMException("not known here", "NotSupportedError"))
  : importKey(form, key, algorithm, ...rest);
"""


@pytest.fixture(scope="module")
def shown() -> list[Shown]:
    """Every bundle of the tests of the Python verifier, good and forged."""
    return shown_in(
        test_bundles,
        test_bundle_steps,
        test_bundle_forgeries,
        test_bundle_forgeries_of_insiders,
        test_bundle_forgeries_of_devices,
    )


@pytest.fixture(scope="module")
def paid() -> bytes:
    """The bundle of a spend, by a log that this service is not."""
    return encode(the_cast().house.bundle(the_cast().paid))


@pytest.fixture(scope="module")
def grown() -> tuple[bytes, bytes]:
    """The same bundle, fetched with growth from an older checkpoint, and that checkpoint."""
    house = the_cast().house
    old = house.seen(OLD_SIZE)
    bundle = house.bundle(the_cast().paid, consistent_from=OLD_SIZE)
    return encode(bundle), checkpoint(old, at=house.now)


@pytest_asyncio.fixture(loop_scope="module")
async def page(visitor: Visitor) -> AsyncIterator[Page]:
    """The page, opened; whatever it asks the network for from then on is told in ``asked``."""
    await visitor.open("/log/verify")
    yield visitor.page
    assert visitor.errors == []


async def choose(
    page: Page, data: bytes, *, trust: bytes | None = None, since: bytes = b""
) -> None:
    """Choose files as a visitor does, and press the button."""
    await page.set_input_files("#bundle", [_file("bundle.json", data)])
    if trust is not None:
        await page.get_by_label("A trust file of mine").check()
        await page.set_input_files("#trust", [_file("trust.json", trust)])
    if since:
        await page.eval_on_selector("details:has(#since)", "one => one.open = true")
        await page.set_input_files("#since", [_file("checkpoint.old", since)])
    await page.get_by_role("button", name=PRESS).click()
    await page.locator("[data-outcome=working]").wait_for(state="hidden")


def _file(name: str, data: bytes) -> Any:  # noqa: ANN401 - as Playwright takes one
    return {"name": name, "mimeType": "application/json", "buffer": data}


async def told(page: Page) -> str:
    """Return what the page says came of it."""
    return " ".join((await page.inner_text("[data-told=verdict]")).split())


async def marks(page: Page) -> list[str]:
    """Return what stands at each of the twelve steps."""
    return await page.locator("[data-mark]").all_text_contents()


# --- It agrees with `twinlock verify` ---


def asked_of(one: Shown) -> dict[str, object]:
    known = one.known and {
        "origin": one.known.origin,
        "size": str(one.known.size),
        "root": base64.b64encode(one.known.root).decode(),
    }
    return {
        "data": base64.b64encode(one.data).decode(),
        "trust": base64.b64encode(encode(one.trust)).decode(),
        "known": known,
    }


def expected(one: Shown) -> dict[str, Any]:
    said = one.said
    refused = isinstance(said, BundleRefusedError)
    steps = said.passed if isinstance(said, BundleRefusedError) else said.steps
    return {
        "verdict": "refused" if refused else "verified",
        "step": said.step if isinstance(said, BundleRefusedError) else len(said.steps),
        "fault": said.fault if isinstance(said, BundleRefusedError) else "",
        "passed": [list(step) for step in steps],
        "sentence": "" if isinstance(said, BundleRefusedError) else verdict(said),
    }


async def test_of_every_bundle_that_the_python_verifier_is_tested_with_the_page_says_the_same(
    page: Page, shown: list[Shown]
) -> None:
    """Step, fault, what each step says, and the sentence at the end."""
    said: list[dict[str, Any]] = []
    for at in range(0, len(shown), AT_ONCE):
        some = shown[at : at + AT_ONCE]
        said += await page.evaluate(VERIFY_ALL, [asked_of(one) for one in some])

    differing = [
        (one.name, its, expected(one))
        for one, its in zip(shown, said, strict=True)
        if {**its, **expected(one)} != its
    ]
    assert differing[:1] == []
    faults = {one.said.fault for one in shown if isinstance(one.said, BundleRefusedError)}
    assert len(shown) > 300
    assert faults == {*SENTENCES}
    assert sum(isinstance(one.said, VerifiedBundle) for one in shown) > 10


async def test_what_a_verified_bundle_says_is_told_in_the_lines_of_the_command(
    page: Page, shown: list[Shown]
) -> None:
    good = [one for one in shown if isinstance(one.said, VerifiedBundle)]
    said = await page.evaluate(VERIFY_ALL, [asked_of(one) for one in good])

    for one, its in zip(good, said, strict=True):
        assert isinstance(one.said, VerifiedBundle)
        lines = [*payload_lines(one.said.payload), *spend_lines(one.said)]
        assert sorted(map(tuple, its["lines"])) == sorted(lines), one.name
        assert its["limits"][0].endswith(f": {len(one.said.assertions) or 'none'}")


# --- As a visitor meets it ---


async def test_a_bundle_that_was_downloaded_is_verified_where_the_visitor_is_and_sent_nowhere(
    alice: BrowserCustomer, visitor: Visitor
) -> None:
    await alice.add_destination()
    proposed = await alice.propose("withdrawal.crypto", alice.withdrawal("10"))
    await alice.with_passkey(proposed.action_id)
    bundle = msgspec.json.encode(await alice.client.evidence(proposed.action_id))
    await visitor.open("/log/verify")
    visitor.errors.clear()  # The test's own: where it made the passkey is no page.
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    await visitor.context.set_offline(True)

    await choose(visitor.page, bundle)

    said = await told(visitor.page)
    assert said.startswith("Verified withdrawal.crypto was authorized, and not spent by this entry")
    assert "The customer's own key signed exactly this." in said
    assert "Each step below that had something to check holds" in said
    assert "the keys that this service tells itself" in said
    none, holds = "nothing to check", "holds"
    assert await marks(visitor.page) == [
        *(holds, holds, none, holds, holds, holds, holds, holds, none, holds, holds, holds)
    ]
    lines = await visitor.page.inner_text("[data-lines]")
    assert "10 USDT (10000000)" in lines
    assert proposed.action_id in lines
    assert [one for one in asked if not one.endswith(".svg")] == []  # The tab's own picture.
    await visitor.context.set_offline(False)
    assert visitor.errors == []


async def test_a_trust_file_of_the_visitors_own_counts_in_place_of_ours(
    page: Page, paid: bytes
) -> None:
    await choose(page, paid, trust=encode(TRUST))

    said = await told(page)
    assert said.startswith("Verified withdrawal.crypto was authorized and spent")
    assert "Every step below holds but the third" in said
    assert "your own trust file" in said


async def test_with_an_older_checkpoint_growth_is_checked_too(
    page: Page, grown: tuple[bytes, bytes]
) -> None:
    bundle, old = grown
    await choose(page, bundle, trust=encode(TRUST), since=old)

    assert "All twelve steps below hold" in await told(page)
    assert (await marks(page))[2] == "holds"
    growth = await page.inner_text("[data-step=growth] [data-says]")
    assert growth == f"it extends the head of {OLD_SIZE} entries that was known"


async def test_growth_from_a_checkpoint_that_the_bundle_was_not_fetched_for_is_refused(
    page: Page, paid: bytes, grown: tuple[bytes, bytes]
) -> None:
    await choose(page, paid, trust=encode(TRUST), since=grown[1])

    assert "Refused in step 3, growth." in await told(page)


@pytest.mark.parametrize("since", [b"hello", b"a\n1\nAA==\n\n", b"\xff"])
async def test_an_older_checkpoint_that_is_none_says_nothing_of_the_bundle(
    page: Page, grown: tuple[bytes, bytes], since: bytes
) -> None:
    await choose(page, grown[0], trust=encode(TRUST), since=since)
    assert (await told(page)).startswith("Nothing was checked The older checkpoint is of no use")

    await choose(page, grown[0], trust=encode(TRUST), since=grown[1].replace(b"\n4\n", b"\n5\n"))
    assert "no key that is trusted for this log signed this checkpoint" in await told(page)


async def test_by_our_own_keys_a_bundle_of_another_log_is_refused(page: Page, paid: bytes) -> None:
    await choose(page, paid)

    said = await told(page)
    assert said.startswith("Refused the trust file does not name this log")
    assert "Refused in step 2, checkpoint." in said
    assert await marks(page) == ["holds", "fails", *["not reached"] * 10]
    assert await page.locator("[data-shown]").is_hidden()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"\x00\xff\x89PNG" * 9, "not UTF-8", id="binary"),
        pytest.param(b"{}", "a member is missing, unknown, or of another form", id="other JSON"),
        pytest.param(b'{"v":1,"v":1}', "a key stands twice", id="a key twice"),
        pytest.param(b"[" * 9_000, "nested too deep", id="a nest"),
        pytest.param(b" " * 70_000_000, "it is larger than 65536 bytes", id="70 MB"),
        pytest.param(b"<!doctype html><p>", "not JSON", id="a page"),
    ],
)
async def test_a_file_that_is_no_bundle_is_refused_in_one_clear_sentence(
    page: Page, tmp_path: Path, data: bytes, why: str
) -> None:
    path = tmp_path / "bundle.json"
    path.write_bytes(data)
    await page.set_input_files("#bundle", path)
    await page.get_by_role("button", name=PRESS).click()
    await page.locator("[data-outcome=refused]").wait_for()

    assert (await told(page)).startswith(f"Refused this is not a bundle: {why}")
    assert "bundle_malformed" in await told(page)


async def test_a_bundle_that_was_cut_short_is_said_to_be(page: Page, paid: bytes) -> None:
    await choose(page, paid[: len(paid) // 2], trust=encode(TRUST))

    assert "this is not a bundle: JSON that is cut off" in await told(page)


async def test_what_a_bundle_says_is_shown_as_plain_text(page: Page, paid: bytes) -> None:
    """Prevents: a bundle that writes into the page, or turns its words around."""
    doc = json.loads(paid)
    doc["origin"] = "<img src=x>\u202e"

    await choose(page, json.dumps(doc).encode(), trust=encode(TRUST))

    assert "Refused in step 2" in await told(page)
    assert await page.locator("main img").count() == 0


async def test_without_a_file_nothing_is_said_of_any(page: Page) -> None:
    await page.get_by_role("button", name=PRESS).click()
    assert (await told(page)).startswith("No bundle was chosen.")


@pytest.mark.parametrize("trust", [b"", b"{}", encode(TRUST)[:-9], b"\xff", b"[]"])
async def test_a_trust_file_that_is_none_says_nothing_of_the_bundle(
    page: Page, paid: bytes, trust: bytes
) -> None:
    await choose(page, paid, trust=trust)

    said = await told(page)
    assert said.startswith("Nothing was checked That is no trust file")
    assert "Verified" not in said


async def test_what_was_told_of_one_file_does_not_stand_beside_another(
    page: Page, paid: bytes
) -> None:
    await choose(page, paid, trust=encode(TRUST))
    assert "Verified" in await told(page)

    await page.set_input_files("#bundle", [_file("other.json", b"{}")])

    assert await told(page) == ""
    assert await page.locator("[data-shown]").is_hidden()


# --- Where the browser cannot ---


async def test_a_browser_without_ed25519_says_neither_verified_nor_refused(
    browser: Browser, service: Service, paid: bytes
) -> None:
    async with visiting(browser, service.settings.origin) as visitor:
        await visitor.context.add_init_script(WITHOUT_ED25519)
        await visitor.open("/log/verify")

        await choose(visitor.page, paid, trust=encode(TRUST))

        said = await told(visitor.page)
        assert said.startswith("Neither verified nor refused Step 2, checkpoint could not be taken")
        assert "this browser has no Ed25519" in said
        assert (await marks(visitor.page))[1:] == ["not reached"] * 11


async def test_without_script_the_page_tells_the_steps_and_the_command(
    browser: Browser, service: Service
) -> None:
    async with visiting(browser, service.settings.origin, java_script_enabled=False) as visitor:
        await visitor.open("/log/verify")

        text = await visitor.text()
        assert "twinlock verify bundle.json --trust trust.json" in text
        assert text.count("Shows:") == 12
        assert not await visitor.page.get_by_role("button", name=PRESS).is_visible()
        assert "Verified" not in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [SMALL_PHONE, DESK], ids=["phone", "desk"])
async def test_the_page_is_accessible_and_fits_the_window_whatever_it_tells(
    browser: Browser, service: Service, paid: bytes, size: dict[str, int], scheme: str
) -> None:
    async with visiting(
        browser, service.settings.origin, viewport=size, color_scheme=scheme
    ) as visitor:
        await visitor.open("/log/verify")
        assert (await visitor.faults(), await visitor.overflow()) == ([], 0)
        for data in (paid, b"{}"):
            await choose(visitor.page, data, trust=encode(TRUST))
            assert (await visitor.faults(), await visitor.overflow()) == ([], 0)


async def test_the_whole_page_can_be_used_by_keyboard(page: Page) -> None:
    await page.keyboard.press("Tab")
    reached = []
    for _ in range(8):
        name = await page.evaluate("document.activeElement.id || document.activeElement.tagName")
        reached.append(name)
        await page.keyboard.press("Tab")

    assert reached[:2] == ["A", "bundle"]
    assert {"INPUT", "SUMMARY", "BUTTON"} <= set(reached)
