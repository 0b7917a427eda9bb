"""What holds for every test: how long Hypothesis looks, that Ctrl-C is heard, and that no
test keeps another's log.

Seconds in CI, minutes with ``HYPOTHESIS_PROFILE=deep``.
"""

import asyncio
import gc
import importlib
import os
import pkgutil
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

import coverage
import pytest
import structlog
import uvloop
from hypothesis import HealthCheck, Phase, settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped] # it ships no types

import twinlock

settings.register_profile(
    "ci",
    max_examples=60,
    stateful_step_count=25,
    deadline=None,  # shared machines stutter
    derandomize=False,  # every run looks somewhere else
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("deep", settings.get_profile("ci"), max_examples=3_000)
settings.register_profile(
    "mutants",
    settings.get_profile("ci"),
    max_examples=20,
    derandomize=True,  # so that what survives is the same each time
    database=None,
    phases=[Phase.explicit, Phase.generate],  # what fails once is enough
)
# What a shell starts in the background ignores Ctrl-C, and so would all that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

if "PYTEST_XDIST_WORKER" in os.environ:
    # Its process began to count, and so did its plugin before it knew that it is one of several:
    # they go on wherever the counter of its session stops, and nothing is left uncounted.
    while (early := coverage.Coverage.current()) is not None:
        early.stop()


# Whole tracebacks in colours take a second each.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(),
    ]
)


# What shares something slow runs in one process: the plays of the stories, a browser. The largest
# group begins first, so that none is left at the end for one processor alone.
TOGETHER = MappingProxyType(
    {
        "tests/attacks/test_owners_halves.py": "stories",
        "tests/attacks/test_s01_api_key.py": "stories",
        "tests/attacks/test_s02_downgrade.py": "stories",
        "tests/attacks/test_s07_sleeper.py": "stories",
        "tests/attacks/test_s15_forgetful_server.py": "stories",
        "tests/integration/test_attacks_found.py": "found",
        "tests/integration/test_prove_command.py": "proofs",
        "tests/integration/test_range_worlds.py": "stories",
        "tests/integration/test_keys_commands.py": "keys",
        "tests/e2e/": "browser",
        "tests/tidy/": "tidy",
    }
)


# What these run, others run too, with the same values each time; to count its lines would take them
# twice as long.
UNCOUNTED = (
    *(name for name, group in TOGETHER.items() if group in ("browser", "keys", "stories")),
    "tests/attacks/test_extortionist_stops.py",
    "tests/attacks/test_seeded_bugs.py",
    "tests/integration/test_attacks_found.py",
    "tests/integration/test_bench_smoke.py",
    "tests/integration/test_cedar_differential.py",
    "tests/integration/test_own_postgres.py",
    "tests/integration/test_prove_command.py",
    "tests/integration/test_serve_shutdown.py",
    "tests/integration/test_store_failures.py",
    "tests/integration/test_store_idempotency.py",
    "tests/integration/test_store_processes.py",
    "tests/integration/test_store_spending.py",
    "tests/integration/test_store_tampering.py",
    "tests/integration/test_witnessed_installation.py",
    "tests/property/",
    "tests/tidy/",
    "tests/unit/cli/test_policy_command.py::test_a_profile_that_we_ship",
    "tests/unit/cli/test_policy_command.py::test_a_rule_that_never_matches",
    "tests/unit/cli/test_policy_command.py::test_warnings_stand_on_stderr",
    "tests/unit/cli/test_policy_diff.py::test_a_rule_without_a_line",
    "tests/unit/cli/test_policy_diff.py::test_many_exits",
    "tests/unit/cli/test_policy_diff.py::test_the_profiles_that_we_ship",
    "tests/unit/domain/policy/test_boundaries.py",
    "tests/unit/domain/policy/test_shadows.py::test_of_the_default_profile",
    "tests/unit/domain/policy/test_shadows.py::test_where_not_all_was_tried",
    "tests/unit/domain/prover/test_model.py::test_a_guided_search",
    "tests/unit/domain/prover/test_model.py::test_what_is_left_out",
    "tests/unit/domain/prover/test_moves.py",
    "tests/unit/domain/test_actions_by_proofs.py",
    "tests/unit/domain/test_code_limits.py::test_no_order_of_questions",
    "tests/unit/domain/test_decisions.py",
    "tests/unit/domain/test_floods.py::test_strangers_who_guess",
    "tests/unit/range/test_checks.py",
    "tests/unit/range/test_key_use.py",
    "tests/unit/range/test_leaving.py",
    "tests/unit/range/test_odd_files.py",
    "tests/unit/range/test_playing.py",
    "tests/unit/range/test_reader_fuzz.py",
    "tests/unit/range/test_report.py",
    "tests/unit/range/test_steps.py",
    "tests/unit/range/test_sum_checks.py",
)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Count the lines of modules as they are loaded, and none while tests are looked for.

    To look for them takes twice as long when it is watched, and longer while what stays is looked
    through for garbage.
    """
    counting = coverage.Coverage.current()
    if session.config.pluginmanager.hasplugin("dsession"):
        counting = None  # Others look for the tests.
    gc.disable()
    if counting is not None:
        for module in pkgutil.walk_packages(twinlock.__path__, "twinlock."):
            importlib.import_module(module.name)
        counting.stop()
    try:
        return (yield)
    finally:
        gc.enable()
        if counting is not None:
            counting.start()


# Whoever waits for months signs in again and again, and each story is played by several rules.
OFTEN_SIGNED_IN = (
    "attacks/*",
    "integration/test_api_*",
    "integration/test_range_*",
    "integration/test_web_*",
    "unit/range/*",
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Count no lines and branches where that only takes time; make light hashes where it shows
    nothing.

    To count takes two and a half times as long, and what is needed, others run. Hashes take two
    fifths of the time of a play, and a tenth of that of a request.
    """
    with pytest.MonkeyPatch.context() as patch, ExitStack() as after:
        if item.nodeid.startswith(UNCOUNTED):
            patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # For the processes it starts.
            if (counting := coverage.Coverage.current()) is not None:
                counting.stop()
                after.callback(counting.start)
        if any(fnmatchcase(item.nodeid, f"tests/{names}") for names in OFTEN_SIGNED_IN):
            from support.light_hashes import lighten  # noqa: PLC0415 - its lines count, too

            lighten(patch)
        return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:  # noqa: ANN401 - its own
    """Deal the tests out one by one, but for what belongs together.

    Marks of groups do not reach the scheduler: xdist 3.8 writes them into ids that pytest 9 keeps.
    """

    class Grouped(LoadScopeScheduling):  # type: ignore[misc] # as above
        def _split_scope(self, nodeid: str) -> str:
            groups = (name for begins, name in TOGETHER.items() if nodeid.startswith(begins))
            return next(groups, nodeid)

        def _pending_of(self, workload: dict[str, dict[str, bool]]) -> int:
            """Forget what is done: counted again after each test it takes minutes in all."""
            for scope in [scope for scope, tests in workload.items() if all(tests.values())]:
                del workload[scope]
            return int(super()._pending_of(workload))

    return Grouped(config, log)


def pytest_collection_finish() -> None:
    """Leave the tests themselves out of every garbage collection, which takes half a second else.

    The database ends a transaction of a process that stands still for so long. And look less often,
    as what serves does: it takes a tenth of the tests' time.
    """
    from twinlock.bootstrap.collecting import spare_collections  # noqa: PLC0415 - its lines count, too

    spare_collections()


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Let tests run on the loop that serves, too."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """A command that is run in this process says where its log goes; the next test has its own."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
