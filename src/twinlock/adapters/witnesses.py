"""Witnesses as this installation knows them: the policy file, the calls, and what is kept.

Always true (tests/unit/adapters/test_witnesses.py): an answer is read to its limit and for its time
only, and no redirect is followed; no URL stands in an error or a log line, since it may hold a
secret; a kept checkpoint is never replaced by one of a smaller tree.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from twinlock.adapters import private_files, signing
from twinlock.adapters.beside import beside
from twinlock.adapters.keyring import Keyring
from twinlock.adapters.settings import Settings
from twinlock.domain.errors import (
    MalformedError,
    QuorumError,
    TwinlockError,
    WitnessSilentError,
)
from twinlock.domain.log.checkpoint import parse_checkpoint
from twinlock.domain.log.note import VerifierKey, parse_note
from twinlock.domain.log.submission import MAX_ANSWER_BYTES, MAX_SUBMISSION_BYTES, origin_name
from twinlock.domain.log.trust import (
    MAX_POLICY_BYTES,
    TrustedLog,
    TrustPolicy,
    Witness,
    parse_trust_policy,
)
from twinlock.ports import AnchoredLog, Clock, WitnessAnswer
from twinlock.services.publishing import Publishing

CALL_SECONDS = 2.0  # For an answer, connecting and all: less than a spend waits for its quorum.
IDLE_SECONDS = 30.0  # A connection is kept so long: less than a witness keeps it.
FOLLOW_SECONDS = 1.0  # Between two looks at the head, as with the anchor.
KEEP_PATIENCE_SECONDS = 1  # Another process keeps its own in some milliseconds; a thread waits.
NOTE_BYTES_MOST = MAX_SUBMISSION_BYTES


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
    trusted = tuple(TrustedLog(key=key, url=url) for key in own)
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


def _check_meant(policy: TrustPolicy, own: tuple[VerifierKey, ...]) -> None:
    if any(log.key not in own for log in policy.logs):
        raise MalformedError("it names another log than ours")
    for witness in policy.witnesses:
        if witness.url is not None:
            _check_url(witness.url)
    policy.check_quorum({one.name for one in policy.witnesses if one.url is not None})


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # Read here, because a wrong one raises on reading.
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise MalformedError("the URL of a witness is http:// or https://, a host, and a path")


class HttpWitnesses:
    """Calls witnesses, over a connection for each that is kept. Implements ``WitnessCalls``."""

    def __init__(self, clients: dict[str, httpx.AsyncClient], *, seconds: float) -> None:
        self._clients = clients
        self._seconds = seconds

    @classmethod
    @asynccontextmanager
    async def of(
        cls, witnesses: Iterable[Witness], *, seconds: float = CALL_SECONDS
    ) -> "AsyncIterator[HttpWitnesses]":
        """Call those of ``witnesses`` that have a URL; close the connections on leaving."""
        limits = httpx.Limits(max_connections=2, keepalive_expiry=IDLE_SECONDS)
        async with AsyncExitStack() as stack:
            clients = {
                one.name: await stack.enter_async_context(
                    httpx.AsyncClient(
                        base_url=one.url.rstrip("/"),
                        limits=limits,
                        timeout=None,  # noqa: S113 - one time for all of it, in _call
                        trust_env=False,
                        headers={"Accept-Encoding": "identity", "User-Agent": "twinlock"},
                    )
                )
                for one in witnesses
                if one.url is not None
            }
            yield cls(clients, seconds=seconds)

    async def submit(self, witness: str, submission: bytes) -> WitnessAnswer:
        """Submit a checkpoint to a witness. Raises WitnessSilentError."""
        request = self._clients[witness].build_request(
            "POST", "/add-checkpoint", content=submission
        )
        return await self._call(witness, request, most=MAX_ANSWER_BYTES)

    async def shown(self, witness: str, origin: str) -> WitnessAnswer:
        """Return what a witness shows of the log ``origin``. Raises WitnessSilentError."""
        path = f"/{origin_name(origin)}/checkpoint"
        request = self._clients[witness].build_request("GET", path)
        return await self._call(witness, request, most=NOTE_BYTES_MOST)

    async def _call(self, witness: str, request: httpx.Request, *, most: int) -> WitnessAnswer:
        try:
            async with asyncio.timeout(self._seconds):
                try:
                    return await self._answer(witness, request, most=most)
                except (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError):
                    # The witness closed a connection that it had kept; asking twice harms nothing.
                    return await self._answer(witness, request, most=most)
        except TimeoutError as error:
            raise WitnessSilentError("slow") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise WitnessSilentError("unreachable") from error

    async def _answer(self, witness: str, request: httpx.Request, *, most: int) -> WitnessAnswer:
        """Prevents: a body that fills the memory, packed or not."""
        answer = await self._clients[witness].send(request, stream=True)
        body = bytearray()
        try:
            async for part in answer.aiter_raw():
                body += part
                if len(body) > most:
                    raise WitnessSilentError("too_large")
        finally:
            await answer.aclose()
        return WitnessAnswer(status=answer.status_code, body=bytes(body))


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


def log_policy(settings: Settings, keyring: Keyring) -> TrustPolicy:
    """Return our log's keys, and the witnesses that cosign it. Raises WitnessPolicyWrongError."""
    keys = signing.log_keys(keyring, log_origin=settings.log_origin)
    return read_policy(settings.witness_policy, logs=keys, url=settings.origin)


@asynccontextmanager
async def open_publishing(
    settings: Settings, keyring: Keyring, log: AnchoredLog, *, clock: Clock
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
            signer=signing.KeyringSigner(keyring, log_origin=settings.log_origin),
            policy=policy,
            calls=calls,
            kept=CosignedFile(settings.data_dir / "cosigned-checkpoint"),
            clock=clock,
        )
        await publishing.begin()
        async with (
            beside("publishing_waits", publishing.serve, pause=FOLLOW_SECONDS),
            beside("publishing_waits", publishing.follow, pause=FOLLOW_SECONDS),
        ):
            yield publishing
