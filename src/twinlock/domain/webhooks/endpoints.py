"""Endpoints that are told of outcomes: where, how signed, how they do, and when to try again.

Always true (tests/unit/domain/test_webhook_endpoints.py): a secret signs until its overlap is over,
and at least one always does; a message is tried ten times in three days, then is dead and kept; an
endpoint that has failed for days, or said that it is gone, is disabled.

Source: Standard Webhooks 1.0.0 (form of secrets, rotation, retry schedule, 410).
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NewType

import msgspec
from msgspec.structs import replace

from twinlock.domain.discreet import Discreet
from twinlock.domain.errors import TwinlockError

WebhookId = NewType("WebhookId", str)
_ID = re.compile(r"wh_[a-z2-7]{26}")

ENDPOINTS_MOST = 32  # Each is sent to beside the others; a platform has a handful.
SECRETS_MOST = 4  # In force at once; each is a signature in every message.
OVERLAP_MOST = timedelta(days=30)  # A rotation that takes longer has been forgotten.


class WebhookUnknownError(TwinlockError):
    """There is no webhook of this id: `twinlock webhook list` tells them."""

    code = "webhook_not_found"
    status = 404


class WebhookReplayError(TwinlockError):
    """The log has no entry of this index, so nothing can be sent from there: see its size."""

    code = "webhook_replay_refused"
    status = 422


class WebhooksFullError(TwinlockError):
    """There are as many webhooks, or secrets of one, as there may be: remove one, or wait."""

    code = "webhooks_full"
    status = 409


def parse_webhook_id(text: str) -> WebhookId:
    """Return ``text`` as a webhook's id. Raises WebhookUnknownError where it has no form of one."""
    if not _ID.fullmatch(text):
        raise WebhookUnknownError("no webhook has such an id")
    return WebhookId(text)


def is_webhook_id(text: str) -> bool:
    """Say whether ``text`` is an id that only a webhook bears: never an account's."""
    return _ID.fullmatch(text) is not None


class Secret(Discreet, frozen=True, kw_only=True, omit_defaults=True):
    """What messages are signed with: an HMAC key and an Ed25519 seed of 32 bytes, base64url.

    ``until`` is set once a younger secret has come.
    """

    HIDDEN = frozenset({"key", "seed"})

    key: str
    seed: str
    until: datetime | None = None


class Endpoint(Discreet, frozen=True, kw_only=True):
    """Where messages go, which, and how they are signed: the youngest secret first.

    The URL may hold a secret of the receiver's, so it is not shown either. ``reports`` says that
    the receiver tells what became of each message to a customer, so that its silence tells as much.
    """

    HIDDEN = frozenset({"url"})

    webhook_id: WebhookId
    url: str
    patterns: tuple[str, ...]
    secrets: tuple[Secret, ...]
    added_at: datetime
    reports: bool = False


def in_force(endpoint: Endpoint, *, now: datetime) -> tuple[Secret, ...]:
    """Return the secrets that sign at ``now``."""
    return tuple(one for one in endpoint.secrets if one.until is None or now < one.until)


def rotated(endpoint: Endpoint, new: Secret, *, overlap: timedelta, now: datetime) -> Endpoint:
    """Return ``endpoint`` with a new secret, beside which the others sign for ``overlap`` more.

    Raises:
        WebhooksFullError: too many are in force already.
    """
    ends = now + min(overlap, OVERLAP_MOST)
    older = tuple(
        replace(one, until=ends if one.until is None else min(one.until, ends))
        for one in in_force(endpoint, now=now)
        if overlap > timedelta()
    )
    if len(older) >= SECRETS_MOST:
        raise WebhooksFullError(f"{SECRETS_MOST} secrets of this webhook are in force")
    return replace(endpoint, secrets=(new, *older))


# --- Retries ---

# Standard Webhooks, "Retry schedule": after the first attempt, and after each further one.
RETRY_AFTER = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
JITTER_PARTS = 5  # Up to a fifth more, so that what failed together is not tried again together.
# An endpoint that fails so often in a row is down: what follows waits in the log, in order.
DOWN_AFTER = 3
PAUSE = timedelta(seconds=5)  # Before a down endpoint is tried again; it doubles with each failure.
PAUSE_MOST = timedelta(minutes=5)  # It doubles no further: whoever comes back is told soon.
FAILING_MOST = timedelta(days=5)  # Longer than any message is tried; a long weekend and a day.
# With all of their jitter: what lies further ahead was written before a clock was set back.
RETRY_LONGEST = RETRY_AFTER[-1] + RETRY_AFTER[-1] / JITTER_PARTS
PAUSE_LONGEST = PAUSE_MOST + PAUSE_MOST / JITTER_PARTS
# Messages of one endpoint that wait to be tried again; more stay in the log, in order.
RETRIES_MOST = 1_000
_FRACTION = 2**16


class Fault(StrEnum):
    """Why a message was not taken; the value is kept, logged and counted."""

    ADDRESS_REFUSED = "address_refused"
    UNRESOLVED = "unresolved"
    UNREACHABLE = "unreachable"
    TLS_REFUSED = "tls_refused"
    TIMED_OUT = "timed_out"
    CUT_OFF = "cut_off"
    REDIRECTED = "redirected"
    GONE = "gone"
    STATUS = "status"
    DAMAGED = "damaged"


FAULTS: Mapping[Fault, str] = MappingProxyType(
    {
        Fault.ADDRESS_REFUSED: "The name leads to an address that may not be reached.",
        Fault.UNRESOLVED: "The name leads nowhere.",
        Fault.UNREACHABLE: "Nobody accepts connections there.",
        Fault.TLS_REFUSED: "Its certificate is not for this name, or nobody trusted signed it.",
        Fault.TIMED_OUT: "It took longer than it may.",
        Fault.CUT_OFF: "The connection ended before an answer, or the answer is not HTTP.",
        Fault.REDIRECTED: "It answered with a redirect, which is never followed.",
        Fault.GONE: "It answered 410: no more messages are wanted.",
        Fault.STATUS: "It answered with another status than 2xx.",
        Fault.DAMAGED: "Nothing was sent: the log's entry is not what was written "
        "([audit.md](audit.md)). What follows is told; this one is tried again like the others.",
    }
)


class Disabled(StrEnum):
    """Why an endpoint gets nothing any more, until it is enabled again."""

    GONE = "gone"
    FAILING = "failing"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint has done lately: new messages that failed in a row, and until when it rests.

    ``failing_since`` is the first of the failures since a message was taken.
    """

    failures: int = 0
    failing_since: datetime | None = None
    paused_until: datetime | None = None
    disabled: Disabled | None = None

    def paused(self, *, now: datetime) -> bool:
        """Say whether nothing new is sent at ``now``."""
        return self.paused_until is not None and now < self.paused_until <= now + PAUSE_LONGEST


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was not taken: ``due_at`` is when it is tried again, None: never (dead)."""

    index: int
    attempts: int
    due_at: datetime | None
    fault: Fault


def after_failure(
    health: Health, fault: Fault, *, again: bool, random: bytes, now: datetime
) -> Health:
    """Return how an endpoint does after one more failure; ``random`` are two bytes.

    What fails ``again`` does not bring an endpoint down. Prevents: messages that it never takes,
    and that keep those waiting which it would.
    """
    failures = health.failures + (not again)
    since = health.failing_since or now
    disabled = health.disabled
    if fault is Fault.GONE:
        disabled = Disabled.GONE
    elif now - since >= FAILING_MOST:
        disabled = Disabled.FAILING
    paused = health.paused_until
    if failures >= DOWN_AFTER and not again:
        paused = now + _spread(_pause(failures - DOWN_AFTER), random)
    return Health(failures=failures, failing_since=since, paused_until=paused, disabled=disabled)


def _pause(doublings: int) -> timedelta:
    most = (PAUSE_MOST // PAUSE).bit_length()  # Beyond, the power would only grow.
    return min(PAUSE * (1 << min(doublings, most)), PAUSE_MOST)


def next_try(index: int, *, attempts: int, fault: Fault, random: bytes, now: datetime) -> Retry:
    """Return when a message that failed ``attempts`` times is tried again; ``random``: 2 bytes."""
    due = None
    if attempts <= len(RETRY_AFTER):
        due = now + _spread(RETRY_AFTER[attempts - 1], random)
    return Retry(index=index, attempts=attempts, due_at=due, fault=fault)


def _spread(wait: timedelta, random: bytes) -> timedelta:
    fraction = int.from_bytes(random[:2], "big")
    return wait + wait // JITTER_PARTS * fraction // _FRACTION


# --- As they are kept ---


class KeptWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as it is kept: ``version`` of what is sealed, ``position`` of the next entry.

    ``retries`` wait to be tried again, ``dead`` will not be.
    """

    endpoint: Endpoint
    version: int
    position: int
    health: Health
    retries: int = 0
    dead: int = 0


class ClaimedWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that this process alone sends to, as long as its claim lasts.

    ``claim`` is how the claim is known to whoever keeps it.
    """

    kept: KeptWebhook
    claim: datetime


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far sending has come: ``tried`` is to be tried again or dead, ``settled`` to forget."""

    position: int
    health: Health
    tried: tuple[Retry, ...] = ()
    settled: tuple[int, ...] = ()
