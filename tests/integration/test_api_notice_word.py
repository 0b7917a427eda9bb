"""The owner's own word over the API: set on a page, in every message, and nowhere else."""

import pytest
from support.browser import Web, letters
from support.service import PASSWORD, Customer

from twinlock.client import ProblemError
from twinlock.domain.requirements import Answer
from twinlock.domain.wording import message_words

WORD, NEXT = "blue heron", "grey goose"


async def set_to(alice: Customer, word: str) -> str:
    proposed = await alice.propose("notice_word.set", {"word": word})
    assert "heron" not in str(proposed.payload) + str(proposed)
    assert (await alice.with_passkey(proposed.action_id)).answer is Answer.ALLOW
    return proposed.action_id


async def test_a_word_stands_in_every_message_and_its_change_is_told_with_the_old_one(
    alice: Customer,
) -> None:
    await alice.service.deliver()
    assert {one.word for one in letters(alice.service)} == {""}
    first = await set_to(alice, WORD)
    changed = await set_to(alice, NEXT)
    frozen = await alice.propose("freeze.set")
    await alice.with_secret(frozen.action_id, "password", PASSWORD)
    await alice.service.deliver()

    held = {one.action_id: one.word for one in letters(alice.service) if one.kind.value == "done"}
    assert [held[named] for named in (first, changed, frozen.action_id)] == ["", WORD, NEXT]
    every = [one for one in letters(alice.service) if one.action_id == changed]
    assert {one.channel for one in every} == {"email", "desktop"}
    assert all(NEXT not in str(message_words(one)) for one in every)


async def test_the_platform_reads_no_word(alice: Customer) -> None:
    """Its own app shows notices: what it can show, whoever breaks into it could show as well."""
    action = await set_to(alice, WORD)
    seen = [
        await alice.client.account(alice.account_id),
        await alice.client.notices(alice.account_id),
        await alice.client.action(action),
    ]

    assert "heron" not in str(seen)


async def test_it_is_shown_on_the_page_that_sets_it_and_on_no_other(
    web: Web, alice: Customer
) -> None:
    """Prevents: whoever relays our pages to a victim, and the word with them."""
    proposed = await alice.propose("notice_word.set", {"word": WORD})
    page = (await web.get(f"/confirm/{proposed.action_id}")).text
    assert "Set the word in our messages" in page
    assert WORD in page
    await alice.with_passkey(proposed.action_id)
    assert WORD not in (await web.get(f"/confirm/{proposed.action_id}")).text
    listed = await alice.propose("limit.raise", {"day_cents": 100_00})
    await alice.with_passkey(listed.action_id)
    await alice.service.deliver()
    about = [one for one in letters(alice.service) if one.action_id == listed.action_id]
    assert {one.word for one in about} == {WORD}

    for link in [f"/confirm/{listed.action_id}", *(one.link for one in about)]:
        opened = await web.get(link.removeprefix(web.service.settings.origin))
        assert opened.status_code == 200
        assert WORD not in opened.text


@pytest.mark.parametrize(
    ("word", "code", "fault"),
    [
        ("abc", "notice_word_refused", "length"),
        ("123456", "notice_word_refused", "letters"),
        ("her\u043en", "notice_word_refused", "letters"),
        ("Alice", "notice_word_refused", "predictable"),
        ("twin lock", "notice_word_refused", "predictable"),
        ("", "malformed", ""),
        ("h" * 65, "malformed", ""),
    ],
)
async def test_a_bad_word_is_refused_with_its_rule(
    alice: Customer, word: str, code: str, fault: str
) -> None:
    with pytest.raises(ProblemError) as refused:
        await alice.propose("notice_word.set", {"word": word})

    assert (refused.value.status, refused.value.code, refused.value.fault) == (
        422 if fault else 400,
        code,
        fault,
    )


async def test_a_code_to_a_new_address_holds_no_word(alice: Customer) -> None:
    await set_to(alice, WORD)
    draft = {"kind": "email", "address": "mallory@example.org"}
    proposed = await alice.propose("contact.change", draft)
    await alice.with_passkey(proposed.action_id)
    await alice.client.ask(proposed.action_id, {"factor": "channel_code"})
    await alice.service.deliver()

    (code,) = [one for one in letters(alice.service) if one.kind.value == "code"]
    assert code.address == "mallory@example.org"
    assert code.word is None
    assert WORD not in str(message_words(code))
