"""The callback of a co-signer as its operator runs it: settings, keys, evidence over HTTP."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from support.bundles import ORIGIN
from support.officers import ADA, HALT
from support.receivers import Answer, Receiver, dripping, receiving, status
from support.wallets import Wallet
from support.worlds import rules_of
from typer.testing import CliRunner

from twinlock.cli import cosigner
from twinlock.cli.cosigner import PATH, CallbackApp, Config, _config, adopt, handler_of
from twinlock.cli.main import app as commands
from twinlock.domain.canonical import encode
from twinlock.domain.errors import FileUnsafeError, MalformedError, SignerRefusedError
from twinlock.signer.callback import EvidenceMissingError, EvidenceSilentError

COSIGNER = RSAKey.generate_key(2048)
OWN = ECKey.generate_key("P-256")
SECRETS = ("own.pem", "api-key")


@pytest.fixture
async def platform() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
def wallet() -> Wallet:
    return Wallet()


@pytest.fixture
def file(tmp_path: Path, platform: Receiver, wallet: Wallet) -> Path:
    (tmp_path / "cosigner.pem").write_bytes(COSIGNER.as_pem(private=False))
    (tmp_path / "own.pem").write_bytes(OWN.as_pem(private=True))
    (tmp_path / "api-key").write_text("a platform key\n")
    for secret in SECRETS:
        (tmp_path / secret).chmod(0o600)
    (tmp_path / "trust.json").write_bytes(encode(wallet.settings.trust))
    values = {
        "cosigner_public_key": str(tmp_path / "cosigner.pem"),
        "callback_private_key": str(tmp_path / "own.pem"),
        "trust": str(tmp_path / "trust.json"),
        "policies": [rules_of().policy.name.digest],
        "state": str(tmp_path / "state"),
        "api": platform.url(""),
        "api_key": str(tmp_path / "api-key"),
        "assets": {
            "USDT": {"asset": "USDT", "network": "ethereum", "decimals": 6, "fee_decimals": 18}
        },
        "session_budget_cents": 100,
        "unasserted_daily_cents": 100,
        "key_age_least_seconds": 172_800,
    }
    path = tmp_path / "cosigner.json"
    path.write_text(json.dumps(values))
    return path


async def post(app: CallbackApp, body: bytes, path: str = PATH) -> httpx.Response:
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type] # ASGI, by a stricter type
    async with httpx.AsyncClient(transport=transport, base_url="http://callback") as client:
        return await client.post(path, content=body)


async def test_a_request_is_answered_with_a_token_of_ours(file: Path) -> None:
    claims = {"requestId": "req-1", "txId": "tx-1", "operation": "RAW"}
    token = jws.serialize_compact(
        {"alg": "RS256"}, json.dumps(claims).encode(), COSIGNER, algorithms=["RS256"]
    )
    answer = await post(CallbackApp(handler_of(_config(file))), token.encode())

    told = json.loads(jws.deserialize_compact(answer.text, OWN, algorithms=["ES256"]).payload)
    assert answer.status_code == 200
    assert told == {
        "action": "REJECT",
        "rejectionReason": "operation_unknown",
        "requestId": "req-1",
    }


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        (b"x", PATH, 401),
        (b"x", "/v2/other", 404),
        (b"x" * 200_000, PATH, 413),
    ],
)
async def test_whatever_else_comes_gets_no_token(
    file: Path, body: bytes, path: str, code: int
) -> None:
    answer = await post(CallbackApp(handler_of(_config(file))), body, path)

    assert (answer.status_code, answer.content) == (code, b"")


async def test_another_method_is_none(file: Path) -> None:
    app: Any = CallbackApp(handler_of(_config(file)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        assert (await client.get(PATH)).status_code == 405


@pytest.mark.parametrize(
    ("code", "kind", "error"),
    [
        (400, "application/problem+json", EvidenceMissingError),
        (404, "application/problem+json", EvidenceMissingError),
        (409, "Application/Problem+JSON; charset=utf-8", EvidenceMissingError),
        (400, "text/html", EvidenceSilentError),  # The page of a proxy that restarts.
        (404, "text/html", EvidenceSilentError),
        (404, "", EvidenceSilentError),
        (503, "application/problem+json", EvidenceSilentError),
        (429, "application/problem+json", EvidenceSilentError),
        # Our own key has expired: no customer's action is lost for it.
        (401, "application/problem+json", EvidenceSilentError),
        (403, "application/problem+json", EvidenceSilentError),
        (302, "", EvidenceSilentError),
    ],
)
async def test_evidence_is_fetched_with_the_platforms_key(
    file: Path, platform: Receiver, code: int, kind: str, error: type[Exception]
) -> None:
    import asyncio  # noqa: PLC0415 - the client blocks

    evidence = handler_of(_config(file))._evidence  # noqa: SLF001 - what the program fetches with
    platform.answers.append(status(200, body=b"{}"))
    assert await asyncio.to_thread(evidence, "act_1", 7) == b"{}"
    platform.otherwise = status(code, f"content-type: {kind}")
    with pytest.raises(error):
        await asyncio.to_thread(evidence, "act_1", 7)
    first = platform.got[0]
    assert first.line.startswith("GET /v1/actions/act_1/evidence?consistent_from=7")
    assert first.headers["authorization"] == "Bearer a platform key"


@pytest.mark.parametrize(
    "answer",
    [
        dripping(b"HTTP/1.1 200 OK\r\nx-", b"a"),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65_536, seconds=0.0),
    ],
    ids=["headers", "body", "endless"],
)
async def test_a_service_that_answers_without_end_is_silent(
    file: Path, platform: Receiver, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    import asyncio  # noqa: PLC0415 - the client blocks

    monkeypatch.setattr(cosigner, "EVIDENCE_SECONDS", 0.5)
    platform.otherwise = answer
    evidence = handler_of(_config(file))._evidence  # noqa: SLF001 - what the program fetches with
    asked = asyncio.create_task(asyncio.to_thread(evidence, "act_1", 7))
    await asyncio.wait([asked], timeout=20)

    assert asked.done()
    with pytest.raises(EvidenceSilentError):
        await asked


def test_a_head_is_adopted_once(file: Path, tmp_path: Path, wallet: Wallet) -> None:
    (tmp_path / "checkpoint").write_bytes(wallet.house.note())
    with pytest.raises(SignerRefusedError):  # It was cosigned years ago, by the real clock.
        adopt(file, tmp_path / "checkpoint")


@pytest.mark.parametrize(
    "data", [b"{", b"{}", b'{"unknown":1}', b'{"state":"\xff"}', b" " * 2_000_000]
)
def test_settings_that_are_none_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "config").write_bytes(data)
    with pytest.raises(MalformedError):
        _config(tmp_path / "config")


def test_a_key_of_the_wrong_half_is_refused(file: Path, tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_bytes(OWN.as_pem(private=False))
    with pytest.raises(MalformedError):
        handler_of(_config(file))
    assert Config.__struct_config__.forbid_unknown_fields


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_secret_that_others_may_read_or_change_is_refused(
    file: Path, tmp_path: Path, secret: str, mode: int
) -> None:
    """Prevents: any user of the wallet's machine, who approves what he likes in our name."""
    (tmp_path / secret).chmod(mode)
    with pytest.raises(FileUnsafeError, match=rf"{secret} is open to others \(mode {mode:04o}\)"):
        handler_of(_config(file))

    (tmp_path / secret).chmod(0o400)
    handler_of(_config(file))


@pytest.mark.parametrize("held", [b"\xff\xfe", b"", b"two\nlines"])
def test_an_api_key_that_is_none_is_refused(file: Path, tmp_path: Path, held: bytes) -> None:
    (tmp_path / "api-key").write_bytes(held)
    with pytest.raises(MalformedError, match="api-key holds no platform key"):
        handler_of(_config(file))


@pytest.mark.parametrize("name", ["own.pem", "cosigner.pem"])
@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65_537, 1_024),  # noqa: S505 - too short, and refused
    ],
    ids=["P-384", "RSA-1024"],
)
@pytest.mark.filterwarnings("ignore:Key size")
def test_a_key_by_which_nothing_is_answered_or_believed_is_refused(
    file: Path, tmp_path: Path, name: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
) -> None:
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / name).write_bytes(private if name == "own.pem" else public)
    with pytest.raises(MalformedError):
        handler_of(_config(file))


def test_an_officers_halt_is_heard(
    file: Path, tmp_path: Path, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cosigner, "read_clock", lambda: wallet.now)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"officers": [ADA.key]}))
    (tmp_path / "checkpoint").write_bytes(wallet.house.note())
    signed = ADA.signs(HALT, at=wallet.now, log=ORIGIN)
    (tmp_path / "statement").write_bytes(encode(signed) + b"\n")

    adopted = CliRunner().invoke(
        commands, ["cosigner", "adopt", str(file), str(tmp_path / "checkpoint")]
    )
    heard = CliRunner().invoke(
        commands, ["cosigner", "hear", str(file), str(tmp_path / "statement")]
    )

    assert (adopted.exit_code, heard.exit_code) == (0, 0)
    assert heard.stdout == "halted: nothing is approved\n"
