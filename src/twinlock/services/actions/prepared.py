"""A draft made ready for the gate."""

from twinlock.domain.actions import AnyPayload
from twinlock.domain.discreet import Discreet
from twinlock.domain.ids import ChallengeId, DestinationId


class Prepared(Discreet, frozen=True, kw_only=True):
    """A draft made ready: its payload, what takes effect with it, and the stream it names.

    ``names`` are all that the destination's stream may go by. Where ``secret`` is one of them, it
    is whichever the account knows the destination by, once it is locked.
    """

    HIDDEN = frozenset({"secret"})

    payload: AnyPayload
    secret: str = ""
    names: tuple[DestinationId, ...] = ()
    candidate_id: ChallengeId | None = None
