import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from twinlock.adapters import private_files
from twinlock.domain.errors import FileBusyError, FileUnsafeError

ME = os.geteuid()


def test_a_written_file_is_its_owners_alone_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    private_files.write(path, b"first")
    private_files.write(path, b"second")

    assert private_files.read(path) == b"second"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_what_is_no_secret_may_be_for_everybody(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        private_files.write(tmp_path / "list", b"x", mode=0o644)
    finally:
        os.umask(before)

    assert (tmp_path / "list").stat().st_mode & 0o777 == 0o644


def test_what_is_created_is_its_owners_alone_and_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    private_files.create(tmp_path / "secret", b"first")

    for name in ("secret", "link"):
        with pytest.raises(FileExistsError):
            private_files.create(tmp_path / name, b"second")

    assert private_files.read(tmp_path / "secret") == b"first"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["link", "secret"]


def test_two_who_make_a_file_at_once_hold_the_same(tmp_path: Path) -> None:
    """Prevents: two first starts, of which each gives the database a password of its own."""
    path = tmp_path / "password"

    def make() -> bytes:
        private_files.create(path, b"of the other one, who was faster")
        return b"ours"

    assert private_files.read_or_make(path, make) == b"of the other one, who was faster"
    assert path.read_bytes() == b"of the other one, who was faster"
    assert [one.name for one in tmp_path.iterdir()] == ["password"]


def test_a_draft_that_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / f".secret.{os.getpid()}.new").write_bytes(b"half")

    private_files.write(tmp_path / "secret", b"whole")

    assert private_files.read(tmp_path / "secret") == b"whole"


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        private_files.read(tmp_path / "nothing")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666])
def test_a_file_with_any_right_for_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"x")
    path.chmod(mode)

    with pytest.raises(FileUnsafeError, match="open to others"):
        private_files.read(path)


@pytest.mark.parametrize("path", [Path("/"), Path()])
def test_nothing_is_written_in_the_place_of_a_directory_without_a_name(path: Path) -> None:
    with pytest.raises(FileExistsError):
        private_files.create(path, b"x")
    with pytest.raises(FileExistsError):
        private_files.write(path, b"x")


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_that_only_its_owner_reads_is_read(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"x")
    path.chmod(mode)

    assert private_files.read(path) == b"x"


def a_link(path: Path) -> None:
    target = path.with_name("target")
    target.write_bytes(b"x")
    target.chmod(0o600)
    path.symlink_to(target)


def a_pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def a_directory(path: Path) -> None:
    path.mkdir(mode=0o700)


@pytest.mark.parametrize("make", [a_link, a_pipe, a_directory])
def test_what_is_not_a_file_of_its_own_is_refused(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "secret")

    with pytest.raises(FileUnsafeError):
        private_files.read(tmp_path / "secret")


def test_another_users_file_is_refused(tmp_path: Path) -> None:
    private_files.write(tmp_path / "secret", b"x")

    with pytest.raises(FileUnsafeError, match="belongs to user"):
        private_files.read(tmp_path / "secret", owner=ME + 1)


def test_a_file_may_fill_its_limit_and_not_pass_it(tmp_path: Path) -> None:
    private_files.write(tmp_path / "secret", b"1234")

    assert private_files.read(tmp_path / "secret", limit=4) == b"1234"
    with pytest.raises(FileUnsafeError, match="larger than 3 bytes"):
        private_files.read(tmp_path / "secret", limit=3)


def test_nobody_else_lists_what_is_made_whatever_the_umask(tmp_path: Path) -> None:
    mode = 0o711 if ME == 0 else 0o700
    before = os.umask(0)
    try:
        private_files.make_directory(tmp_path / "a" / "b")
    finally:
        os.umask(before)

    assert (tmp_path / "a").stat().st_mode & 0o777 == mode
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == mode


def test_a_directory_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o750)

    private_files.make_directory(tmp_path / "a")

    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o750


def test_a_link_in_a_directorys_place_is_left_for_the_check_to_refuse(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "nowhere")

    private_files.make_directory(tmp_path / "a")

    with pytest.raises(FileUnsafeError, match="not a directory of its own"):
        private_files.check_directory(tmp_path / "a", owner=ME)


def test_a_private_directory_passes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o700)

    private_files.check_directory(tmp_path / "a", owner=ME)


@pytest.mark.parametrize(
    ("mode", "allowed", "passes"),
    [
        (0o711, 0o755, True),
        (0o755, 0o755, True),
        (0o775, 0o755, False),
        (0o757, 0o755, False),
        (0o711, 0o700, False),
    ],
)
def test_a_directory_may_be_as_open_as_allowed(
    tmp_path: Path, mode: int, allowed: int, passes: bool
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(mode)

    if passes:
        private_files.check_directory(tmp_path / "a", owner=ME, allowed=allowed)
        return
    with pytest.raises(FileUnsafeError, match="open to others"):
        private_files.check_directory(tmp_path / "a", owner=ME, allowed=allowed)


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileUnsafeError, match="cannot be examined"):
        private_files.check_directory(tmp_path / "a", owner=ME)


def test_another_users_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o700)

    with pytest.raises(FileUnsafeError, match="belongs to user"):
        private_files.check_directory(tmp_path / "a", owner=ME + 1)


def test_a_lock_is_held_by_one_at_a_time_and_freed_after(tmp_path: Path) -> None:
    lock = tmp_path / "lock"

    with (
        private_files.locked(lock, patience_seconds=0),
        pytest.raises(FileBusyError, match="held by another process"),
        private_files.locked(lock, patience_seconds=0),
    ):
        pytest.fail("two hold one lock")

    with private_files.locked(lock, patience_seconds=0):
        other = os.open(lock, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)
