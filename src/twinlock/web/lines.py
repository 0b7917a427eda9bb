"""What a page says of a payload: lines of a form, a title, an effect."""

from enum import StrEnum

import msgspec


class Form(StrEnum):
    """How a line is set."""

    PLAIN = "plain"
    AMOUNT = "amount"  # digits in threes
    ADDRESS = "address"  # in groups of four, and once more in one piece
    EXACT = "exact"  # of a width, every character as it is
    LIST = "list"
    EXACT_LIST = "exact-list"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of what is signed. ``note`` explains it; ``heed`` asks for a second look."""

    label: str
    text: str = ""
    form: Form = Form.PLAIN
    unit: str = ""
    items: tuple[str, ...] = ()
    note: str = ""
    heed: bool = False


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A payload in words: what it does in one line, its fields, and what follows from it."""

    title: str
    lines: tuple[Line, ...]
    effect: str
