"""What happens when an API key is made, widened, narrowed or revoked."""

from datetime import datetime

from msgspec.structs import replace

from twinlock.domain.account import Account, ApiKey, OpenAction, State
from twinlock.domain.actions import ApiKeyNarrow, ApiKeyRevoke, ApiKeyWiden
from twinlock.domain.api_keys import made
from twinlock.domain.bounds import BEHIND_MOST
from twinlock.domain.errors import InvariantError
from twinlock.domain.events import ApiKeyChanged, ApiKeyCreated, ApiKeyRevoked, Event
from twinlock.domain.ids import ApiKeyId
from twinlock.domain.key_changes import key_of, narrowed, widened
from twinlock.domain.key_laws import own_proof
from twinlock.domain.member_laws import alone
from twinlock.domain.newcomers import behind, proved_by
from twinlock.domain.own_effects import own
from twinlock.domain.policy.facts import Facts
from twinlock.domain.spans import joined


def create_key(state: State, action: OpenAction, facts: Facts, _fresh: str) -> tuple[Event, ...]:
    """Make the key that was signed; it falls with what proved it."""
    account = state.account
    key = replace(
        made(account, action, at=facts.now, by=proved_by(account, action)),
        behind=behind(account, action, now=facts.now),
    )
    return (ApiKeyCreated(at=facts.now, api_key=key),)


def widen_key(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    """Let a key do more: what proved that stands behind it, too."""
    account = state.account
    key = key_of(account, own(action, ApiKeyWiden))
    if key is None:
        raise InvariantError("what is widened is there")
    new = _ends_with(account, action, widened(account, key, action), now=facts.now)
    return (ApiKeyChanged(at=facts.now, api_key=new),)


def _ends_with(account: Account, action: OpenAction, key: ApiKey, *, now: datetime) -> ApiKey:
    """Return ``key``, which ends with what proved ``action``, too."""
    by = tuple(sorted({*key.by, *proved_by(account, action)}))
    spans = joined(key.behind, behind(account, action, now=now), most=BEHIND_MOST)
    return replace(key, by=by, behind=spans)


def narrow_key(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    """Let a key do less; what proved that stands behind it where its band comes to exempt orders.

    Prevents: one member of several, who has a key exempt its orders that takes them all to make.
    """
    payload = own(action, ApiKeyNarrow)
    key = key_of(state.account, payload)
    if key is None:
        raise InvariantError("what is narrowed is there")
    proved = own_proof(facts) and not alone(facts)
    new = narrowed(key, payload, proved=proved, at=facts.now)
    if proved and new.declared_at != key.declared_at:
        new = _ends_with(state.account, action, new, now=facts.now)
    return (ApiKeyChanged(at=facts.now, api_key=new),)


def revoke_key(_: State, action: OpenAction, facts: Facts, _fresh: str) -> tuple[Event, ...]:
    """End a key."""
    payload = action.payload
    dead = ApiKeyId(payload.api_key_id if isinstance(payload, ApiKeyRevoke) else "")
    return (ApiKeyRevoked(at=facts.now, api_key_id=dead),)
