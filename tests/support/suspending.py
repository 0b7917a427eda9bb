"""Officers who suspend and release the account of a gate."""

from dataclasses import dataclass, field

from support.gates import Gate
from support.officers import ADA, BEN, CLEO, DORA, LOG, Officer

from twinlock.domain.commands import OfficerSpeaks
from twinlock.domain.decisions import Decision
from twinlock.domain.errors import TwinlockError
from twinlock.domain.officers.statements import AnyAct, Release, Signed, Suspend
from twinlock.proofs.officers import checked

STANDING = b"what the head says"


@dataclass
class Desk:
    """A gate, and the officers who count there."""

    gate: Gate
    officers: tuple[Officer, ...] = (ADA, BEN, CLEO, DORA)
    words: list[Signed] = field(default_factory=list)
    instead: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gate.platform = STANDING

    def hears(self, signed: Signed, *, standing: bytes = STANDING) -> Decision:
        """Put what was signed to the gate."""
        keys = tuple(one.key for one in self.officers)
        command = OfficerSpeaks(
            signed=checked(signed),
            officers=keys,
            standing=standing,
            log=LOG,
            instead=self.instead,
        )
        return self.gate.run(command)

    def does(self, officer: Officer, act: AnyAct) -> Decision:
        """Let an officer sign ``act`` now, and do it."""
        signed = officer.signs(act, at=self.gate.now)
        self.words.append(signed)
        return self.hears(signed)

    def refuses(self, officer: Officer, act: AnyAct) -> TwinlockError:
        """Let an officer try ``act``, which must be refused; return why."""
        before = self.gate.account
        try:
            self.does(officer, act)
        except TwinlockError as error:
            assert self.gate.account == before
            return error
        raise AssertionError(f"{officer} was let do {act}")

    @property
    def suspending(self) -> Suspend:
        """The act that suspends the account."""
        return Suspend(account=self.gate.account.account_id, because="case-9")

    @property
    def releasing(self) -> Release:
        """The act that releases it."""
        one = self.gate.account.suspension
        return Release(account=self.gate.account.account_id, suspended=one.set_at)

    def is_suspended(self) -> bool:
        """Say whether the account is suspended now."""
        return self.gate.account.suspension.until(self.gate.now) is not None
