"""Structured fields of HTTP, as far as signatures need them, in exactly one form.

Always true (tests/property/test_structured_fields_properties.py): a text that is read is, byte for
byte, what is written for what was read. Spaces that others allow, doubled keys, numbers with
leading zeros and base64 with stray bits are refused, so no two readers of one text can see two
things in it.

Source: RFC 9651, 3 and 4: a dictionary with one member, an inner list of strings, parameters that
are strings, integers or true, and byte sequences. Nothing else of it is read.
"""

import binascii
import re
from typing import NamedTuple, TypeAlias

from twinlock.domain.errors import MalformedError, invariant

Value: TypeAlias = str | int
Params: TypeAlias = tuple[tuple[str, Value], ...]

FIELD_CHARACTERS_MOST = 2_048  # Sixteen components and six parameters have about 500.
_KEY = r"[a-z*][a-z0-9_.*-]{0,63}"
_STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
_INTEGER = r"(?:0|-?[1-9][0-9]{0,14})"
_PARAM = rf";{_KEY}(?:={_STRING}|={_INTEGER})?"
_ITEM = rf"{_STRING}(?:{_PARAM})*"
_MEMBER = re.compile(rf"({_KEY})=([ -~]+)")
_INNER_LIST = re.compile(rf"\((?P<items>(?:{_ITEM}(?: {_ITEM})*)?)\)(?P<params>(?:{_PARAM})*)")
_EACH_ITEM = re.compile(rf"(?P<name>{_STRING})(?P<params>(?:{_PARAM})*)(?: |\Z)")
_EACH_PARAM = re.compile(rf";(?P<key>{_KEY})(?:=(?P<text>{_STRING})|=(?P<number>{_INTEGER}))?")
_BYTES = re.compile(r":([A-Za-z0-9+/]*={0,2}):")
_ESCAPE = re.compile(r'\\(["\\])')
_PLAIN = re.compile(r"[ -~]*")


class Item(NamedTuple):
    """A string with its parameters; a flag is a parameter that is True."""

    value: str
    params: Params = ()


class InnerList(NamedTuple):
    """Strings in parentheses, and the parameters of the list."""

    items: tuple[Item, ...]
    params: Params


def read_member(text: str) -> tuple[str, str]:
    """Return key and text of the one member of a dictionary.

    Raises:
        MalformedError: too long, no dictionary, or a member that stands alone and means true.
    """
    found = _MEMBER.fullmatch(text) if len(text) <= FIELD_CHARACTERS_MOST else None
    if found is None:
        raise MalformedError("not a dictionary with one member")
    return found[1], found[2]


def read_inner_list(text: str) -> InnerList:
    """Return an inner list of strings. Raises MalformedError."""
    found = _INNER_LIST.fullmatch(text)
    if found is None:
        raise MalformedError("not an inner list of strings in its one form")
    items = tuple(
        Item(_string(one["name"]), _params(one["params"]))
        for one in _EACH_ITEM.finditer(found["items"])
    )
    return InnerList(items, _params(found["params"]))


def read_bytes(text: str) -> bytes:
    """Return a byte sequence. Raises MalformedError."""
    found = _BYTES.fullmatch(text)
    try:
        data = b"" if found is None else binascii.a2b_base64(found[1], strict_mode=True)
    except binascii.Error as error:
        raise MalformedError("not a byte sequence") from error
    if write_bytes(data) != text:
        raise MalformedError("not a byte sequence in its one form")
    return data


def _string(text: str) -> str:
    return _ESCAPE.sub(r"\1", text[1:-1])


def _params(text: str) -> Params:
    """Return parameters in their order. RFC 9651 lets the last of a doubled key win; we do not."""
    params = tuple((one["key"], _value(one)) for one in _EACH_PARAM.finditer(text))
    if len({key for key, _ in params}) != len(params):
        raise MalformedError("a parameter stands twice")
    return params


def _value(found: re.Match[str]) -> Value:
    if found["text"] is not None:
        return _string(found["text"])
    return True if found["number"] is None else int(found["number"])


def write_string(value: str) -> str:
    """Return a string as it stands in a field: printable ASCII only."""
    invariant(_PLAIN.fullmatch(value) is not None, "a field's string is printable ASCII")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def write_bytes(data: bytes) -> str:
    """Return a byte sequence as it stands in a field."""
    return f":{binascii.b2a_base64(data, newline=False).decode('ascii')}:"


def write_item(item: Item) -> str:
    """Return a string with its parameters as it stands in a field."""
    return write_string(item.value) + _write_params(item.params)


def write_inner_list(inner: InnerList) -> str:
    """Return an inner list as it stands in a field."""
    items = " ".join(write_item(one) for one in inner.items)
    return f"({items}){_write_params(inner.params)}"


def _write_params(params: Params) -> str:
    return "".join(f";{key}{_written(value)}" for key, value in params)


def _written(value: Value) -> str:
    if value is True:
        return ""
    return f"={value}" if isinstance(value, int) else f"={write_string(value)}"
