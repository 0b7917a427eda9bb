"""Every error Twinlock raises, with its stable code and the HTTP status that tells it.

An error is for nonsense input, a failed world or our own broken invariant. A "no" of the gate is
never an error: it is an outcome, committed like a "yes". Messages are safe to show; secrets never
enter them. ``docs/errors.md`` is generated from this module.
"""

from typing import ClassVar, TypeVar

T = TypeVar("T")


class TwinlockError(Exception):
    """Root of the tree; ``code`` is stable and documented, the message is not."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500


class InvariantError(TwinlockError):
    """Our own code is wrong: the decision is dropped and somebody is paged."""

    code = "invariant_broken"


def invariant(holds: bool, message: str) -> None:
    """Stop when a fact the code relies on is false. Unlike ``assert``, -O keeps it."""
    if not holds:
        raise InvariantError(message)


def present(value: T | None, message: str) -> T:
    """Return ``value``, which our own code knows to be there; stop when it is not."""
    if value is None:
        raise InvariantError(message)
    return value


class MalformedError(TwinlockError):
    """Bytes that are not what they claim to be: JSON, base64, a note, a proof, a bundle."""

    code = "malformed"
    status = 400


class ProofError(TwinlockError):
    """An inclusion or consistency proof, or a tile it is made from, that does not show its root."""

    code = "log_proof_refused"
    status = 400


class UntrustedNoteError(TwinlockError):
    """No key that we trust signed this note, or one did and its signature does not verify."""

    code = "note_untrusted"
    status = 403


class QuorumError(UntrustedNoteError):
    """The log signed this checkpoint, but too few witnesses cosigned it."""

    code = "quorum_missing"


class FileUnsafeError(TwinlockError):
    """A file or directory of ours that somebody else could read, write or put in its place."""

    code = "file_unsafe"


class FileBusyError(TwinlockError):
    """Another process of ours holds a lock file for longer than its work can take."""

    code = "file_busy"
    status = 503


class DatabaseNotStartedError(TwinlockError):
    """The embedded PostgreSQL could not be made, started or stopped."""

    code = "database_not_started"
    status = 503


class DatabaseNotOursError(TwinlockError):
    """The settings name a database of somebody's own, which Twinlock neither starts nor stops."""

    code = "database_not_ours"
    status = 409


class SocketDirectoryOpenError(TwinlockError):
    """The database's socket lies where somebody else could put his own in its place."""

    code = "socket_directory_open"
    status = 503


class ClockUntrustedError(TwinlockError):
    """The wall clock jumped, or two clocks disagree: no wait may be judged by it."""

    code = "clock_untrusted"
    status = 503


class KeyringMissingError(TwinlockError):
    """There is no keyring, or a role in it has no key."""

    code = "keyring_missing"
    status = 503


class KeyringWrongError(TwinlockError):
    """A key file that is open to others, not what its name says, or not one of ours."""

    code = "keyring_wrong"
    status = 503


class SealBrokenError(TwinlockError):
    """A stored row is not what we sealed under this id, kind and version."""

    code = "seal_broken"


class DocumentTooLargeError(TwinlockError):
    """What should be stored has outgrown one document: something must be removed first."""

    code = "document_too_large"
    status = 409


class AnchorMovedError(TwinlockError):
    """The log's anchor is not where the caller left it, or would go back or fork."""

    code = "anchor_moved"
    status = 503


class AnchorWrongError(TwinlockError):
    """The log's anchor exists and cannot be what we wrote."""

    code = "anchor_wrong"
    status = 503


class SettingsUnknownError(TwinlockError):
    """An environment variable of ours that does not exist: a typing error never passes silently."""

    code = "settings_unknown"


class SettingsWrongError(TwinlockError):
    """An environment variable of ours whose value cannot be meant."""

    code = "settings_wrong"


class JwsRefusedError(TwinlockError):
    """A signed statement that is not, byte for byte, what a trusted key of ours would sign."""

    code = "jws_refused"
    status = 400


class AccountUnknownError(TwinlockError):
    """There is no account of this id."""

    code = "account_not_found"
    status = 404


class IdempotencyConflictError(TwinlockError):
    """The idempotency key was used before, for something else."""

    code = "idempotency_conflict"
    status = 409


class NotRepeatableError(TwinlockError):
    """What this idempotency key asked for is refused, used, replaced or too old: take a new key."""

    code = "not_repeatable"
    status = 409


class UnavailableError(TwinlockError):
    """The database did not answer in time. Repeat with the same idempotency key."""

    code = "unavailable"
    status = 503


class BundleRefusedError(TwinlockError):
    """An evidence bundle that does not show what it claims.

    ``step`` numbers the step of the verification that failed and ``name`` names it; ``fault`` is a
    stable code (docs/verify.md). ``passed`` are the steps before it: number, name, what it showed.
    """

    code = "bundle_refused"
    status = 422

    def __init__(
        self,
        says: str,
        *,
        fault: str,
        step: int = 0,
        name: str = "",
        passed: tuple[tuple[int, str, str], ...] = (),
    ) -> None:
        super().__init__(f"step {step}, {name}: {says}" if step else says)
        self.says = says
        self.fault = fault
        self.step = step
        self.name = name
        self.passed = passed


class SignerRefusedError(TwinlockError):
    """A transaction that the wallet signer will not sign; ``fault`` is a stable code, see docs."""

    code = "signer_refused"
    status = 422

    def __init__(self, says: str, *, fault: str) -> None:
        super().__init__(says)
        self.fault = fault


class LogDamagedError(TwinlockError):
    """The stored log is not the one that was written: head, tiles and leaves contradict."""

    code = "log_damaged"
    status = 503


class PlatformKeyUnknownError(TwinlockError):
    """There is no platform key of this id."""

    code = "platform_key_not_found"
    status = 404


class ForeignOriginError(TwinlockError):
    """A page of another site sent this, or the browser did not say which page did."""

    code = "foreign_origin"
    status = 403
