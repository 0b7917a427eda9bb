"""What the script that verifies bundles in a browser is told of payloads, as the gate knows them.

Always true (tests/integration/test_web_payload_forms.py): every payload that the gate can read
has a form here, and no other name has one; so a new action needs no word in any script.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, get_args

import msgspec
from msgspec.structs import FieldInfo, fields

from twinlock.domain.actions import AnyPayload, NotBuilt
from twinlock.domain.addresses import AddressForm
from twinlock.domain.bounds import AUTHORIZATION_LIFETIME, SPEND_LIFETIME
from twinlock.domain.catalogue import CLASS_OF, UNKNOWN_TYPE, ActionClass
from twinlock.domain.exits import Exit

# Every kind of member that a payload has, and the word for it in the script.
_KINDS: Mapping[object, str] = MappingProxyType(
    {
        str: "text",
        int: "whole",
        bool: "truth",
        int | None: "whole or none",
        tuple[str, ...]: "texts",
        tuple[tuple[str, str], ...]: "pairs",
    }
)


def _by_kind(members: Iterable[FieldInfo]) -> dict[str, list[str]]:
    found = dict[str, list[str]]()
    for one in members:
        kind = _KINDS[getattr(one.type, "__supertype__", one.type)]
        found.setdefault(kind, []).append(one.name)
    return found


def _form(payload: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the members of one payload; a default that is left out may not be spelled out."""
    left_out = [
        one
        for one in fields(payload)
        if payload.__struct_config__.omit_defaults and not one.required
    ]
    form = {
        "members": _by_kind(one for one in fields(payload) if one not in left_out),
        "optional": _by_kind(left_out),
        "defaults": {one.name: one.default for one in left_out},
        "exit": issubclass(payload, Exit),
        "books": hasattr(payload, "books"),
    }
    return {name: value for name, value in form.items() if value}


def payload_forms() -> dict[str, Any]:
    """Return the forms by type, and what else of the gate's own words a verifier needs."""
    payloads = {str(one.__struct_config__.tag): _form(one) for one in get_args(AnyPayload)}
    unbuilt = {name: kind for name, kind in CLASS_OF.items() if name not in payloads}
    return {
        "payloads": payloads,
        "unbuilt": sorted(unbuilt),
        "not_built": str(NotBuilt.__struct_config__.tag),
        "unknown": UNKNOWN_TYPE,
        "unbuilt_exits": sorted(name for name, kind in unbuilt.items() if kind is ActionClass.EXIT),
        "addresses": [one.value for one in AddressForm],
        "spend_seconds": int(SPEND_LIFETIME.total_seconds()),
        "authorization_seconds": int(AUTHORIZATION_LIFETIME.total_seconds()),
    }
