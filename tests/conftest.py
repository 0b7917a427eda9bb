"""How long Hypothesis looks: seconds in CI, minutes with ``HYPOTHESIS_PROFILE=deep``."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci",
    max_examples=60,
    stateful_step_count=25,
    deadline=None,  # shared machines stutter
    derandomize=False,  # every run looks somewhere else
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("deep", settings.get_profile("ci"), max_examples=3_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
