"""What a check has looked at so far, and what it found.

Always true (tests/unit/range/test_checks.py): only what was really tried is counted, and a check
that looked at nothing is not playable, whatever it found.
"""

from dataclasses import dataclass, field

from twinlock.domain.reasons import Reason
from twinlock.range.results import CheckResult, Status
from twinlock.range.stage import Heard
from twinlock.range.words import Outcome


def is_unbuilt(heard: Heard) -> bool:
    """Say whether an action was refused for no other reason than that it cannot be decided yet."""
    return heard.outcome is Outcome.DENY and Reason.ACTION_NOT_BUILT in heard.codes


@dataclass(slots=True, kw_only=True)
class Tally:
    """One check on its way. ``unbuilt`` counts what is refused because it is not built.

    ``sent``: some of the value that it tried to send has left. ``bound``: the owner's limit refused
    some of it.
    """

    looked_at: int = 0
    unbuilt: int = 0
    sent: bool = False
    bound: bool = False
    wrong: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def tried(self, heard: Heard) -> bool:
        """Count an answer; say whether it shows anything beyond that nothing is built there."""
        if is_unbuilt(heard):
            self.unbuilt += 1
            return False
        if heard.outcome is Outcome.DENY and Reason.TOO_MANY in heard.codes:
            self.missing.append("too many actions are open for another one to be tried")
            return False
        self.looked_at += 1
        return True

    def _status(self, *, judged: bool, missing: bool) -> Status:
        if self.failed or (self.wrong and judged):
            return Status.FAILED
        if missing or not (self.looked_at or self.wrong):
            return Status.NOT_PLAYABLE
        return Status.PASSED if judged else Status.PLAYED

    def result(self, name: str, *, judged: bool) -> CheckResult:
        """Return what was found; ``judged`` says that what is wrong fails."""
        notes, missing = list(self.notes), list(self.missing)
        if self.unbuilt:
            notes.append(f"{self.unbuilt} more are of actions not built yet, and always refused")
        if not self.looked_at and not self.wrong and not self.failed:
            missing, notes = [*missing, *notes] or ["there was nothing to look at"], []
        return CheckResult(
            name=name,
            status=self._status(judged=judged, missing=bool(missing)),
            looked_at=self.looked_at,
            wrong=tuple(self.wrong),
            not_playable=tuple(missing),
            failed=tuple(self.failed),
            notes=tuple(notes),
        )
