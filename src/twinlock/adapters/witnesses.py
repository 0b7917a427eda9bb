"""Witnesses as this installation knows them: the policy file, and what is kept of their work.

Always true (tests/unit/adapters/test_witnesses.py): a policy that cannot be meant is refused before
anything is asked; a kept checkpoint is never replaced by one of a smaller tree.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from twinlock.adapters import private_files
from twinlock.adapters.beside import beside
from twinlock.adapters.keyring import signing
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.keys_at_work import KeysAtWork
from twinlock.adapters.settings import Settings
from twinlock.adapters.witness_calls import HttpWitnesses, read_url
from twinlock.domain.errors import (
    MalformedError,
    QuorumError,
    TwinlockError,
)
from twinlock.domain.log.checkpoint import parse_checkpoint
from twinlock.domain.log.note import VerifierKey, parse_note
from twinlock.domain.log.trust import (
    MAX_POLICY_BYTES,
    TrustedLog,
    TrustPolicy,
    parse_trust_policy,
)
from twinlock.ports import (
    Clock,
)
from twinlock.ports.log import (
    AnchoredLog,
)
from twinlock.services.publishing import Publishing

FOLLOW_SECONDS = 1.0  # Between two looks at the head, as with the anchor.
KEEP_PATIENCE_SECONDS = 1  # Another process keeps its own in some milliseconds; a thread waits.


class WitnessPolicyWrongError(TwinlockError):
    """The trust policy that TWINLOCK_WITNESS_POLICY names cannot be meant: the detail says why."""

    code = "witness_policy_wrong"
    status = 503


def read_policy(
    path: Path | None, *, logs: Iterable[VerifierKey], url: str | None = None
) -> TrustPolicy:
    """Return the policy in ``path`` with our own log's keys, which the file need not name.

    Without a file nobody is asked to cosign anything.

    Raises:
        WitnessPolicyWrongError: it cannot be read, is no trust policy, names another log, or a
            quorum that those who can be asked do not make.
    """
    own = tuple(logs)
    trusted = _trusted(own, url)
    if path is None:
        return TrustPolicy(logs=trusted, witnesses=(), groups=(), quorum=None)
    try:
        with path.open("rb") as file:
            policy = parse_trust_policy(file.read(MAX_POLICY_BYTES + 1))
        _check_meant(policy, own)
        # Read anew: a witness's key may be the log's.
        return parse_trust_policy(replace(policy, logs=trusted).to_text().encode("utf-8"))
    except OSError as error:
        raise WitnessPolicyWrongError(f"{path} cannot be read: {error.strerror}") from error
    except (MalformedError, QuorumError, UnicodeEncodeError) as error:
        raise WitnessPolicyWrongError(f"{path}: {error}") from error


def _trusted(keys: Iterable[VerifierKey], url: str | None) -> tuple[TrustedLog, ...]:
    return tuple(TrustedLog(key=key, url=url) for key in keys)


def _check_meant(policy: TrustPolicy, own: tuple[VerifierKey, ...]) -> None:
    if any(log.key not in own for log in policy.logs):
        raise MalformedError("it names another log than ours")
    for witness in policy.witnesses:
        if witness.url is not None:
            read_url(witness.url)
    policy.check_quorum({one.name for one in policy.witnesses if one.url is not None})


class CosignedFile:
    """The newest cosigned checkpoint in a file of mode 0600. Implements ``CosignedNotes``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = path.with_name(f"{path.name}.lock")

    async def read(self) -> bytes | None:
        """Return the note, or None. Raises FileUnsafeError."""
        return await asyncio.to_thread(self._read)

    async def keep(self, note: bytes, *, size: int) -> None:
        """Keep ``note``, durably. Raises FileBusyError, FileUnsafeError, OSError."""
        await asyncio.to_thread(self._keep, note, size)

    def _read(self) -> bytes | None:
        try:
            return private_files.read(self._path)
        except FileNotFoundError:
            return None

    def _keep(self, note: bytes, size: int) -> None:
        private_files.make_directory(self._path.parent)
        with private_files.locked(self._lock, patience_seconds=KEEP_PATIENCE_SECONDS):
            if self._kept_size() <= size:
                private_files.write(self._path, note)

    def _kept_size(self) -> int:
        data = self._read()
        try:
            return -1 if data is None else parse_checkpoint(parse_note(data).text).size
        except MalformedError:
            return -1  # Nobody can use it.


def log_policy(settings: Settings, keyring: Keyring, *, with_retired: bool = False) -> TrustPolicy:
    """Return our log's keys, and the witnesses that cosign it. Raises WitnessPolicyWrongError."""
    keys = signing.log_keys(keyring, log_origin=settings.log_origin, with_retired=with_retired)
    return read_policy(settings.witness_policy, logs=keys, url=settings.origin)


def own_logs(settings: Settings, keyring: Keyring) -> tuple[TrustedLog, ...]:
    """Return our log by each of its keys."""
    keys = signing.log_keys(keyring, log_origin=settings.log_origin)
    return _trusted(keys, settings.origin)


class _OwnKeys:
    """Our log's keys, as those who cosign it know them. Implements ``Takes``."""

    def __init__(self, publishing: Publishing, settings: Settings) -> None:
        self._publishing = publishing
        self._settings = settings

    def take(self, keyring: Keyring) -> None:
        self._publishing.know(own_logs(self._settings, keyring))


@asynccontextmanager
async def open_publishing(
    settings: Settings, keyring: Keyring, log: AnchoredLog, *, keys: KeysAtWork, clock: Clock
) -> AsyncIterator[Publishing | None]:
    """Publish the log's heads to its witnesses, for as long as the block goes on.

    None where the settings ask for no quorum.

    Raises:
        WitnessPolicyWrongError: as it says.
        LogDamagedError: the log does not hold what was cosigned.
        FileUnsafeError: somebody else could have written the file of that.
    """
    policy = log_policy(settings, keyring)
    if policy.quorum is None:
        yield None
        return
    async with HttpWitnesses.of(policy.witnesses) as calls:
        publishing = Publishing(
            log,
            signer=keys.signer(log_origin=settings.log_origin),
            policy=policy,
            calls=calls,
            kept=CosignedFile(settings.data_dir / "cosigned-checkpoint"),
            clock=clock,
        )
        keys.following(_OwnKeys(publishing, settings))
        await publishing.begin()
        async with (
            beside("publishing_waits", publishing.serve, pause=FOLLOW_SECONDS),
            beside("publishing_waits", publishing.follow, pause=FOLLOW_SECONDS),
        ):
            yield publishing
