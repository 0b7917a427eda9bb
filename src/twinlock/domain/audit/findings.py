"""What an audit may find, each with its code; never a secret, nor anything personal.

A finding names a row by what names it in the database: an id, an entry's number, an index. What
stands in the row is not told, only which part of it is not what it must be.

Always true (tests/unit/domain/audit/test_audit_findings.py): every finding is counted, and of each
code the first MOST_OF_A_CODE are kept, so that one cause with a million effects hides no other.
"""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Self

import msgspec

MOST_OF_A_CODE = 25  # Who has seen so many of a kind looks for their common cause.


class Fault(StrEnum):
    """What does not hold; docs/audit.md says what each means and what to do."""

    # The installation
    INSTALLATION_FOREIGN = "installation_foreign"
    POLICY_ALTERED = "policy_altered"
    KEY_ROW_ALTERED = "key_row_altered"
    KEY_USE_FORGED = "key_use_forged"
    WEBHOOK_BROKEN = "webhook_broken"
    TOLD_STREAM_BROKEN = "told_stream_broken"
    # The log
    HEAD_FORGED = "head_forged"
    HEAD_WRONG = "head_wrong"
    LEAF_MISSING = "leaf_missing"
    LEAF_BEYOND_HEAD = "leaf_beyond_head"
    LEAF_MALFORMED = "leaf_malformed"
    LEAF_LABEL_WRONG = "leaf_label_wrong"
    LEAF_UNOWNED = "leaf_unowned"
    LEAF_POLICY_UNKNOWN = "leaf_policy_unknown"
    LOG_KEY_UNKNOWN = "log_key_unknown"
    PLATFORM_WRONG = "platform_wrong"
    LEFT_WHILE_HALTED = "left_while_halted"
    POLICY_NOT_IN_FORCE = "policy_not_in_force"
    LEFT_WHILE_SUSPENDED = "left_while_suspended"
    SUSPENSION_UNSAID = "suspension_unsaid"
    TIME_BACKWARDS = "time_backwards"
    TIME_WRONG = "time_wrong"
    TILE_MISSING = "tile_missing"
    TILE_WRONG = "tile_wrong"
    TILE_BEYOND_HEAD = "tile_beyond_head"
    ANCHOR_MISSING = "anchor_missing"
    ANCHOR_WRONG = "anchor_wrong"
    CHECKPOINT_WRONG = "checkpoint_wrong"
    # What was erased
    ERASURE_FORGED = "erasure_forged"
    ERASURE_UNDONE = "erasure_undone"
    # An account's entries
    SUBJECT_KEY_MISSING = "subject_key_missing"
    SUBJECT_KEY_BROKEN = "subject_key_broken"
    ENTRY_BROKEN = "entry_broken"
    ENTRY_MISSING = "entry_missing"
    LABEL_WRONG = "label_wrong"
    CHAIN_BROKEN = "chain_broken"
    COMMITMENT_WRONG = "commitment_wrong"
    ACCOUNT_WRONG = "account_wrong"
    ACTION_WRONG = "action_wrong"
    EVENTS_ALTERED = "events_altered"
    FACTS_ALTERED = "facts_altered"
    PAYLOAD_WRONG = "payload_wrong"
    ANSWER_WRONG = "answer_wrong"
    SPEND_WRONG = "spend_wrong"
    SPENT_TWICE = "spent_twice"
    REPLAY_IMPOSSIBLE = "replay_impossible"
    # What is stored of it
    STREAM_BROKEN = "stream_broken"
    STREAM_UNKNOWN = "stream_unknown"
    VERSION_WRONG = "version_wrong"
    ACCOUNT_MISSING = "account_missing"
    ACCOUNT_DIFFERS = "account_differs"
    DESTINATION_MISSING = "destination_missing"
    DESTINATION_DIFFERS = "destination_differs"
    CLOSED_MISSING = "closed_missing"
    CLOSED_DIFFERS = "closed_differs"
    LETTER_BROKEN = "letter_broken"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that does not hold, and where."""

    code: Fault
    where: str
    says: str


class Findings:
    """What was found so far, by one worker or by all of them."""

    def __init__(self) -> None:
        self._kept: dict[Fault, list[Finding]] = {}
        self.counts: Counter[Fault] = Counter()

    def add(self, code: Fault, where: str, says: str) -> None:
        """Count a finding, and keep it among the first of its kind."""
        self.counts[code] += 1
        kept = self._kept.setdefault(code, [])
        if len(kept) < MOST_OF_A_CODE:
            kept.append(Finding(code=code, where=where, says=says))

    @property
    def kept(self) -> tuple[Finding, ...]:
        """The findings that are told, in the order of their codes above."""
        return tuple(one for code in Fault for one in self._kept.get(code, ()))

    @property
    def total(self) -> int:
        """How many there are, those that are not kept too."""
        return self.counts.total()

    @classmethod
    def joined(cls, parts: Iterable["Found"]) -> Self:
        """Return the findings of several workers together."""
        whole = cls()
        for part in parts:
            for one in part.kept:
                kept = whole._kept.setdefault(one.code, [])
                kept.append(one)
                del kept[MOST_OF_A_CODE:]
            whole.counts.update({Fault(code): count for code, count in part.counts.items()})
        return whole

    def found(self) -> "Found":
        """Return all of it as one value, to hand to another process."""
        return Found(kept=self.kept, counts={code.value: n for code, n in self.counts.items()})


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Findings as a value: those that are kept, and how many there were of each code."""

    kept: tuple[Finding, ...] = ()
    counts: dict[str, int] = {}
