"""What the benchmark says: its values, and how people read them."""

from collections.abc import Callable, Iterable
from statistics import median

import msgspec


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of one contender. CPU is in microseconds a request, ``signature_us`` one Ed25519.

    ``batch`` is the mean number of requests a transaction, for the contender that groups them.
    """

    contender: str
    connections: int
    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    app_us: float
    database_us: float
    generator_us: float
    signature_us: float
    batch: float | None = None


class LargeLogCost(msgspec.Struct, frozen=True, kw_only=True):
    """What the same bundle weighs from a large log with witnesses; the time is with the growth.

    Growth is the consistency proof from the head that somebody saw before, as a signer demands.
    """

    log_size: int
    witnesses: int
    bytes: int
    bytes_with_growth: int
    verify_ms: float


class BundleCost(msgspec.Struct, frozen=True, kw_only=True):
    """What one evidence bundle weighs, from a log of ``log_size`` entries."""

    bytes: int
    verify_ms: float
    log_size: int
    large: LargeLogCost


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured; ``idle_mb`` is our process before its first request."""

    rounds: tuple[Round, ...]
    idle_mb: float
    bundle: BundleCost

    def of(self, contender: str, connections: int) -> list[Round]:
        """Return the turns of one contender at so many connections, in order."""
        return [
            one
            for one in self.rounds
            if (one.contender, one.connections) == (contender, connections)
        ]

    def ratios(self, connections: int) -> list[float]:
        """Return our requests per second over the rival's, round by round."""
        turns = zip(self.of("ours", connections), self.of("rival", connections), strict=True)
        return [ours.per_second / rival.per_second for ours, rival in turns]

    def ratio(self, connections: int) -> float:
        """Return our median of requests per second over the rival's."""
        ours, rival = (
            median(one.per_second for one in self.of(name, connections))
            for name in ("ours", "rival")
        )
        return ours / rival

    def cpu_ratio(self, connections: int) -> float:
        """Return the rival's median CPU a request over ours, application and database."""
        ours, rival = (
            median(one.app_us + one.database_us for one in self.of(name, connections))
            for name in ("ours", "rival")
        )
        return rival / ours


def line(one: Round) -> str:
    """Return one turn in a line."""
    batch = "" if one.batch is None else f", batch {one.batch:.1f}"
    return (
        f"{one.contender:>5} × {one.connections:<2} {one.per_second:7.0f}/s, "
        f"p50 {one.p50_ms:.1f} ms, p99 {one.p99_ms:.1f} ms, "
        f"app {one.app_us:.0f} µs, database {one.database_us:.0f} µs{batch}"
    )


_COLUMNS: tuple[tuple[str, Callable[[Round], float], str], ...] = (
    ("req/s", lambda one: one.per_second, "{:.0f}"),
    ("p50 ms", lambda one: one.p50_ms, "{:.1f}"),
    ("p99 ms", lambda one: one.p99_ms, "{:.1f}"),
    ("app µs", lambda one: one.app_us, "{:.0f}"),
    ("db µs", lambda one: one.database_us, "{:.0f}"),
    ("app, in signatures", lambda one: one.app_us / one.signature_us, "{:.1f}"),
    ("batch", lambda one: one.batch or 1.0, "{:.1f}"),
)


def table(found: Report) -> str:
    """Return the medians, the ratios and the rest as people read them."""
    return "\n".join([*_rows(found), "", *_notes(found)])


def _rows(found: Report) -> Iterable[str]:
    yield "| connections | | " + " | ".join(name for name, _, _ in _COLUMNS) + " | × |"
    yield "| --- " * (len(_COLUMNS) + 3) + "|"
    for connections in _loads(found):
        for contender in ("ours", "rival"):
            turns = found.of(contender, connections)
            cells = " | ".join(
                form.format(median(value(one) for one in turns)) for _, value, form in _COLUMNS
            )
            ratio = f"{found.ratio(connections):.1f}" if contender == "ours" else "1"
            yield f"| {connections} | {contender} | {cells} | {ratio} |"


def _notes(found: Report) -> Iterable[str]:
    for connections in _loads(found):
        ratios = found.ratios(connections)
        yield (
            f"{connections} connections: × {found.ratio(connections):.1f} requests a second, "
            f"× {found.cpu_ratio(connections):.1f} CPU; "
            f"round by round {', '.join(f'{one:.1f}' for one in ratios)}"
        )
    yield f"one Ed25519 signature: {median(one.signature_us for one in found.rounds):.0f} µs of CPU"
    yield f"idle process: {found.idle_mb:.0f} MB"
    bundle = found.bundle
    yield (
        f"one bundle of a log of {bundle.log_size:,} entries: {bundle.bytes:,} bytes, verified in "
        f"{bundle.verify_ms:.2f} ms"
    )
    large = bundle.large
    yield (
        f"the same of {large.log_size:,} entries with {large.witnesses} witnesses: "
        f"{large.bytes:,} bytes; with growth {large.bytes_with_growth:,} bytes, verified in "
        f"{large.verify_ms:.2f} ms"
    )


def _loads(found: Report) -> list[int]:
    return sorted({one.connections for one in found.rounds}, reverse=True)
