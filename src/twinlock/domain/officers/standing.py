"""What the head of the log holds of the platform, under its MAC: all that decisions read of it.

Always true (tests/unit/domain/officers/test_officers_platform.py): what cannot be read lets nothing
leave; and what was written before officers activated policies reads as it did.
"""

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from twinlock.domain.canonical import b64url, encode
from twinlock.domain.errors import LogDamagedError, TwinlockError
from twinlock.domain.log.merkle import HASH_BYTES
from twinlock.domain.officers.platform import Platform
from twinlock.domain.officers.statements import milliseconds


class PolicyChangedError(TwinlockError):
    """Officers activated another policy version in this moment: repeat the same request."""

    code = "policy_changed"
    status = 503

    def __init__(self, in_force: str) -> None:
        super().__init__("officers activated another policy version in this moment: repeat it")
        self.in_force = in_force


class PolicyNotLoadedError(TwinlockError):
    """The policy version in force cannot be read here, so that nothing is decided: see the detail.

    It is kept in the database, and was removed or edited there, or is another release's.
    """

    code = "policy_not_loaded"
    status = 503


class PolicyNotActivatedError(TwinlockError):
    """Officers did not activate the policy that TWINLOCK_PROFILE names: the one in force goes on.

    Have it proposed, approved and activated: ``twinlock policy propose``.
    """

    code = "policy_not_activated"
    status = 409


class Standing(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """How many acts there are, the last one's hash, and since when (ms) everything is halted.

    ``policy`` is the digest of the version in force, "" where officers have activated none.
    """

    acts: int
    halted: int | None
    last: str
    policy: str = ""


_STANDING = msgspec.json.Decoder(Standing)
_NOBODY = Standing(acts=0, halted=None, last=b64url(bytes(HASH_BYTES)))


def standing_bytes(platform: Platform) -> bytes:
    """Return what the head of the log holds of ``platform``; nothing where it has no officers."""
    if not platform.acts:
        return b""
    at = platform.halted_at
    return encode(
        Standing(
            acts=platform.acts,
            halted=None if at is None else milliseconds(at),
            last=platform.last,
            policy=platform.versions.policy,
        )
    )


@lru_cache(maxsize=8)  # Each decision reads it, and it changes as often as officers act.
def read_standing(data: bytes) -> Standing:
    """Return what the head of the log says of the platform.

    Raises:
        LogDamagedError: it says nothing that we wrote. Who cannot tell whether all is halted lets
            nothing leave.
    """
    if not data:
        return _NOBODY
    try:
        found = _STANDING.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LogDamagedError("the head of the log does not say whether all is halted") from error
    return found


def halted_since(data: bytes) -> datetime | None:
    """Return since when the head says that all is halted, or None. Raises LogDamagedError."""
    halted = read_standing(data).halted
    return None if halted is None else datetime.fromtimestamp(halted / 1000, tz=UTC)


def check_in_force(digest: str, data: bytes) -> None:
    """Return where the policy version ``digest`` may decide behind a head that holds ``data``.

    Prevents: a version that nobody activated, and one that was until a moment ago.

    Raises:
        PolicyChangedError: officers activated another one.
        LogDamagedError: the head says nothing that we wrote.
    """
    in_force = read_standing(data).policy
    if in_force and in_force != digest:
        raise PolicyChangedError(in_force)


def check_standing(platform: Platform, data: bytes) -> Platform:
    """Return ``platform`` where it is what the head of the log says. Raises LogDamagedError."""
    if standing_bytes(platform) != data:
        raise LogDamagedError("the platform's leaves are not those that the head counts")
    return platform
