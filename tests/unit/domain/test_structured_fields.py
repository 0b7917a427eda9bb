"""Structured fields in their one form: what is read of them, and what is not."""

import pytest

from twinlock.domain.errors import InvariantError, MalformedError
from twinlock.domain.structured_fields import (
    FIELD_CHARACTERS_MOST,
    InnerList,
    Item,
    read_bytes,
    read_inner_list,
    read_member,
    write_bytes,
    write_inner_list,
    write_string,
)


def test_an_inner_list_is_read_with_its_parameters() -> None:
    text = r'("@method" "signature";req "x";key="a\"b\\c");created=1;expires=-2;nonce="n";flag'

    found = read_inner_list(text)

    assert found == InnerList(
        (Item("@method"), Item("signature", (("req", True),)), Item("x", (("key", 'a"b\\c'),))),
        (("created", 1), ("expires", -2), ("nonce", "n"), ("flag", True)),
    )
    assert write_inner_list(found) == text
    assert read_inner_list("()") == InnerList((), ())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("(", id="open"),
        pytest.param('("a"', id="never closed"),
        pytest.param('("a") ', id="a space behind it"),
        pytest.param(' ("a")', id="a space before it"),
        pytest.param('( "a")', id="a space inside"),
        pytest.param('("a"  "b")', id="two spaces"),
        pytest.param('("a""b")', id="no space"),
        pytest.param('("a"\t"b")', id="a tab"),
        pytest.param('("a");created=1; expires=2', id="a space before a parameter"),
        pytest.param('("a");created=01', id="a leading zero"),
        pytest.param('("a");created=-0', id="minus nothing"),
        pytest.param('("a");created=1.5', id="a decimal"),
        pytest.param('("a");created=1234567890123456', id="sixteen digits"),
        pytest.param('("a");created=?1', id="a boolean that is written out"),
        pytest.param('("a");created=token', id="a token"),
        pytest.param('("a");created=:AAAA:', id="bytes"),
        pytest.param('("a");created=@1', id="a date"),
        pytest.param('("a");Created=1', id="a key in capitals"),
        pytest.param('("a");=1', id="no key"),
        pytest.param('("a");created=1;created=1', id="a parameter that stands twice"),
        pytest.param('("a";req;req)', id="a flag that stands twice"),
        pytest.param("(a)", id="a token as an item"),
        pytest.param("(1)", id="a number as an item"),
        pytest.param('("a\\x")', id="an escape that is none"),
        pytest.param('("a\n")', id="a line break"),
        pytest.param('("a\x7f")', id="a control character"),
        pytest.param('("ä")', id="another script"),
        pytest.param('("a"), ("b")', id="two lists"),
        pytest.param('("a");' + "k" * 65 + "=1", id="a key that is too long"),
    ],
)
def test_what_is_no_inner_list_in_its_one_form_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        read_inner_list(text)


def test_a_dictionary_has_one_member() -> None:
    assert read_member('sig-b26=("a");x=1') == ("sig-b26", '("a");x=1')
    assert read_member("*a._-=:AAAA:") == ("*a._-", ":AAAA:")


@pytest.mark.parametrize(
    "text",
    ["", "=()", "a", "A=()", "1a=()", "a=", "a=()\n", "a=ä", "a =()", "a=" + "x" * 2_047],
)
def test_what_is_no_dictionary_with_a_member_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        read_member(text)


def test_a_field_is_as_long_as_it_may_be() -> None:
    assert read_member("a=" + "x" * (FIELD_CHARACTERS_MOST - 2))[0] == "a"


@pytest.mark.parametrize("data", [b"", b"a", b"ab", b"abc", bytes(64), b"\xff" * 33])
def test_bytes_are_read_as_they_are_written(data: bytes) -> None:
    assert read_bytes(write_bytes(data)) == data


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("::: ", id="more"),
        pytest.param(":AAAA", id="never closed"),
        pytest.param("AAAA:", id="never opened"),
        pytest.param(":A:", id="one letter"),
        pytest.param(":AA:", id="no padding"),
        pytest.param(":AAA:", id="padding left out"),
        pytest.param(":AA=A:", id="padding inside"),
        pytest.param(":AAAA====:", id="too much padding"),
        pytest.param(":AB==:", id="stray bits"),
        pytest.param(":AA-_:", id="base64url"),
        pytest.param(":AA AA:", id="a space"),
        pytest.param(":=:", id="nothing but padding"),
    ],
)
def test_what_are_no_bytes_in_their_one_form_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        read_bytes(text)


@pytest.mark.parametrize("text", ["a\nb", "ä", "\x7f", "\0"])
def test_a_string_that_no_field_may_hold_is_not_written(text: str) -> None:
    with pytest.raises(InvariantError):
        write_string(text)
