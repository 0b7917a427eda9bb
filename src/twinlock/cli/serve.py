"""``twinlock serve``: the service, on one or several processes; ``twinlock migrate``."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing import parent_process
from types import FrameType
from typing import Any, NoReturn

import uvicorn
from litestar import Litestar
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from twinlock.api.app import create_app
from twinlock.api.serving import Api
from twinlock.bootstrap.collecting import spare_collections
from twinlock.bootstrap.ruling import officers_rule
from twinlock.bootstrap.serving import open_api, page_routes
from twinlock.bootstrap.trust import tell_served
from twinlock.bootstrap.world import migrate_owner, prepare, settings_from_environment
from twinlock.cli.console import fail, log_to_stderr, say
from twinlock.cli.listening import BoundedProtocol, refuse_taken
from twinlock.domain.errors import SettingsWrongError, TokenPinWrongError

DRAIN_SECONDS = 10  # What a request in flight may still take after SIGTERM.
BACKLOG = 2048
AGAIN_SECONDS = 2.0  # After a process that had not started is tried again; it fails in a second.
NOT_STARTED = 3  # The exit code of such a process: uvicorn's.
PIN_REFUSED = 4  # Of what is not tried again, by a supervisor either: wrong PINs lock a token.
_WORKER = "twinlock.cli.serve:worker"


def worker() -> Litestar:
    """Return the application of one process, made from the environment."""
    settings = settings_from_environment()
    log_to_stderr(settings.log_level)
    if parent_process() is not None:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    return create_app(opens, pages=(page_routes(settings),))


def _end_with_parent() -> None:
    """Wait for the end of whoever started this process, and then stop as after SIGTERM.

    Prevents: a service that somebody killed, of which the processes go on deciding, and whose
    successor finds its address taken.
    """
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


@asynccontextmanager
async def opens() -> AsyncIterator[Api]:
    """Open the use cases of one process, by the environment and the rules that hold every law."""
    try:
        world = await prepare(settings_from_environment())
    except TokenPinWrongError as error:
        fail(error)
        os._exit(PIN_REFUSED)  # The server would end with the code that asks for another try.
    async with open_api(world) as api:
        await tell_served(world, api.policy())
        spare_collections()
        yield api


def serve() -> None:
    """Serve the API, by the TWINLOCK_* variables; SIGTERM finishes what is in flight."""
    settings = settings_from_environment()
    log_to_stderr(settings.log_level)
    refuse_taken(settings.listen_host, settings.listen_port)
    if asyncio.run(_try_out()):
        # No refusal: this is how Twinlock is tried out.
        say(
            f"nobody carries notices: they are files in {settings.outbox_dir}, "
            "and no customer gets them (docs/notices.md)"
        )
    if settings.price_file is not None and not settings.price_file.exists():
        # No refusal: the feed may start later, and until then every value counts as the highest.
        say(f"{settings.price_file} is not there: until it is, no value is known (docs/prices.md)")
    # uvicorn finishes what is in flight, and then sends itself the signal that it was sent.
    signal.signal(signal.SIGTERM, _end_well)
    say(f"serving {settings.origin} on {settings.listen_host}:{settings.listen_port}")
    how: dict[str, Any] = {
        "factory": True,
        "host": settings.listen_host,
        "port": settings.listen_port,
        "workers": settings.workers,
        "http": BoundedProtocol,
        "backlog": BACKLOG,
        "timeout_graceful_shutdown": DRAIN_SECONDS,
        "log_level": "warning",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
    }
    if settings.workers == 1:
        uvicorn.run(_WORKER, **how)
        return
    config = uvicorn.Config(_WORKER, **how)
    crew = Crew(config, sockets=[config.bind_socket()])
    crew.run()
    if crew.refused:
        raise SystemExit(PIN_REFUSED)


class Crew(Multiprocess):
    """Several processes that serve. What they serve by was tried out before they start.

    Prevents: a process that was killed, whose successor finds the database away for a second, and
    all of the others ended because of that.
    """

    @property
    def refused(self) -> bool:
        """Whether there is no process whose PIN was not refused."""
        return all(process.exitcode == PIN_REFUSED for process in self.processes)

    def keep_subprocess_alive(self) -> None:
        """Start another process in the place of each that ended; where one failed, pause once.

        Where none is left that serves, and none is tried again, all is over. Prevents: an address
        that is listened on, and where nobody answers until somebody looks.
        """
        if self.refused:
            self.should_exit.set()
        failed = False
        for place, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if process.exitcode == PIN_REFUSED or process.is_alive(
                timeout=self.config.timeout_worker_healthcheck
            ):
                continue
            process.kill()  # It may hang.
            process.join()
            failed |= process.exitcode == NOT_STARTED
            self.processes[place] = Process(self.config, self.sockets)
            self.processes[place].start()
        if failed:
            time.sleep(AGAIN_SECONDS)  # Signals are heard behind it.


def _end_well(_: int, __: FrameType | None) -> NoReturn:
    """End with 0: a service that was told to stop, and did, has not failed."""
    raise SystemExit(0)


async def _try_out() -> bool:
    """Open everything once, so that what is wrong is told here, and not by each worker.

    Return whether all there is of notices are files. A PIN that is refused ends all of it.
    """
    try:
        world = await prepare(settings_from_environment())
    except TokenPinWrongError as error:
        fail(error)
        raise SystemExit(PIN_REFUSED) from error
    async with open_api(world) as api:
        if api.refused is not None:
            fail(api.refused)
        elif not await officers_rule(world):
            # No refusal: officers are appointed on a log that somebody made and looked at.
            say(
                f"no officers: the policy {api.policy().name.digest} of TWINLOCK_PROFILE decides, "
                "and whoever sets that has another one decide (docs/officers.md)"
            )
        return await api.notices_are_files()


def migrate_command() -> None:
    """Bring the tables of TWINLOCK_OWNER_URL's database up to date."""
    settings = settings_from_environment()
    if settings.owner_url is None:
        raise SettingsWrongError("TWINLOCK_OWNER_URL is not set: name the owner of the tables")
    number = asyncio.run(migrate_owner(settings.owner_url))
    say(f"the database is at step {number}")
