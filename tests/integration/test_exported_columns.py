"""No column or sealed document is added without a word on what an export tells of it."""

import importlib
import pkgutil
from collections.abc import Mapping

import msgspec
import pytest
from support.postgres import TestDatabase

from twinlock.adapters import sql
from twinlock.domain.export import ROOTS, Exported, ExportedEntry, Repeat
from twinlock.domain.transmitting.streams import Followed, ToldStream, Waiting
from twinlock.domain.webhooks.endpoints import Endpoint

# Of a column: the member of an export that tells it, or why it is of nobody, or opens nothing.
NAME, OURS, NOBODY = "names the row", "a MAC or key of ours", "of nobody"
NOT_TOLD = "which endpoint was told of which entry: docs/export.md says that it is not told"
NOT_COUNTED = "what is counted under a blind name: docs/export.md says that it is not told"
SAID_BEFORE = "a token that waits says nothing that the account's entries do not tell"
NOT_SENT = "how far a message came: of a change that waits the account itself tells it"
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "stream": {
        "id": NAME,
        "subject": "account",
        "kind": NAME,
        "version": NAME,
        "box": "account, destinations, closed_actions",
    },
    "event": {
        "subject": "account",
        "number": "entries.number",
        "leaf_index": "entries.index",
        "box": "entries.events, entries.openings, entries.evidence",
    },
    "leaf": {
        "cell": NAME,
        "leaf_index": "entries.index",
        "label": "entries.leaf",
        "entry": "entries.leaf",
        "facts": "entries.facts",
    },
    "outbox": {
        "id": NAME,
        "subject": "account",
        "serial": NAME,
        "box": "notices",
        "claimed_until": NOBODY,
    },
    "delivery": {
        "id": NAME,
        "subject": "account",
        "name": NAME,
        "lane": NAME,
        "carrier": NOBODY,
        "rank": NOBODY,
        "owes": NOBODY,
        "heard": NOT_SENT,
        "awaited": NOT_SENT,
        "box": "messages",
        "at": NOBODY,
        "state": NOT_SENT,
        "attempts": NOT_SENT,
        "due_at": NOT_SENT,
        "fault": NOT_SENT,
        "ended_at": NOT_SENT,
        "claimed_until": NOBODY,
    },
    "inbox": {"id": NAME, "subject": "account", "serial": NAME, "box": "notices"},
    "idempotency": {
        "scope": "account",
        "key": "repeats.key",
        "digest": OURS,
        "action_id": "repeats.stands_for",
        "mac": OURS,
        "used_at": "repeats.used_at",
    },
    "subject_key": {"subject": "account", "wrapped": OURS},
    "sign_in_count": {"week": NOBODY, "node": NOBODY, "parent": NOBODY, "times": NOBODY},
    # Of whoever was erased there is no export; docs/erasure.md says what is left.
    "erased": {
        "subject": NAME,
        "leaf_index": NAME,
        "entries": NOBODY,
        "salt": OURS,
        "mac": OURS,
    },
    "erased_entry": {"leaf_index": NOBODY, "mac": OURS},
    "webhook_retry": {
        "webhook_id": NAME,
        "leaf_index": NOT_TOLD,
        "attempts": NOT_TOLD,
        "due_at": NOT_TOLD,
        "fault": NOT_TOLD,
    },
    "head": dict.fromkeys(("cell", "size", "edge", "at", "mac", "platform"), NOBODY),
    "installation": dict.fromkeys(("only_row", "fingerprint", "log_origin"), NOBODY),
    # A MAC of an address of the account, which the account's channels tell.
    "contact": {"name": OURS, "subject": "account"},
    # A MAC of whom a key of the account was made for, which the account's API keys tell.
    "api_key_mark": {"name": OURS, "subject": "account"},
    "order_count": {
        "name": OURS,
        **dict.fromkeys(("day", "hour", "orders", "cents"), NOT_COUNTED),
        **dict.fromkeys(("top_orders", "top_cents", "day_orders", "day_cents"), NOT_COUNTED),
    },
    "sighting": dict.fromkeys(("place", "by", "seen_at"), NOT_COUNTED),
    "signal_count": dict.fromkeys(("stream", "day", "count"), NOBODY),
    "told_subject": {
        "stream_id": "told_to",
        "subject": "account",
        "box": OURS,
        "added_at": "told_to",
    },
    "told_token": {
        "id": NAME,
        "stream_id": NAME,
        "subject": "account",
        "jti": NAME,
        "box": SAID_BEFORE,
        **dict.fromkeys(("attempts", "due_at", "fault"), SAID_BEFORE),
    },
    "told_stream": dict.fromkeys(
        (
            *("id", "receiver", "pushed", "version", "box", "status", "reason", "position"),
            *("failures", "failing_since", "paused_until", "disabled", "verified_at"),
            "claimed_until",
        ),
        NOBODY,
    ),
    "message_nonce": dict.fromkeys(("key_id", "nonce", "until"), NOBODY),
    "migration": dict.fromkeys(("number", "digest", "applied_at"), NOBODY),
    "platform_key": dict.fromkeys(
        ("id", "mac", "scopes", "networks", "created_at", "expires_at", "signed_by"), NOBODY
    ),
    "platform_key_revoked": dict.fromkeys(("id", "revoked_at"), NOBODY),
    "policy": dict.fromkeys(("digest", "body", "served_at"), NOBODY),
    "tile": dict.fromkeys(("cell", "level", "number", "hashes"), NOBODY),
    "webhook": dict.fromkeys(
        (
            "id",
            "version",
            "box",
            "position",
            "failures",
            "failing_since",
            "paused_until",
            "disabled",
            "claimed_until",
        ),
        NOBODY,
    ),
}
_COLUMNS = """
SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'twinlock'
"""


async def test_of_each_column_somebody_said_what_an_export_tells(database: TestDatabase) -> None:
    found = {(row["table_name"], row["column_name"]) for row in await database.fetch(_COLUMNS)}

    assert found == {(table, column) for table, columns in COLUMNS.items() for column in columns}


@pytest.mark.parametrize("table", COLUMNS)
def test_what_is_said_to_be_told_is_a_member_of_an_export(table: str) -> None:
    members = {
        *Exported.__struct_fields__,
        *(f"entries.{field}" for field in ExportedEntry.__struct_fields__),
        *(f"repeats.{field}" for field in Repeat.__struct_fields__),
    }
    told = {
        one
        for said in COLUMNS[table].values()
        if said not in (NAME, OURS, NOBODY, NOT_TOLD, NOT_COUNTED, NOT_SENT, SAID_BEFORE)
        for one in said.split(", ")
    }

    assert told <= members


def test_each_document_that_is_sealed_is_exported_or_is_nobody_s() -> None:
    modules = [
        importlib.import_module(f"{sql.__name__}.{one.name}")
        for one in pkgutil.iter_modules(sql.__path__)
    ]
    sealed = {
        value.type
        for module in modules
        for value in vars(module).values()
        # A union is of payloads, which entries hold: no document is one.
        if isinstance(value, msgspec.json.Decoder) and isinstance(value.type, type)
    }

    assert sealed >= set(ROOTS)
    assert {one for one in sealed - set(ROOTS) if one.__name__ != "_Leaf"} == {
        Endpoint,
        Followed,
        ToldStream,
        Waiting,
    }
