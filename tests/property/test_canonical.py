import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlock.domain.canonical import (
    MAX_DEPTH,
    MAX_SAFE_INTEGER,
    b64url,
    commit,
    decode,
    encode,
    from_b64url,
    parse_strict,
    size_of,
    tagged_hash,
    tagged_mac,
)
from twinlock.domain.errors import InvariantError, MalformedError

keys = st.text(st.characters(max_codepoint=127), max_size=8)
texts = st.text(max_size=8)
integers = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
leaves = st.none() | st.booleans() | integers | texts
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
parts = st.lists(st.binary(max_size=6), max_size=4)
tags = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=6)


class Tagged(msgspec.Struct, tag_field="type", tag="it"):
    """A struct whose tag must be sorted among its fields."""

    zebra: int = 1
    alpha: str = ""


@given(values)
def test_what_was_written_is_read_back(value: object) -> None:
    assert decode(encode(value)) == value


@given(values)
def test_the_bytes_are_those_of_rfc_8785(value: object) -> None:
    """With ASCII keys and no floats, Python's own encoder, sorted and compact, writes them too."""
    expected = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    assert encode(value) == expected.encode("utf-8")


@given(values)
def test_the_size_is_that_of_the_bytes(value: object) -> None:
    assert size_of(value) == len(encode(value))


@given(st.dictionaries(keys, leaves, max_size=6))
def test_equal_values_have_the_same_bytes(value: dict[str, object]) -> None:
    turned = dict(reversed(value.items()))

    assert encode(turned) == encode(value)


def test_a_tag_is_sorted_among_the_fields() -> None:
    assert encode(Tagged()) == b'{"alpha":"","type":"it","zebra":1}'


@given(st.binary(max_size=40))
def test_bytes_that_are_not_canonical_are_refused(data: bytes) -> None:
    try:
        value = decode(data)
    except MalformedError:
        return
    assert encode(value) == data


NOT_CANONICAL = {
    "nothing": b"",
    "no JSON": b"{",
    "not UTF-8": b'"\xff"',
    "a byte order mark": b"\xef\xbb\xbf1",
    "a space": b'{"a": 1}',
    "a line feed after it": b"1\n",
    "two values": b"1 2",
    "keys out of order": b'{"b":1,"a":2}',
    "a doubled key": b'{"a":1,"a":1}',
    "a key that is not ASCII": '{"ä":1}'.encode(),
    "a float": b"1.0",
    "an exponent": b"1e3",
    "not a number": b"NaN",
    "infinity": b"-Infinity",
    "minus zero": b"-0",
    "a leading zero": b"01",
    "an integer beyond 2^53 - 1": b"9007199254740992",
    "an integer with too many digits": b"1" * 5_000,
    "an escape that is not needed": b'"\\u0061"',
    "a lone surrogate": b'"\\ud800"',
    "nested too deep": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    "nested to exhaust the stack": b"[" * 100_000,
}


@pytest.mark.parametrize("data", NOT_CANONICAL.values(), ids=NOT_CANONICAL)
def test_what_is_not_canonical_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        decode(data)


@pytest.mark.parametrize(
    "data",
    [
        b'"\\ud800"',
        b'"\\uDFFF"',
        b'"\\udc00\\ud800"',
        b'{"a":["x",{"b":"\\ud83d"}]}',
        b'{"\\ud800":1}',
    ],
)
def test_half_a_character_is_refused_wherever_it_stands(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_strict(data)


@given(st.text())
def test_a_string_is_read_however_it_is_escaped(text: str) -> None:
    assert parse_strict(json.dumps(text).encode()) == text
    assert parse_strict(json.dumps(text, ensure_ascii=False).encode()) == text


@pytest.mark.parametrize("number", [MAX_SAFE_INTEGER, -MAX_SAFE_INTEGER])
def test_the_widest_integers_are_read(number: int) -> None:
    assert decode(str(number).encode()) == number


def test_the_deepest_nesting_is_read() -> None:
    deep = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH

    assert encode(decode(deep)) == deep


@given(tags, parts, tags, parts)
def test_no_two_lists_of_parts_share_a_preimage(
    tag: str, one: list[bytes], other_tag: str, two: list[bytes]
) -> None:
    same = (tag, one) == (other_tag, two)

    assert (tagged_hash(tag, *one) == tagged_hash(other_tag, *two)) is same
    assert (tagged_mac(b"k", tag, *one) == tagged_mac(b"k", other_tag, *two)) is same


@given(st.binary(min_size=1, max_size=40), st.binary(min_size=1, max_size=40))
def test_a_mac_depends_on_its_key(one: bytes, two: bytes) -> None:
    same = one.ljust(64, b"\0") == two.ljust(64, b"\0")  # RFC 2104 pads keys with zeros

    assert (tagged_mac(one, "t", b"x") == tagged_mac(two, "t", b"x")) is same


@pytest.mark.parametrize("tag", ["a\0b", "ä"])
def test_a_tag_is_ascii_without_nul(tag: str) -> None:
    with pytest.raises(InvariantError, match="ASCII without NUL"):
        tagged_hash(tag)


@given(st.binary(min_size=32, max_size=32), texts, texts)
def test_a_commitment_binds_field_and_value(salt: bytes, one: str, two: str) -> None:
    first, second = encode(one), encode(two)

    assert (commit(salt, "a", first) == commit(salt, "a", second)) is (one == two)
    assert commit(salt, "a", first) != commit(salt, "b", first)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_salt_of_another_size_commits_to_nothing(size: int) -> None:
    with pytest.raises(InvariantError, match="32 bytes"):
        commit(b"s" * size, "a", b"1")


@given(st.binary(max_size=20))
def test_base64url_is_read_back(data: bytes) -> None:
    assert from_b64url(b64url(data)) == data
    assert from_b64url(b64url(data), size=len(data)) == data


NOT_BASE64URL = {
    "padding": "AA==",
    "the other alphabet": "+/+/",
    "stray bits": "AB",
    "a lone character": "A",
    "a space": "AA AA",
    "a line feed": "AAAA\n",
    "not ASCII": "ÄAAA",
}


@pytest.mark.parametrize("text", NOT_BASE64URL.values(), ids=NOT_BASE64URL)
def test_base64url_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        from_b64url(text)


@pytest.mark.parametrize("size", [2, 4])
def test_base64url_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(MalformedError, match=f"expected {size} bytes"):
        from_b64url("AAAA", size=size)


@pytest.mark.parametrize("text", [b"NaN", b"Infinity", b"-Infinity", b'{"a":NaN}', b"[-Infinity]"])
def test_what_is_no_number_in_json_is_none_here(text: bytes) -> None:
    """Prevents: Python's reader, which takes these, and a NaN that is unlike itself."""
    with pytest.raises(MalformedError, match="number not allowed"):
        parse_strict(text)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not JSON"),
        (b" \n", "not JSON"),
        (b"\xff", "not JSON"),
        (b"{]}", "not JSON"),
        (b'{"a":1} x', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"{", "JSON that is cut off"),
        (b'{"a":1,', "JSON that is cut off"),
        (b'{"a":1, \n', "JSON that is cut off"),
        (b'{"a":"b', "JSON that is cut off"),
        (b'["an unfinished word, far from its end', "JSON that is cut off"),
    ],
)
def test_a_file_that_was_cut_off_is_told_from_one_of_another_kind(data: bytes, says: str) -> None:
    with pytest.raises(MalformedError) as refused:
        parse_strict(data)

    assert str(refused.value) == says
