"""AuthZEN's questions: may this account do that now? Asked of the gate itself, and forgotten.

Always true (tests/integration/test_api_authzen.py): a question is decided by ``gate.decide`` on
the account as it stands, and nothing of it is kept, told or begun; its yes is no authorization, and
spends nothing. Decisions are closed: whatever cannot be answered is no.

Source: OpenID Authorization API 1.0 (AuthZEN), 5 to 7: subject, action, resource, context. Members
that it does not know are not looked at, except in a resource's properties, which are the draft of
an action and as strict as one.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias, assert_never

import msgspec
from msgspec import Meta

from twinlock.domain.account import Account
from twinlock.domain.actions import SessionStart
from twinlock.domain.answers import Why, explain
from twinlock.domain.assurance import BESIDE, Factor, Level, level_of
from twinlock.domain.authenticators.model import factor_of
from twinlock.domain.bounds import EVALUATIONS_MOST
from twinlock.domain.catalogue import ActionType
from twinlock.domain.decisions import Decided
from twinlock.domain.drafts import Cents
from twinlock.domain.errors import MalformedError, TwinlockError
from twinlock.domain.exits import PlatformExit
from twinlock.domain.requirements import (
    AllOf,
    Answer,
    AnyOf,
    Approvals,
    Never,
    Prove,
    Requirement,
    WaitUntil,
    ask_again_at,
)
from twinlock.domain.sessions import SignedDraft
from twinlock.domain.step_up import MAX_AGE, acr_of, acr_values, shown_for

ACCOUNT = "account"  # The type of every subject.
NOTE = "Asked without acting. Only an action that was proposed, proved and spent authorizes."
Word = Annotated[str, Meta(min_length=1, max_length=256)]


class Semantic(StrEnum):
    """How far a list of questions is answered."""

    EXECUTE_ALL = "execute_all"
    DENY_ON_FIRST_DENY = "deny_on_first_deny"
    PERMIT_ON_FIRST_PERMIT = "permit_on_first_permit"


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Who: ``type`` is ``account`` and ``id`` an account's. Its properties are not looked at."""

    type: Word
    id: Word


class ActionName(msgspec.Struct, frozen=True, kw_only=True):
    """What: the type of an action (docs/actions.md)."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """On what: ``properties`` are the fields of the action's payload but the one that ``id`` is."""

    type: Word
    id: Word
    properties: dict[str, Any] = {}


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What else: the platform's figure, and a device's signature of the proposal that it would be.

    ``idempotency_key`` is the one of that proposal, which the device signed with.
    """

    value_cents: Cents = 0
    session: SignedDraft | None = None
    idempotency_key: Annotated[str, Meta(max_length=128)] = ""


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One question."""

    subject: Subject
    action: ActionName
    resource: Resource
    context: Context = Context()


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One question of a list; what it leaves out is as the list says."""

    subject: Subject | None = None
    action: ActionName | None = None
    resource: Resource | None = None
    context: Context | None = None


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a list is answered."""

    evaluations_semantic: Semantic = Semantic.EXECUTE_ALL


class Evaluations(msgspec.Struct, frozen=True, kw_only=True):
    """A list of questions, with what they have in common; without a list it is one question."""

    subject: Subject | None = None
    action: ActionName | None = None
    resource: Resource | None = None
    context: Context | None = None
    evaluations: Annotated[tuple[Asked, ...], Meta(max_length=EVALUATIONS_MOST)] = ()
    options: Options = Options()


class ProveObligation(msgspec.Struct, frozen=True, kw_only=True, tag_field="need", tag="prove"):
    """Proofs must reach ``level`` (``acr`` is its name), from so many different ``roots``.

    All of ``factors`` are among them. ``enrolled`` are the kinds that this account has, of which
    one alone, or beside the password, reaches it; not all need be read for this action. What a new
    channel was sent, or a contact agrees to, reaches none, so it has no name, and nothing that is
    enrolled is one.
    """

    code: str
    level: Level
    acr: str
    roots: int
    factors: tuple[Factor, ...]
    enrolled: tuple[Factor, ...]


class WaitObligation(msgspec.Struct, frozen=True, kw_only=True, tag_field="need", tag="wait"):
    """Nothing takes effect before ``until`` (UTC)."""

    code: str
    until: datetime


class ApprovalsObligation(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="need", tag="approvals"
):
    """So many members of staff agree."""

    code: str
    count: int


class NeverObligation(msgspec.Struct, frozen=True, kw_only=True, tag_field="need", tag="never"):
    """Nothing lifts this; ``until`` says when it would lapse."""

    code: str
    until: datetime | None = None


class AnyObligation(msgspec.Struct, frozen=True, kw_only=True, tag_field="need", tag="any_of"):
    """One of the options is enough."""

    options: tuple["Obligation", ...]


class AllObligation(msgspec.Struct, frozen=True, kw_only=True, tag_field="need", tag="all_of"):
    """All parts are needed."""

    parts: tuple["Obligation", ...]


Obligation: TypeAlias = (
    ProveObligation
    | WaitObligation
    | ApprovalsObligation
    | NeverObligation
    | AnyObligation
    | AllObligation
)


class StepUp(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of an RFC 9470 challenge: one of ``acr_values`` is enough, shown now."""

    acr_values: str
    max_age: int = MAX_AGE


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a question has no answer of the gate: as a problem of the API would say it."""

    status: int
    code: str
    message: str


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What stands beside a decision. ``authorizes`` is false, always: nothing was authorized."""

    authorizes: Literal[False]
    note: str
    answer: Answer | None = None
    digest: str = ""
    reasons: tuple[Why, ...] = ()
    obligations: Obligation | None = None
    until: datetime | None = None
    step_up: StepUp | None = None
    error: Refusal | None = None


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the gate would say yes right now, and what stands in the way."""

    decision: bool
    context: Told


class EvaluatedAll(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answers to a list, in its order; or to one question, as one answer."""

    evaluations: tuple[Evaluated, ...] = ()
    decision: bool | None = None
    context: Told | None = None


# Of each type of action: the type of its resource, and the field of its draft that the id is.
_RESOURCES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        ActionType.WITHDRAWAL_CRYPTO: ("destination", "address"),
        ActionType.WITHDRAWAL_FIAT: ("destination", "address"),
        ActionType.TRANSFER_INTERNAL: ("destination", "counterparty"),
        ActionType.TRANSFER_SUBACCOUNT: ("destination", "subaccount"),
        ActionType.P2P_RELEASE: ("destination", "counterparty"),
        ActionType.GIFT_SEND: ("destination", "counterparty"),
        ActionType.CARD_PAY: ("destination", "card"),
        ActionType.TRADE_UNUSUAL: ("destination", "pair"),
        ActionType.LOAN_COLLATERAL: ("destination", "loan"),
        ActionType.DERIVATIVE_OPEN: ("destination", "product"),
        ActionType.MARGIN_OPEN: ("destination", "product"),
        ActionType.STAKING_START: ("destination", "product"),
        ActionType.CONVERT_EXECUTE: ("destination", "product"),
        ActionType.DESTINATION_ADD: ("destination", "address"),
        ActionType.DESTINATION_REMOVE: ("destination", "address"),
        ActionType.AUTHENTICATOR_REMOVE: ("authenticator", "authenticator_id"),
        ActionType.AUTHENTICATOR_SUSPEND: ("authenticator", "authenticator_id"),
        ActionType.AUTHENTICATOR_REACTIVATE: ("authenticator", "authenticator_id"),
        ActionType.AUTHENTICATOR_REPUDIATE: ("authenticator", "authenticator_id"),
        ActionType.CONTACT_CHANGE: ("channel", ""),
        ActionType.CONTACT_REPUDIATE: ("channel", "channel_id"),
        ActionType.API_KEY_CREATE: ("api_key", "public_key"),
        ActionType.API_KEY_WIDEN: ("api_key", "api_key_id"),
        ActionType.API_KEY_NARROW: ("api_key", "api_key_id"),
        ActionType.API_KEY_REVOKE: ("api_key", "api_key_id"),
        ActionType.SESSION_START: ("device", ""),
        ActionType.TRUSTED_CONTACT_ADD: (ACCOUNT, ""),
        ActionType.TRUSTED_CONTACT_REMOVE: ("trusted_contact", "contact_id"),
        ActionType.MEMBER_ADD: (ACCOUNT, ""),
        ActionType.MEMBER_REMOVE: ("member", "member_id"),
        ActionType.QUORUM_TIGHTEN: (ACCOUNT, ""),
        ActionType.QUORUM_LOOSEN: (ACCOUNT, ""),
        ActionType.NOTICE_WORD_SET: (ACCOUNT, ""),
        ActionType.LIMIT_RAISE: (ACCOUNT, ""),
        ActionType.LIMIT_LOWER: (ACCOUNT, ""),
        ActionType.LOCK_TIGHTEN: (ACCOUNT, ""),
        ActionType.LOCK_LOOSEN: (ACCOUNT, ""),
        ActionType.FREEZE_SET: (ACCOUNT, ""),
        ActionType.FREEZE_LIFT: (ACCOUNT, ""),
        ActionType.ACCOUNT_ERASE: (ACCOUNT, ""),
    }
)


def questions(asked: Evaluations) -> tuple[Evaluation | MalformedError, ...]:
    """Return each question of a list with what it takes from the list, or why it is none."""
    return tuple(_whole(one, asked) for one in asked.evaluations)


def only(asked: Evaluations) -> Evaluation:
    """Return the one question of a request without a list. Raises MalformedError."""
    found = _whole(Asked(), asked)
    if isinstance(found, MalformedError):
        raise found
    return found


def _whole(one: Asked, common: Evaluations) -> Evaluation | MalformedError:
    subject = one.subject or common.subject
    action = one.action or common.action
    resource = one.resource or common.resource
    if subject is None or action is None or resource is None:
        return MalformedError("a question has a subject, an action and a resource")
    context = one.context or common.context or Context()
    return Evaluation(subject=subject, action=action, resource=resource, context=context)


def is_last(semantic: Semantic, *, decision: bool) -> bool:
    """Say whether a list is answered no further after this ``decision``."""
    match semantic:
        case Semantic.EXECUTE_ALL:
            return False
        case Semantic.DENY_ON_FIRST_DENY:
            return not decision
        case Semantic.PERMIT_ON_FIRST_PERMIT:
            return decision
        case _:
            assert_never(semantic)


def draft_of(asked: Evaluation) -> dict[str, Any]:
    """Return the draft that a question's resource is.

    Raises:
        MalformedError: another type of subject or resource than the action's, or an id that says
            something else than the properties.
    """
    if asked.subject.type != ACCOUNT:
        raise MalformedError(f"a subject is of the type {ACCOUNT}")
    draft, resource = dict(asked.resource.properties), asked.resource
    known = _RESOURCES.get(asked.action.name)
    if known is None:
        return draft
    kind, field = known
    if resource.type != kind:
        raise MalformedError(f"the resource of {asked.action.name} is of the type {kind}")
    if kind == ACCOUNT and resource.id != asked.subject.id:
        raise MalformedError("the resource is another account than the subject")
    ends = (draft.get("channel_id"), draft.get("address"))
    if asked.action.name == ActionType.CONTACT_CHANGE and resource.id not in ends:
        raise MalformedError("the id of a channel is the old one's, or the address of the new one")
    if field and draft.setdefault(field, resource.id) != resource.id:
        raise MalformedError(f"the resource's id and its {field} differ")
    return draft


def check_resource(asked: Evaluation, payload: object) -> None:
    """Check that the resource is what a payload says that no field of its draft names as such.

    That is the thumbprint of a device's key, and where a registered exit leads. Prevents: a yes for
    one place, told of another.

    Raises:
        MalformedError: it is something else.
    """
    if isinstance(payload, SessionStart) and payload.device != asked.resource.id:
        raise MalformedError("the id of a device is its key's RFC 7638 thumbprint")
    if isinstance(payload, PlatformExit):
        leads = ("destination", f"{payload.exit}/{asked.resource.id}")
        if leads != (asked.resource.type, payload.place):
            raise MalformedError(f"the resource of {payload.exit} is the destination it leads to")


def evaluated(decided: Decided) -> Evaluated:
    """Return what to tell of a decision that nobody keeps."""
    decision = decided.answer
    allowed = decision.answer is Answer.ALLOW
    missing = decision.requirement
    values = acr_values(missing)
    return Evaluated(
        decision=allowed,
        context=Told(
            authorizes=False,
            note=NOTE,
            answer=decision.answer,
            digest=decision.digest,
            reasons=explain(missing),
            obligations=None if allowed else _obligation(missing, decided.state.account),
            until=ask_again_at(missing),
            step_up=StepUp(acr_values=" ".join(values)) if values else None,
        ),
    )


def unanswered(error: TwinlockError) -> Evaluated:
    """Return the no to a question that makes no sense: decisions are closed."""
    refusal = Refusal(status=error.status, code=error.code, message=str(error))
    return Evaluated(decision=False, context=Told(authorizes=False, note=NOTE, error=refusal))


def _obligation(requirement: Requirement, account: Account) -> Obligation:
    match requirement:
        case Prove(code=code, level=level, roots=roots, factors=factors):
            shown = shown_for(requirement)
            named = BESIDE.isdisjoint(factors)
            return ProveObligation(
                code=code,
                level=level,
                acr=acr_of(shown.level, roots=roots, password=shown.password) if named else "",
                roots=roots,
                factors=factors,
                enrolled=_enrolled(account, shown.level) if named else (),
            )
        case WaitUntil(code=code, until=until):
            return WaitObligation(code=code, until=until)
        case Approvals(code=code, count=count):
            return ApprovalsObligation(code=code, count=count)
        case Never(code=code, until=lapses):
            return NeverObligation(code=code, until=lapses)
        case AnyOf(options=options):
            return AnyObligation(options=tuple(_obligation(one, account) for one in options))
        case AllOf(parts=parts):
            return AllObligation(parts=tuple(_obligation(one, account) for one in parts))
        case _:
            assert_never(requirement)


def _enrolled(account: Account, level: Level) -> tuple[Factor, ...]:
    """Return the kinds that the account has and that reach ``level``, the weakest first."""
    has = {factor_of(one) for one in account.authenticators}
    codes = {"email": Factor.EMAIL_CODE, "sms": Factor.SMS_CODE}
    if account.floor <= Level.OUT_OF_BAND:  # Law 4: they add nothing beside anything stronger.
        has |= {codes[one.kind] for one in account.channels if one.takes_codes}
    reach = (one for one in has if level_of(one) >= level)
    return tuple(sorted(reach, key=lambda one: (level_of(one), one)))
