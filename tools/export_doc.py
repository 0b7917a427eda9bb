"""The page of what an export holds: docs/export.md, from the types that are exported."""

import json
from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

import msgspec
from doc_parts import page, table

from twinlock.api.throttling import EXPORT_BURST, EXPORT_OF_ONE_BURST
from twinlock.domain.account import Account
from twinlock.domain.entries import ClosedAction
from twinlock.domain.events import Event
from twinlock.domain.export import FORMAT, WITHHELD, Exported, withheld
from twinlock.domain.listed import Destination
from twinlock.domain.notices import Notice
from twinlock.domain.parcels import Parcel

_ACCOUNT = (
    "the account: authenticators, channels with their addresses, devices, sessions, holds, "
    "legal holds, API keys, open actions, candidates, counters"
)
_ENTRIES = (
    "each entry: its number, its `index` in the log, its public leaf, what opens each of the "
    "leaf's commitments, the facts that were decided on, the events, and what the customer's own "
    "key signed"
)
_LISTS = {
    "account": Account,
    "destinations": Destination,
    "closed_actions": ClosedAction,
    "notices": Notice,
    "messages": Parcel,
}
_INTRODUCTION = f"""
Everything that is held about one person, as JSON: what somebody may ask for by Art. 15 of the GDPR,
and take along by Art. 20. The operator writes it with `twinlock export`; the platform asks for it
with `GET /v1/accounts/{{id}}/export` under a key with the scope `export`, which no key has unless
it was named when the key was made. Each export is an entry of the log before its first byte is
handed out, names who asked, and is told to every channel of the account. Of one account
{EXPORT_OF_ONE_BURST:.0f} are handed out at once and then one an hour, and with one key
{EXPORT_BURST:.0f} and then one a minute.

The document is written in pieces, however long the life of an account was; under a signed request
it is put together in memory before it is signed. Its last member is `complete`: what was broken off
is no JSON. It tells the account as it stood after the entry of the export itself; what ends while
it is being written may stand in it twice, as an open action and as a closed one.

It is as sensitive as the account. What the customer is handed by you, you have had in your hands.
"""
_MEMBERS = (
    ("`format`", f"`{FORMAT}`"),
    ("`exported_at`", "when (UTC)"),
    ("`withheld`", "what is held and not told, and why; the table below"),
    ("`account`", _ACCOUNT),
    ("`destinations`", "each destination, removed ones too"),
    ("`repeats`", "idempotency keys of the last week, and what they stand for"),
    ("`notices`", "the newest notices to the customer"),
    ("`messages`", "notices to channels that are kept until their carriers have them"),
    ("`told_to`", "streams of signals on which another party is told of the account"),
    ("`closed_actions`", "each action that is over, with how it ended"),
    ("`entries`", _ENTRIES),
    ("`complete`", "`true`"),
)
_BETWEEN = """
With an entry's `openings` its leaf can be checked by anybody
([log-format.md](log-format.md)). Every field of the types below is told, also one that was added
since, unless it stands in the next table. Nothing of anybody else is in it: actors are platform
keys and operators, by id.
""".strip()
_NOT_HELD = """
* The key that seals the account, and anything else that belongs to the installation.
* Messages that were handed on to a mail or SMS provider, or lie in the outbox directory as files.
* The platform's own records; logs of proxies and of the operating system; backups.
* Which endpoints of webhooks were told of which entry.
* What is counted for about a month under names that nobody can read without our keys: how many
  orders passed, and at how many accounts a destination was wanted.
""".strip()
_ON_THE_SCHEMA = """
JSON Schema 2020-12. A member of a type that has its default may be told or left out by later
versions; this one tells all of them.
""".strip()


def export_page() -> str:
    """Return docs/export.md."""
    return page(
        "The export",
        _INTRODUCTION,
        "## What is in it",
        table(("member", "holds"), _MEMBERS),
        _BETWEEN,
        "## What is withheld",
        table(
            ("of", "field", "why"),
            ((f"`{one.type}`", f"`{one.field}`", one.why) for one in withheld()),
        ),
        "## What it does not hold",
        _NOT_HELD,
        "## Schema",
        _ON_THE_SCHEMA,
        f"```json\n{_schema()}\n```",
    )


def _schema() -> str:
    forms = (Exported, Event, *_LISTS.values())
    (whole, event, *lists), components = msgspec.json.schema_components(
        forms, ref_template="#/$defs/{name}"
    )
    for name, form in components.items():
        _name(name, form)
        _strip(name, form)
    told = components["Exported"]["properties"]
    for member, form in zip(_LISTS, lists, strict=True):
        told[member] = form if member == "account" else {"type": "array", "items": form}
    components["ExportedEntry"]["properties"]["events"]["items"] = event
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **whole,
        "$defs": components,
    }
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False)


def _name(name: str, form: dict[str, Any]) -> None:
    """Tell the fields of what is sealed without their names by name, as an export does."""
    for said in form.get("properties", {}).values():
        if "$ref" in said and isinstance(said.get("default"), list):
            fields = _fields(said["$ref"].rpartition("/")[2])
            named = zip(fields, said["default"], strict=True)
            said["default"] = {field.name: value for field, value in named}
    if "prefixItems" not in form:
        return
    fields = _fields(name)
    told = zip(fields, form.pop("prefixItems"), strict=True)
    form.pop("minItems", None)
    form["properties"] = {field.name: said for field, said in told}
    form["required"] = [field.name for field in fields if field.required]
    form["type"] = "object"


def _fields(name: str) -> tuple[msgspec.structs.FieldInfo, ...]:
    (kind,) = (one for one in _kinds(msgspec.Struct) if one.__name__ == name)
    return msgspec.structs.fields(kind)


def _kinds(kind: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for one in kind.__subclasses__():
        yield one
        yield from _kinds(one)


def _strip(name: str, form: dict[str, Any]) -> None:
    """Take away what is withheld, and put what is written for Python into plain words."""
    hidden = next((fields for kind, fields in WITHHELD.items() if kind.__name__ == name), {})
    for field in hidden:
        form["properties"].pop(field)
    if "required" in form:
        form["required"] = [one for one in form["required"] if one not in hidden]
    if "description" in form:
        form["description"] = cleandoc(form["description"]).replace("``", "`")
