"""The trust policy: which logs' checkpoints count, and which witnesses must have cosigned them.

Always true (tests/property/test_log_properties.py):

* one more cosignature never breaks a quorum;
* a witness counts in one way only: each name is a member at most once.

Source: C2SP tlog-policy. Stricter than it in three points: a log's raw key is refused as that of a
witness, since one key then plays both parts; the last line must end in LF, so that a file cut short
is seen; keys must be of a type that this package verifies.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from twinlock.domain.errors import MalformedError, QuorumError
from twinlock.domain.log.note import KeyType, VerifierKey, parse_vkey

MAX_POLICY_BYTES = 262_144  # 96 definitions of under 1 kB, and as many comments.
MAX_LOGS = 32
MAX_WITNESSES = 32
MAX_GROUPS = 32

_NONE = "none"
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_SPACES = re.compile(r"[ \t]+")  # No Unicode space parts words here.
_THRESHOLD = re.compile(r"[1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedLog:
    """A log by its key, whose name is the log's origin."""

    key: VerifierKey
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A witness by its key. ``name`` means something within its policy only."""

    name: str
    key: VerifierKey
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cosigns when at least ``threshold`` of its members (witnesses or groups) do."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPolicy:
    """What a verifier trusts. Made by ``parse_trust_policy``, which checks it.

    ``quorum`` names a witness or a group, or is None where no cosignature is asked for.
    """

    logs: tuple[TrustedLog, ...]
    witnesses: tuple[Witness, ...]
    groups: tuple[Group, ...]
    quorum: str | None

    def to_text(self) -> str:
        """Return the lines of a policy file that says this and nothing else."""
        lines = [_line("log", str(log.key), log.url) for log in self.logs]
        lines += [_line("witness", one.name, str(one.key), one.url) for one in self.witnesses]
        lines += [
            _line("group", group.name, str(group.threshold), *group.members)
            for group in self.groups
        ]
        return "".join((*lines, _line("quorum", self.quorum or _NONE)))

    def check_quorum(self, cosigned: Collection[str]) -> None:
        """Return if the witnesses named ``cosigned`` make the quorum.

        Raises:
            QuorumError: they do not.
        """
        if not self._makes_quorum(cosigned):
            raise QuorumError("too few witnesses cosigned")

    def quorum_fresh_at(self, cosigned_at: Mapping[str, datetime]) -> datetime | None:
        """Return the latest instant at or after which a whole quorum cosigned (UTC).

        None where no cosignature is asked for. Prevents: one witness with a clock ahead, or in an
        attacker's hands, making an old checkpoint look fresh.

        Raises:
            QuorumError: they make no quorum at all.
        """
        self.check_quorum(cosigned_at)
        if self.quorum is None:
            return None
        return max(
            at
            for at in cosigned_at.values()
            if self._makes_quorum({name for name, its in cosigned_at.items() if its >= at})
        )

    def _makes_quorum(self, cosigned: Collection[str]) -> bool:
        reached = set(cosigned)
        for group in self.groups:  # Members are always defined before their group.
            if sum(member in reached for member in group.members) >= group.threshold:
                reached.add(group.name)
        return self.quorum is None or self.quorum in reached


def _line(*words: str | None) -> str:
    return " ".join(word for word in words if word is not None) + "\n"


def parse_trust_policy(data: bytes) -> TrustPolicy:
    """Return the policy of a policy file, every rule of the format checked.

    Raises:
        MalformedError: the message says which rule, and on which line.
    """
    if len(data) > MAX_POLICY_BYTES:
        raise MalformedError("a trust policy is too long")
    if _CONTROL.search(data):
        raise MalformedError("a trust policy holds a control character")
    if not data.endswith(b"\n"):
        raise MalformedError("the last line of a trust policy does not end in LF")
    # Bytes beyond ASCII are opaque: names are compared as bytes, whatever they spell.
    lines = data[:-1].decode("utf-8", "surrogateescape").split("\n")
    reader = _Reader()
    for number, line in enumerate(lines, start=1):
        words = [word for word in _SPACES.split(line) if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            reader.read(words)
        except MalformedError as error:
            raise MalformedError(f"trust policy, line {number}: {error}") from error
    return reader.policy()


@dataclass(slots=True)
class _Reader:
    """What the lines so far have defined."""

    logs: list[TrustedLog] = field(default_factory=list)
    witnesses: list[Witness] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    quorum: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)

    def read(self, words: list[str]) -> None:
        match words:
            case ["log", vkey, *url] if len(url) <= 1:
                self._add_log(vkey, *url)
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self._add_witness(name, vkey, *url)
            case ["group", name, threshold, *members] if members:
                self._add_group(name, threshold, tuple(members))
            case ["quorum", name] if not self.quorum:
                self._refuse_unless_defined(name, or_none=True)
                self.quorum.append(name)
            case ["quorum", _]:
                raise MalformedError("a second quorum")
            case _:
                raise MalformedError("not a definition")

    def policy(self) -> TrustPolicy:
        if not self.quorum:
            raise MalformedError("a trust policy has no quorum")
        return TrustPolicy(
            logs=tuple(self.logs),
            witnesses=tuple(self.witnesses),
            groups=tuple(self.groups),
            quorum=None if self.quorum[0] == _NONE else self.quorum[0],
        )

    def _add_log(self, vkey: str, url: str | None = None) -> None:
        self._refuse_more(self.logs, MAX_LOGS, "logs")
        key = self._new_key(vkey, KeyType.ED25519)
        self.logs.append(TrustedLog(key=key, url=url))

    def _add_witness(self, name: str, vkey: str, url: str | None = None) -> None:
        self._refuse_more(self.witnesses, MAX_WITNESSES, "witnesses")
        key = self._new_key(vkey, KeyType.ED25519_COSIGNATURE)
        self._define(name)
        self.witnesses.append(Witness(name=name, key=key, url=url))

    def _add_group(self, name: str, threshold: str, members: tuple[str, ...]) -> None:
        self._refuse_more(self.groups, MAX_GROUPS, "groups")
        for member in members:
            self._refuse_unless_defined(member)
            if member in self.members:
                raise MalformedError("a name is a member twice")
            self.members.add(member)
        needed = _threshold(threshold, len(members))
        self._define(name)
        self.groups.append(Group(name=name, threshold=needed, members=members))

    def _define(self, name: str) -> None:
        if name == _NONE or name in self.names:
            raise MalformedError("a name is defined twice, or is 'none'")
        self.names.add(name)

    def _refuse_unless_defined(self, name: str, *, or_none: bool = False) -> None:
        if name not in self.names and not (or_none and name == _NONE):
            raise MalformedError("a name is used that no line before defines")

    def _new_key(self, vkey: str, key_type: KeyType) -> VerifierKey:
        key = parse_vkey(vkey)
        if key.key_type is not key_type:
            raise MalformedError("a key of the wrong type for its part")
        known = [*(log.key for log in self.logs), *(witness.key for witness in self.witnesses)]
        if any(key.public_key == other.public_key for other in known):
            raise MalformedError("one raw key stands on two lines")
        return key

    @staticmethod
    def _refuse_more(
        defined: list[TrustedLog] | list[Witness] | list[Group], most: int, what: str
    ) -> None:
        if len(defined) >= most:
            raise MalformedError(f"more than {most} {what}")


def _threshold(word: str, members: int) -> int:
    if word in ("any", "all"):
        return 1 if word == "any" else members
    if not _THRESHOLD.fullmatch(word) or int(word) > members:
        raise MalformedError("a group's threshold is not between one and its members")
    return int(word)
