"""One case of a check: something that is tried, with all but one thing in its favour."""

from collections.abc import Iterable
from typing import Any

from twinlock.client import ProblemError
from twinlock.domain.actions import BUILT
from twinlock.domain.catalogue import ActionType
from twinlock.range.acts import live_session
from twinlock.range.asked import EXITS
from twinlock.range.customer import NotPlayableError
from twinlock.range.happenings import say_no
from twinlock.range.places import NETWORK, NETWORKS, OLD
from twinlock.range.refusals import refusal
from twinlock.range.stage import Heard, Stage
from twinlock.range.story import Step
from twinlock.range.words import Outcome, Person, Proof


def old_given(kind: str) -> dict[str, Any]:
    """Return the parameters of an exit of ``kind`` to the place that stands on the list."""
    word = "pair" if kind == ActionType.TRADE_UNUSUAL else "destination"
    return {"amount": "small", word: OLD[NETWORKS[kind]]}


def old_for(path: str) -> frozenset[str]:
    """Return the old places that ``given_for`` names: an account is set up sooner with fewer."""
    if path == ActionType.API_KEY_CREATE:
        return frozenset({OLD[NETWORK]})
    return frozenset({OLD[NETWORKS[path]]} if path in NETWORKS else ())


def given_for(path: str, stage: Stage) -> dict[str, Any]:
    """Return parameters with which only the floor stands in the way, as far as there are any."""
    bound = (one.value for one in stage.spec.authenticators if one is not Proof.PASSWORD)
    target = next(bound, Proof.PASSWORD.value)
    known: dict[str, dict[str, Any]] = {
        **{kind: old_given(kind) for kind in NETWORKS},
        ActionType.DESTINATION_ADD: {"destination": "listed_by_a_thief"},
        ActionType.SESSION_START: {"from": "new_device"},
        ActionType.AUTHENTICATOR_BIND: {"authenticator": Proof.PASSKEY.value},
        ActionType.AUTHENTICATOR_REMOVE: {"authenticator": target},
        ActionType.AUTHENTICATOR_SUSPEND: {"authenticator": target},
        ActionType.AUTHENTICATOR_REACTIVATE: {"authenticator": target},
        ActionType.AUTHENTICATOR_REPUDIATE: {"authenticator": target},
        ActionType.CONTACT_CHANGE: {"channel": next(iter(stage.customer.channels), "email")},
        ActionType.CONTACT_REPUDIATE: {"channel": "email"},
        ActionType.LIMIT_RAISE: {"to": "house_price"},
        ActionType.LIMIT_LOWER: {"to": "small"},
        ActionType.LOCK_TIGHTEN: {"to": "1d"},
        ActionType.LOCK_LOOSEN: {"to": "0d"},
        ActionType.API_KEY_CREATE: {
            "scopes": ["withdraw"],
            "ip_list": ["203.0.113.7"],
            "destinations": [OLD[NETWORK]],
        },
    }
    return known.get(path, {} if path in BUILT else {"amount": "small"})


def case(
    do: str, proofs: Iterable[str], *, by: Person, given: dict[str, Any] | None = None
) -> Step:
    """Return the step by which ``by`` does ``do``, showing ``proofs``."""
    return Step(
        id="check",
        at="0m",
        by=by,
        do=do,
        expect=tuple(Outcome),
        given=given or {},
        proof=tuple(proofs),
    )


async def make_room(stage: Stage, heard: Heard) -> None:
    """Let the owner stop what waits: so many open actions would keep the next from being tried."""
    if heard.outcome is not Outcome.HOLD or not heard.action_id:
        return
    try:
        session = await live_session(stage, Person.ALICE)
    except NotPlayableError:
        return  # Then what is refused for want of room is told.
    except ProblemError as problem:
        refusal(problem)  # A failure is none of this: it is raised again.
        return
    standing = await stage.venue.client.action(heard.action_id)
    signed = stage.customer.signed(session, standing.digest, purpose="veto", name=heard.action_id)
    await say_no(stage, heard.action_id, {"session": signed})


def exits_of(named: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the exits that a check names: every one, or those."""
    return EXITS if isinstance(named, str) else named
