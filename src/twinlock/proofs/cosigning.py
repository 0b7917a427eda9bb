"""What witnesses answered about one checkpoint of ours, checked and put together.

Always true (tests/unit/proofs/test_cosigning.py): a line is kept only if it is the witness's own,
over exactly this checkpoint, of about this time; so a witness can fail to help, and nothing else.

Source: C2SP tlog-witness v1.0.0, tlog-cosignature v1.0.1.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from twinlock.domain.errors import UntrustedNoteError
from twinlock.domain.log.checkpoint import Checkpoint, parse_checkpoint
from twinlock.domain.log.note import SignatureLine, SignedNote
from twinlock.domain.log.submission import parse_cosignatures
from twinlock.domain.log.trust import TrustPolicy, Witness
from twinlock.proofs.notes import verify_cosignatures

AHEAD_MOST = timedelta(seconds=30)  # Servers with NTP differ by milliseconds; a signer takes this.
BEHIND_MOST = timedelta(seconds=60)  # A tenth of what a signer takes: what is older ages too soon.


class CosignatureUndatedError(UntrustedNoteError):
    """A witness cosigned at a time that is not now: its clock, or ours, is wrong."""

    code = "cosignature_undated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosignature:
    """The line of one witness, and when it says that it cosigned (UTC)."""

    line: SignatureLine
    at: datetime


def check_cosignature(
    answer: bytes, note: SignedNote, *, witness: Witness, now: datetime
) -> Cosignature:
    """Return the cosignature of ``note`` that a witness answered; lines of others are left out.

    Raises:
        MalformedError: it is no list of signature lines.
        UntrustedNoteError: the witness's own line is not there, there twice, or does not verify
            over this checkpoint.
        CosignatureUndatedError: it says another time than now.
    """
    key = witness.key
    named = (key.name, key.key_id)
    own = tuple(line for line in parse_cosignatures(answer) if (line.name, line.key_id) == named)
    if not own:
        raise UntrustedNoteError("a witness answered without its own line")
    at = verify_cosignatures(SignedNote(text=note.text, signatures=own), [key])[key]
    if not now - BEHIND_MOST <= at <= now + AHEAD_MOST:
        raise CosignatureUndatedError("a witness cosigned at another time than now")
    return Cosignature(line=own[0], at=at)


@dataclass(slots=True, kw_only=True)
class Gathering:
    """What has been gathered for ``note``, which the log signed; ``cosigned`` is by name."""

    note: SignedNote
    policy: TrustPolicy
    checkpoint: Checkpoint = field(init=False)
    cosigned: dict[str, Cosignature] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.checkpoint = parse_checkpoint(self.note.text)

    def fresh_at(self) -> datetime | None:
        """Return the instant at or after which a whole quorum cosigned. Raises QuorumError."""
        return self.policy.quorum_fresh_at({name: one.at for name, one in self.cosigned.items()})

    def whole(self) -> SignedNote:
        """Return the note with every line, in the order of the policy."""
        lines = _ordered((one.name for one in self.policy.witnesses), self.cosigned)
        return SignedNote(text=self.note.text, signatures=(*self.note.signatures, *lines))


def _ordered(
    names: Iterable[str], cosigned: Mapping[str, Cosignature]
) -> tuple[SignatureLine, ...]:
    return tuple(cosigned[name].line for name in names if name in cosigned)
