import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.wallets import Wallet
from tidy.repository import ROOT

from twinlock.domain.canonical import encode
from twinlock.domain.errors import FileUnsafeError, MalformedError, SignerRefusedError
from twinlock.signer import FileState, SignerFault, adopt_head, check_spend

COUNTING = """
import sys
from pathlib import Path
from twinlock.signer import FileState
state = FileState(Path(sys.argv[1]))
while True:
    with state.open() as pages:
        count = int(pages.get("left") or b"0") + 1
        pages.put("left", b"%d" % count)
        pages.put("right", b"%d" % count)
    print(count, flush=True)
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "signer"


def put(directory: Path, **pages: bytes) -> None:
    with FileState(directory).open() as held:
        for name, value in pages.items():
            held.put(name, value)


def get(directory: Path, name: str) -> bytes | None:
    with FileState(directory).open() as held:
        return held.get(name)


def test_what_was_put_is_there_for_whoever_comes_next(directory: Path) -> None:
    assert get(directory, "a") is None
    put(directory, a=b"1", b=b"2")
    put(directory, a=b"3")

    assert (get(directory, "a"), get(directory, "b")) == (b"3", b"2")


def test_of_many_who_ask_for_one_spend_at_once_one_is_the_first(directory: Path) -> None:
    wallet = Wallet()
    bundle, transaction = wallet.bundle(wallet.pay()), wallet.transaction()
    with FileState(directory).open() as held:
        for name, value in wallet.state.kept.items():
            held.put(name, value)

    def ask(_: int) -> bool:
        cleared = check_spend(
            bundle,
            transaction,
            settings=wallet.settings,
            state=FileState(directory),
            now=wallet.now,
        )
        return cleared.replaces

    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(ask, range(16)))

    assert sorted(told) == [False] + [True] * 15


def test_of_many_spends_of_one_action_at_once_one_is_cleared(directory: Path) -> None:
    """Two wallets' tasks with two transactions: the lower fee may come second, and is refused."""
    wallet = Wallet()
    bundle = wallet.bundle(wallet.pay())
    with FileState(directory).open() as held:
        for name, value in wallet.state.kept.items():
            held.put(name, value)

    def ask(fee: int) -> str:
        try:
            cleared = check_spend(
                bundle,
                wallet.transaction(fee_minor=fee),
                settings=wallet.settings,
                state=FileState(directory),
                now=wallet.now,
            )
        except SignerRefusedError as refused:
            return refused.fault
        return "again" if cleared.replaces else "first"

    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(ask, range(16)))

    assert told.count("first") == 1
    assert set(told) <= {"first", "again", SignerFault.REPLAYED}


def test_what_was_put_is_seen_at_once_by_whoever_put_it(directory: Path) -> None:
    with FileState(directory).open() as held:
        held.put("a", b"1")
        assert held.get("a") == b"1"


def test_after_an_exception_nothing_was_put(directory: Path) -> None:
    def refuse() -> None:
        with FileState(directory).open() as held:
            held.put("a", b"2")
            raise SignerRefusedError("no", fault="no")

    put(directory, a=b"1")
    with pytest.raises(SignerRefusedError):
        refuse()

    assert get(directory, "a") == b"1"


def test_a_journal_that_a_dead_process_left_is_finished(directory: Path) -> None:
    put(directory, a=b"1", b=b"1")
    (directory / "journal.json").write_bytes(encode({"a": "2", "b": "2"}))

    assert (get(directory, "a"), get(directory, "b")) == (b"2", b"2")
    assert not (directory / "journal.json").exists()


def test_a_draft_that_a_dead_process_left_means_nothing(directory: Path) -> None:
    put(directory, a=b"1")
    for shard in directory.glob("pages-*.json"):
        shard.with_suffix(".new").write_bytes(b'{"a":"2')
    (directory / "journal.new").write_bytes(b'{"a":"2')
    put(directory, b=b"1")

    assert get(directory, "a") == b"1"


def test_a_process_that_is_killed_leaves_all_of_a_change_or_nothing(directory: Path) -> None:
    for _ in range(4):
        counting = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", COUNTING, str(directory)],
            stdout=subprocess.PIPE,
            cwd=ROOT / "src",
        )
        assert counting.stdout is not None
        told = [int(counting.stdout.readline()) for _ in range(5)]
        counting.kill()
        told += [int(line) for line in counting.stdout.read().splitlines()]
        counting.wait()
        counting.stdout.close()

        left, right = get(directory, "left"), get(directory, "right")
        assert left == right
        assert int(left or b"0") >= told[-1]


def test_one_holds_the_pages_at_a_time(directory: Path) -> None:
    def count(_: int) -> None:
        with FileState(directory).open() as held:
            held.put("count", b"%d" % (int(held.get("count") or b"0") + 1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(20)))

    assert get(directory, "count") == b"20"


def test_a_directory_that_is_open_to_others_is_refused(directory: Path) -> None:
    put(directory, a=b"1")
    directory.chmod(0o750)

    with pytest.raises(FileUnsafeError, match=f"{directory} .*mode 0750.*`chmod 700 {directory}`"):
        get(directory, "a")


def test_a_directory_under_another_name_is_refused(directory: Path, tmp_path: Path) -> None:
    put(directory, a=b"1")
    (tmp_path / "link").symlink_to(directory)

    with pytest.raises(FileUnsafeError, match="links are not followed"):
        get(tmp_path / "link", "a")


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    wallet = Wallet()

    with pytest.raises(SignerRefusedError, match=f"{tmp_path}/file/signer: Not a directory"):
        adopt_head(
            wallet.house.note(),
            settings=wallet.settings,
            state=FileState(tmp_path / "file" / "signer"),
            now=wallet.now,
        )


def test_nobody_else_may_read_what_is_written(directory: Path) -> None:
    put(directory, a=b"1")

    assert directory.stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o177 for path in directory.iterdir()} == {0}


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"a":1}', b"\xff", b'{"a":"\xff"}'])
def test_a_damaged_file_is_refused(directory: Path, damage: bytes) -> None:
    put(directory, a=b"1")
    for shard in directory.glob("pages-*.json"):
        shard.write_bytes(damage)

    with pytest.raises(MalformedError):
        get(directory, "a")


def test_a_signer_keeps_its_memory_in_files(directory: Path) -> None:
    wallet = Wallet()
    state = FileState(directory)
    adopt_head(wallet.house.note(), settings=wallet.settings, state=state, now=wallet.now)
    wallet.house.wait(wallet.settings.key_age_least)
    bundle = wallet.bundle(wallet.pay())

    def check() -> bool:
        return check_spend(
            bundle,
            wallet.transaction(),
            settings=wallet.settings,
            state=FileState(directory),
            now=wallet.now,
        ).replaces

    assert [check(), check()] == [False, True]
    directory.chmod(0o755)
    with pytest.raises(SignerRefusedError) as caught:
        check()
    assert caught.value.fault == SignerFault.MEMORY_UNUSABLE
    assert f"`chmod 700 {directory}`" in str(caught.value)
