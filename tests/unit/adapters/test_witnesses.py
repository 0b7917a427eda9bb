import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.growing_log import GrowingLog
from support.witnesses import listening, saying, whole

from twinlock.adapters import private_files, witness_calls, witnesses
from twinlock.adapters.witness_calls import HttpWitnesses
from twinlock.adapters.witnesses import (
    CosignedFile,
    WitnessPolicyWrongError,
    read_policy,
)
from twinlock.domain.errors import FileBusyError, FileUnsafeError, WitnessSilentError
from twinlock.domain.log.note import KeyType
from twinlock.domain.log.submission import MAX_ANSWER_BYTES, origin_name
from twinlock.domain.log.trust import Witness
from twinlock.proofs.notes import verifier_key

LOG = GrowingLog().grow(5)
SECRET = Ed25519PrivateKey.from_private_bytes(b"\x0b" * 32)
KEY = verifier_key("witness.example/w1", SECRET, KeyType.ED25519_COSIGNATURE)
URL = "https://witness.example/w1"


def policy(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


# --- The policy file ---


def test_without_a_file_nobody_is_asked() -> None:
    found = read_policy(None, logs=[LOG.key], url="https://id.example")

    assert (found.quorum, found.witnesses) == (None, ())
    assert found.to_text() == f"log {LOG.key} https://id.example\nquorum none\n"


@pytest.mark.parametrize("own", ["", f"log {LOG.key} https://elsewhere.example"])
def test_our_own_log_stands_in_the_policy_whether_or_not_the_file_names_it(
    tmp_path: Path, own: str
) -> None:
    path = tmp_path / "policy"
    path.write_text(policy("# ours", own, f"witness w1 {KEY} {URL}", "quorum w1"), "utf-8")

    found = read_policy(path, logs=[LOG.key])

    assert found.to_text() == f"log {LOG.key}\nwitness w1 {KEY} {URL}\nquorum w1\n"


OWN_KEY = replace(KEY, public_key=LOG.key.public_key)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(("garbage",), id="garbage"),
        pytest.param((f"witness w1 {KEY} {URL}",), id="no quorum"),
        pytest.param((f"witness w1 {KEY}", "quorum w1"), id="a quorum that cannot be asked"),
        pytest.param((f"log {GrowingLog(seed=9).key}", "quorum none"), id="another log"),
        pytest.param((f"witness w1 {OWN_KEY} {URL}", "quorum w1"), id="the log as its witness"),
        pytest.param((f"witness w1 {KEY} ftp://w", "quorum w1"), id="another scheme"),
        pytest.param((f"witness w1 {KEY} http:///w", "quorum w1"), id="no host"),
        pytest.param((f"witness w1 {KEY} http://w:x/", "quorum w1"), id="a port that is none"),
        pytest.param((f"witness w1 {KEY} http://w/?secret", "quorum w1"), id="a query"),
        pytest.param((f"witness w1 {KEY} http://u:secret@w/", "quorum w1"), id="credentials"),
        pytest.param((f"witness w1 {KEY} http://w/secret\x7f", "quorum w1"), id="a control"),
        pytest.param(
            (f"witness w\udcff {KEY} {URL}", "quorum w\udcff"), id="a name that is no text"
        ),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_without_its_urls(
    tmp_path: Path, lines: tuple[str, ...]
) -> None:
    path = tmp_path / "policy"
    path.write_bytes(policy(*lines).encode("utf-8", "surrogateescape"))

    with pytest.raises(WitnessPolicyWrongError) as refused:
        read_policy(path, logs=[LOG.key])

    assert "secret" not in str(refused.value)


def test_a_policy_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WitnessPolicyWrongError, match="cannot be read"):
        read_policy(tmp_path / "nothing", logs=[LOG.key])


# --- Calls ---

Ask = Callable[[HttpWitnesses], Awaitable[object]]


async def submit(calls: HttpWitnesses) -> object:
    return await calls.submit("w1", b"submission")


async def shown(calls: HttpWitnesses) -> object:
    return await calls.shown("w1", LOG.origin)


async def asked(url: str, *, seconds: float = 5.0, ask: Ask = submit) -> object:
    witness = Witness(name="w1", key=KEY, url=url)
    async with HttpWitnesses.of([witness, replace(witness, url=None)], seconds=seconds) as calls:
        return await ask(calls)


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_witness_is_asked_below_its_url(slash: str) -> None:
    heard: list[tuple[bytes, bytes]] = []

    async def said(line: bytes, body: bytes) -> bytes:
        heard.append((line, body))
        return whole(409, b"7\n")

    async with saying(said) as url:
        for ask in (submit, shown):
            answer = await asked(f"{url}/deep/down{slash}", ask=ask)
            assert (answer.status, answer.body) == (409, b"7\n")  # type: ignore[attr-defined] # a WitnessAnswer

    assert heard == [
        (b"POST /deep/down/add-checkpoint HTTP/1.1", b"submission"),
        (f"GET /deep/down/{origin_name(LOG.origin)}/checkpoint HTTP/1.1".encode(), b""),
    ]


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        pytest.param(whole(200, b"x" * (MAX_ANSWER_BYTES + 1)), "too_large", id="too large"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"8000\r\n" + b"x" * 32_768,
            "too_large",
            id="without an end",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal", "slow", id="half a body"),
        pytest.param(b"", "slow", id="nothing"),
        pytest.param(b"garbage\r\n\r\n", "unreachable", id="no HTTP"),
    ],
)
async def test_an_answer_that_cannot_be_read_is_silence(answer: bytes, fault: str) -> None:
    async def said(_: bytes, __: bytes) -> bytes:
        return answer

    async with saying(said) as url:
        with pytest.raises(WitnessSilentError) as silent:
            await asked(url, seconds=0.3)
    assert silent.value.fault == fault


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    heard: list[bytes] = []

    async def said(line: bytes, _: bytes) -> bytes:
        heard.append(line)
        return b"HTTP/1.1 307 Go\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"

    async with saying(said) as url:
        answer = await asked(url)

    assert (answer.status, len(heard)) == (307, 1)  # type: ignore[attr-defined] # a WitnessAnswer


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://nowhere.invalid"])
async def test_a_witness_that_is_not_there_is_silent(url: str) -> None:
    with pytest.raises(WitnessSilentError) as silent:
        await asked(url)
    assert silent.value.fault == "unreachable"
    assert url not in str(silent.value)


async def test_a_connection_that_the_witness_closed_is_opened_again() -> None:
    """As after a restart: what is asked over the old connection is asked again over a new one."""
    opened: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(1)
        await reader.readuntil(b"submission")
        writer.write(whole(200, b"yes\n"))
        await writer.drain()
        await reader.readuntil(b"submission")  # It has heard it, and says nothing.

    async with listening(answer) as url:
        witness = Witness(name="w1", key=KEY, url=url)
        async with HttpWitnesses.of([witness]) as calls:
            for connections in (1, 2, 3):
                assert (await calls.submit("w1", b"submission")).body == b"yes\n"
                assert len(opened) == connections


async def test_a_connection_is_used_again_until_it_is_old_or_the_witness_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[asyncio.StreamWriter] = []
    ending = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nyes\n"
    says = [whole(200, b"yes\n"), whole(200, b"yes\n"), ending, whole(200, b"yes\n")]
    says.append(whole(200, b"yes\n"))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        while True:
            await reader.readuntil(b"submission")
            writer.write(says.pop(0))
            await writer.drain()

    async with listening(answer) as url:
        witness = Witness(name="w1", key=KEY, url=url)
        async with HttpWitnesses.of([witness]) as calls:
            for connections in (1, 1, 1, 2):
                assert (await calls.submit("w1", b"submission")).status == 200
                assert len(opened) == connections
            monkeypatch.setattr(witness_calls, "IDLE_SECONDS", 0.0)
            assert (await calls.submit("w1", b"submission")).status == 200
            assert len(opened) == 3


async def test_what_nobody_asked_for_ends_the_connection() -> None:
    async def said(_: bytes, __: bytes) -> bytes:
        return whole(200, b"one\n") + whole(200, b"two\n")

    async with saying(said) as url:
        witness = Witness(name="w1", key=KEY, url=url)
        async with HttpWitnesses.of([witness]) as calls:
            for _ in range(3):
                assert (await calls.submit("w1", b"submission")).body == b"one\n"


async def test_who_gives_up_asking_leaves_no_connection_behind() -> None:
    heard = asyncio.Event()

    async def said(_: bytes, __: bytes) -> bytes:
        heard.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with saying(said) as url:
        witness = Witness(name="w1", key=KEY, url=url)
        async with HttpWitnesses.of([witness]) as calls:
            asking = asyncio.create_task(calls.submit("w1", b"submission"))
            await heard.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert calls._kept == {}  # noqa: SLF001 - what it still says would be heard there


# --- What is kept ---


async def test_the_note_of_the_largest_tree_is_kept(tmp_path: Path) -> None:
    kept = CosignedFile(tmp_path / "data" / "cosigned")
    assert await kept.read() is None
    for size in (2, 4, 3, 4):
        await kept.keep(LOG.note(size).encode(), size=size)

    assert await kept.read() == LOG.note(4).encode()
    assert (tmp_path / "data" / "cosigned").stat().st_mode & 0o777 == 0o600


async def test_a_kept_note_that_nobody_can_read_is_replaced(tmp_path: Path) -> None:
    private_files.write(tmp_path / "cosigned", b"garbage")
    kept = CosignedFile(tmp_path / "cosigned")
    await kept.keep(LOG.note(1).encode(), size=1)

    assert await kept.read() == LOG.note(1).encode()


async def test_a_kept_note_that_others_could_have_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cosigned").write_bytes(b"")
    (tmp_path / "cosigned").chmod(0o644)

    with pytest.raises(FileUnsafeError):
        await CosignedFile(tmp_path / "cosigned").read()


async def test_nobody_waits_long_for_who_keeps_another_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witnesses, "KEEP_PATIENCE_SECONDS", 0)
    kept = CosignedFile(tmp_path / "cosigned")
    held = private_files.locked(tmp_path / "cosigned.lock", patience_seconds=0)
    with held, pytest.raises(FileBusyError):
        await kept.keep(LOG.note(1).encode(), size=1)
    assert await kept.read() is None
