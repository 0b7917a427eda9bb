"""Everything that is held about a person, as it is handed out: GDPR, Art. 15 and 20.

What is told is told by the fields of the types that hold it: a new field is told, unless it stands
in ``WITHHELD``. Withheld is what would let its reader act as the customer.

Always true (tests/unit/domain/test_export.py): every field that can be reached from what is stored
is known to the tests as told or withheld; no field that is hidden when it is printed is told.

Source: docs/export.md.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec

from twinlock.domain.account import Account, Candidate, Chain, Challenge, OpenAction
from twinlock.domain.authenticators.model import Passkey, Password, RecoveryCodes, Totp
from twinlock.domain.entries import LABEL_KEY_FIELD, ClosedAction, Kept
from twinlock.domain.events import ProofAccepted
from twinlock.domain.listed import Destination
from twinlock.domain.notices import Notice
from twinlock.domain.parcels import Parcel

FORMAT = "twinlock-export/1"
Told: TypeAlias = Any  # A value of JSON: null, a flag, a number, a text, a list or an object.

_GUESSED = "Whoever has it could try to guess the secret behind it, or use it."
_FORCED = (
    "Random bytes, and whether it is for duress or was used so: whoever forces somebody could read "
    "that here. All of them have it, so nothing follows from that it is there."
)
WITHHELD: Mapping[type[msgspec.Struct], Mapping[str, str]] = MappingProxyType(
    {
        Chain: {
            "label_key": "It finds every entry of the account, and was told to the customer once; "
            "the entries stand here with their places in the log."
        },
        Password: {"verifier": _GUESSED},
        Totp: {"seed": "Whoever has it makes the customer's codes.", "seal": _FORCED},
        Passkey: {"seal": _FORCED},
        RecoveryCodes: {"left": _GUESSED},
        Candidate: {"secret": "Whoever has it could bind an authenticator that he holds too."},
        Challenge: {"code_mac": _GUESSED},
        OpenAction: {
            "veto_key": "Whoever has it could say no in the customer's name.",
            "secret": "It is the secret of what is being bound.",
            "seal": _FORCED,
        },
        ProofAccepted: {"used_code": _GUESSED, "seal": _FORCED},
        Notice: {"code": "It is a code on its way to the customer."},
    }
)
ROOTS = (Account, Destination, ClosedAction, Notice, Parcel, Kept)


class Repeat(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the platform's idempotency keys stands for; forgotten after a week."""

    key: str
    stands_for: str
    used_at: str


class ToldTo(msgspec.Struct, frozen=True, kw_only=True):
    """A stream of signals on which another party is told of the account, and since when."""

    stream_id: str
    since: str


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the account: its number, its place in the log, its leaf, and what is kept."""

    number: int
    index: int
    leaf: bytes
    facts: bytes
    kept: Kept


class ExportedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as it is told.

    ``leaf`` is public and stands at ``index`` of the log; each opening has the salt and the value
    to one of its commitments. ``evidence`` is what the customer's own key signed, as text.
    """

    number: int
    index: int
    leaf: str
    facts: dict[str, Told]
    openings: dict[str, dict[str, str]]
    events: list[dict[str, Told]]
    evidence: str


class Withheld(msgspec.Struct, frozen=True, kw_only=True):
    """A field that is held and not told, and why."""

    type: str
    field: str
    why: str


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document; ``complete`` is its last member, and true."""

    format: str
    exported_at: str
    withheld: list[Withheld]
    account: dict[str, Told]
    destinations: list[dict[str, Told]]
    repeats: list[Repeat]
    notices: list[dict[str, Told]]
    messages: list[dict[str, Told]]
    told_to: list[ToldTo]
    closed_actions: list[dict[str, Told]]
    entries: list[ExportedEntry]
    complete: bool


def withheld() -> list[Withheld]:
    """Return what is not told, and why."""
    return [
        Withheld(type=kind.__name__, field=field, why=why)
        for kind, fields in WITHHELD.items()
        for field, why in fields.items()
    ]


def disclose(value: object) -> Told:
    """Return ``value`` as JSON, with everything in it but what is withheld."""
    match value:
        case msgspec.Struct():
            return _struct(value)
        case tuple() | list() | frozenset():
            return [disclose(one) for one in value]
        case dict():
            return {str(name): disclose(one) for name, one in value.items()}
        case _:
            return msgspec.to_builtins(value)


def _struct(value: msgspec.Struct) -> dict[str, Told]:
    config, hidden = value.__struct_config__, WITHHELD.get(type(value), {})
    told: dict[str, Told] = {config.tag_field: config.tag} if config.tag_field else {}
    for name in value.__struct_fields__:
        if name not in hidden:
            told[name] = disclose(getattr(value, name))
    return told


def tell_entry(entry: Recorded) -> ExportedEntry:
    """Return an entry as it is told."""
    return ExportedEntry(
        number=entry.number,
        index=entry.index,
        leaf=entry.leaf.decode("utf-8"),
        facts=msgspec.json.decode(entry.facts),
        openings={
            field: disclose(opening)
            for field, opening in entry.kept.openings.items()
            if field != LABEL_KEY_FIELD
        },
        events=[disclose(event) for event in entry.kept.events],
        evidence=entry.kept.evidence,
    )
