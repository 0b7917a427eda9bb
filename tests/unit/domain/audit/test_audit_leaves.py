"""A leaf is read only in the one form in which leaves are written."""

import pytest

from twinlock.domain.audit.leaves import (
    Form,
    fields_of,
    form_of,
    read,
    read_log_key,
    said,
)
from twinlock.domain.canonical import MAX_SAFE_INTEGER, b64url, encode
from twinlock.domain.errors import MalformedError
from twinlock.domain.log_keys import LOG_KEY_ENTRY, log_key_label

HASH = "A" * 43


def leaf(**changes: object) -> bytes:
    kind = str(changes.get("t", "session.start"))
    value: dict[str, object] = {
        "at": 1,
        "c": dict.fromkeys(fields_of(kind), HASH),
        "dec": "allow",
        "lbl": HASH,
        "pol": HASH,
        "prev": HASH,
        "t": kind,
        "v": 1,
        **changes,
    }
    return encode({name: one for name, one in value.items() if one is not None})


def test_a_leaf_is_read() -> None:
    found = read(leaf())

    assert (found.dec, found.t, len(found.c)) == ("allow", "session.start", 8)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "form"),
        (b"\xff", "form"),
        (leaf(dec=None), "form"),
        (leaf(more=1), "form"),
        (leaf(at="1"), "form"),
        (leaf() + b" ", "form|canonical"),
        (leaf().replace(b'"v":1', b'"v": 1'), "canonical"),
        (leaf().replace(b'{"at":1,', b"{").replace(b'"v":1', b'"v":1,"at":1'), "canonical"),
        (leaf(v=2), "version"),
        (leaf(at=-1), "time"),
        (leaf(at=2**53), "time"),
        (leaf(dec="perhaps"), "answer"),
        (leaf(t="Session.start"), "type"),
        (leaf(t=""), "type"),
        (leaf(t="a b"), "type"),
        (leaf(t="b" * 49), "type"),
        (leaf(c={}), "fields"),
        (leaf(c=dict.fromkeys((*fields_of("session.start"), "spend"), HASH)), "fields"),
        (leaf(t="action.spend", c=dict.fromkeys(fields_of("session.start"), HASH)), "fields"),
        (leaf(lbl="A" * 42), "hash"),
        (leaf(prev=""), "hash"),
        (leaf(pol="A" * 42 + "="), "hash"),
        (leaf(c=dict.fromkeys(fields_of("session.start"), "x")), "hash"),
    ],
)
def test_what_is_not_of_the_form_of_a_leaf_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        read(data)


@pytest.mark.parametrize("at", [0, 1, MAX_SAFE_INTEGER])
def test_a_leaf_is_of_any_time_that_can_be_written(at: int) -> None:
    found = said(leaf(at=at))

    assert read(leaf(at=at)).at == at
    assert found is not None
    assert found.at == at


@pytest.mark.parametrize(("at", "there"), [(-1, 0), (0, 1), (MAX_SAFE_INTEGER, 1), (2**53, 0)])
def test_a_leaf_that_names_a_key_is_of_any_time_that_can_be_written(at: int, there: int) -> None:
    label = b64url(log_key_label("a key"))
    found = read_log_key(
        encode({"at": at, "key": "a key", "lbl": label, "t": LOG_KEY_ENTRY, "v": 1})
    )

    assert [found is not None, getattr(found, "at", None)] == [bool(there), at if there else None]


@pytest.mark.parametrize(
    "data", [b"[" * 10**6, b'{"more":' + b"[" * 10**6, b'{"c":' + b"{" * 10**6]
)
def test_a_leaf_of_brackets_is_refused_as_any_other(data: bytes) -> None:
    assert (said(data), read_log_key(data)) == (None, None)
    with pytest.raises(MalformedError, match="form"):
        read(data)


def test_what_a_leaf_says_is_cut_out_of_it() -> None:
    found = said(leaf(at=77, dec="hold"))

    assert found == (77, b"hold", HASH.encode(), b"session.start", HASH.encode())


def test_what_a_leaf_says_is_cut_from_its_end() -> None:
    """A commitment that reads as the end of all of them: a leaf that nobody would write."""
    strange = leaf().replace(b'"actor":"', b'"actor":"},"dec":"')

    assert said(strange) == said(leaf())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x" * 1000,
        leaf(at=-1),
        leaf(at=2**53),
        leaf(dec="perhaps"),
        leaf(t="X"),
        leaf(lbl='quoted " here'),
        leaf()[:-5],
        leaf().replace(b'"at":1', b'"at":"1"'),
    ],
)
def test_what_does_not_look_like_a_leaf_says_nothing(data: bytes) -> None:
    assert said(data) is None


def test_an_entry_of_a_spend_and_the_first_one_commit_to_one_field_more() -> None:
    assert set(fields_of("action.spend")) - set(fields_of("session.start")) == {"spend"}
    assert set(fields_of("account.open")) - set(fields_of("session.start")) == {"label_key"}
    owned = [Form(kind).own for kind in ("action.spend", "account.open", "session.start")]
    assert owned == ["spend", "label_key", None]
    assert form_of(b"no type") is None
    assert form_of(b"\xff.\xff") is None
