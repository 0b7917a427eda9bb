"""``twinlock officers``, ``halt`` and ``resume`` as people start them, while processes serve."""

from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from support.commands import Ended, free_port, run, serve
from support.installations import environment_of
from support.officers import ADA, BEN, CLEO
from support.postgres import TestDatabase
from support.softhsm import CONFIG, PIN, make_token
from support.softhsm import home as softhsm_home
from support.stores import open_store, opened

from twinlock.adapters.officers import OfficerKeyWrongError, make_key, open_key
from twinlock.adapters.private_files import locked
from twinlock.adapters.settings import load as load_settings
from twinlock.adapters.system import SystemClock, SystemEntropy
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.world import prepare
from twinlock.domain.errors import FileUnsafeError

Variables = dict[str, str]


@pytest.fixture
def variables(database: TestDatabase, tmp_path: Path) -> Variables:
    found = environment_of(tmp_path, DATABASE_URL=database.app_dsn, OWNER_URL=database.owner_dsn)
    make_keyring(load_settings(found))
    return found


def refused(told: Ended, code: str) -> None:
    assert told.code == 2, told
    assert told.err.rstrip().endswith(f"[{code}]"), told
    assert "Traceback" not in told.err


async def asked(variables: Variables, *words: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON
    told = await run(variables, *words, "--json")
    assert told.code == code, told.err
    return msgspec.json.decode(told.out)


async def an_account_of(variables: Variables, database: TestDatabase) -> str:
    """Open an account, and return its id."""
    world = await prepare(load_settings(variables))
    async with open_store(database.app_dsn, world.keyring, SystemClock()) as store:
        return (await opened(store, SystemClock())).account_id


def keys_of(directory: Path, count: int = 3) -> dict[str, Path]:
    """Make so many officers' keys; return their files by their public keys."""
    files = [directory / f"officer-{number}.pem" for number in range(count)]
    return {make_key(file, entropy=SystemEntropy()): file for file in files}


@pytest.mark.requirement("O-23")
async def test_one_officer_halts_and_two_resume(variables: Variables, tmp_path: Path) -> None:
    keys = keys_of(tmp_path)
    one, two, _ = keys.values()
    appointed = await asked(variables, "officers", "appoint", *keys)
    assert appointed["officers"] == sorted(keys)

    halted = await asked(variables, "halt", "--key", str(one), "--because", "case-7")
    assert (halted["halt"], halted["because"], halted["done"]) == (1, "case-7", True)
    listed = await run(variables, "officers", "list")
    assert "halted since" in listed.out
    assert "platform.halt" in listed.out
    assert "officers.appoint" in listed.out

    agreed = await asked(variables, "resume", "--key", str(one), code=1)
    again = await run(variables, "resume", "--key", str(one))
    assert (agreed["done"], agreed["halt"], again.code) == (False, 1, 1)
    assert "a second one has to" in again.err
    resumed = await asked(variables, "resume", "--key", str(two))

    assert (resumed["done"], resumed["halt"]) == (True, None)
    assert "not halted" in (await run(variables, "officers", "list")).out
    audited = await run(variables, "audit", "--json")
    assert audited.code == 0, audited.out


async def test_what_is_signed_elsewhere_is_done_here(variables: Variables, tmp_path: Path) -> None:
    keys = keys_of(tmp_path, count=4)
    *three, fourth = keys
    standing = await asked(variables, "officers", "appoint", *three)
    statement = tmp_path / "statement.json"

    async def signs(key: str, *words: str) -> None:
        """Sign with no settings at all, as on another machine."""
        told = await run(
            {}, "officers", "sign", "--key", str(keys[key]), "--log", standing["log"], *words
        )
        assert told.code == 0, told.err
        statement.write_text(told.out)

    await signs(three[0], "halt", "case-8")
    halted = await asked(variables, "halt", "--signed", str(statement))
    assert halted["because"] == "case-8"
    refused(await run(variables, "halt", "--signed", str(statement)), "statement_refused")
    refused(await run(variables, "resume", "--signed", str(statement)), "malformed")

    async def both_sign(*words: str, command: tuple[str, ...], last: int = 0) -> Any:  # noqa: ANN401 - JSON
        told = None
        for key, code in ((three[0], 1), (three[1], last)):
            await signs(key, *words)
            told = await asked(variables, *command, "--signed", str(statement), code=code)
        return told

    resumed = await both_sign("resume", str(halted["halt"]), command=("resume",))
    assert resumed["halt"] is None
    words = ("change", str(resumed["since"]), fourth, three[2])
    changed = await both_sign(*words, command=("officers", "change"), last=1)
    assert set(changed["officers"]) == {*three}
    assert sorted(changed["agreed"]) == sorted(three[:2])
    await signs(three[0], "change", str(changed["since"]), "none", three[1])
    refused(
        await run(variables, "officers", "change", "--signed", str(statement)), "officers_wrong"
    )


async def test_officers_change_by_how_a_key_begins(variables: Variables, tmp_path: Path) -> None:
    keys = keys_of(tmp_path, count=4)
    *three, fourth = keys
    await asked(variables, "officers", "appoint", *three)
    words = ("officers", "change", f"--add={fourth}", f"--remove={three[2][:12]}")

    first = await asked(variables, *words, "--key", str(keys[three[0]]), code=1)
    agreed = await run(variables, *words, "--key", str(keys[three[1]]))

    assert (agreed.code, agreed.out) == (1, "not halted  3 officers\n")
    due = first["change_at"][: len("2026-03-01T12:00")]
    says = "2 officers agreed; it takes two, and a last word from"
    assert f"{says} {due}" in agreed.err


async def test_one_officer_suspends_an_account_and_two_others_release_it(
    variables: Variables, database: TestDatabase, tmp_path: Path
) -> None:
    keys = keys_of(tmp_path)
    one, two, three = (str(file) for file in keys.values())
    standing = await asked(variables, "officers", "appoint", *keys)
    alice = await an_account_of(variables, database)

    told = await asked(variables, "suspend", alice, "--key", one, "--because", "case-9")
    assert (told["account"], told["done"]) == (alice, True)
    refused(await run(variables, "suspend", alice, "--key", two), "suspended_too_soon")
    refused(await run(variables, "release", alice, "--key", one), "statement_refused")
    set_at = str(told["suspension"]["set_at"])
    words = ("release", alice, set_at, "--key", two, "--log", standing["log"])
    (tmp_path / "word.json").write_text((await run({}, "officers", "sign", *words)).out)
    agreed = await run(variables, "release", alice, "--signed", str(tmp_path / "word.json"))
    assert (agreed.code, "a second one has to" in agreed.err) == (1, True)
    assert agreed.out.startswith(f"{alice}  suspended until ")
    released = await run(variables, "release", alice, "--key", three)

    assert (released.code, released.err) == (0, "")
    assert released.out.startswith(f"{alice}  released at ")
    assert released.out[-21:] < agreed.out[-21:]
    refused(await run(variables, "release", alice, "--key", two), "account_not_suspended")
    assert (await run(variables, "audit")).code == 0


async def test_what_cannot_be_done_is_said_in_a_line(variables: Variables, tmp_path: Path) -> None:
    keys = keys_of(tmp_path)
    one = next(iter(keys.values()))
    nothing = tmp_path / "nothing.json"
    nothing.write_text("{}")

    for words, code in (
        (("halt", "--key", str(one)), "officers_missing"),
        (("resume", "--key", str(one)), "platform_not_halted"),
        (("officers", "change", "--add", ADA.key, "--key", str(one)), "officers_missing"),
        (("officers", "appoint", ADA.key, BEN.key), "officers_wrong"),
        (("halt",), "malformed"),
        (("halt", "--signed", str(nothing)), "malformed"),
        (("halt", "--key", str(tmp_path / "none")), "officer_key_wrong"),
        (("officers", "keygen", str(one)), "officer_key_wrong"),
        (("officers", "keygen", str(tmp_path / "k"), "--token", "only"), "officer_key_wrong"),
        (("officers", "sign", "--key", str(one), "--log", "x", "resume", "soon"), "malformed"),
        (("officers", "sign", "--key", str(one), "--log", "x", "resume", "9" * 5_000), "malformed"),
    ):
        refused(await run(variables, *words), code)
    await asked(variables, "officers", "appoint", *keys)
    others = (ADA.key, BEN.key, CLEO.key)
    refused(await run(variables, "officers", "appoint", *others), "officers_wrong")
    refused(await run(variables, "halt", "--key", str(one), "--because", "two words"), "malformed")
    assert (await asked(variables, "officers", "list"))["halt"] is None


async def test_a_service_shows_that_it_is_halted(variables: Variables, tmp_path: Path) -> None:
    keys = keys_of(tmp_path)
    one, *_ = keys.values()
    await asked(variables, "officers", "appoint", *keys)
    port = free_port()
    async with serve(variables, port=port), httpx.AsyncClient() as client:
        where = f"http://127.0.0.1:{port}/metrics"
        before = (await client.get(where)).text
        await asked(variables, "halt", "--key", str(one))
        after = (await client.get(where)).text

    assert "twinlock_platform_halted 0.0" in before
    assert "twinlock_platform_halted 1.0" in after


async def test_a_halt_is_done_though_another_process_moves_the_anchor(
    variables: Variables, tmp_path: Path
) -> None:
    keys = keys_of(tmp_path)
    await asked(variables, "officers", "appoint", *keys)
    busy = Path(variables["TWINLOCK_DATA_DIR"]) / "log-anchor.json.lock"

    with locked(busy, patience_seconds=0):
        halted = await asked(variables, "halt", "--key", str(next(iter(keys.values()))))

    assert halted["halt"] == 1


# --- Keys ---


async def test_an_officers_key_may_lie_in_a_token(variables: Variables, tmp_path: Path) -> None:
    soft = make_token(tmp_path)
    variables = {**variables, CONFIG: str(softhsm_home() / "softhsm2.conf")}
    keys = keys_of(tmp_path, count=2)
    file = tmp_path / "in-token.json"
    made = await asked(
        variables,
        *("officers", "keygen", str(file)),
        *("--module", str(soft.place.module), "--token", soft.place.label),
        *("--pin-file", str(soft.place.pin_file)),
    )
    assert PIN not in file.read_text()
    await asked(variables, "officers", "appoint", *keys, made["public_key"])

    halted = await asked(variables, "halt", "--key", str(file))
    assert halted["acts"][-1]["officer"] == made["public_key"]
    await asked(variables, "resume", "--key", str(file), code=1)
    resumed = await asked(variables, "resume", "--key", str(keys[next(iter(keys))]))

    assert resumed["halt"] is None


def test_a_key_is_put_beside_no_keyring_and_over_nothing(tmp_path: Path) -> None:
    settings = load_settings(environment_of(tmp_path))
    make_keyring(settings)
    made = tmp_path / "officer.pem"
    public = make_key(made, entropy=SystemEntropy())

    assert made.stat().st_mode & 0o777 == 0o600
    assert len(public) == 43
    assert len(open_key(made).sign(b"something")) == 64
    for path in (made, settings.keyring_dir / "officer.pem"):
        with pytest.raises(OfficerKeyWrongError):
            make_key(path, entropy=SystemEntropy())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n",
        b'{"handle":"zz","module":"m","pin_file":"p","public":"AAAA","token":"t"}',
    ],
)
def test_a_file_without_an_officers_key_is_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(data)
    file.chmod(0o600)

    with pytest.raises(OfficerKeyWrongError):
        open_key(file)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "officer.pem"
    make_key(file, entropy=SystemEntropy())
    file.chmod(0o644)

    with pytest.raises(FileUnsafeError):
        open_key(file)
