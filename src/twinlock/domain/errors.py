"""Every error Twinlock raises, with its stable code and the HTTP status that tells it.

An error is for nonsense input, a failed world or our own broken invariant. A "no" of the gate is
never an error: it is an outcome, committed like a "yes". Messages are safe to show; secrets never
enter them. ``docs/errors.md`` is generated from this module.
"""

from typing import ClassVar, TypeVar

T = TypeVar("T")


class TwinlockError(Exception):
    """Something on our side broke: repeat under the same idempotency key, and tell the operator."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retry_after = 1  # Seconds until it may go better, said with 429 and 503.


class InvariantError(TwinlockError):
    """Our own code is wrong, and this decision was dropped: tell the operator; it is logged."""

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
    """What was sent is not of its form (JSON, base64, a header, an id): the detail says what."""

    code = "malformed"
    status = 400


class ProofError(TwinlockError):
    """A proof does not show its root, or was asked for beyond the log: believe nothing of it."""

    code = "log_proof_refused"
    status = 400


class UntrustedNoteError(TwinlockError):
    """No trusted key signed this note, or its signature is wrong: do not believe it."""

    code = "note_untrusted"
    status = 403


class QuorumError(UntrustedNoteError):
    """The log signed this checkpoint, but too few witnesses cosigned it: fetch a newer one."""

    code = "quorum_missing"


class NotWitnessedError(TwinlockError):
    """Too few witnesses have cosigned this entry, or answer at all: repeat the same request."""

    code = "not_witnessed"
    status = 503


class WitnessSilentError(TwinlockError):
    """A witness gave no answer that can be read; ``fault`` says in one word why."""

    code = "witness_silent"
    status = 503

    def __init__(self, fault: str) -> None:
        super().__init__(f"a witness was not heard: {fault}")
        self.fault = fault


class FileUnsafeError(TwinlockError):
    """Somebody else could read, write or replace a file of ours: take away their rights."""

    code = "file_unsafe"


class FileBusyError(TwinlockError):
    """Another process of ours holds a lock file too long: look for one that hangs."""

    code = "file_busy"
    status = 503


class DatabaseNotStartedError(TwinlockError):
    """The embedded PostgreSQL was not made, started or stopped: read its ``postgres.log``."""

    code = "database_not_started"
    status = 503


class DatabaseNotOursError(TwinlockError):
    """The settings name a database of somebody's own, which Twinlock neither starts nor stops."""

    code = "database_not_ours"
    status = 409


class SocketDirectoryOpenError(TwinlockError):
    """Somebody else could replace the database's socket: choose a TWINLOCK_DATA_DIR of your own."""

    code = "socket_directory_open"
    status = 503


class PolicyDiffersError(TwinlockError):
    """The service decides by another policy than this command: set TWINLOCK_PROFILE as it has it.

    After an update that changed the policy, start the service anew first.
    """

    code = "policy_differs"
    status = 409


class ClockUntrustedError(TwinlockError):
    """The clock jumped, or two disagree: no wait is judged; see docs/threat-model.md, Time."""

    code = "clock_untrusted"
    status = 503


class KeyringMissingError(TwinlockError):
    """There is no keyring, or a role in it has no key: make one with ``twinlock keys init``."""

    code = "keyring_missing"
    status = 503


class KeyringWrongError(TwinlockError):
    """A key file is open to others, not what its name says, or not ours: restore the keyring."""

    code = "keyring_wrong"
    status = 503


class KeyringOutdatedError(TwinlockError):
    """The database is sealed under a key that this keyring lacks: put its latest copy here."""

    code = "keyring_outdated"
    status = 503


class TokenMissingError(TwinlockError):
    """The PKCS #11 module or its token is not there: see the settings TWINLOCK_PKCS11_…."""

    code = "token_missing"
    status = 503


class TokenPinWrongError(TwinlockError):
    """The token refused its PIN, which is not tried again: see TWINLOCK_PKCS11_PIN_FILE."""

    code = "token_pin_wrong"
    status = 503


class TokenKeyWrongError(TwinlockError):
    """A key of the keyring is not in the token as it was made: the token is another, or changed."""

    code = "token_key_wrong"
    status = 503


class SealBrokenError(TwinlockError):
    """A stored row is not what we sealed: the database was changed, or the keyring is another."""

    code = "seal_broken"


class DocumentTooLargeError(TwinlockError):
    """The account holds as much as it can: end or remove something first."""

    code = "document_too_large"
    status = 409


class AnchorMovedError(TwinlockError):
    """The log's anchor was moved, or the log would go back or fork: see docs/log-format.md."""

    code = "anchor_moved"
    status = 503


class AnchorWrongError(TwinlockError):
    """The log's anchor is not what we wrote: compare the log, then ``twinlock anchor adopt``."""

    code = "anchor_wrong"
    status = 503


class SettingsUnknownError(TwinlockError):
    """An environment variable of our prefix does not exist: see docs/settings.md for its name."""

    code = "settings_unknown"


class SettingsWrongError(TwinlockError):
    """An environment variable of ours has a value that cannot be meant: see docs/settings.md."""

    code = "settings_wrong"


class JwsRefusedError(TwinlockError):
    """A signed statement is not what a trusted key of ours would sign: do not believe it."""

    code = "jws_refused"
    status = 400


class AccountUnknownError(TwinlockError):
    """There is no account of this id: use the one that POST /v1/accounts answered."""

    code = "account_not_found"
    status = 404


class IdempotencyConflictError(TwinlockError):
    """The idempotency key was used before, for something else: take a new one for each request."""

    code = "idempotency_conflict"
    status = 409


class NotRepeatableError(TwinlockError):
    """What this idempotency key asked for is refused, used, replaced or too old: take a new key."""

    code = "not_repeatable"
    status = 409


class UnavailableError(TwinlockError):
    """The database did not answer in time: repeat with the same idempotency key."""

    code = "unavailable"
    status = 503


class TokenUnavailableError(UnavailableError):
    """The token that holds our keys did not answer: repeat with the same idempotency key."""

    code = "token_unavailable"


class KeysStaleError(UnavailableError):
    """This process cannot see the keyring, so it makes nothing with its keys: look at its log."""

    code = "keys_stale"


class BundleRefusedError(TwinlockError):
    """An evidence bundle does not show what it claims; the fault says why (docs/verify.md).

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
    """The wallet signer will not sign this transaction; ``fault`` says why."""

    code = "signer_refused"
    status = 422

    def __init__(self, says: str, *, fault: str) -> None:
        super().__init__(says)
        self.fault = fault


class LogDamagedError(TwinlockError):
    """The stored log contradicts itself: stop, and compare it with a checkpoint that you kept."""

    code = "log_damaged"
    status = 503


class PlatformKeyUnknownError(TwinlockError):
    """There is no platform key of this id: it is the part of the key between the underscores."""

    code = "platform_key_not_found"
    status = 404


class ForeignOriginError(TwinlockError):
    """Another site sent this, or the browser did not say who: answer on our own page."""

    code = "foreign_origin"
    status = 403
