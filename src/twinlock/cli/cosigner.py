"""``twinlock cosigner``: what a custody provider's co-signer asks first (docs/cosigner.md).

A program of its own, on the wallet's side: it loads no settings, no keyring and no database.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, cast

import httpx
import msgspec
import structlog
import typer
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from twinlock.cli.console import log_to_stderr, result, say
from twinlock.cli.files import read_secret
from twinlock.cli.witness import run
from twinlock.domain.errors import MalformedError
from twinlock.domain.trust import read_trust
from twinlock.signer import FileState, SignerSettings, adopt_head, hear_officer
from twinlock.signer.callback import (
    REQUEST_BYTES_MOST,
    Asset,
    CallbackHandler,
    CallbackUnauthenticatedError,
    EvidenceMissingError,
    EvidenceSilentError,
    read_clock,
)

PATH = "/v2/tx_sign_request"
EVIDENCE_SECONDS = 10.0  # The co-signer waits 30 for us.
BODY_SECONDS = 10.0
BUNDLE_BYTES_MOST = 1_048_576
FILE_BYTES_MOST = 1_048_576
NOT_FOUND, OK = 404, 200
MISSING = (400, NOT_FOUND, 409)  # No action of ours, or one of which nothing was spent.
PROBLEM = "application/problem+json"  # As the service itself says so.
RSA_BITS_LEAST = 2_048  # SP 800-131A.
_log = structlog.get_logger(__name__)

app = typer.Typer(help="A custody provider's co-signer callback.", no_args_is_help=True)
ConfigFile = Annotated[Path, typer.Argument(help="The settings, JSON (docs/cosigner.md).")]


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one callback handler; paths are absolute."""

    cosigner_public_key: str
    callback_private_key: str
    trust: str
    policies: tuple[str, ...]
    state: str
    api: str
    api_key: str
    assets: dict[str, Asset]
    session_budget_cents: int
    unasserted_daily_cents: int
    key_age_least_seconds: int
    witnessed: bool = True
    officers: tuple[str, ...] = ()


@app.command("adopt")
def adopt(
    config: ConfigFile,
    checkpoint: Annotated[Path, typer.Argument(help="One that you compared with somebody else's.")],
) -> None:
    """Take a checkpoint as the head to begin from, once."""
    read = _config(config)
    head = adopt_head(
        _bytes(checkpoint), settings=_settings(read), state=_state(read), now=read_clock()
    )
    result({"size": head.size}, as_json=False, text=f"begins at entry {head.size}")


@app.command("hear")
def hear(
    config: ConfigFile,
    statement: Annotated[Path, typer.Argument(help="What `twinlock officers sign` printed.")],
) -> None:
    """Take an officer's halt, or a resume: under a halt nothing is approved."""
    read = _config(config)
    halted = hear_officer(
        _bytes(statement).strip(), settings=_settings(read), state=_state(read), now=read_clock()
    )
    told = "halted: nothing is approved" if halted else "not halted"
    result({"halted": halted}, as_json=False, text=told)


@app.command("serve")
def serve(
    config: ConfigFile,
    *,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 8095,
) -> None:
    """Answer a co-signer until SIGTERM; TLS is the proxy's before it."""
    log_to_stderr("info")
    handler = handler_of(_config(config))
    say(f"answers POST {PATH} on {host}:{port}")
    run(cast("Any", CallbackApp(handler)), host=host, port=port)


def handler_of(config: Config) -> CallbackHandler:
    """Return the handler that these settings mean. Raises MalformedError."""
    return CallbackHandler(
        cosigner=_key(Path(config.cosigner_public_key), private=False),
        own=_key(Path(config.callback_private_key), private=True),
        assets=config.assets,
        settings=_settings(config),
        state=_state(config),
        evidence=_evidence_of(config),
    )


def _config(path: Path) -> Config:
    try:
        return msgspec.json.decode(_bytes(path), type=Config)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"{path} is not settings of a callback: {error}") from error


def _settings(config: Config) -> SignerSettings:
    return SignerSettings(
        trust=read_trust(_bytes(Path(config.trust))),
        policies=frozenset(config.policies),
        session_budget_cents=config.session_budget_cents,
        unasserted_daily_cents=config.unasserted_daily_cents,
        key_age_least=timedelta(seconds=config.key_age_least_seconds),
        witnessed=config.witnessed,
        officers=frozenset(config.officers),
    )


def _state(config: Config) -> FileState:
    return FileState(Path(config.state))


def _key(path: Path, *, private: bool) -> RSAKey | ECKey:
    data = read_secret(path, FILE_BYTES_MOST) if private else _bytes(path)
    for kind in (RSAKey, ECKey):
        try:
            key = kind.import_key(data)
        except (JoseError, ValueError, TypeError):
            continue
        if key.is_private == private and _is_usable(key):
            return key
    half = "private" if private else "public"
    raise MalformedError(
        f"{path} is no {half} key of P-256, or of RSA with {RSA_BITS_LEAST} bits, in PEM"
    )


def _is_usable(key: RSAKey | ECKey) -> bool:
    """Prevents: a key that starts, and by which no answer is ever signed or no request believed."""
    if isinstance(key, RSAKey):
        return key.raw_value.key_size >= RSA_BITS_LEAST
    return key.curve_name == "P-256"


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(FILE_BYTES_MOST + 1)
    if len(data) > FILE_BYTES_MOST:
        raise MalformedError(f"{path} has more than {FILE_BYTES_MOST} bytes")
    return data


def _evidence_of(config: Config) -> Callable[[str, int], bytes]:
    token = read_secret(Path(config.api_key), FILE_BYTES_MOST).decode("ascii", "replace").strip()
    if not (token and token.isascii() and token.isprintable()):
        raise MalformedError(f"{config.api_key} holds no platform key")
    headers = {"authorization": f"Bearer {token}", "accept-encoding": "identity"}

    def evidence(action_id: str, size: int) -> bytes:
        path = f"/v1/actions/{action_id}/evidence"
        try:
            code, kind, data = asyncio.run(
                _asked(config.api, f"{path}?consistent_from={size}", headers)
            )
        except (httpx.HTTPError, TimeoutError) as error:
            raise EvidenceSilentError("the service does not answer") from error
        if code in MISSING and kind == PROBLEM:
            raise EvidenceMissingError("there is no evidence of this action")
        # A key that expired, a proxy's page: what is rejected once is never approved.
        if code != OK or len(data) > BUNDLE_BYTES_MOST:
            raise EvidenceSilentError("the service cannot tell now")
        return data

    return evidence


async def _asked(base: str, path: str, headers: Mapping[str, str]) -> tuple[int, str, bytes]:
    """Return the status, the media type, and the body until it is too long for a bundle.

    Prevents: a service that answers without end, so that nothing else is ever answered here.
    """
    data = b""
    async with (
        asyncio.timeout(EVIDENCE_SECONDS),
        httpx.AsyncClient(
            base_url=base, headers=headers, timeout=EVIDENCE_SECONDS, trust_env=False
        ) as client,
        client.stream("GET", path) as answer,
    ):
        async for part in answer.aiter_bytes():
            data += part
            if len(data) > BUNDLE_BYTES_MOST:
                break
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return answer.status_code, kind, data


class CallbackApp:
    """The ASGI application: one path, one method, and a JWT both ways."""

    def __init__(self, handler: CallbackHandler) -> None:
        self._handler = handler

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        status, body = await self._answer(scope, receive)
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(
        self, scope: Mapping[str, Any], receive: Callable[[], Awaitable[Mapping[str, Any]]]
    ) -> tuple[int, bytes]:
        if scope["path"] != PATH:
            return NOT_FOUND, b""
        if scope["method"] != "POST":
            return 405, b""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(receive)
        except TimeoutError:
            return 408, b""
        if body is None:
            return 413, b""
        try:
            answer = await asyncio.to_thread(self._handler.answer, body, now=read_clock())
        except CallbackUnauthenticatedError as error:
            _log.warning("cosigner_refused", text=str(error))
            return 401, b""
        return OK, answer


async def _read(receive: Callable[[], Awaitable[Mapping[str, Any]]]) -> bytes | None:
    """Return the whole body, or None where it is too large or breaks off."""
    whole = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        whole += bytes(message.get("body", b""))
        if len(whole) > REQUEST_BYTES_MOST:
            return None
        if not message.get("more_body"):
            return whole
