"""Whatever arrives as a signed message is refused in one way, or means one thing."""

from datetime import UTC, datetime
from typing import TypeAlias

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from twinlock.domain.message_signatures import (
    AnswerMessage,
    RequestMessage,
    SignatureRefusedError,
    content_digest,
    draft_answer,
    draft_request,
    read_answer,
    read_request,
)

Fields: TypeAlias = tuple[tuple[str, str], ...]
NOW = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
KEY, NONCE, SIGNATURE = "k" * 26, "a-nonce-of-a-test", bytes(64)

words = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=8)
paths = words.map(lambda word: f"/{word}")
fields = st.fixed_dictionaries(
    {"authorization": words},
    optional={"idempotency-key": words, "content-type": words, "x-request-id": words},
)
requests = st.builds(
    RequestMessage,
    method=st.sampled_from(["GET", "POST"]),
    scheme=st.sampled_from(["http", "https"]),
    authority=words,
    path=paths,
    query=st.one_of(st.just(""), words),
    fields=fields.map(lambda found: tuple(found.items())),
    body=st.binary(max_size=8),
)
hostile = st.text(max_size=60)


def signed(message: RequestMessage, nonce: str = NONCE) -> RequestMessage:
    draft = draft_request(message, keyid=KEY, nonce=nonce, now=NOW)
    return replace(message, fields=(*message.fields, *draft.fields(SIGNATURE).items()))


def meant(message: RequestMessage) -> tuple[object, ...]:
    """Return all that decides what a request does."""
    read = dict(message.fields)
    said = read.get("authorization"), read.get("idempotency-key")
    target = message.authority, message.path, message.query
    return (message.method, target, said, message.body)


@given(requests)
def test_what_a_platform_signs_is_read(message: RequestMessage) -> None:
    draft = draft_request(message, keyid=KEY, nonce=NONCE, now=NOW)

    assert read_request(signed(message), keyid=KEY, now=NOW).base == draft.base


@given(requests, requests)
def test_no_signature_fits_two_requests(one: RequestMessage, other: RequestMessage) -> None:
    both = [signed(message) for message in (one, other)]
    carried = dict(both[0].fields)
    # The other request, under the signature of the first.
    lines = tuple(
        (name, carried.get(name, value) if name in SIGNED else value)
        for name, value in both[1].fields
    )
    try:
        found = read_request(replace(both[1], fields=lines), keyid=KEY, now=NOW)
    except SignatureRefusedError:
        return
    same = found.base == read_request(both[0], keyid=KEY, now=NOW).base
    assert not same or meant(one) == meant(other)


SIGNED = ("signature-input", "signature", "content-digest")
changes = st.lists(st.tuples(st.sampled_from([*SIGNED, "authorization"]), hostile), max_size=4)


@given(requests, changes, st.booleans())
@example(
    RequestMessage(
        method="GET",
        scheme="http",
        authority="a",
        path="/",
        query="",
        fields=(("authorization", "x"),),
        body=b"",
    ),
    [("signature-input", 'a=("authorization" "authorization");created=1')],
    False,  # noqa: FBT003 - the last of three
)
def test_hostile_fields_are_refused_and_break_nothing(
    message: RequestMessage, changed: list[tuple[str, str]], added: bool
) -> None:
    good = signed(message)
    names = {name for name, _ in changed}
    kept = tuple(one for one in good.fields if added or one[0] not in names)
    try:
        found = read_request(replace(good, fields=(*kept, *changed)), keyid=KEY, now=NOW)
    except SignatureRefusedError:
        return  # Nothing else is ever raised.
    assert found.base.isascii()
    assert found.base.splitlines()[-1].startswith(b'"@signature-params": (')


@given(st.lists(st.tuples(st.sampled_from([*SIGNED, "content-type"]), hostile), max_size=5))
def test_hostile_answers_are_refused_and_break_nothing(changed: list[tuple[str, str]]) -> None:
    body = b"{}"
    to = read_request(signed(asking()), keyid=KEY, now=NOW)
    draft = draft_answer(status=200, content_type="", body=body, to=to, keyid="k", now=NOW)
    names = {name for name, _ in changed}
    good = {name: one for name, one in draft.fields(SIGNATURE).items() if name not in names}
    answer = AnswerMessage(
        status=200, fields=(*good.items(), *changed), body=body, request_signature=to.field
    )
    try:
        found = read_answer(answer)
    except SignatureRefusedError:
        return  # Nothing else is ever raised.
    assert content_digest(body).encode() in found.base


def asking() -> RequestMessage:
    return RequestMessage(
        method="GET",
        scheme="http",
        authority="a",
        path="/",
        query="",
        fields=(("authorization", "x"),),
        body=b"",
    )
