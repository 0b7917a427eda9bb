import pytest

from twinlock.domain.errors import MalformedError
from twinlock.domain.log.text import (
    check_name,
    from_base64,
    from_decimal,
    to_base64,
    to_lines,
)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff\xfe", bytes(32)])
def test_base64_gives_back_its_bytes(data: bytes) -> None:
    assert from_base64(to_base64(data), size=len(data)) == data


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("AA", id="padding missing"),
        pytest.param("AA=", id="padding short"),
        pytest.param("AA===", id="padding long"),
        pytest.param("AB==", id="stray bits"),
        pytest.param("AA==\n", id="trailing newline"),
        pytest.param("AA ==", id="space within"),
        pytest.param("-_==", id="the URL's alphabet"),
        pytest.param("ÄA==", id="not ASCII"),
    ],
)
def test_base64_written_otherwise_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="base64"):
        from_base64(text)


def test_base64_of_another_length_is_refused() -> None:
    with pytest.raises(MalformedError, match="expected 2 bytes"):
        from_base64("AA==", size=2)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("10", 10), ("9" * 18, 10**18 - 1)])
def test_a_decimal_is_read(text: str, number: int) -> None:
    assert from_decimal(text) == number


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("00", id="zero twice"),
        pytest.param("01", id="leading zero"),
        pytest.param("+1", id="plus"),
        pytest.param("-1", id="minus"),
        pytest.param("1_0", id="underscore"),
        pytest.param(" 1", id="leading space"),
        pytest.param("1\n", id="trailing newline"),
        pytest.param("١", id="digit beyond ASCII"),
        pytest.param("1" * 19, id="19 digits"),
    ],
)
def test_a_decimal_written_otherwise_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="decimal"):
        from_decimal(text)


@pytest.mark.parametrize("name", ["a", "log.example/twinlock", "zürich.example", "n" * 255])
def test_a_name_is_any_text_without_spaces_or_plus(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("n" * 256, id="256 bytes"),
        pytest.param("ü" * 128, id="256 bytes in 128 characters"),
        pytest.param("a+b", id="plus"),
        pytest.param("a b", id="space"),
        pytest.param("a\u00a0b", id="no-break space"),
        pytest.param("a\u2003b", id="em space"),
        pytest.param("a\u0085b", id="next line"),
        pytest.param("a\nb", id="newline"),
        pytest.param("a\x00b", id="NUL"),
        pytest.param("a\udc80b", id="a byte that is not UTF-8"),
    ],
)
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(MalformedError):
        check_name(name)


def test_only_lf_ends_a_line() -> None:
    assert to_lines("a\u2028b\u0085c\nd\n".encode()) == ["a\u2028b\u0085c", "d"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"a", id="no LF at the end"),
        pytest.param(b"a\r\n", id="CRLF"),
        pytest.param(b"a\tb\n", id="tab"),
        pytest.param(b"a\x00\n", id="NUL"),
        pytest.param(b"\xff\n", id="not UTF-8"),
        pytest.param(b"\xed\xa0\x80\n", id="a surrogate"),
    ],
)
def test_other_text_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        to_lines(data)
