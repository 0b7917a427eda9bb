"""``twinlock witness`` as logs, monitors and its operator meet it: a process, sockets, signals."""

import asyncio
import json
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from support.commands import environment, free_port, run
from support.growing_log import GrowingLog
from support.until import until
from support.witnesses import HOST, RealWitness, running

from twinlock.domain.log.checkpoint import parse_checkpoint
from twinlock.domain.log.note import SignedNote, parse_note, parse_vkey
from twinlock.domain.log.submission import (
    MAX_SUBMISSION_BYTES,
    SIZE_TYPE,
    origin_name,
    parse_cosignatures,
)
from twinlock.proofs.notes import verify_cosignatures
from twinlock.witness.app import WitnessApp
from twinlock.witness.ledger import Ledger
from twinlock.witness.serving import Witness

LOG = GrowingLog().grow(300)
FORK = LOG.fork(at=100)
PATIENCE_SECONDS = 20.0


@pytest.fixture
async def witness(tmp_path: Path) -> AsyncIterator[RealWitness]:
    one = RealWitness(tmp_path / "w1", "witness.example/w1")
    one.watch(LOG.key)
    async with running(one):
        yield one


@pytest.fixture
async def http(witness: RealWitness) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=witness.url) as client:
        yield client


async def submit(http: httpx.AsyncClient, old: int, size: int, log: GrowingLog = LOG) -> int:
    answer = await http.post("/add-checkpoint", content=log.submission(old, size).encode())
    return answer.status_code


async def test_a_log_is_cosigned_as_it_grows(witness: RealWitness, http: httpx.AsyncClient) -> None:
    for old, size in ((0, 1), (1, 7), (7, 7), (7, 300)):
        answer = await http.post("/add-checkpoint", content=LOG.submission(old, size).encode())
        assert answer.status_code == 200
        note = LOG.note(size)
        whole = SignedNote(text=note.text, signatures=parse_cosignatures(answer.content))
        assert list(verify_cosignatures(whole, [witness.key])) == [witness.key]

    shown = parse_note(await witness.shown(LOG.origin))
    assert parse_checkpoint(shown.text) == LOG.head(300)


async def test_a_stranger_to_its_state_learns_the_size(http: httpx.AsyncClient) -> None:
    await submit(http, 0, 5)
    answer = await http.post("/add-checkpoint", content=LOG.submission(0).encode())

    assert (answer.status_code, answer.headers["content-type"]) == (409, SIZE_TYPE)
    assert answer.content == b"5\n"


@pytest.mark.requirement("O-34")
async def test_a_forked_log_is_refused_from_then_on(http: httpx.AsyncClient) -> None:
    await submit(http, 0, 200)

    assert await submit(http, 200, 200, FORK) == 422
    assert await submit(http, 200, 300, FORK) == 422
    assert await submit(http, 0, 300, FORK) == 409
    assert await submit(http, 200, 300) == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/add-checkpoint", 405),
        ("POST", "/elsewhere", 404),
        ("POST", f"/{origin_name(LOG.origin)}/checkpoint", 404),
        ("GET", f"/{origin_name(LOG.origin)}/checkpoint", 404),
        ("GET", "/../key/checkpoint", 404),
        ("GET", "/%2e%2e%2fkey/checkpoint", 404),
        ("POST", "/healthz", 404),
    ],
)
async def test_any_other_address_is_none(
    http: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    assert (await http.request(method, path)).status_code == status


async def test_its_health_and_metrics_say_what_it_did(http: httpx.AsyncClient) -> None:
    await submit(http, 0, 5)
    await submit(http, 0, 6)

    health = (await http.get("/healthz")).json()
    metrics = (await http.get("/metrics")).text

    assert (health["status"], health["logs"]) == ("ok", 1)
    assert parse_vkey(health["key"]).name == "witness.example/w1"
    assert 'twinlock_witness_answers_total{said="cosigned"} 1.0' in metrics
    assert 'twinlock_witness_answers_total{said="other_size"} 1.0' in metrics
    assert f'twinlock_witness_size{{origin="{LOG.origin}"}} 5.0' in metrics


# --- Bodies that mean harm ---


async def said_to(witness: RealWitness, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, witness.port)
    writer.write(request)
    async with asyncio.timeout(PATIENCE_SECONDS):
        answer = await reader.read(65_536)
    writer.close()
    return answer


async def test_a_body_without_an_end_is_cut_off(witness: RealWitness) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    head = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n"

    answer = await said_to(witness, head + chunk * 3)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert await witness.healthy()


async def test_a_head_without_an_end_is_cut_off(witness: RealWitness) -> None:
    answer = await said_to(witness, b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 40_000)

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert await witness.healthy()


@pytest.mark.parametrize("extra", [0, 1])
async def test_a_body_is_read_to_its_limit(http: httpx.AsyncClient, extra: int) -> None:
    body = b"x" * (MAX_SUBMISSION_BYTES + extra)
    answer = await http.post("/add-checkpoint", content=body)

    assert (answer.status_code, b"too long" in answer.content) == (400, bool(extra))


async def test_a_body_that_never_comes_is_not_waited_for(tmp_path: Path) -> None:
    real = RealWitness(tmp_path / "w", "witness.example/w1")
    app = WitnessApp(
        Witness(Ledger.open(real.directory), now=lambda: pytest.fail("nothing to date")),
        body_seconds=0.01,
    )
    sent: list[object] = []

    async def never() -> dict[str, object]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: object) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/add-checkpoint"}
    await app(scope, never, send)

    assert [one.get("status") for one in sent if isinstance(one, dict)] == [400, None]


async def test_whoever_goes_away_is_answered_nothing(tmp_path: Path) -> None:
    real = RealWitness(tmp_path / "w", "witness.example/w1")
    app = WitnessApp(Witness(Ledger.open(real.directory), now=lambda: pytest.fail("no time")))
    sent: list[object] = []

    async def gone() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        sent.append(message)

    await app({"type": "http", "method": "POST", "path": "/add-checkpoint"}, gone, send)
    await app({"type": "lifespan"}, gone, send)

    assert sent == []


async def test_what_breaks_on_its_side_is_told_without_a_cosignature(
    witness: RealWitness, http: httpx.AsyncClient
) -> None:
    await submit(http, 0, 5)
    head = witness.directory / "logs" / origin_name(LOG.origin) / "head"
    data = head.read_bytes()
    head.write_bytes(b"x" * len(data))
    answer = await http.post("/add-checkpoint", content=LOG.submission(5).encode())
    assert (answer.status_code, answer.content) == (503, b"witness_damaged\n")

    head.unlink()
    head.mkdir(mode=0o700)  # What nobody foresaw.
    answer = await http.post("/add-checkpoint", content=LOG.submission(5).encode())
    assert answer.status_code == 503


async def test_what_nobody_foresaw_signs_nothing(tmp_path: Path) -> None:
    real = RealWitness(tmp_path / "w", "witness.example/w1")
    real.watch(LOG.key)

    def broken() -> None:
        raise ZeroDivisionError

    app = WitnessApp(Witness(Ledger.open(real.directory), now=broken))  # type: ignore[arg-type] # a clock that breaks
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type] # its types are stricter
    async with httpx.AsyncClient(transport=transport, base_url="http://w") as http:
        answer = await http.post("/add-checkpoint", content=LOG.submission(0).encode())
        assert (answer.status_code, answer.content) == (503, b"internal\n")
        shown = await http.get(f"/{origin_name(LOG.origin)}/checkpoint")
        assert shown.status_code == 404


# --- Crashes and company ---


async def test_what_was_answered_survives_a_kill(
    witness: RealWitness, http: httpx.AsyncClient
) -> None:
    size = 0
    for step in (1, 8, 30):
        assert await submit(http, size, size + step) == 200
        size += step
        await witness.end(signal.SIGKILL)
        await witness.start()
        assert parse_checkpoint(parse_note(await witness.shown(LOG.origin)).text).size == size
        assert await submit(http, size, size, LOG.fork(at=0)) == 422


async def test_a_kill_in_the_middle_of_an_answer_never_makes_it_forget_or_fork(
    witness: RealWitness, http: httpx.AsyncClient
) -> None:
    size = 0
    for turns in range(0, 8, 2):
        assert await submit(http, size, size + 3) == 200
        size += 3
        asked = asyncio.create_task(submit(http, size, size + 1))
        for _ in range(turns):
            await asyncio.sleep(0)
        await witness.end(signal.SIGKILL)
        [answer] = await asyncio.gather(asked, return_exceptions=True)
        await witness.start()
        found = parse_checkpoint(parse_note(await witness.shown(LOG.origin)).text)
        assert found in (LOG.head(size), LOG.head(size + 1))
        assert answer != 200 or found.size == size + 1
        size = found.size


async def test_several_processes_on_one_directory_are_one_witness(
    witness: RealWitness, http: httpx.AsyncClient
) -> None:
    """Of two histories that are submitted to both at once, one is cosigned by both."""
    other = RealWitness(witness.directory.parent / "w2", "witness.example/unused")
    other.directory, other.clock = witness.directory, witness.clock
    async with running(other), httpx.AsyncClient(base_url=other.url) as second:
        for old in range(0, 60, 6):
            fork = LOG.fork(at=old)
            answers = await asyncio.gather(
                *(
                    submit(client, old, old + 6, log)
                    for log in (LOG, fork)
                    for client in (http, second)
                    for _ in range(3)
                )
            )
            counted = Counter(answers)
            assert counted[200] >= 1
            assert set(counted) <= {200, 409}
            shown = parse_checkpoint(parse_note(await other.shown(LOG.origin)).text)
            assert shown in (LOG.head(old + 6), fork.head(old + 6))
            if shown != LOG.head(old + 6):  # The fork came first, and is the log from now on.
                assert await submit(http, old + 6, 300) == 422
                assert await submit(http, old + 6, 300, fork) == 200
                return


# --- Its operator ---


async def test_the_commands_make_a_witness_that_serves(tmp_path: Path) -> None:
    where = ("--dir", str(tmp_path / "w"))
    made = await run({}, "witness", "init", "--name", "witness.example/w9", "--json", *where)
    key = parse_vkey(json.loads(made.out)["key"])
    added = await run({}, "witness", "add-log", str(LOG.key), *where)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *("python", "-m", "twinlock", "witness", "serve", "--port", f"{port}"),
        *("--prefix", "/deep/down", *where),
        executable=sys.executable,
        env=environment({}),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        said = await process.stderr.readline()
        await until(lambda: listening(port))
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}/deep/down") as http:
        assert await submit(http, 0, 5) == 200
        assert (await http.get(f"/{origin_name(LOG.origin)}/checkpoint")).status_code == 200
        assert (await http.post(f"http://{HOST}:{port}/add-checkpoint")).status_code == 404
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    shown = json.loads((await run({}, "witness", "show", "--json", *where)).out)
    next_key = str(GrowingLog(seed=7).key)
    await run({}, "witness", "add-log", next_key, *where)
    left = await run({}, "witness", "drop-key", str(LOG.key), "--json", *where)
    last = await run({}, "witness", "drop-key", next_key, *where)

    assert json.loads(left.out) == {"keys": [next_key], "origin": LOG.origin}
    assert (last.code, "malformed" in last.err) == (2, True)
    assert (made.code, added.code, process.returncode) == (0, 0, 0)
    assert str(key).encode() in said
    assert added.out == f"{LOG.origin}\n"
    assert (shown["key"], shown["logs"][0]["size"]) == (str(key), 5)


def listening(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex((HOST, port)) == 0


async def test_logs_are_taken_from_a_policy_and_begun_from_a_checkpoint(tmp_path: Path) -> None:
    where = ("--dir", str(tmp_path / "w"))
    other = GrowingLog(origin="log.example/b", seed=4)
    (tmp_path / "policy").write_text(
        f"log {LOG.key}\nlog {GrowingLog(seed=5).key}\nlog {other.key}\nquorum none\n", "utf-8"
    )
    (tmp_path / "checkpoint").write_bytes(LOG.note(7).encode())
    await run({}, "witness", "init", "--name", "w", *where)
    began = ("--checkpoint", str(tmp_path / "checkpoint"))
    first = await run({}, "witness", "add-log", str(LOG.key), *began, *where)
    from_policy = ("--policy", str(tmp_path / "policy"))
    both = await run({}, "witness", "add-log", *from_policy, *where)
    shown = await run({}, "witness", "show", *where)

    assert (first.code, both.code) == (0, 0)
    assert both.out == "log.example/twinlock\nlog.example/b\n"
    assert {f"{LOG.origin}: 7", "log.example/b: nothing yet"} <= set(shown.out.splitlines())


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("serve",), "witness_missing"),
        (("show",), "witness_missing"),
        (("add-log", str(LOG.key)), "witness_missing"),
        (("init", "--name", "two words"), "malformed"),
        (("serve", "--prefix", "no-slash"), "malformed"),
        (("serve", "--log-level", "loud"), "malformed"),
    ],
)
async def test_what_cannot_be_done_is_one_line_with_a_code(
    tmp_path: Path, words: tuple[str, ...], code: str
) -> None:
    ended = await run({}, "witness", *words, "--dir", str(tmp_path / "w"))

    assert (ended.code, ended.err.count("\n"), f"[{code}]" in ended.err) == (2, 1, True)


async def test_an_address_that_is_taken_is_no_no(tmp_path: Path) -> None:
    """Prevents: code 1, which says of a check that it does not hold."""
    where = ("--dir", str(tmp_path / "w"))
    assert (await run({}, "witness", "init", "--name", "witness.example/w", *where)).code == 0
    with socket.socket() as held:
        held.bind((HOST, 0))
        held.listen()
        told = await run({}, "witness", "serve", *where, "--port", str(held.getsockname()[1]))

    assert told.code == 2
    assert told.err.rstrip().endswith("[listen_refused]")


async def test_wrong_words_add_no_log(tmp_path: Path) -> None:
    where = ("--dir", str(tmp_path / "w"))
    (tmp_path / "large").write_bytes(bytes(2_000_000))
    await run({}, "witness", "init", "--name", "w", *where)
    for words, code in {
        (): "malformed",
        ("log.example+00000000+AAAA",): "malformed",
        ("--policy", str(tmp_path / "nothing")): "system_refused",
        ("--policy", str(tmp_path / "large")): "malformed",
        (str(LOG.key), "--checkpoint", str(tmp_path / "large")): "malformed",
    }.items():
        ended = await run({}, "witness", "add-log", *words, *where)
        assert (ended.code, f"[{code}]" in ended.err) == (2, True)
    assert json.loads((await run({}, "witness", "show", "--json", *where)).out)["logs"] == []


async def test_without_a_directory_it_lies_where_the_system_says(tmp_path: Path) -> None:
    made = await run({"XDG_DATA_HOME": str(tmp_path)}, "witness", "show", "--json")

    assert (made.code, "twinlock-witness" in made.err) == (2, True)
