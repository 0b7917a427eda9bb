import fcntl
import os
from pathlib import Path

import pytest

from twinlock.domain.errors import FileBusyError, FileUnsafeError
from twinlock.witness import files
from twinlock.witness.files import (
    PLACE_BYTES,
    RECORD_BYTES_MOST,
    HeadFile,
    WitnessDamagedError,
    check_directory,
    locked,
    make_directory,
    read,
    write,
)


@pytest.fixture
def head(tmp_path: Path) -> Path:
    path = tmp_path / "head"
    HeadFile.make(path)
    return path


def put(path: Path, *records: bytes) -> None:
    with HeadFile.opened(path) as file:
        for record in records:
            file.get()
            file.put(record)


def get(path: Path) -> bytes | None:
    with HeadFile.opened(path) as file:
        return file.get()


def spoil(path: Path, at: int, *, length: int = 1) -> None:
    data = bytearray(path.read_bytes())
    for byte in range(at, at + length):
        data[byte] ^= 0xFF
    path.write_bytes(data)


def place_of(number: int) -> int:
    return number % 2 * PLACE_BYTES


def test_a_new_head_file_holds_nothing(head: Path) -> None:
    assert get(head) is None
    assert head.stat().st_mode & 0o777 == 0o600


def test_making_a_head_file_again_changes_nothing(head: Path) -> None:
    put(head, b"first")
    HeadFile.make(head)

    assert get(head) == b"first"


def test_a_head_file_that_is_gone_is_damaged_and_not_empty(head: Path) -> None:
    head.unlink()

    with pytest.raises(WitnessDamagedError, match="gone"):
        get(head)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_the_last_record_is_the_one_that_is_read(head: Path, count: int) -> None:
    put(head, *(b"record %d" % number for number in range(1, count + 1)))

    assert get(head) == b"record %d" % count


@pytest.mark.parametrize("size", [0, 1, RECORD_BYTES_MOST])
def test_a_record_may_fill_its_place(head: Path, size: int) -> None:
    put(head, b"first", b"x" * size)

    assert get(head) == b"x" * size
    put(head, b"third")
    assert get(head) == b"third"


@pytest.mark.parametrize("at", [0, 8, 16, 20, 40], ids=["magic", "number", "length", "data", "end"])
def test_a_record_that_was_half_written_gives_way_to_the_one_before(head: Path, at: int) -> None:
    put(head, b"first", b"second", b"third")
    spoil(head, place_of(3) + at)

    assert get(head) == b"second"
    put(head, b"fourth")
    assert get(head) == b"fourth"


def test_a_head_file_without_a_whole_record_is_damaged_and_not_empty(head: Path) -> None:
    put(head, b"first")
    spoil(head, place_of(1) + 20)

    with pytest.raises(WitnessDamagedError, match="no whole record"):
        get(head)


@pytest.mark.parametrize("size", [0, PLACE_BYTES, 2 * PLACE_BYTES + 1])
def test_a_head_file_of_another_size_is_damaged(head: Path, size: int) -> None:
    write(head, bytes(size))

    with pytest.raises(WitnessDamagedError, match="size"):
        get(head)


def test_a_record_in_the_other_place_is_none(head: Path) -> None:
    put(head, b"first")
    data = head.read_bytes()
    head.write_bytes(data[PLACE_BYTES:] + data[:PLACE_BYTES])

    with pytest.raises(WitnessDamagedError):
        get(head)


def test_a_full_disk_is_told_and_the_last_record_stays(
    head: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(head, b"first")
    monkeypatch.setattr(os, "pwrite", lambda *_: 3)

    with pytest.raises(WitnessDamagedError, match="disk full"):
        put(head, b"second")

    assert get(head) == b"first"


def test_only_one_holds_a_head_file_or_a_lock(head: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PATIENCE_SECONDS", 0.01)
    with HeadFile.opened(head), pytest.raises(FileBusyError), HeadFile.opened(head):
        pass
    with locked(head), pytest.raises(FileBusyError), locked(head):
        pass
    assert get(head) is None


def test_a_lock_that_is_freed_in_time_is_taken(head: Path) -> None:
    put(head, b"first")
    handle = os.open(head, os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    os.close(handle)

    assert get(head) == b"first"


def test_a_file_is_whole_and_private_and_replaced_at_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, b"one")
    write(path, b"two")

    assert read(path) == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_file_is_not_replaced_where_it_may_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, b"one")

    with pytest.raises(FileExistsError):
        write(path, b"two", replace=False)

    assert read(path) == b"one"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    assert read(tmp_path / "nothing") is None


def as_link(path: Path) -> None:
    path.with_name("elsewhere").write_bytes(b"theirs")
    path.symlink_to(path.with_name("elsewhere"))


def as_pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def as_open_to_others(path: Path) -> None:
    path.write_bytes(b"theirs")
    path.chmod(0o644)


def as_too_large(path: Path) -> None:
    write(path, bytes(65_537))


def as_directory(path: Path) -> None:
    path.mkdir(mode=0o700)


@pytest.mark.parametrize("made", [as_link, as_pipe, as_open_to_others, as_too_large, as_directory])
def test_a_file_that_is_not_ours_alone_is_refused(tmp_path: Path, made: object) -> None:
    path = tmp_path / "file"
    made(path)  # type: ignore[operator] # one of the functions above

    with pytest.raises(FileUnsafeError):
        read(path)


def test_a_directory_that_others_could_change_is_refused(tmp_path: Path) -> None:
    open_one, link, file = tmp_path / "open", tmp_path / "link", tmp_path / "file"
    make_directory(open_one)
    link.symlink_to(open_one)
    open_one.chmod(0o755)
    file.write_bytes(b"")

    for path in (open_one, link, file, tmp_path / "nothing"):
        with pytest.raises(FileUnsafeError):
            check_directory(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, b"")
    os.chown(path, 65_534, 65_534)

    with pytest.raises(FileUnsafeError, match="belongs to user 65534"):
        read(path)
