"""The pages of the log over HTTP: for anybody, of nobody, by the keys and witnesses of now."""

import html
import re
import statistics
from pathlib import Path

import asyncpg
import httpx
import pytest
from support.browser import Web, browsing
from support.postgres import TestDatabase
from support.service import Customer, Service
from support.witnessed import settled, town, until
from support.witnesses import Said, whole

from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.ring import Role
from twinlock.adapters.sql.leaf_times import SqlLeafTimes
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.system import SystemClock, SystemEntropy
from twinlock.adapters.trust_at_work import TrustAtWork
from twinlock.bootstrap.world import World
from twinlock.domain.errors import LogDamagedError
from twinlock.domain.log.text import to_base64
from twinlock.domain.trust import read_trust
from twinlock.services.public_log import Grown
from twinlock.web.public_log import HEIGHT, WIDTH, line_of

BOTH = ("/log", "/log/verify")
# With all that a page loads, uncompressed. The second holds a whole verifier.
LARGEST_BYTES = {"/log": 100_000, "/log/verify": 110_000}


def text_of(page: httpx.Response) -> str:
    """Return what a page says, without its tags, its white space evened out."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page.text)).split())


def between(page: httpx.Response, start: str, end: str) -> str:
    return html.unescape(page.text.partition(start)[2].partition(end)[0])


async def test_anybody_sees_the_head_as_it_is_signed(web: Web, alice: Customer) -> None:
    page = await web.get("/log")
    note = (await web.get("/checkpoint")).text
    head = await alice.service.api.store.head()

    assert page.status_code == 200
    assert between(page, "data-checkpoint>", "</code>") == note
    said = text_of(page)
    assert f"Entries {head.size} Root {to_base64(head.root)}" in said
    assert "None. Nobody but the operator says which history is the log's." in said
    assert "Signed this head localhost/twinlock+" in said
    assert f"/tile/0/000.p/{head.size}" in said
    for path in re.findall(r'href="(/(?:tile|checkpoint|log)[^"]*)"', page.text):
        assert (await web.get(path)).status_code == 200, path


async def test_an_empty_log_is_shown_as_that(web: Web) -> None:
    page = await web.get("/log")

    assert page.status_code == 200
    assert "Entries 0 Root" in text_of(page)
    assert "There is no entry yet." in text_of(page)
    assert "/tile/0/" not in page.text


async def test_nothing_of_any_account_stands_there(web: Web, alice: Customer) -> None:
    for path in BOTH:
        page = await web.get(path)
        assert alice.account_id not in page.text
        assert not re.search(r"\b(?:acc|act|mem|aut)_[a-z2-7]{26}", page.text), path


@pytest.mark.parametrize("path", BOTH)
async def test_every_header_of_a_page_is_there_and_a_head_has_them_too(web: Web, path: str) -> None:
    page, head = await web.get(path), await web.http.head(path)

    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) == dict(page.headers)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", page.text)


@pytest.mark.parametrize("path", BOTH)
async def test_no_other_page_shows_it_in_a_frame_or_counts_against_its_visitor(
    web: Web, path: str
) -> None:
    framed = await web.http.get(path, headers={"Sec-Fetch-Dest": "iframe"})
    opened = await web.http.get(path, headers={"Sec-Fetch-Dest": "document"})

    assert (framed.status_code, opened.status_code) == (403, 200)


@pytest.mark.parametrize("path", BOTH)
async def test_what_is_sent_along_changes_nothing(web: Web, path: str) -> None:
    for query in ("?origin=https://evil.example", "?" + "x" * 3000, "?index=-1&size=nan"):
        page = await web.get(f"{path}{query}")
        assert page.status_code == 200
        assert "evil.example" not in page.text
    assert (await web.form(path)).status_code == 405


@pytest.mark.parametrize("path", BOTH)
async def test_a_page_with_all_that_it_loads_is_small(web: Web, alice: Customer, path: str) -> None:
    page = await web.get(path)
    loaded = re.findall(r'(?:src|href)="(/static/[^"]*)"', page.text)
    sizes = [len((await web.get(one)).content) for one in set(loaded)]

    assert alice.account_id
    assert len(page.content) + sum(sizes) < LARGEST_BYTES[path]


async def test_a_page_takes_two_looks_at_the_database_at_most(
    web: Web, alice: Customer, database: TestDatabase
) -> None:
    await web.get("/log")
    assert alice.account_id

    asked: list[str] = []

    def listen(record: asyncpg.connection.LoggedQuery) -> None:
        asked.append(record.query)

    store = alice.service.api.store
    assert isinstance(store, SqlStore)
    async with store.database.reader() as connection:
        connection.add_query_logger(listen)
    try:
        counts = []
        for _ in range(9):
            alice.service.clock.forward(minutes=1)  # The picture is drawn anew each time.
            before = len(asked)
            assert (await web.get("/log")).status_code == 200
            counts.append(len(asked) - before)
    finally:
        async with store.database.reader() as connection:
            connection.remove_query_logger(listen)
    assert statistics.median(counts) <= 2  # What runs beside asks now and then, too.


# --- By which keys ---


async def test_the_trust_file_on_the_page_is_the_one_of_the_command_without_its_pins(
    web: Web, service: Service
) -> None:
    page = await web.get("/log/verify")
    trust = read_trust(between(page, "data-trust>", "</code>").encode())

    assert trust == service.api.use.public_log.trust()
    assert trust.policies == ()
    assert (trust.origin, trust.rp_id) == (service.settings.origin, service.settings.rp_id)
    assert trust.log_policy.logs[0].key.name == service.settings.log_origin


async def test_a_key_that_came_later_is_named(world: World) -> None:
    at_work = TrustAtWork(world.keyring, world.settings)
    before = at_work.trust()
    directory, now = world.settings.keyring_dir, SystemClock().now()
    keyrings.announce(directory, Role.LOG, entropy=SystemEntropy(), now=now)

    at_work.take(keyrings.load(directory))

    logs = at_work.trust().log_policy.logs
    assert len(logs) == len(before.log_policy.logs) + 1
    assert set(before.log_policy.logs) < set(logs)


# --- Witnesses ---


def _silent(status: int) -> Said:
    async def say(_: bytes, __: bytes) -> bytes:
        return whole(status, b"", "text/plain")

    return say


async def test_who_cosigned_the_head_is_told_and_who_did_not(
    world: World, database: TestDatabase, tmp_path: Path
) -> None:
    async with town(world, database, tmp_path, witnesses=3) as found:
        found.require(2)
        found.witnesses[2].acts = _silent(503)
        async with found.serving() as service, browsing(service) as web:
            await settled(service, "alice")
            size = (await service.api.store.head()).size

            async def shown() -> bool:
                note = await service.api.use.logbook.checkpoint()
                return int(note.split(b"\n")[1]) >= size

            await until(shown)
            said = text_of(await web.get("/log"))

    assert said.count("Cosigned this head") == 2
    assert said.count("Has not cosigned this head") == 1
    assert "its quorum, all-of-them , has cosigned" in said
    assert "A whole quorum of witnesses cosigned it then, or later" in said
    for witness in found.witnesses:
        assert str(witness.key) in said
        assert witness.url in said


async def test_before_any_quorum_the_page_says_that_it_has_nothing_to_show(
    world: World, database: TestDatabase, tmp_path: Path
) -> None:
    async with town(world, database, tmp_path, witnesses=1) as found:
        found.require(1)
        found.witnesses[0].acts = _silent(503)
        async with found.serving() as service, browsing(service) as web:
            page = await web.get("/log")

    assert page.status_code == 503
    assert "not_witnessed" in page.text
    assert page.headers["retry-after"]


# --- Growth ---


async def test_the_times_of_entries_are_those_that_they_say(
    service: Service, alice: Customer
) -> None:
    store = service.api.store
    assert isinstance(store, SqlStore)
    times = SqlLeafTimes(store.database)
    size = (await store.head()).size

    found = await times.times((0, size - 1))

    assert alice.account_id
    assert found[0] <= found[size - 1] <= service.clock.at
    with pytest.raises(LogDamagedError):
        await times.times((0, size))


async def test_an_entry_without_a_time_is_no_entry(
    service: Service, alice: Customer, database: TestDatabase
) -> None:
    store = service.api.store
    assert isinstance(store, SqlStore)
    assert alice.account_id
    await database.execute("UPDATE leaf SET entry = convert_to('{}', 'UTF8') WHERE leaf_index = 0")

    with pytest.raises(LogDamagedError):
        await SqlLeafTimes(store.database).times((0,))


def test_the_line_goes_from_the_first_entry_to_the_last_and_never_down(
    service: Service,
) -> None:
    begins = service.clock.at
    service.clock.forward(hours=1)
    between_ = service.clock.at
    service.clock.forward(hours=3)
    growth = (
        Grown(size=1, at=begins),
        Grown(size=50, at=between_),
        Grown(size=100, at=service.clock.at),
    )

    line = line_of(growth)

    assert [(one.x, one.y) for one in line] == [
        (0, HEIGHT - 2),
        (WIDTH // 4, HEIGHT // 2),
        (WIDTH, 0),
    ]
    assert line_of(()) == line_of(growth[:1]) == ()
