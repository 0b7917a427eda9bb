"""Between documents and sealed boxes: one kind of box for state, events and letters."""

from typing import NamedTuple, TypeVar

import asyncpg
import msgspec

from twinlock.adapters.boxes import NONCE_BYTES, SubjectKey
from twinlock.domain.account import Account
from twinlock.domain.canonical import encode
from twinlock.domain.entries import ClosedAction, Entry, Kept
from twinlock.domain.errors import SealBrokenError
from twinlock.domain.listed import Destination
from twinlock.domain.notices import Notice
from twinlock.ports import (
    Entropy,
)

T = TypeVar("T")

ACCOUNT = msgspec.json.Decoder(Account)
DESTINATION = msgspec.json.Decoder(Destination)
CLOSED = msgspec.json.Decoder(ClosedAction)
KEPT = msgspec.json.Decoder(Kept)
NOTICE = msgspec.json.Decoder(Notice)


class Place(NamedTuple):
    """Where a box belongs: it opens nowhere else."""

    kind: str
    row_id: str
    version: int


def unseal_stream(key: SubjectKey, box: bytes, place: Place) -> Account | Destination:
    """Return a stream that a command locks, of the kind that ``place`` names.

    Raises:
        SealBrokenError: as ``unseal``, or no command locks streams of this kind.
    """
    if place.kind == "account":
        return unseal(key, box, ACCOUNT, place)
    if place.kind == "destination":
        return unseal(key, box, DESTINATION, place)
    raise SealBrokenError("a stream of a kind that no command locks")


def kind_of(value: Account | Destination) -> str:
    """Return the kind of a stream that a command locks."""
    return "account" if isinstance(value, Account) else "destination"


def letter_place(serial: str) -> Place:
    """Return the place of a letter, by the random serial of its row."""
    return Place(kind="letter", row_id=serial, version=1)


def seal(key: SubjectKey, value: object, place: Place, *, entropy: Entropy) -> bytes:
    """Return ``value`` as a sealed box for exactly this place."""
    return key.seal(
        encode(value),
        kind=place.kind,
        row_id=place.row_id,
        version=place.version,
        nonce=entropy.draw(NONCE_BYTES),
    )


def unseal(key: SubjectKey, box: bytes, decoder: msgspec.json.Decoder[T], place: Place) -> T:
    """Return the value in a box of exactly this place.

    Raises:
        SealBrokenError: it is not what we sealed for this place, or of another form.
    """
    data = key.open(box, kind=place.kind, row_id=place.row_id, version=place.version)
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SealBrokenError(f"a sealed {place.kind} does not have the form of one") from error


def account_beside(key: SubjectKey, row: asyncpg.Record) -> Account:
    """Return the account whose box was read beside a message of it. Raises SealBrokenError."""
    place = Place(kind="account", row_id=row["subject"], version=row["account_version"])
    return unseal(key, row["account_box"], ACCOUNT, place)


def kept(entry: Entry) -> Kept:
    """Return what is kept, sealed, beside the public leaf of ``entry``."""
    return Kept(
        events=entry.events,
        openings=dict(entry.openings),
        evidence=entry.evidence.decode("utf-8"),
    )
