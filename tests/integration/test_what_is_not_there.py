"""What a standard forbids, looked for wherever it could be: none of it is there."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest
import typer
from support.service import PASSWORD, Customer, Service
from typer.core import TyperGroup

from twinlock.cli.main import app as program
from twinlock.client import ProblemError
from twinlock.domain.actions import BUILT
from twinlock.domain.assurance import Factor
from twinlock.domain.catalogue import CLASS_OF, ActionClass
from twinlock.domain.channels import ChannelKind
from twinlock.domain.drafts import Draft
from twinlock.domain.requirements import Answer
from twinlock.services.proving.checking import Reply

# Whatever a customer can show, and nothing else: each is something known or something had.
# A channel's code confirms the channel, and proves nothing.
SHOWN = {
    *("password", "email_code", "sms_code", "totp", "passkey", "recovery_code"),
    *("session", "api_key", "channel_code"),
    Factor.TRUSTED_CONTACT,
    Factor.MEMBER,
}
SECRET_QUESTION = re.compile(r"question|hint|maiden|pet_|security_answer|memorable")
OF_A_FACE = re.compile(r"face|selfie|liveness|photo|image|video|voice|biometric|document")
APPROVED: tuple[dict[str, Any], ...] = ({}, {"secret": ""}, {"secret": "approve"}, {"secret": "42"})


def words(told: object) -> Iterator[str]:
    """Return each name in a JSON schema: of properties, of paths, and of listed values."""
    match told:
        case dict():
            for key, value in told.items():
                if key in ("properties", "paths"):
                    yield from value
                if key == "enum":
                    yield from (str(one) for one in value)
                yield from words(value)
        case list():
            for one in told:
                yield from words(one)
        case _:
            return


def fields() -> set[str]:
    """Return the names of whatever an action can be asked with, and of what is answered."""
    forms = (*get_args(Draft), Reply)
    return {field.name for form in forms for field in msgspec.structs.fields(form)}


def commands() -> dict[str, set[str]]:
    """Return each command with the names of its options and arguments."""
    found: dict[str, set[str]] = {}
    left: list[tuple[str, Any]] = [("twinlock", typer.main.get_command(program))]
    while left:
        name, one = left.pop()
        if isinstance(one, TyperGroup):
            where = typer.Context(one, info_name=name)
            left += [(f"{name} {x}", one.get_command(where, x)) for x in one.list_commands(where)]
        else:
            found[name] = {str(option.name) for option in one.params}
    return found


async def whatever_can_be_said(service: Service) -> set[str]:
    described = (await service.http.get("/openapi/openapi.json")).json()
    options = {one for names in commands().values() for one in names}
    return {*words(described), *fields(), *options, *CLASS_OF, *Factor, *ChannelKind}


@pytest.mark.requirement("O-07")
async def test_there_are_no_secret_questions(service: Service) -> None:
    said = await whatever_can_be_said(service)

    assert set(Factor) == SHOWN
    assert {"challenge_id", "factor", "spend_id", "password", "signed_by"} <= said  # It sees all.
    assert [one for one in said if SECRET_QUESTION.search(one)] == []


@pytest.mark.requirement("N-B19", "N-B22")
async def test_nothing_takes_a_face_a_voice_or_a_document(service: Service) -> None:
    """So no face opens anything, in authentication or in a recovery from afar."""
    said = await whatever_can_be_said(service)

    assert [one for one in said if OF_A_FACE.search(one)] == []


@pytest.mark.requirement("N-B19", "N-B22")
@pytest.mark.parametrize("kind", ["recovery.open", "recovery.complete"])
@pytest.mark.parametrize("payload", [{}, {"face": "aaaa"}, {"document_image": "aaaa"}])
async def test_no_recovery_is_offered_from_afar(
    service: Service, kind: str, payload: dict[str, str]
) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    told = await alice.propose(kind, payload)

    assert kind not in BUILT
    assert (told.answer, told.state) == (Answer.DENY, "refused")
    assert told.why[0].code == "action_not_built"


# --- Pressing "approve" ---


@pytest.mark.requirement("N-B07")
@pytest.mark.parametrize("factor", sorted(Factor))
async def test_to_approve_without_handing_something_over_gives_nothing(
    service: Service, factor: str
) -> None:
    alice = Customer(service, "alice")
    await alice.open("email", "sms", "desktop")
    await alice.bind_password()
    await alice.bind_totp()
    await alice.bind_passkey()
    action = await alice.propose("freeze.set")  # What takes the least proof of all.
    named = ""
    if factor in ("passkey", "email_code", "sms_code"):
        asked = await service.client.ask(action.action_id, {"factor": factor})
        named = asked["challenge_id"]
    for more in APPROVED:
        reply = {"factor": factor, "challenge_id": named, **more}
        with pytest.raises(ProblemError) as told:
            await service.client.prove(action.action_id, reply)
        assert told.value.code == "proof_refused"

    assert (await service.client.action(action.action_id)).answer is Answer.CHALLENGE


@pytest.mark.requirement("N-B07")
@pytest.mark.parametrize("factor", ["email_code", "sms_code"])
async def test_the_program_off_the_phone_is_told_and_never_asked(
    service: Service, factor: str
) -> None:
    alice = Customer(service, "alice")
    await alice.open("desktop")
    await alice.bind_password()
    action = await alice.propose("freeze.set")
    question = {"factor": factor, "channel_id": alice.channels["desktop"]}
    with pytest.raises(ProblemError) as told:
        await service.client.ask(action.action_id, question)

    assert told.value.code == "proof_refused"


# --- Whoever runs it ---


@pytest.mark.requirement("O-10")
def test_no_command_touches_a_customers_password() -> None:
    typed = commands()
    of_customers = {"account", "account_id", "customer", "member", "password", "email", "phone"}
    found = {name: names & of_customers for name, names in typed.items()}

    assert len(typed) > 20  # The walk sees them all.
    # What is kept of somebody is looked at and kept; no command changes how they prove.
    assert {name: names for name, names in found.items() if names} == {
        "twinlock export": {"account"},
        "twinlock legal-hold set": {"account"},
        "twinlock legal-hold lift": {"account"},
        "twinlock suspend": {"account"},
        "twinlock release": {"account"},
    }


@pytest.mark.requirement("O-10")
async def test_no_member_of_staff_does_anything(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    staff = [kind for kind, cls in CLASS_OF.items() if cls is ActionClass.STAFF]
    told = [await alice.propose(kind, {"password": "a password of ours"}) for kind in staff]

    assert len(staff) == 4
    assert {one.state for one in told} == {"refused"}


@pytest.mark.requirement("O-10")
async def test_a_platform_with_every_scope_sets_no_password(service: Service) -> None:
    """Nor with the session of a customer who looks on: it takes the customer's own proof."""
    alice = Customer(service, "alice")
    await alice.set_up()
    chosen = "a password that the platform chose"
    told = await alice.propose("password.change", {"password": chosen})
    bound = {"authenticator": "password", "password": chosen}
    with pytest.raises(ProblemError) as malformed:
        await alice.propose("authenticator.bind", bound)
    assert (told.answer, malformed.value.code) == (Answer.CHALLENGE, "malformed")
    service.clock.forward(days=8)
    freeze = await alice.propose("freeze.set")
    with pytest.raises(ProblemError) as refused:
        await alice.with_secret(freeze.action_id, "password", chosen)

    assert refused.value.fault == "password_wrong"
    assert (await alice.with_secret(freeze.action_id, "password", PASSWORD)).state == "done"
