"""What Prometheus reads of the witnesses, told when it asks."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from twinlock.services.publishing import Publishing


class WitnessMetrics(Collector):
    """How far the log is cosigned, and what each witness failed at; nothing where none is asked.

    Names are those of the trust policy.
    """

    def __init__(self, publishing: Publishing | None) -> None:
        self._publishing = publishing

    def describe(self) -> list[Metric]:
        """Return nothing: it is told at each look."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of this moment."""
        if self._publishing is None:
            return
        now = self._publishing.standing()
        yield GaugeMetricFamily(
            "twinlock_cosigned_size", "Leaves of the newest head with a quorum.", value=now.size
        )
        if now.cosigned_at is not None:
            yield GaugeMetricFamily(
                "twinlock_cosigned_age_seconds",
                "Seconds since a quorum cosigned.",
                value=(now.now - now.cosigned_at).total_seconds(),
            )
        sizes = GaugeMetricFamily(
            "twinlock_witness_size", "Leaves that a witness cosigned last.", labels=["witness"]
        )
        for name, size in now.sizes.items():
            sizes.add_metric([name], size)
        yield sizes
        failures = CounterMetricFamily(
            "twinlock_witness_failures",
            "What a witness was asked and did not do.",
            labels=["witness", "fault"],
        )
        for (name, fault), count in now.failures.items():
            failures.add_metric([name, fault], count)
        yield failures
