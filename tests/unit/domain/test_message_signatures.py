"""What a signature must cover and say, each both ways; the signature itself is not looked at."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from twinlock.domain.bounds import MESSAGE_CLOCK_TOLERANCE, MESSAGE_LIFETIME_MOST
from twinlock.domain.message_signatures import (
    AnswerMessage,
    RequestMessage,
    SignatureFault,
    SignatureRefusedError,
    Unverified,
    content_digest,
    draft_answer,
    draft_request,
    read_answer,
    read_request,
)

NOW = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
KEY = "k" * 26
BODY = b'{"a":1}'
SIGNATURE = bytes(range(64))


def post(**changes: object) -> RequestMessage:
    message = RequestMessage(
        method="POST",
        scheme="https",
        authority="twinlock.example",
        path="/v1/actions",
        query="",
        fields=(
            ("authorization", "Bearer tlk_x"),
            ("content-type", "application/json"),
            ("idempotency-key", "key-0001"),
        ),
        body=BODY,
    )
    return replace(message, **changes)


def get(**changes: object) -> RequestMessage:
    return post(method="GET", body=b"", fields=(("authorization", "Bearer tlk_x"),), **changes)


def signed(message: RequestMessage, *, nonce: str = "n" * 16) -> RequestMessage:
    fields = draft_request(message, keyid=KEY, nonce=nonce, now=NOW).fields(SIGNATURE)
    return replace(message, fields=(*message.fields, *fields.items()))


def read(message: RequestMessage) -> Unverified:
    return read_request(message, keyid=KEY, now=NOW)


def refused(message: RequestMessage) -> SignatureFault:
    with pytest.raises(SignatureRefusedError) as found:
        read(message)
    return found.value.fault


def saying(components: str, params: str, message: RequestMessage | None = None) -> RequestMessage:
    """Return a request whose Signature-Input says this."""
    message = post() if message is None else message
    more = (
        ("content-digest", content_digest(message.body)),
        ("signature-input", f"sig={components}{params}"),
        ("signature", f"sig=:{'A' * 86}==:"),
    )
    return replace(message, fields=(*message.fields, *more))


ALL = '("@method" "@target-uri" "authorization" "content-digest" "idempotency-key")'
AT = int(NOW.timestamp())
GOOD = (
    f';created={AT};expires={AT + 60};nonce="{"n" * 16}";keyid="{KEY}"'
    ';alg="ed25519";tag="twinlock-request"'
)


def test_what_is_drafted_is_read_as_it_was_signed() -> None:
    for message in (post(), get(), get(query="a=b"), post(body=b"")):
        draft = draft_request(message, keyid=KEY, nonce="n" * 16, now=NOW)
        found = read(signed(message))

        assert found.base == draft.base
        assert (found.signature, found.keyid, found.nonce) == (SIGNATURE, KEY, "n" * 16)
        assert found.expires_at == NOW + timedelta(seconds=60)
        assert found.base.count(b"\n") == draft.signature_input.count(" ") + 1


def test_a_request_without_a_body_has_no_digest() -> None:
    assert "content-digest" not in dict(signed(get()).fields)
    assert dict(signed(post(body=b"")).fields)["content-digest"] == content_digest(b"")


@pytest.mark.parametrize(
    "components",
    [
        pytest.param(ALL, id="the target whole"),
        pytest.param(ALL.replace('"@target-uri"', '"@query" "@path" "@authority"'), id="in parts"),
        pytest.param(ALL[:-1] + ' "@scheme" "content-type")', id="more than it must"),
        pytest.param(
            '("idempotency-key" "content-digest" "authorization" "@target-uri" "@method")',
            id="in another order",
        ),
    ],
)
def test_what_covers_all_that_it_must_is_read(components: str) -> None:
    assert read(saying(components, GOOD)).base.endswith(f"{components}{GOOD}".encode())


@pytest.mark.parametrize(
    "left_out",
    ['"@method" ', '"@target-uri" ', '"authorization" ', '"content-digest" ', ' "idempotency-key"'],
)
def test_what_leaves_something_out_is_refused(left_out: str) -> None:
    missing = saying(ALL.replace(left_out, ""), GOOD)

    assert refused(missing) is SignatureFault.NOT_COVERED


@pytest.mark.parametrize("part", ['"@authority"', '"@path"', '"@query"'])
def test_half_a_target_is_none(part: str) -> None:
    parts = ALL.replace('"@target-uri"', '"@authority" "@path" "@query"')

    assert refused(saying(parts.replace(f"{part} ", ""), GOOD)) is SignatureFault.NOT_COVERED


@pytest.mark.parametrize(
    "more",
    [
        '"@status"',
        '"@request-target"',
        '"@query-param";name="a"',
        '"@signature-params"',
        '"host"',
        '"cookie"',
        '"signature"',
        '"@Method"',
        '"Content-Type"',
        '"content-type";sf',
        '"content-type";bs',
        '"content-digest";key="sha-256"',
        '"@method";req',
        '"x\\"y"',
        '""',
    ],
)
def test_what_covers_something_unknown_is_refused(more: str) -> None:
    assert refused(saying(f"{ALL[:-1]} {more})", GOOD)) is SignatureFault.UNKNOWN


def test_a_field_that_is_covered_and_not_there_is_missing() -> None:
    assert refused(saying(f'{ALL[:-1]} "date")', GOOD)) is SignatureFault.NOT_COVERED


def test_a_component_stands_once() -> None:
    assert refused(saying(f'{ALL[:-1]} "@method")', GOOD)) is SignatureFault.AMBIGUOUS


@pytest.mark.parametrize("name", ["authorization", "idempotency-key", "content-type"])
def test_a_field_that_is_covered_has_one_line(name: str) -> None:
    twice = saying(f'{ALL[:-1]} "content-type")', GOOD)

    assert refused(replace(twice, fields=(*twice.fields, (name, "x")))) is SignatureFault.AMBIGUOUS
    assert refused(replace(twice, fields=((name, "x"), *twice.fields))) is SignatureFault.AMBIGUOUS


@pytest.mark.parametrize("value", ["", "\t", "a\nb", "a\r\n b", "ä", "a\0", "a\x7f"])
def test_a_field_that_is_covered_is_printable(value: str) -> None:
    message = post(
        fields=(("authorization", "Bearer x"), ("idempotency-key", "key-0001"), ("date", value))
    )

    assert refused(saying(f'{ALL[:-1]} "date")', GOOD, message)) is SignatureFault.MALFORMED


@pytest.mark.parametrize("change", [{"path": "/v1/a\n"}, {"query": "ä"}, {"authority": "a b\r"}])
def test_a_target_that_is_not_printable_is_refused(change: dict[str, str]) -> None:
    assert refused(saying(ALL, GOOD, post(**change))) is SignatureFault.MALFORMED


def test_spaces_around_a_field_are_none_of_it() -> None:
    plain, spaced = post(), post()
    spaced = replace(spaced, fields=tuple((name, f" \t{value} ") for name, value in spaced.fields))

    assert read(saying(ALL, GOOD, spaced)).base == read(saying(ALL, GOOD, plain)).base


@pytest.mark.requirement("O-30")
@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        pytest.param(f";created={AT}", "", SignatureFault.PARAMETERS, id="no birth"),
        pytest.param(f";expires={AT + 60}", "", SignatureFault.PARAMETERS, id="no end"),
        pytest.param(f';nonce="{"n" * 16}"', "", SignatureFault.PARAMETERS, id="no nonce"),
        pytest.param(f';keyid="{KEY}"', "", SignatureFault.PARAMETERS, id="no key"),
        pytest.param(';alg="ed25519"', "", SignatureFault.PARAMETERS, id="no algorithm"),
        pytest.param(';tag="twinlock-request"', "", SignatureFault.PARAMETERS, id="no tag"),
        pytest.param(';alg="ed25519"', ';alg="hmac-sha256"', SignatureFault.PARAMETERS, id="alg"),
        pytest.param(';tag="twinlock-request"', ';tag="x"', SignatureFault.PARAMETERS, id="tag"),
        pytest.param(
            'tag="twinlock-request"',
            'tag="twinlock-answer"',
            SignatureFault.PARAMETERS,
            id="the tag of an answer",
        ),
        pytest.param(";alg", ";more=1;alg", SignatureFault.PARAMETERS, id="one more"),
        pytest.param(f"created={AT}", f'created="{AT}"', SignatureFault.PARAMETERS, id="a string"),
        pytest.param(f"created={AT}", "created", SignatureFault.PARAMETERS, id="a flag"),
        pytest.param(f'keyid="{KEY}"', "keyid=1", SignatureFault.PARAMETERS, id="a number"),
        pytest.param("n" * 16, "n" * 15, SignatureFault.PARAMETERS, id="a short nonce"),
        pytest.param("n" * 16, "n" * 129, SignatureFault.PARAMETERS, id="a long nonce"),
        pytest.param("n" * 16, "n" * 15 + " ", SignatureFault.PARAMETERS, id="a nonce with space"),
        pytest.param(f'"{KEY}"', '"another"', SignatureFault.WRONG_KEY, id="another key"),
        pytest.param(f"created={AT}", f"created={AT + 31}", SignatureFault.NOT_YET, id="early"),
        pytest.param(f"expires={AT + 60}", f"expires={AT}", SignatureFault.EXPIRED, id="no time"),
        pytest.param(
            f"expires={AT + 60}", f"expires={AT + 301}", SignatureFault.EXPIRED, id="long"
        ),
        pytest.param(
            f"created={AT};expires={AT + 60}",
            f"created={AT + 10};expires={AT + 10}",
            SignatureFault.EXPIRED,
            id="no time, and not over yet",
        ),
        pytest.param(
            f"created={AT};expires={AT + 60}",
            f"created={AT - 60};expires={AT}",
            SignatureFault.EXPIRED,
            id="over",
        ),
        pytest.param(
            f"created={AT};expires={AT + 60}",
            "created=-999999999999999;expires=-999999999999998",
            SignatureFault.EXPIRED,
            id="before all calendars",
        ),
        pytest.param(
            f"created={AT};expires={AT + 60}",
            "created=999999999999998;expires=999999999999999",
            SignatureFault.NOT_YET,
            id="after all calendars",
        ),
        pytest.param(";alg", ";alg;alg", SignatureFault.MALFORMED, id="twice"),
    ],
)
def test_a_parameter_is_what_it_must_be(old: str, new: str, fault: SignatureFault) -> None:
    changed = GOOD.replace(old, new)
    assert changed != GOOD
    assert refused(saying(ALL, changed)) is fault


def test_a_signature_lasts_as_long_as_it_may_from_as_early_as_it_may() -> None:
    early = AT + int(MESSAGE_CLOCK_TOLERANCE.total_seconds())
    late = early + int(MESSAGE_LIFETIME_MOST.total_seconds())
    params = GOOD.replace(f"created={AT};expires={AT + 60}", f"created={early};expires={late}")

    assert read(saying(ALL, params)).expires_at == datetime.fromtimestamp(late, tz=UTC)


@pytest.mark.parametrize("nonce", ["n" * 16, "n" * 128, "ab+/=_-ABCDEF0123"])
def test_a_nonce_is_as_long_as_it_may_be(nonce: str) -> None:
    assert read(signed(post(), nonce=nonce)).nonce == nonce


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("signature-input", "sig", SignatureFault.MALFORMED),
        ("signature-input", "sig=:AAAA:", SignatureFault.MALFORMED),
        ("signature-input", f"sig={ALL}{GOOD}, b={ALL}{GOOD}", SignatureFault.MALFORMED),
        ("signature-input", f"b={ALL}{GOOD}", SignatureFault.AMBIGUOUS),
        ("signature", "sig=()", SignatureFault.MALFORMED),
        ("signature", "sig=:AAAA:", SignatureFault.MALFORMED),
        ("signature", f"sig=:{'A' * 86}==:, b=:{'A' * 86}==:", SignatureFault.MALFORMED),
        ("signature", f"b=:{'A' * 86}==:", SignatureFault.AMBIGUOUS),
        ("content-digest", content_digest(b"other"), SignatureFault.DIGEST),
        ("content-digest", f"{content_digest(BODY)}, md5=:AAAA:", SignatureFault.MALFORMED),
        (
            "content-digest",
            content_digest(BODY).replace("sha-256", "sha"),
            SignatureFault.MALFORMED,
        ),
        ("content-digest", "sha-256=?1", SignatureFault.MALFORMED),
        ("content-digest", "sha-512=:AAAA:", SignatureFault.MALFORMED),
    ],
)
def test_a_field_of_the_signature_is_what_it_must_be(
    field: str, value: str, fault: SignatureFault
) -> None:
    good = saying(ALL, GOOD)
    fields = tuple((name, value if name == field else one) for name, one in good.fields)

    assert refused(replace(good, fields=fields)) is fault


def test_a_get_with_a_body_has_it_covered() -> None:
    uncovered = ALL.replace('"content-digest" ', "").replace(' "idempotency-key"', "")
    fields = (("authorization", "Bearer x"),)
    with_body = post(method="GET", fields=fields)

    assert refused(saying(uncovered, GOOD, with_body)) is SignatureFault.NOT_COVERED
    assert read(saying(uncovered, GOOD, get()))


# --- Answers ---

REQUEST = read(signed(post()))


def answered(
    status: int = 201, body: bytes = BODY, kind: str = "application/json"
) -> AnswerMessage:
    draft = draft_answer(
        status=status, content_type=kind, body=body, to=REQUEST, keyid="0" * 16, now=NOW
    )
    named = [("content-type", kind)] if kind else []
    return AnswerMessage(
        status=status,
        fields=(*named, *draft.fields(SIGNATURE).items()),
        body=body,
        request_signature=REQUEST.field,
    )


def fault_of(answer: AnswerMessage) -> SignatureFault:
    with pytest.raises(SignatureRefusedError) as found:
        read_answer(answer)
    return found.value.fault


def with_input(answer: AnswerMessage, old: str, new: str) -> AnswerMessage:
    fields = tuple(
        (name, value.replace(old, new) if name == "signature-input" else value)
        for name, value in answer.fields
    )
    assert fields != answer.fields
    return replace(answer, fields=fields)


def test_an_answer_is_read_as_it_was_signed() -> None:
    for answer in (answered(), answered(204, b"", "")):
        found = read_answer(answer)

        assert (found.keyid, found.signature) == ("0" * 16, SIGNATURE)
        assert f'"signature";req: {REQUEST.field}'.encode() in found.base
        assert f'"@status": {answer.status}'.encode() in found.base


def test_another_status_body_or_request_is_over_something_else() -> None:
    good = answered()
    base = read_answer(good).base

    assert read_answer(replace(good, status=200)).base != base
    assert read_answer(replace(good, request_signature="twinlock=:AAAA:")).base != base
    assert fault_of(replace(good, body=b"{}")) is SignatureFault.DIGEST


@pytest.mark.parametrize("left_out", ['"@status" ', '"content-digest" ', '"signature";req '])
def test_an_answer_covers_its_status_its_body_and_its_request(left_out: str) -> None:
    assert fault_of(with_input(answered(), left_out, "")) is SignatureFault.NOT_COVERED


def test_an_answer_covers_nothing_unknown_and_nothing_twice() -> None:
    answer = answered()

    more = with_input(answer, '("@status"', '("@method";req "@status"')
    twice = with_input(answer, '("@status"', '("@status" "@status"')
    without = with_input(answer, '"signature";req', '"signature"')
    assert fault_of(more) is SignatureFault.UNKNOWN
    assert fault_of(twice) is SignatureFault.AMBIGUOUS
    assert fault_of(without) is SignatureFault.NOT_COVERED
    assert fault_of(with_input(answer, "twinlock-answer", "x")) is SignatureFault.PARAMETERS
    assert fault_of(replace(answer, fields=())) is SignatureFault.MISSING


@pytest.mark.parametrize("field", ["signature-input", "signature"])
def test_a_request_with_half_a_signature_has_none(field: str) -> None:
    good = saying(ALL, GOOD)
    fields = tuple((name, value) for name, value in good.fields if name != field)

    assert refused(replace(good, fields=fields)) is SignatureFault.MISSING


def test_nothing_but_spaces_and_tabs_is_cut_off_a_field() -> None:
    """RFC 9110, 5.5."""
    message = post(fields=(("authorization", " X\t"), ("idempotency-key", "X"), ("date", "\x0bX")))

    assert b'"authorization": X\n"content' in read(saying(ALL, GOOD, message)).base
    assert refused(saying(f'{ALL[:-1]} "date")', GOOD, message)) is SignatureFault.MALFORMED


def test_a_refusal_says_what_is_wrong() -> None:
    with pytest.raises(SignatureRefusedError) as absent:
        read(post())
    with pytest.raises(SignatureRefusedError) as unread:
        read(saying("nothing", GOOD))

    assert str(absent.value) == "there is no signature-input"
    assert str(unread.value) == str(unread.value.__context__) != ""
