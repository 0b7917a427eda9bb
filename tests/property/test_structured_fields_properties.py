"""Whatever somebody sends as a structured field is read in one way, or refused."""

from typing import Any, cast

import http_sf
from hypothesis import example, given
from hypothesis import strategies as st

from twinlock.domain.errors import MalformedError
from twinlock.domain.structured_fields import (
    InnerList,
    Item,
    read_bytes,
    read_inner_list,
    read_member,
    write_bytes,
    write_inner_list,
)

plain = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
keys = st.from_regex(r"[a-z*][a-z0-9_.*-]{0,12}", fullmatch=True)
values = st.one_of(plain, st.integers(-(10**15) + 1, 10**15 - 1), st.just(value=True))
params = st.dictionaries(keys, values, max_size=4).map(lambda found: tuple(found.items()))
items = st.builds(Item, plain, params)
lists = st.builds(InnerList, st.lists(items, max_size=4).map(tuple), params)
pieces = st.sampled_from(
    ["(", ")", '"', "\\", " ", ";", "=", ":", ",", "a", "req", "1", "-", "0", "@", "?", "\n", "ä"]
)
hostile = st.one_of(st.text(max_size=40), st.lists(pieces, max_size=30).map("".join))


@given(lists)
def test_what_is_written_is_read_as_it_was(inner: InnerList) -> None:
    text = write_inner_list(inner)
    read = read_inner_list(text)

    assert read == inner
    assert [type(value) for _, value in read.params] == [type(value) for _, value in inner.params]
    assert read_member(f"sig={text}") == ("sig", text)


@given(lists)
def test_others_read_in_it_what_we_do(inner: InnerList) -> None:
    """``http-sf`` is the parser of the author of RFC 9651."""
    found = http_sf.parse(f"sig={write_inner_list(inner)}".encode(), tltype="dictionary")

    assert found == {
        "sig": ([(one.value, dict(one.params)) for one in inner.items], dict(inner.params))
    }


@given(hostile)
@example('("a");b=1;b=2')
@example('("a" )')
def test_what_is_read_of_anything_is_what_stands_there(text: str) -> None:
    try:
        read = read_inner_list(text)
    except MalformedError:
        return
    assert write_inner_list(read) == text
    others = cast("dict[str, Any]", http_sf.parse(f"s={text}".encode(), tltype="dictionary"))
    assert others["s"][1] == dict(read.params)


@given(st.one_of(hostile, st.binary(max_size=48).map(write_bytes)))
def test_bytes_that_are_read_of_anything_are_what_stands_there(text: str) -> None:
    try:
        data = read_bytes(text)
    except MalformedError:
        return
    assert write_bytes(data) == text
