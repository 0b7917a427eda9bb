"""The forms of payloads that the browser is told are those of the gate."""

from typing import Any, get_args

import msgspec
import pytest
from msgspec.structs import fields

from twinlock.domain.actions import AnyPayload
from twinlock.domain.catalogue import CLASS_OF, ActionClass
from twinlock.domain.exits import EXITS
from twinlock.web.payload_forms import payload_forms

PAYLOADS: tuple[type[msgspec.Struct], ...] = get_args(AnyPayload)
FORMS: dict[str, Any] = payload_forms()["payloads"]


def test_every_payload_has_a_form_and_nothing_else_has() -> None:
    tags = {str(one.__struct_config__.tag) for one in PAYLOADS}

    assert set(payload_forms()["payloads"]) == tags == set(FORMS)
    assert {name for name, form in FORMS.items() if "exit" in form} == EXITS
    in_books = {name for name, form in FORMS.items() if "books" in form}
    assert EXITS - in_books == {"withdrawal.crypto", "withdrawal.fiat"}


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda one: str(one.__struct_config__.tag))
def test_a_form_has_every_member_and_what_may_be_left_out(payload: type[msgspec.Struct]) -> None:
    form = FORMS[str(payload.__struct_config__.tag)]
    omits = payload.__struct_config__.omit_defaults

    needed = [name for names in form["members"].values() for name in names]
    optional = [name for names in form.get("optional", {}).values() for name in names]
    assert sorted((*needed, *optional)) == sorted(one.name for one in fields(payload))
    left_out = {one.name: one.default for one in fields(payload) if omits and not one.required}
    assert form.get("defaults", {}) == left_out
    assert set(optional) == set(left_out)


def test_the_names_that_are_told_are_those_of_the_catalogue() -> None:
    told = payload_forms()

    built = set(FORMS) - {told["not_built"]}
    assert built | set(told["unbuilt"]) == set(CLASS_OF)
    assert built.isdisjoint(told["unbuilt"])
    exits = {name for name in built if "exit" in FORMS[name]} | set(told["unbuilt_exits"])
    assert exits == {name for name, kind in CLASS_OF.items() if kind is ActionClass.EXIT}
    assert told["unknown"] not in CLASS_OF
    assert told["not_built"] not in CLASS_OF
    assert told["spend_seconds"] < told["authorization_seconds"]
