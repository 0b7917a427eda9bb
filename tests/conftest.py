"""What holds for every test: how long Hypothesis looks, that Ctrl-C is heard, and that no
test keeps another's log.

Seconds in CI, minutes with ``HYPOTHESIS_PROFILE=deep``.
"""

import gc
import os
import signal
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings

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


# Whole tracebacks in colours take a second each.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(),
    ]
)


def pytest_collection_finish() -> None:
    """Leave the tests themselves out of every garbage collection, which takes half a second else.

    The database ends a transaction of a process that stands still for so long.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """A command that is run in this process says where its log goes; the next test has its own."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
