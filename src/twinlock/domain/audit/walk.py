"""A walk through some of the log's leaves, in their order: nothing missing, nothing out of time."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from twinlock.domain.audit.accounts import StoredLeaf
from twinlock.domain.audit.findings import Fault, Findings
from twinlock.domain.audit.leaves import (
    LOG_KEY,
    PLATFORM,
    LogKeyLeaf,
    Said,
    read,
    read_log_key,
    said,
)
from twinlock.domain.audit.openings import framed, hashed, write_hashes
from twinlock.domain.audit.parts import NO_ACTS, Leaves, PlatformActs
from twinlock.domain.authorization import SPEND_ENTRY
from twinlock.domain.catalogue import CLASS_OF, ActionClass
from twinlock.domain.entries import ERASED_ENTRY
from twinlock.domain.erasure import NO_FACTS
from twinlock.domain.errors import MalformedError
from twinlock.domain.log.merkle import HASH_BYTES, leaf_hash
from twinlock.domain.log_keys import log_key_label
from twinlock.domain.officers.platform import PlatformLeaf, label_of, read_leaf
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.requirements import Answer

Row: TypeAlias = tuple[int, bytes, bytes, bytes]
"""Index, label, entry and facts of a leaf."""

_FACTS = framed("facts/v1")
FORGOTTEN = hashed(_FACTS, (NO_FACTS,))
"""The hash of the facts beside a leaf that was erased: there are none."""

ALLOWED = Answer.ALLOW.value.encode("ascii")
LEAVING = frozenset(
    kind.encode("ascii")
    for kind in (
        SPEND_ENTRY,
        ERASED_ENTRY,
        *(one for one, of in CLASS_OF.items() if of is ActionClass.EXIT),
    )
)
"""The types of entries by whose yes value leaves, or what could have been shown goes for good."""

_MISSING = bytes(HASH_BYTES)
_NOBODY = StoredLeaf(b"", 0, b"", b"", b"", b"")


class LeafWalk:
    """The leaves of one part. ``policies`` are those that are kept, by the bytes of their digests.

    ``log_keys`` are the keys of the log, as C2SP spells them: what a leaf of nobody's may name.
    ``platform`` is what officers did.

    ``count`` says how many there are, and ``times`` when the first and the last of them was.
    """

    def __init__(
        self,
        part: Leaves,
        *,
        policies: dict[bytes, PolicyName],
        log_keys: frozenset[str],
        platform: PlatformActs = NO_ACTS,
        findings: Findings,
    ) -> None:
        self._part = part
        self._log_keys = log_keys
        self._platform = platform
        self._policies = policies
        self._findings = findings
        self._hashes: list[bytes] = []
        self._first = self._last = 0
        self.count = 0

    @property
    def times(self) -> tuple[int, int]:
        """The times (ms) of the first and of the latest leaf so far; 0 where none is known."""
        return self._first, self._last

    def take(self, rows: Iterable[Row]) -> Iterator[tuple[int, StoredLeaf]]:
        """Yield what each of ``rows``, which come in order, says."""
        for index, label, entry, facts in rows:
            self._skip_to(index)
            self.count += 1
            hashes, found = leaf_hash(entry), said(entry)
            self._hashes.append(hashes)
            if found is None and (key := read_log_key(entry)) is not None:
                self._take_log_key(index, label, key)
                yield index, _NOBODY._replace(hash=hashes, kind=LOG_KEY)
                continue
            if found is None and (act := read_leaf(entry)) is not None:
                self._take_act(index, label, act)
                yield index, _NOBODY._replace(hash=hashes, kind=PLATFORM)
                continue
            if found is None or self._part.alone or found.policy not in self._policies:
                found = self._take_apart(index, entry, found)
            if found is None:
                yield index, _NOBODY._replace(hash=hashes)
                continue
            if found.label != write_hashes((label,))[0]:
                says = "the label beside it is another one"
                self._fault(Fault.LEAF_LABEL_WRONG, index, says)
            self._watch_time(index, found.at)
            self._watch_halts(index, found)
            self._watch_policy(index, found)
            told = hashed(_FACTS, (facts,))
            yield index, StoredLeaf(hashes, found.at, told, found.kind, found.answer, found.policy)

    def finish(self) -> bytes:
        """Return the hashes of all leaves of the part, one after the other."""
        self._skip_to(self._part.stop)
        return b"".join(self._hashes)

    def _fault(self, code: Fault, index: int, says: str) -> None:
        self._findings.add(code, f"leaf {index}", says)

    def _skip_to(self, index: int) -> None:
        """Miss whatever should stand before leaf ``index``."""
        following = self._part.start + len(self._hashes)
        if following == index:
            return
        last = index - 1
        says = "it is gone" if following == last else f"it and all up to leaf {last} are gone"
        self._fault(Fault.LEAF_MISSING, following, says)
        self._hashes += [_MISSING] * (index - following)

    def _take_log_key(self, index: int, label: bytes, leaf: LogKeyLeaf) -> None:
        if label != log_key_label(leaf.key):
            self._fault(Fault.LEAF_LABEL_WRONG, index, "the label beside it is another one")
        if leaf.key not in self._log_keys:
            self._fault(Fault.LOG_KEY_UNKNOWN, index, "it names a key that is none of this log's")
        self._watch_time(index, leaf.at)

    def _take_act(self, index: int, label: bytes, leaf: PlatformLeaf) -> None:
        if label != label_of(leaf.n):
            self._fault(Fault.LEAF_LABEL_WRONG, index, "the label beside it is another one")
        if index not in self._platform.acts:
            self._fault(Fault.PLATFORM_WRONG, index, "the head counts no such act of officers")
        self._watch_time(index, leaf.at)

    def _watch_halts(self, index: int, found: Said) -> None:
        if found.answer != ALLOWED or found.kind not in LEAVING:
            return
        if any(first < index < last for first, last in self._platform.halts):
            self._fault(Fault.LEFT_WHILE_HALTED, index, "officers had halted the platform")

    def _watch_policy(self, index: int, found: Said) -> None:
        """Check that the version in force decided.

        Prevents: whoever runs the process, and decides by rules that officers never saw.
        """
        in_force = self._platform.policy_at(index)
        if in_force and found.policy != in_force:
            says = "another policy version was in force than the one that decided"
            self._fault(Fault.POLICY_NOT_IN_FORCE, index, says)

    def _take_apart(self, index: int, entry: bytes, found: Said | None) -> Said | None:
        try:
            leaf = read(entry)
        except MalformedError as error:
            self._fault(Fault.LEAF_MALFORMED, index, str(error))
            return None
        if leaf.pol.encode("ascii") not in self._policies:
            self._fault(Fault.LEAF_POLICY_UNKNOWN, index, "the policy that decided is not kept")
        return found

    def _watch_time(self, index: int, at: int) -> None:
        if at < self._last:
            self._fault(Fault.TIME_BACKWARDS, index, "it is of an earlier time than one before it")
        else:
            self._last = at
        self._first = self._first or at
