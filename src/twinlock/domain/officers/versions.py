"""Which policy version is in force, and what still misses of those that are proposed.

A version comes by two officers, a wait in the public log, and the word that activates it; where it
lets thieves do more, by a third officer's word for exactly that. Any officer's no ends it at once.
A person who got another key is one person still. All that is counted is who is an officer now.

Always true (tests/property/test_policy_life_properties.py): no officer alone brings a version into
force; one that grows needs three; no wait gets shorter; after a no nothing of it counts.

Source: design law 7 and section 6; docs/officers.md.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import assert_never

import msgspec
from msgspec.structs import replace

from twinlock.domain.bounds import (
    OFFICERS_AGREEING,
    POLICY_PROPOSAL_LIFETIME,
    POLICY_RETURN,
    POLICY_WAIT,
)
from twinlock.domain.errors import TwinlockError
from twinlock.domain.officers.statements import (
    AcceptGrowth,
    Activate,
    Approve,
    PolicyAct,
    Propose,
    Withdraw,
)
from twinlock.domain.reasons import EXPLANATIONS, Reason
from twinlock.domain.requirements import (
    NOTHING,
    Approvals,
    Never,
    Requirement,
    WaitUntil,
    all_of,
    reasons,
    waits_until,
)

_MILLISECOND = timedelta(milliseconds=1)


class ProposalUnknownError(TwinlockError):
    """No such policy version is proposed: withdrawn, lapsed, or signed for another one."""

    code = "proposal_unknown"
    status = 409


class ProposalWrongError(TwinlockError):
    """It cannot be proposed: it is in force or proposed already, or would follow another one."""

    code = "proposal_wrong"
    status = 409


class PolicyNotReadyError(TwinlockError):
    """A policy version cannot be activated yet: the detail says what is missing, and until when."""

    code = "policy_not_ready"
    status = 409

    def __init__(self, missing: Requirement) -> None:
        until = waits_until(missing)
        ends = "" if until is None else f" ({until:%Y-%m-%dT%H:%M:%SZ})"
        said = (EXPLANATIONS[code] for code in reasons(missing))
        super().__init__(" ".join(f"{one.sentence} {one.ends}" for one in said) + ends)
        self.missing = missing


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A version that was proposed at ``at`` (ms), and when (ms) each person agreed to what of it.

    ``agreed`` to the version, whoever proposed it among them; ``accepted`` to its growth.
    """

    digest: str
    growth: str
    by: str
    at: int
    agreed: Mapping[str, int]
    accepted: Mapping[str, int] = {}


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """The digest of the version in force, and what is proposed, by the numbers of those acts.

    ``policy`` is "" where officers activated none, ``since_at`` when (ms) it came, and ``before``
    the one that it replaced, where two may return to that at once.
    """

    policy: str = ""
    since_at: int = 0
    before: str = ""
    proposals: Mapping[int, Proposal] = {}


def lapses_at(proposal: Proposal) -> datetime:
    """Return when ``proposal`` is over."""
    return _instant(proposal.at) + POLICY_PROPOSAL_LIFETIME


def missing(
    versions: Versions, proposal: Proposal, *, people: frozenset[str], at: int
) -> Requirement:
    """Return what misses for the activation of ``proposal`` at ``at`` (ms); ``people`` count."""
    wait = _wait(versions, proposal, at=at)
    return _missing(proposal, people=people, at=at, wait=wait)


def _missing(
    proposal: Proposal, *, people: frozenset[str], at: int, wait: timedelta
) -> Requirement:
    agreed = {one: when for one, when in proposal.agreed.items() if one in people}
    accepted = {one: when for one, when in proposal.accepted.items() if one in people}
    demands: list[Requirement] = []
    if len(agreed) < OFFICERS_AGREEING:
        more = OFFICERS_AGREEING - len(agreed)
        demands.append(Approvals(code=Reason.POLICY_APPROVALS, count=more))
    # Prevents: one of the two who want it, whose own word stands for the third.
    third = accepted if len(agreed) > OFFICERS_AGREEING else accepted.keys() - agreed.keys()
    if proposal.growth and not third:
        demands.append(Approvals(code=Reason.POLICY_GROWS, count=1))
    begins = at if demands else _begins(agreed, accepted if proposal.growth else {})
    ends, lapses = _instant(begins) + wait, lapses_at(proposal)
    if _instant(at) >= lapses or ends >= lapses:
        return Never(code=Reason.POLICY_LAPSED)
    if not demands and _instant(at) < ends:
        demands.append(WaitUntil(code=Reason.POLICY_WAITS, until=ends))
    return all_of(*demands)


def _begins(agreed: Mapping[str, int], accepted: Mapping[str, int]) -> int:
    """Return when (ms) enough had spoken: two who want it, and beside them one who accepts."""
    if not accepted:
        return sorted(agreed.values())[OFFICERS_AGREEING - 1]
    enough = []
    for one, when in accepted.items():
        others = sorted(then for other, then in agreed.items() if other != one)
        enough += [max(when, then) for then in others[OFFICERS_AGREEING - 1 : OFFICERS_AGREEING]]
    return min(enough)


def _wait(versions: Versions, proposal: Proposal, *, at: int) -> timedelta:
    """Return how long what is wanted waits: not at all, to undo what came within the week.

    Only to the very version before, only where no theft gets easier by it, and only once: so a new
    version that turns out wrong is not kept for a day, and nobody goes back to what was long ago.
    """
    soon = at - versions.since_at < POLICY_RETURN / _MILLISECOND
    back = proposal.digest == versions.before and not proposal.growth
    return timedelta(0) if back and soon else POLICY_WAIT


def spoken(
    versions: Versions, act: PolicyAct, *, number: int, by: str, people: frozenset[str], at: int
) -> Versions:
    """Return the versions after the platform's act ``number``, which the person ``by`` said.

    Raises:
        ProposalUnknownError, ProposalWrongError: there is no such proposal, or it can be none.
        PolicyNotReadyError: something is missing for its activation.
    """
    standing = _standing(versions, at=at)
    match act:
        case Propose():
            return _proposed(versions, standing, act, number=number, by=by, at=at)
        case Approve(proposal=named, digest=digest):
            found = _found(standing, named, digest=digest)
            agreed = {by: at, **found.agreed}
            changed = replace(found, agreed=agreed)
        case AcceptGrowth(proposal=named, digest=digest, growth=growth):
            found = _found(standing, named, digest=digest, growth=growth)
            changed = replace(found, accepted={by: at, **found.accepted})
        case Activate(proposal=named, digest=digest, growth=growth):
            found = _found(standing, named, digest=digest, growth=growth)
            return _activated(versions, found, people=people, at=at)
        case Withdraw(proposal=named):
            _found(standing, named)
            return replace(versions, proposals=_without(standing, named))
        case _:
            assert_never(act)
    return replace(versions, proposals={**standing, named: changed})


def stopped(versions: Versions) -> Versions:
    """Return the versions after a halt: it is a no to all that is proposed."""
    return replace(versions, proposals={})


def is_no(versions: Versions, act: object, *, by: str) -> bool:
    """Say whether ``act`` is a no of the person ``by`` to what another one proposed."""
    if not isinstance(act, Withdraw):
        return False
    found = versions.proposals.get(act.proposal)
    return found is not None and found.by != by


def _standing(versions: Versions, *, at: int) -> dict[int, Proposal]:
    """Return the proposals that have not lapsed."""
    return {
        number: one for number, one in versions.proposals.items() if _instant(at) < lapses_at(one)
    }


def _proposed(
    versions: Versions,
    standing: Mapping[int, Proposal],
    act: Propose,
    *,
    number: int,
    by: str,
    at: int,
) -> Versions:
    """Return the versions with one proposal more; of each person the latest one stands.

    Prevents: one officer who keeps all others from proposing, or a list without an end.
    """
    if act.follows != versions.policy:
        raise ProposalWrongError("another version is in force than it would follow: propose anew")
    if act.digest == versions.policy:
        raise ProposalWrongError("this version is in force already")
    others = {named: one for named, one in standing.items() if one.by != by}
    if any(one.digest == act.digest for one in others.values()):
        raise ProposalWrongError("another officer has proposed this version: approve that")
    made = Proposal(digest=act.digest, growth=act.growth, by=by, at=at, agreed={by: at})
    return replace(versions, proposals={**others, number: made})


def _activated(
    versions: Versions, proposal: Proposal, *, people: frozenset[str], at: int
) -> Versions:
    misses = missing(versions, proposal, people=people, at=at)
    if misses != NOTHING:
        raise PolicyNotReadyError(misses)
    waited = _missing(proposal, people=people, at=at, wait=POLICY_WAIT) == NOTHING
    # Prevents: two who go to and fro between two versions, and wait for neither.
    before = versions.policy if waited else ""
    return Versions(policy=proposal.digest, since_at=at, before=before, proposals={})


def _found(
    standing: Mapping[int, Proposal],
    number: int,
    *,
    digest: str | None = None,
    growth: str | None = None,
) -> Proposal:
    found = standing.get(number)
    if found is None:
        raise ProposalUnknownError("nothing is proposed by that act, or not any more")
    if digest not in (None, found.digest):
        raise ProposalUnknownError("that act proposes another version than was signed")
    if growth not in (None, found.growth):
        raise ProposalUnknownError("that act names another growth than was signed")
    return found


def _without(standing: Mapping[int, Proposal], number: int) -> dict[int, Proposal]:
    return {named: one for named, one in standing.items() if named != number}


def _instant(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, tz=UTC)
