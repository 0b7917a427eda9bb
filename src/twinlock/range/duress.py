"""Duress in a story: a second authenticator that its owner named while nobody forced them.

What ``@duress`` marks is shown with that one, and is a proof like any other. The owner says on our
own page what it is for, which no platform can say: here by the use case behind that page, as no
pages are served to a story.

Chance picks nobody in a story, or it would not go the same each time; but for the one beside it,
with whom it is compared (``looking_alike.py``).
"""

from collections.abc import Iterable

from twinlock.domain.account import ActionState
from twinlock.domain.answers import Answered
from twinlock.domain.assurance import Factor
from twinlock.domain.canonical import b64url
from twinlock.domain.catalogue import ActionType
from twinlock.domain.ids import ActionId
from twinlock.domain.requirements import Answer
from twinlock.ports import Idempotency
from twinlock.range.customer import Belongings, Customer, NotPlayableError
from twinlock.range.story import AccountSpec, Step
from twinlock.range.words import Mark, Proof
from twinlock.services.proving.checking import Reply

KINDS = frozenset({Proof.PASSKEY, Proof.HARDWARE_KEY, Proof.TOTP})
ALWAYS = 1
SELDOM = 2**64 - 1  # Of so many proofs one is picked: of all the stories ever played, none.


def kinds_of(steps: Iterable[Step]) -> frozenset[Proof]:
    """Return what ``steps`` show under duress and an owner may have for it."""
    marked = {one.proof for step in steps for one in step.showings if one.mark is Mark.DURESS}
    return KINDS & marked


async def make_ready(customer: Customer, spec: AccountSpec, kinds: Iterable[Proof]) -> None:
    """Bind a second one of each of ``kinds``, and name it for duress.

    Raises:
        NotPlayableError: the account has no first one of the kind, or the rules refuse it.
    """
    for kind in sorted(kinds):
        if kind not in spec.authenticators:
            raise NotPlayableError(f"{kind}@duress: a second one, and there is no first")
        made = Belongings()
        payload = await customer.draft_binding(kind, made)
        answered = await customer.propose(ActionType.AUTHENTICATOR_BIND, payload)
        for proof in customer.best(answered.type):
            if answered.state == ActionState.OPEN:
                answered = await _say_on_our_page(customer, answered.action_id, proof)
        if answered.answer not in (Answer.ALLOW, Answer.HOLD):
            raise NotPlayableError(f"{kind}@duress: not bound, but {answered.answer.value}")
        customer.forced[kind] = made


async def show_picked(customer: Customer, action_id: str, proof: Proof) -> Answered:
    """Show the owner's first one, as somebody whom chance picks by this very proof."""
    proving = customer.venue.api.use.proving
    before = proving.picked_one_in
    proving.picked_one_in = ALWAYS
    try:
        return await customer.show(action_id, proof)
    finally:
        proving.picked_one_in = before


async def _a_desk() -> bool:
    return True


async def _say_on_our_page(customer: Customer, action_id: str, proof: Proof) -> Answered:
    proving, shown = customer.venue.api.use.proving, await customer.reply(action_id, proof)
    proving.picked_one_in, proving.has_desk = SELDOM, _a_desk
    reply = Reply(
        factor=Factor(shown["factor"]),
        secret=shown.get("secret", ""),
        challenge_id=shown.get("challenge_id", ""),
        response=shown.get("response"),
    )
    drawn = customer.venue.draw()
    once = Idempotency(key=f"page-{b64url(drawn)}", digest=drawn)
    given = await proving.prove(
        ActionId(action_id), reply, actor="page", idempotency=once, forced=True
    )
    return given or await customer.venue.client.action(action_id)
