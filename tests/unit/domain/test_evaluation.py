"""AuthZEN's questions as the gate's drafts, and its decisions as AuthZEN's answers."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from support.cast import NOON

from twinlock.domain.account import Account, Chain, State
from twinlock.domain.actions import BUILT, FreezeSet, SessionStart
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.authenticators.model import Authenticator, Password, Totp
from twinlock.domain.catalogue import ActionType
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.decisions import Decided, Decision
from twinlock.domain.errors import AccountUnknownError, MalformedError
from twinlock.domain.evaluation import (
    Asked,
    Context,
    Evaluation,
    Evaluations,
    Semantic,
    check_resource,
    draft_of,
    evaluated,
    is_last,
    only,
    questions,
    unanswered,
)
from twinlock.domain.exits import PlatformExit
from twinlock.domain.ids import AccountId, AuthenticatorId, ChannelId, MemberId
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    Answer,
    Approvals,
    Never,
    Prove,
    Requirement,
    WaitUntil,
    all_of,
    answer,
    any_of,
)
from twinlock.domain.step_up import MAX_AGE

ALICE = AccountId("acc_" + "a" * 26)
COMMON: dict[str, Any] = {
    "authenticator_id": AuthenticatorId("aut_x"),
    "member_id": MemberId("mem_x"),
    "bound_at": NOON,
    "entry": 0,
}
PASSWORD = Password(verifier="", **COMMON)
APP = Totp(seed="", last_step=0, **COMMON)


def account(*bound: Authenticator, channels: tuple[ChannelKind, ...] = ()) -> Account:
    return Account(
        account_id=ALICE,
        member_id=MemberId("mem_x"),
        opened_at=NOON,
        chain=Chain(label_key=""),
        authenticators=bound,
        channels=tuple(
            Channel(channel_id=ChannelId("chn_x"), kind=kind, address="a@b", bound_at=NOON)
            for kind in channels
        ),
    )


def told(missing: Requirement, at: Account) -> Any:  # noqa: ANN401 - JSON as a caller reads it
    decision = Decision(
        kind="freeze.set", action_id="", answer=answer(missing), requirement=missing, digest="d"
    )
    found = evaluated(Decided(decisions=(decision,), states=(State(account=at),)))
    return msgspec.json.decode(msgspec.json.encode(found))


def asking(action: str, resource: str, named: str, **properties: object) -> Evaluation:
    return msgspec.convert(
        {
            "subject": {"type": "account", "id": ALICE},
            "action": {"name": action},
            "resource": {"type": resource, "id": named, "properties": properties},
        },
        Evaluation,
    )


def test_every_kind_of_leaf_is_an_obligation_and_choices_stay_choices() -> None:
    code = Reason.PROOF_NOT_BOUND
    later = NOON + timedelta(days=1)
    missing = all_of(
        any_of(
            Prove(code=code, level=Level.POSSESSION, roots=2, factors=(Factor.PASSWORD,)),
            WaitUntil(code=code, until=later),
        ),
        Approvals(code=code, count=2),
    )
    context = told(missing, account(PASSWORD, APP))["context"]

    choice, approvals = context["obligations"]["parts"]
    assert context["obligations"]["need"] == "all_of"
    assert choice["need"] == "any_of"
    assert choice["options"][0] == {
        "need": "prove",
        "code": code,
        "level": 3,
        "acr": "urn:twinlock:acr:possession:2_roots:password",
        "roots": 2,
        "factors": ["password"],
        "enrolled": ["totp"],
    }
    told_until = later.isoformat().replace("+00:00", "Z")
    assert choice["options"][1] == {"need": "wait", "code": code, "until": told_until}
    assert approvals == {"need": "approvals", "code": code, "count": 2}
    assert context["answer"] == Answer.REVIEW


def test_what_nothing_lifts_is_told_too() -> None:
    never = Never(code=Reason.THROTTLED, until=NOON)
    context = told(never, account())["context"]

    assert context["obligations"]["need"] == "never"
    assert [one["code"] for one in context["reasons"]] == ["throttled"]
    assert context["obligations"]["until"] == NOON.isoformat().replace("+00:00", "Z")
    assert context["answer"] == Answer.DENY
    assert "step_up" not in context


def test_a_wait_beside_what_nothing_lifts_has_no_end_to_come_back_at() -> None:
    wait = WaitUntil(code=Reason.DESTINATION_NEW, until=NOON)
    context = told(all_of(wait, Never(code=Reason.ABOVE_PLATFORM_LIMIT)), account())["context"]

    assert "until" not in context
    assert [one["need"] for one in context["obligations"]["parts"]] == ["wait", "never"]


def test_a_wait_is_told_with_its_end_and_a_choice_of_proofs_as_one_challenge() -> None:
    later = NOON + timedelta(days=1)
    missing = all_of(
        any_of(
            Prove(code=Reason.PROOF_NEEDED, level=Level.PHISHING_RESISTANT),
            Prove(code=Reason.SECOND_ROOT_NEEDED, level=Level.POSSESSION, roots=2),
        ),
        WaitUntil(code=Reason.LOOSENING_WAITS, until=later),
    )
    context = told(missing, account(PASSWORD, APP))["context"]

    assert context["until"] == later.isoformat().replace("+00:00", "Z")
    assert context["step_up"] == {
        "acr_values": ("urn:twinlock:acr:possession:2_roots urn:twinlock:acr:phishing_resistant"),
        "max_age": MAX_AGE,
    }


def test_a_yes_has_no_obligations_and_authorizes_nothing() -> None:
    found = told(NOTHING, account())

    assert found["decision"] is True
    assert found["context"]["authorizes"] is False
    assert found["context"].keys() == {"authorizes", "note", "answer", "digest"}


@pytest.mark.parametrize(
    ("bound", "channels", "level", "factors"),
    [
        ((PASSWORD,), ("email", "sms"), Level.OUT_OF_BAND, ["email_code", "sms_code"]),
        ((PASSWORD,), ("desktop",), Level.KNOWLEDGE, ["password"]),
        ((PASSWORD,), ("email",), Level.KNOWLEDGE, ["password", "email_code"]),
        ((PASSWORD, APP), ("email", "sms"), Level.OUT_OF_BAND, ["totp"]),
        ((PASSWORD,), ("email",), Level.PHISHING_RESISTANT, []),
        ((), ("email",), Level.OUT_OF_BAND, ["email_code"]),
    ],
)
def test_the_factors_of_an_obligation_are_those_that_the_account_has_and_that_count(
    bound: tuple[Authenticator, ...], channels: tuple[str, ...], level: Level, factors: list[str]
) -> None:
    at = account(*bound, channels=tuple(map(ChannelKind, channels)))
    prove = Prove(code=Reason.PROOF_NOT_BOUND, level=level)

    assert told(prove, at)["context"]["obligations"]["enrolled"] == factors


def test_the_code_of_a_new_channel_has_no_name_and_is_nothing_that_is_enrolled() -> None:
    missing = Prove(
        code=Reason.CHANNEL_UNCONFIRMED, level=Level.NONE, factors=(Factor.CHANNEL_CODE,)
    )
    context = told(missing, account(PASSWORD, APP))["context"]

    obligation = context["obligations"]
    assert (obligation["acr"], obligation["enrolled"]) == ("", [])
    assert obligation["factors"] == ["channel_code"]
    assert "step_up" not in context


def test_what_has_no_answer_is_no() -> None:
    found = unanswered(AccountUnknownError("no such account"))

    assert found.decision is False
    assert found.context.error is not None
    assert (found.context.error.status, found.context.error.code) == (404, "account_not_found")
    assert found.context.error.message == "no such account"


@pytest.mark.parametrize(
    ("semantic", "yes", "no"),
    [
        (Semantic.EXECUTE_ALL, False, False),
        (Semantic.DENY_ON_FIRST_DENY, False, True),
        (Semantic.PERMIT_ON_FIRST_PERMIT, True, False),
    ],
)
def test_a_list_ends_where_its_semantic_says(semantic: Semantic, yes: bool, no: bool) -> None:
    assert is_last(semantic, decision=True) is yes
    assert is_last(semantic, decision=False) is no


def test_a_question_lacks_nothing() -> None:
    whole = asking("freeze.set", "account", ALICE)
    common = Evaluations(subject=whole.subject, action=whole.action, resource=whole.resource)

    assert only(common) == whole
    for lacking in ("subject", "action", "resource"):
        with pytest.raises(MalformedError, match=r"^a question has a subject, an action and a re"):
            only(replace(common, **{lacking: None}))
    (found,) = questions(replace(common, subject=None, evaluations=(Asked(),)))
    assert isinstance(found, MalformedError)


def test_a_question_has_the_lists_context_unless_it_has_its_own() -> None:
    whole = asking("freeze.set", "account", ALICE)
    listed = Evaluations(
        subject=whole.subject,
        action=whole.action,
        resource=whole.resource,
        context=Context(value_cents=5),
        evaluations=(Asked(), Asked(context=Context(value_cents=7))),
    )
    found = [one for one in questions(listed) if isinstance(one, Evaluation)]

    assert [one.context.value_cents for one in found] == [5, 7]
    assert only(listed).context.value_cents == 5


def test_a_device_is_named_by_the_thumbprint_of_its_key() -> None:
    named = asking("session.start", "device", "t" * 43)

    check_resource(named, SessionStart(account=ALICE, device="t" * 43))
    check_resource(named, FreezeSet(account=ALICE))
    with pytest.raises(MalformedError, match="thumbprint"):
        check_resource(named, SessionStart(account=ALICE, device="u" * 43))


@pytest.mark.parametrize(
    ("kind", "named"),
    [("destination", "other"), ("account", "city-power"), ("destination", "x.bills/city-power")],
)
def test_a_registered_exit_is_asked_about_by_where_it_leads(kind: str, named: str) -> None:
    """Prevents: a yes for a bill of one biller, told of another."""
    paid = PlatformExit(
        account=ALICE,
        asset="USDT",
        decimals=6,
        amount_minor="5000000",
        exit="x.bills",
        place="x.bills/city-power",
        says="Pay a bill",
    )

    check_resource(asking("x.bills", "destination", "city-power"), paid)
    with pytest.raises(MalformedError, match=r"the resource of x\.bills"):
        check_resource(asking("x.bills", kind, named), paid)


@pytest.mark.parametrize(
    ("asked", "draft"),
    [
        (asking("freeze.set", "account", ALICE), {}),
        (asking("freeze.lift", "account", ALICE), {}),
        (asking("made.up", "whatever", "1", x=1), {"x": 1}),
        (
            asking("destination.add", "destination", "0x1", network="ethereum"),
            {"address": "0x1", "network": "ethereum"},
        ),
        (
            asking("withdrawal.crypto", "destination", "0x1", address="0x1", amount="1"),
            {"address": "0x1", "amount": "1"},
        ),
        (asking("api_key.revoke", "api_key", "key_x"), {"api_key_id": "key_x"}),
        (asking("api_key.create", "api_key", "k", scopes=[]), {"public_key": "k", "scopes": []}),
        (asking("authenticator.remove", "authenticator", "a"), {"authenticator_id": "a"}),
        (asking("authenticator.suspend", "authenticator", "a"), {"authenticator_id": "a"}),
        (asking("contact.repudiate", "channel", "c"), {"channel_id": "c"}),
        (asking("contact.change", "channel", "c", channel_id="c"), {"channel_id": "c"}),
        (
            asking("contact.change", "channel", "a@b.example", kind="email", address="a@b.example"),
            {"kind": "email", "address": "a@b.example"},
        ),
        (asking("session.start", "device", "t", device={}), {"device": {}}),
    ],
)
def test_a_resource_is_the_draft_of_its_action(asked: Evaluation, draft: dict[str, Any]) -> None:
    properties = dict(asked.resource.properties)

    assert draft_of(asked) == draft
    assert asked.resource.properties == properties  # What was asked stays as it was.


@pytest.mark.parametrize(
    "asked",
    [
        asking("freeze.set", "account", "acc_" + "b" * 26),
        asking("freeze.set", "destination", ALICE),
        asking("withdrawal.crypto", "destination", "0x1", address="0x2"),
        asking("api_key.revoke", "api_key", "key_x", api_key_id=1),
        asking("contact.change", "channel", "chn_x", channel_id="chn_y"),
        asking("contact.change", "channel", "a@b.example", kind="email", address="c@d.example"),
    ],
)
def test_a_resource_that_says_two_things_is_refused(asked: Evaluation) -> None:
    with pytest.raises(MalformedError):
        draft_of(asked)


def test_whatever_the_gate_decides_and_carries_no_secret_has_a_resource() -> None:
    secret = {
        ActionType.AUTHENTICATOR_BIND,
        ActionType.PASSWORD_CHANGE,
        ActionType.PASSWORD_RESET,
    }
    own = {ActionType.PLATFORM_EXIT}  # Asked by the names that a platform gave them.
    for action in BUILT - secret - own:
        with pytest.raises(MalformedError, match="of the type"):
            draft_of(asking(action, "whatever", "1"))
