import base64
from collections.abc import Callable

import pytest

from twinlock.domain.errors import InvariantError, MalformedError
from twinlock.domain.log.note import (
    MAX_NOTE_BYTES,
    KeyType,
    SignatureLine,
    SignedNote,
    VerifierKey,
    parse_note,
    parse_signature_line,
    parse_vkey,
)

KEY = bytes(range(9, 41))
VKEY = VerifierKey(name="log.example/a", key_type=KeyType.ED25519, public_key=KEY)
LINE = SignatureLine(name="log.example/a", key_id=VKEY.key_id, signature=b"s" * 64)


def vkey(name: str, typed_key: bytes, key_id: str | None = None) -> str:
    key_id = VKEY.key_id.hex() if key_id is None else key_id
    return f"{name}+{key_id}+{base64.b64encode(typed_key).decode()}"


def a_note(lines: int = 1, text: bytes = b"text\n") -> bytes:
    return text + b"\n" + f"{LINE}\n".encode() * lines


@pytest.mark.parametrize("key_type", list(KeyType))
def test_a_vkey_gives_back_its_key(key_type: KeyType) -> None:
    key = VerifierKey(name="log.example/a", key_type=key_type, public_key=KEY)

    assert parse_vkey(str(key)) == key


def test_base64_in_a_vkey_may_hold_a_plus() -> None:
    key = VerifierKey(name="a", key_type=KeyType.ED25519, public_key=KEY[:2] + b"\xfb\xef\xbe" * 10)

    assert str(key).count("+") > 2
    assert parse_vkey(str(key)) == key


@pytest.mark.requirement("O-30")
def test_a_key_id_depends_on_name_type_and_key() -> None:
    cosigner = KeyType.ED25519_COSIGNATURE
    keys = {
        VKEY.key_id,
        VerifierKey(name="b", key_type=KeyType.ED25519, public_key=KEY).key_id,
        VerifierKey(name="log.example/a", key_type=cosigner, public_key=KEY).key_id,
        VerifierKey(name="log.example/a", key_type=KeyType.ED25519, public_key=KEY[::-1]).key_id,
    }

    assert len(keys) == 4


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("log.example/a", id="name only"),
        pytest.param("log.example/a+00000000", id="no key"),
        pytest.param(vkey("log.example/a", b"\x01" + KEY, "00000000"), id="another key's id"),
        pytest.param(
            vkey("log.example/a", b"\x01" + KEY, VKEY.key_id.hex().upper()), id="id in capitals"
        ),
        pytest.param(vkey("log.example/a", b"\x01" + KEY, ""), id="no id"),
        pytest.param(vkey("log.example/b", b"\x01" + KEY), id="another name"),
        pytest.param(vkey("log.example/a", b"\x04" + KEY), id="another type"),
        pytest.param(vkey("log.example/a", b"\x02" + KEY), id="ECDSA"),
        pytest.param(vkey("log.example/a", b"\x06" + bytes(1312)), id="ML-DSA-44"),
        pytest.param(vkey("a b", b"\x01" + KEY), id="space in the name"),
        pytest.param(str(VKEY) + "\n", id="trailing newline"),
        pytest.param(str(VKEY) + "=", id="padding too long"),
    ],
)
def test_a_malformed_vkey_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_vkey(text)


@pytest.mark.parametrize("text", ["nonsense", "log.example/a+0123abcd", "log.example/a+0123abcd+"])
def test_what_is_no_key_at_all_is_told_what_one_looks_like(text: str) -> None:
    with pytest.raises(MalformedError, match=r"reads <name>\+<8 hex digits>\+<base64>"):
        parse_vkey(text)


@pytest.mark.parametrize("public_key", [KEY[:31], KEY + b"\0"])
def test_a_key_of_another_length_is_refused(public_key: bytes) -> None:
    with pytest.raises(MalformedError, match="32 bytes"):
        VerifierKey(name="a", key_type=KeyType.ED25519, public_key=public_key)


@pytest.mark.parametrize(
    "y",
    [
        pytest.param(0, id="order 4"),
        pytest.param(1, id="the identity"),
        pytest.param(2**255 - 20, id="order 2"),
        pytest.param(2**255 - 19, id="zero written otherwise"),
        pytest.param(2**255 - 1, id="eighteen written otherwise"),
        pytest.param(
            0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826, id="order 8"
        ),
        pytest.param(
            2**255 - 19 - 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
            id="order 8 below zero",
        ),
    ],
)
@pytest.mark.parametrize("sign", [0, 1 << 255])
def test_a_key_that_anyone_can_sign_under_is_refused(y: int, sign: int) -> None:
    with pytest.raises(MalformedError, match="small order"):
        VerifierKey(
            name="a", key_type=KeyType.ED25519, public_key=(y | sign).to_bytes(32, "little")
        )


def test_a_note_is_written_as_it_was_read() -> None:
    assert parse_note(a_note(2)) == SignedNote(text=b"text\n", signatures=(LINE, LINE))
    assert parse_note(a_note(2)).encode() == a_note(2)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"one\n\ntwo\n", id="empty line within"),
        pytest.param(b"one\n\n", id="empty line at the end"),
        pytest.param(b"\n", id="nothing but an empty line"),
        pytest.param(b"one\n\n" + str(LINE).encode() + b"\n", id="a signature as text"),
        pytest.param("è\u2028sera\n".encode(), id="Unicode"),
    ],
)
def test_text_ends_at_the_last_empty_line(text: bytes) -> None:
    assert parse_note(a_note(text=text)).text == text


@pytest.mark.parametrize("lines", [16, 100])
def test_a_note_may_carry_many_signatures(lines: int) -> None:
    assert len(parse_note(a_note(lines)).signatures) == lines


def test_a_note_of_one_megabyte_is_read_and_one_byte_more_is_not() -> None:
    filler = b"x" * (MAX_NOTE_BYTES - len(a_note(text=b"\n"))) + b"\n"

    assert parse_note(a_note(text=filler)).text == filler
    with pytest.raises(MalformedError, match="too long"):
        parse_note(a_note(text=b"x" + filler))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"text\n", id="no signatures"),
        pytest.param(b"text\n\n", id="empty signature block"),
        pytest.param(b"text\n" + str(LINE).encode() + b"\n", id="no empty line"),
        pytest.param(a_note()[:-1], id="no LF at the end"),
        pytest.param(a_note() + b"\n", id="empty line at the end"),
        pytest.param(a_note() + b"text\n", id="text after the signatures"),
        pytest.param(a_note().replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(a_note(text=b"a\tb\n"), id="tab in the text"),
        pytest.param(a_note(text=b"\xff\n"), id="text is not UTF-8"),
        pytest.param(a_note(101), id="101 signatures"),
    ],
)
def test_a_malformed_note_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_note(data)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("", id="empty"),
        pytest.param("- a AAAAAAA=", id="hyphen for a dash"),
        pytest.param("—a AAAAAAA=", id="no space after the dash"),
        pytest.param("— AAAAAAA=", id="no name"),
        pytest.param("—  AAAAAAA=", id="empty name"),
        pytest.param("— a  AAAAAAA=", id="two spaces"),
        pytest.param("— a AAAAAAA= ", id="trailing space"),
        pytest.param("— a\u00a0b AAAAAAA=", id="no-break space in the name"),
        pytest.param("— a+b AAAAAAA=", id="plus in the name"),
        pytest.param("— a AAAAAAA", id="padding missing"),
        pytest.param("— a AAAAAA==", id="key id only"),
        pytest.param("— a AAAA", id="three bytes"),
    ],
)
def test_a_malformed_signature_line_is_refused(line: str) -> None:
    with pytest.raises(MalformedError):
        parse_signature_line(line)


def test_the_shortest_signature_line_has_one_byte_after_the_key_id() -> None:
    line = SignatureLine(name="a", key_id=bytes(4), signature=b"\0")

    assert parse_signature_line("— a AAAAAAA=") == line


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: SignatureLine(name="a", key_id=b"123", signature=b""), id="short id"),
        pytest.param(lambda: SignedNote(text=b"a", signatures=(LINE,)), id="text without LF"),
        pytest.param(lambda: SignedNote(text=b"a\n", signatures=()), id="no signature"),
        pytest.param(lambda: SignedNote(text=b"a\n", signatures=(LINE,) * 101), id="101 of them"),
    ],
)
def test_a_note_cannot_be_built_wrong(build: Callable[[], object]) -> None:
    with pytest.raises(InvariantError):
        build()
