"""The pages of trusted contacts and members: taking up an invitation, and agreeing to one thing.

Whoever agrees reads what they agree to and nothing else of the account: not what else is missing,
nor what was shown. A member, whose account it is, reads too who asked, who agreed, and how long it
waits then. The link does not tell the action's id, which leads to the page of who asks.
"""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from twinlock.domain.account import ActionUnknownError
from twinlock.domain.actions import payload_bytes
from twinlock.domain.assurance import Factor
from twinlock.domain.bounds import CONTACT_WAIT, MEMBER_WAIT
from twinlock.domain.catalogue import ActionType
from twinlock.domain.concluding import facts_of
from twinlock.domain.decisions import judge_facts
from twinlock.domain.entries import ClosedAction
from twinlock.domain.errors import present
from twinlock.domain.member_laws import enough, members_needed
from twinlock.domain.members import FIRST_MEMBER, agreed
from twinlock.domain.policy.facts import Facts
from twinlock.domain.requirements import Answer, waits_until
from twinlock.domain.waits import lapses_at
from twinlock.services.actions.proposing import Proposal, Repeated
from twinlock.services.looking import Standing
from twinlock.services.proving.checking import Reply
from twinlock.services.proving.taking import Question
from twinlock.web.forms import Signed, Wanted
from twinlock.web.payloads import Known, tell_payload
from twinlock.web.rendering import Renderer
from twinlock.web.serving import ACTOR, Pages, known_to
from twinlock.web.sheets import worth_knowing


class Made(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new passkey, as ``PublicKeyCredential.toJSON`` gives it."""

    response: dict[str, Any]


_JOINS = {
    Factor.TRUSTED_CONTACT: ActionType.TRUSTED_CONTACT_ADD,
    Factor.MEMBER: ActionType.MEMBER_ADD,
}


# --- Taking up an invitation ---


@get("/invited/{account_id:str}/{candidate_id:str}")
async def invited(
    pages: NamedDependency[Pages],
    renderer: NamedDependency[Renderer],
    account_id: FromPath[str],
    candidate_id: FromPath[str],
) -> Response[str]:
    """Tell what a trusted contact, or a member, does before somebody becomes one."""
    found = await pages.agreements.invited(account_id, candidate_id)
    options = msgspec.json.encode(found.options).decode("utf-8")
    if found.factor is Factor.MEMBER:
        return renderer.page(
            "invited_member.html", invited=found, options=options, wait=MEMBER_WAIT
        )
    return renderer.page("invited.html", invited=found, options=options, wait=CONTACT_WAIT)


@post("/invited/{account_id:str}/{candidate_id:str}/passkey")
async def take_up(
    pages: NamedDependency[Pages],
    renderer: NamedDependency[Renderer],
    account_id: FromPath[str],
    candidate_id: FromPath[str],
    data: JSONBody[Made],
) -> Response[object]:
    """Take the new passkey; who invited proves then that this is who was meant."""
    found = await pages.agreements.invited(account_id, candidate_id)
    said = await pages.actions.propose(
        Proposal(
            account_id=found.account_id,
            type=_JOINS[found.factor],
            payload={"candidate_id": found.candidate_id, "response": data.response},
        ),
        named=found.account_id,
        actor=ACTOR,
        idempotency=pages.once(),
    )
    if isinstance(said, Repeated) or said.answer is Answer.DENY:
        return renderer.json({"taken": False})
    pages.count(said)
    return renderer.json({"taken": True})


# --- Agreeing ---


@get("/agree/{account_id:str}/{token:str}")
async def ask_agreement(
    pages: NamedDependency[Pages],
    renderer: NamedDependency[Renderer],
    account_id: FromPath[str],
    token: FromPath[str],
) -> Response[str]:
    """Show what would be agreed to."""
    action_id, factor = await pages.agreements.asked(account_id, token)
    found = _open(await pages.looking.stand(action_id))
    payload = found.action.payload
    facts = facts_of(found.state, found.action, rules=found.rules, now=found.now)
    known = Known(policy=pages.policy, own=False)
    if factor is Factor.MEMBER:
        listed = await known_to(pages, found.action)
        known = Known(policy=pages.policy, account=found.state.account, listed=listed)
    return renderer.page(
        "agree.html",
        path=f"/agree/{account_id}/{token}",
        told=tell_payload(payload, known),
        worth_knowing=worth_knowing(payload, facts, own=False),
        exact_of=payload_bytes(payload).decode("utf-8"),
        digest=found.action.digest,
        agreed=facts.agreed if factor is Factor.TRUSTED_CONTACT else enough(facts),
        by=lapses_at(found.action),
        several=_several(found, facts) if factor is Factor.MEMBER else None,
    )


class Several(msgspec.Struct, frozen=True, kw_only=True):
    """What members are told of how an action of one of them stands.

    ``asked_by`` and ``agreed_by`` are names, ``needed`` how many agree, who asks being one. It then
    waits until ``until`` at the earliest, None where no wait is known.
    """

    asked_by: str
    agreed_by: tuple[str, ...]
    needed: int
    until: datetime | None
    wait: timedelta | None


def _several(found: Standing, facts: Facts) -> Several:
    account, now = found.state.account, found.now
    names = {one.member_id: one.name for one in account.members}
    until = waits_until(judge_facts(facts, rules=found.rules))
    return Several(
        asked_by=names.get(found.action.member_id, FIRST_MEMBER),
        agreed_by=tuple(names.get(one, FIRST_MEMBER) for one in agreed(account, found.action)),
        needed=members_needed(facts),
        until=until,
        wait=None if until is None else until - now,
    )


def _open(found: Standing | ClosedAction) -> Standing:
    if isinstance(found, ClosedAction):
        raise ActionUnknownError("this link leads to nothing any more")
    return found


@post("/agree/{account_id:str}/{token:str}/challenge")
async def agreement_challenge(
    pages: NamedDependency[Pages],
    renderer: NamedDependency[Renderer],
    account_id: FromPath[str],
    token: FromPath[str],
    data: JSONBody[Wanted],  # noqa: ARG001 - read to the end, and refused where it is another
) -> Response[object]:
    """Put a question to who may agree: what the browser hands to the authenticator."""
    action_id, factor = await pages.agreements.asked(account_id, token)
    question = Question(factor=factor)
    asked = await pages.proving.ask(action_id, question, actor=ACTOR, idempotency=pages.once())
    return renderer.json({"challenge_id": asked.challenge_id, "options": asked.options})


@post("/agree/{account_id:str}/{token:str}/assertion")
async def agree(
    pages: NamedDependency[Pages],
    renderer: NamedDependency[Renderer],
    account_id: FromPath[str],
    token: FromPath[str],
    data: JSONBody[Signed],
) -> Response[object]:
    """Take their signature. Only that it was taken is told: the rest is for who asks."""
    action_id, factor = await pages.agreements.asked(account_id, token)
    reply = Reply(factor=factor, challenge_id=data.challenge_id, response=data.response)
    given = await pages.proving.prove(action_id, reply, actor=ACTOR, idempotency=pages.once())
    pages.count(present(given, "nothing stands under a fresh idempotency key"))
    return renderer.json({"taken": True})


CONTACT_PAGES = (invited, ask_agreement)
CONTACT_ANSWERS = (take_up, agreement_challenge, agree)
