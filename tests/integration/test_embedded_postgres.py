"""The embedded database, really started: the wheel's PostgreSQL 16, and Debian's 15 where present.

As root each run uses directories and a system user of its own and removes them afterwards.
"""

import importlib.util
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from twinlock.adapters import postgres, private_files
from twinlock.adapters.postgres import EmbeddedPostgres, check_socket_directory, wheel_binaries
from twinlock.adapters.system import SystemEntropy
from twinlock.domain.errors import (
    DatabaseNotStartedError,
    FileUnsafeError,
    SocketDirectoryOpenError,
)

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
ROOT = os.geteuid() == 0
ME = os.geteuid()
only_root = pytest.mark.skipif(not ROOT, reason="only root becomes another user")
SERVER_USER = f"twinlock-t{os.getpid()}"
SOURCES = Path(postgres.__file__).parents[2]
START = """
import sys
from pathlib import Path
from twinlock.adapters.postgres import EmbeddedPostgres
from twinlock.adapters.system import SystemEntropy
directory, password_file, user = sys.argv[1:]
server = EmbeddedPostgres(
    Path(directory), password_file=Path(password_file), entropy=SystemEntropy(), server_user=user
)
print(server.ensure_running().password)
"""


class Home:
    """A directory that the server's user can reach, and the servers in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.servers: list[EmbeddedPostgres] = []

    def password_file(self, name: str) -> Path:
        return self.path / f"{name}-config" / "password"

    def server(
        self, name: str, *, binaries: Path | None = None, start_seconds: int = 30
    ) -> EmbeddedPostgres:
        server = EmbeddedPostgres(
            self.path / name / "pg",
            password_file=self.password_file(name),
            entropy=SystemEntropy(),
            binaries=binaries,
            server_user=SERVER_USER,
            start_seconds=start_seconds,
        )
        self.servers.append(server)
        return server

    def log(self, name: str) -> str:
        return (self.path / name / "pg" / "postgres.log").read_text("utf-8")


def base() -> Path:
    """Return where anybody may enter: memory, as the disk's speed is not tested, if it may run."""
    memory = Path("/dev/shm")  # noqa: S108 - only a private directory of our own in it
    if memory.is_dir() and not os.statvfs(memory).f_flag & os.ST_NOEXEC:
        return memory
    return Path("/var/lib") if ROOT else Path(tempfile.gettempdir())


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    path = base() / f"twinlock-test-{os.getpid()}"
    path.mkdir()
    path.chmod(0o711)
    home = Home(path)
    yield home
    for server in home.servers:
        server.stop()
    shutil.rmtree(path)
    userdel = shutil.which("userdel")
    if ROOT and userdel is not None:
        subprocess.run([userdel, SERVER_USER], check=False, capture_output=True)  # noqa: S603 - ours


both_versions = pytest.mark.parametrize(
    "name",
    [
        pytest.param("wheel", id="the wheel's 16"),
        pytest.param(
            "debian15",
            id="Debian's 15",
            marks=pytest.mark.skipif(not DEBIAN_15.exists(), reason="PostgreSQL 15 is missing"),
        ),
    ],
    indirect=True,
    scope="module",
)


@pytest.fixture(scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "wheel"))


@pytest.fixture(scope="module")
def server(home: Home, name: str) -> EmbeddedPostgres:
    return home.server(name, binaries=None if name == "wheel" else DEBIAN_15)


@pytest.fixture
def data(home: Home, name: str) -> Path:
    return home.path / name / "pg" / "data"


@pytest.fixture
def sockets(home: Home, name: str) -> Path:
    return home.path / name / "pg" / "socket"


async def connect(server: EmbeddedPostgres, password: str | None = None) -> asyncpg.Connection:
    address = server.ensure_running()
    shown = address.password if password is None else password
    dsn = server.dsn(database="postgres", role=address.superuser, password=shown)
    return await asyncpg.connect(dsn)


async def ask(server: EmbeddedPostgres, sql: str) -> object:
    connection = await connect(server)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def postmaster(data: Path) -> int:
    return int((data / "postmaster.pid").read_text("ascii").splitlines()[0])


def kill(pid: int) -> None:
    """Kill a process and wait until it is dead."""
    handle = os.pidfd_open(pid)
    signal.pidfd_send_signal(handle, signal.SIGKILL)
    select.select([handle], [], [], 10)
    os.close(handle)


@both_versions
async def test_the_superuser_shows_the_password_and_no_other_word_will_do(
    server: EmbeddedPostgres,
) -> None:
    assert await ask(server, "SELECT current_user") == "postgres"
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect(server, password="guess")  # noqa: S106 - wrong on purpose


@both_versions
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("listen_addresses", ""),
        ("unix_socket_permissions", "0700"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("password_encryption", "scram-sha-256"),
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
        ("log_min_error_statement", "panic"),
        ("log_error_verbosity", "terse"),
    ],
)
async def test_the_server_runs_as_promised(
    server: EmbeddedPostgres, setting: str, value: str
) -> None:
    assert await ask(server, f"SHOW {setting}") == value


@both_versions
async def test_every_door_asks_for_scram(server: EmbeddedPostgres) -> None:
    doors = "SELECT array_agg(type || ' ' || auth_method) FROM pg_hba_file_rules"

    assert await ask(server, doors) == ["local scram-sha-256"]


@both_versions
async def test_text_sorts_by_bytes(server: EmbeddedPostgres) -> None:
    assert await ask(server, "SELECT datcollate FROM pg_database LIMIT 1") == "C"


async def test_a_role_and_a_password_may_hold_any_character(server: EmbeddedPostgres) -> None:
    connection = await connect(server)
    await connection.execute("""CREATE ROLE "a/p:p@" LOGIN PASSWORD 'w?&=%/@: d'""")
    try:
        dsn = server.dsn(database="postgres", role="a/p:p@", password="w?&=%/@: d")  # noqa: S106 - made here
        own = await asyncpg.connect(dsn)
        assert await own.fetchval("SELECT current_user") == "a/p:p@"
        await own.close()
    finally:
        await connection.execute('DROP ROLE "a/p:p@"')
        await connection.close()


def test_a_running_server_is_used_again(server: EmbeddedPostgres, data: Path) -> None:
    first = server.ensure_running()
    pid = postmaster(data)

    assert server.ensure_running() == first
    assert postmaster(data) == pid


def test_the_password_stands_in_its_file_alone(
    server: EmbeddedPostgres, home: Home, name: str, data: Path
) -> None:
    address = server.ensure_running()
    password = address.password

    assert home.password_file(name).read_text("ascii") == password
    assert home.password_file(name).stat().st_mode & 0o777 == 0o600
    assert password not in repr(address)
    assert password not in home.log(name)
    arguments = Path(f"/proc/{postmaster(data)}/cmdline")
    assert not arguments.exists() or password.encode() not in arguments.read_bytes()
    assert sorted(path.name for path in data.parent.iterdir() if path.is_file()) == [
        "lock",
        "pg_hba.conf",
        "postgres.log",
    ]


@both_versions
async def test_a_killed_server_starts_again_with_what_it_had_committed(
    server: EmbeddedPostgres, data: Path
) -> None:
    await ask(server, "CREATE TABLE IF NOT EXISTS kept (n int)")
    await ask(server, "INSERT INTO kept VALUES (1)")
    before = await ask(server, "SELECT count(*) FROM kept")
    pid = postmaster(data)

    kill(pid)

    assert await ask(server, "SELECT count(*) FROM kept") == before
    assert postmaster(data) != pid


@both_versions
def test_a_number_that_another_process_has_by_now_does_not_stop_the_start(
    server: EmbeddedPostgres, data: Path, sockets: Path
) -> None:
    server.ensure_running()
    lines = (data / "postmaster.pid").read_text("ascii").splitlines(keepends=True)
    owner = data.stat()
    server.stop()
    for file in (data / "postmaster.pid", sockets / ".s.PGSQL.5432.lock"):
        file.write_text("".join([f"{os.getpid()}\n", *lines[1:]]), "ascii")
        file.chmod(0o600)
        os.chown(file, owner.st_uid, owner.st_gid)

    server.ensure_running()

    assert postmaster(data) != os.getpid()


@both_versions
def test_another_spelling_of_the_directory_is_the_same_server(
    server: EmbeddedPostgres, home: Home, name: str, data: Path
) -> None:
    """Prevents: a second spelling that takes the live server's lock file for a dead one's."""
    first = server.ensure_running()
    pid = postmaster(data)
    link = home.path / f"{name}-link"
    link.symlink_to(home.path / name)
    spelled = EmbeddedPostgres(
        link / "pg",
        password_file=home.password_file(name),
        entropy=SystemEntropy(),
        binaries=None if name == "wheel" else DEBIAN_15,
        server_user=SERVER_USER,
    )
    try:
        assert spelled.ensure_running() == first
        assert postmaster(data) == pid
    finally:
        link.unlink()


def test_a_server_that_was_started_under_another_spelling_keeps_its_lock_file(
    server: EmbeddedPostgres, home: Home, name: str, data: Path
) -> None:
    """The path in its arguments may be gone by now; where it works is still our directory."""
    server.ensure_running()
    pid = postmaster(data)
    moved = home.path / f"{name}-moved"
    (home.path / name).rename(moved)
    elsewhere = EmbeddedPostgres(
        moved / "pg",
        password_file=home.password_file(name),
        entropy=SystemEntropy(),
        server_user=SERVER_USER,
        start_seconds=1,
    )
    try:
        elsewhere.ensure_running()
        assert postmaster(moved / "pg" / "data") == pid
    finally:
        moved.rename(home.path / name)


def test_a_link_in_place_of_the_directory_itself_is_refused(home: Home) -> None:
    (home.path / "aside" / "pg").mkdir(parents=True)
    (home.path / "linked").mkdir()
    (home.path / "linked" / "pg").symlink_to(home.path / "aside" / "pg")

    with pytest.raises(FileUnsafeError, match="not a directory of its own"):
        home.server("linked").ensure_running()
    home.servers.pop()


@both_versions
@pytest.mark.parametrize("word", ["", "nonsense\n", "999999999\n", "-999999999\n"])
def test_a_lock_file_that_names_nobody_does_not_stop_the_start(
    server: EmbeddedPostgres, data: Path, word: str
) -> None:
    server.ensure_running()
    server.stop()
    file = data / "postmaster.pid"
    file.write_text(word, "ascii")
    file.chmod(0o600)
    os.chown(file, data.stat().st_uid, data.stat().st_gid)

    server.ensure_running()

    assert postmaster(data) > 0


def test_a_server_that_neither_starts_nor_stops_is_told(
    server: EmbeddedPostgres, home: Home, data: Path
) -> None:
    server.ensure_running()
    file = data / "postmaster.pid"
    ready = file.read_bytes()
    file.write_bytes(ready.replace(b"ready   ", b"starting"))
    impatient = home.server("wheel", start_seconds=1)
    try:
        with pytest.raises(DatabaseNotStartedError, match="neither starts nor stops"):
            impatient.ensure_running()
    finally:
        file.write_bytes(ready)


@both_versions
def test_stopping_ends_the_server_and_stopping_again_does_nothing(
    server: EmbeddedPostgres, data: Path
) -> None:
    server.ensure_running()

    server.stop()
    server.stop()

    assert not (data / "postmaster.pid").exists()


def test_stopping_what_was_never_made_does_nothing(home: Home) -> None:
    home.server("never").stop()

    assert not (home.path / "never").exists()


def test_a_long_log_is_put_aside_at_the_next_start(
    server: EmbeddedPostgres, home: Home, name: str
) -> None:
    server.ensure_running()
    server.stop()
    log = home.path / name / "pg" / "postgres.log"
    os.truncate(log, postgres.MAX_LOG_BYTES + 1)

    server.ensure_running()

    assert log.stat().st_size < postgres.MAX_LOG_BYTES
    log.with_name("postgres.log.1").unlink()


@pytest.mark.parametrize("mode", [0o711, 0o707])
@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_an_open_socket_directory_is_neither_used_nor_repaired(
    server: EmbeddedPostgres, sockets: Path, mode: int, running: bool
) -> None:
    server.ensure_running()
    if not running:
        server.stop()
    sockets.chmod(mode)
    try:
        with pytest.raises(SocketDirectoryOpenError, match="open to others"):
            server.ensure_running()
        with pytest.raises(SocketDirectoryOpenError):
            server.dsn(database="postgres", role="postgres", password="")
        assert sockets.stat().st_mode & 0o777 == mode
    finally:
        sockets.chmod(0o700)


def test_a_linked_socket_directory_is_refused(server: EmbeddedPostgres, sockets: Path) -> None:
    server.ensure_running()
    server.stop()
    elsewhere = sockets.with_name("elsewhere")
    sockets.rename(elsewhere)
    sockets.symlink_to(elsewhere)
    try:
        with pytest.raises(SocketDirectoryOpenError, match="not a directory of its own"):
            server.ensure_running()
    finally:
        sockets.unlink()
        elsewhere.rename(sockets)


@only_root
def test_another_users_socket_directory_is_refused(server: EmbeddedPostgres, sockets: Path) -> None:
    server.ensure_running()
    owner = sockets.stat()
    os.chown(sockets, 65_534, -1)
    try:
        with pytest.raises(SocketDirectoryOpenError, match="belongs to user 65534"):
            server.ensure_running()
    finally:
        os.chown(sockets, owner.st_uid, owner.st_gid)


def test_a_lost_socket_directory_is_told_while_running_and_made_anew_at_the_next_start(
    server: EmbeddedPostgres, sockets: Path
) -> None:
    server.ensure_running()
    shutil.rmtree(sockets)

    with pytest.raises(DatabaseNotStartedError, match="is gone"):
        server.ensure_running()
    server.stop()

    server.ensure_running()
    assert sockets.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("mode", "passes"), [(0o777, False), (0o1777, True), (0o775, True)])
def test_everybody_may_not_rename_the_socket_directory(
    tmp_path: Path, mode: int, passes: bool
) -> None:
    parent = tmp_path / "parent"
    (parent / "socket").mkdir(parents=True)
    (parent / "socket").chmod(0o700)
    parent.chmod(mode)

    if passes:
        check_socket_directory(parent / "socket", owner=ME)
        return
    with pytest.raises(SocketDirectoryOpenError, match="everybody may rename"):
        check_socket_directory(parent / "socket", owner=ME)


def test_a_missing_password_file_is_told_and_not_replaced(
    server: EmbeddedPostgres, home: Home, name: str
) -> None:
    server.ensure_running()
    file = home.password_file(name)
    aside = file.rename(file.with_name("aside"))
    try:
        with pytest.raises(DatabaseNotStartedError, match="is missing"):
            server.ensure_running()
        assert not file.exists()
    finally:
        aside.rename(file)


def test_an_open_password_file_is_refused(server: EmbeddedPostgres, home: Home, name: str) -> None:
    server.ensure_running()
    home.password_file(name).chmod(0o640)
    try:
        with pytest.raises(FileUnsafeError, match="open to others"):
            server.ensure_running()
    finally:
        home.password_file(name).chmod(0o600)


def test_a_directory_that_others_may_write_is_refused(home: Home) -> None:
    directory = home.path / "open" / "pg"
    directory.mkdir(parents=True)
    directory.chmod(0o775)

    with pytest.raises(FileUnsafeError, match="open to others"):
        home.server("open").ensure_running()


def test_many_processes_start_one_server_that_outlives_them(home: Home) -> None:
    name = "many at once"  # A path with spaces is a path.
    directory = home.path / name / "pg"
    arguments = [str(directory), str(home.password_file(name)), SERVER_USER]

    starters = [
        subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-c", START, *arguments],
            env={"PYTHONPATH": os.pathsep.join([str(SOURCES), *sys.path])},
            stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    said = {starter.communicate(timeout=60)[0] for starter in starters}

    address = home.server(name).ensure_running()
    assert said == {f"{address.password}\n".encode()}
    assert home.log(name).count("ready to accept connections") == 1


async def test_a_path_too_long_for_a_socket_gets_a_short_private_directory(home: Home) -> None:
    long_name = "x" * 90
    server = home.server(long_name)
    short = server.ensure_running().socket_directory
    try:
        assert short.stat().st_mode & 0o777 == 0o700
        assert short.is_relative_to(tempfile.gettempdir())
        assert home.server(long_name).ensure_running().socket_directory == short
        assert await ask(server, "SELECT 1") == 1
        server.stop()
    finally:
        shutil.rmtree(short)
    (home.path / long_name / "pg" / "socket-directory").unlink()

    again = server.ensure_running().socket_directory
    server.stop()
    assert again != short
    shutil.rmtree(again)


def test_no_place_short_enough_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", f"/{'t' * 90}")

    with pytest.raises(DatabaseNotStartedError, match="too long for a socket"):
        home.server("y" * 90).ensure_running()


@pytest.mark.parametrize("name_part", ['a"b', "a$b", "a`b", "a\\b", "a,b", "a'b", "a\nb"])
def test_a_path_that_a_shell_or_a_list_would_read_otherwise_is_refused(
    tmp_path: Path, name_part: str
) -> None:
    odd, plain = tmp_path / name_part, tmp_path / "plain"
    for directory, binaries in ((odd, plain), (plain, odd)):
        with pytest.raises(DatabaseNotStartedError, match="path"):
            EmbeddedPostgres(
                directory, password_file=plain, entropy=SystemEntropy(), binaries=binaries
            )


def test_programs_that_do_not_run_are_told(home: Home, tmp_path: Path) -> None:
    with pytest.raises(DatabaseNotStartedError):
        home.server("nothing", binaries=tmp_path / "bin").ensure_running()

    fake = tmp_path / "package" / "pginstall" / "bin"
    fake.mkdir(parents=True)
    for program in ("initdb", "pg_ctl", "postgres"):
        (fake / program).write_text("not a program", "ascii")
    for _ in range(2):  # What the first attempt left is not in the way of the second.
        with pytest.raises(DatabaseNotStartedError, match="initdb could not be run"):
            home.server("fake", binaries=fake).ensure_running()
    assert not (home.path / "fake" / "pg" / "data").exists()
    assert not (home.path / "fake" / "pg" / "initdb-password").exists()


def test_data_that_do_not_start_are_told_with_the_place_of_the_log(home: Home) -> None:
    directory = home.path / "broken" / "pg"
    (directory / "data").mkdir(parents=True)
    (directory / "data" / "PG_VERSION").write_text("16\n", "ascii")
    for path in (directory.parent, directory):
        path.chmod(0o711 if ROOT else 0o700)
    (directory / "data").chmod(0o755)
    home.password_file("broken").parent.mkdir()
    private_files.write(home.password_file("broken"), b"password")

    with pytest.raises(DatabaseNotStartedError, match=r"pg_ctl: .*postgres\.log"):
        home.server("broken").ensure_running()


def test_a_missing_wheel_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(DatabaseNotStartedError, match="TWINLOCK_DATABASE_URL"):
        wheel_binaries()


@only_root
def test_as_root_the_server_is_a_user_without_rights(server: EmbeddedPostgres, data: Path) -> None:
    server.ensure_running()
    entry = pwd.getpwnam(SERVER_USER)
    status = Path(f"/proc/{postmaster(data)}/status").read_text("ascii")

    assert f"Uid:\t{entry.pw_uid}\t{entry.pw_uid}\t{entry.pw_uid}\t{entry.pw_uid}\n" in status
    assert "\nGroups:\t \n" in status
    assert entry.pw_shell == "/usr/sbin/nologin"
    assert data.parent.stat().st_uid == 0


@only_root
async def test_programs_that_the_servers_user_cannot_reach_are_copied_once(
    home: Home, tmp_path: Path
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    package = wheel_binaries().parents[1]
    for found in (package, package.parent / f"{package.name}.libs"):
        (private / found.name).symlink_to(found)
    binaries = private / package.name / "pginstall" / "bin"

    server = home.server("copied", binaries=binaries)
    assert await ask(server, "SELECT 1") == 1
    server.stop()

    assert private.stat().st_mode & 0o777 == 0o700
    assert len(list((home.path / "copied" / "pg").glob("binaries-*"))) == 1


@only_root
@pytest.mark.parametrize("user", ["root", "-no-such-user", "no such user"])
def test_a_user_that_cannot_be_the_servers_is_told(tmp_path: Path, user: str) -> None:
    server = EmbeddedPostgres(
        tmp_path / "pg",
        password_file=tmp_path / "password",
        entropy=SystemEntropy(),
        server_user=user,
    )

    with pytest.raises(DatabaseNotStartedError):
        server.ensure_running()


@only_root
def test_a_system_without_useradd_is_told_what_to_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda program, path: None)
    server = EmbeddedPostgres(
        tmp_path / "pg",
        password_file=tmp_path / "password",
        entropy=SystemEntropy(),
        server_user="twinlock-none",
    )

    with pytest.raises(DatabaseNotStartedError, match="make a system user twinlock-none"):
        server.ensure_running()
