"""What an officer says: one act, signed over exactly these bytes, for minutes, once.

An officer is a public key. Who signed is told in what is signed, and so are the log that it is for,
a nonce and when it ends: nothing that was said is worth anything elsewhere, later or again.

Source: docs/officers.md.
"""

import re
from datetime import datetime, timedelta
from typing import TypeAlias, assert_never

import msgspec

from twinlock.domain.bounds import STATEMENT_AHEAD_MOST, STATEMENT_LIFETIME
from twinlock.domain.canonical import MAX_SAFE_INTEGER, encode, from_b64url, parse_strict
from twinlock.domain.errors import MalformedError, TwinlockError
from twinlock.domain.log.merkle import HASH_BYTES

KEY_BYTES = 32
NONCE_BYTES = 16
SIGNATURE_BYTES = 64
SIGNED_BYTES_MOST = 2_048
TAG = b"twinlock officer v1\n"
_BECAUSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/#-]{0,63}")


class StatementRefusedError(TwinlockError):
    """An officer's statement is of nobody who counts, for another log, too old or used before."""

    code = "statement_refused"
    status = 403


class _Act(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """What an officer says shall be done."""


class Halt(_Act, frozen=True, kw_only=True, tag="platform.halt"):
    """Stop every exit. ``because`` is a file number or a word: it stands in the public log."""

    because: str


class Resume(_Act, frozen=True, kw_only=True, tag="platform.resume"):
    """Let value leave again. ``halt`` is the number of the act that stopped it last."""

    halt: int


class Change(_Act, frozen=True, kw_only=True, tag="officers.change"):
    """Let one key count, or one count no more, or both. "" is none.

    ``since`` is the number of the act that made the officers who they are.
    """

    since: int
    add: str = ""
    remove: str = ""


class Suspend(_Act, frozen=True, kw_only=True, tag="account.suspend"):
    """Stop every exit of one account, for two weeks at most; the account keeps ``because``."""

    account: str
    because: str


class Release(_Act, frozen=True, kw_only=True, tag="account.release"):
    """End the suspension that was set at ``suspended`` (ms)."""

    account: str
    suspended: int


class Propose(_Act, frozen=True, kw_only=True, tag="policy.propose"):
    """Let the policy version ``digest`` come after ``follows``, the one in force, or "" for none.

    ``growth`` is the digest of what becomes possible for thieves (``growth``), "" for nothing.
    """

    digest: str
    follows: str
    growth: str = ""


class Approve(_Act, frozen=True, kw_only=True, tag="policy.approve"):
    """Agree that ``digest`` comes, as it was proposed by the act ``proposal``."""

    digest: str
    proposal: int


class AcceptGrowth(_Act, frozen=True, kw_only=True, tag="policy.accept_growth"):
    """Agree to exactly the ``growth`` of ``digest``, as it was proposed by the act ``proposal``."""

    digest: str
    growth: str
    proposal: int


class Activate(_Act, frozen=True, kw_only=True, tag="policy.activate"):
    """Let ``digest`` be in force from now on, whose growth is still ``growth``."""

    digest: str
    proposal: int
    growth: str = ""


class Withdraw(_Act, frozen=True, kw_only=True, tag="policy.withdraw"):
    """Say no to what the act ``proposal`` proposed."""

    proposal: int


PolicyAct: TypeAlias = Propose | Approve | AcceptGrowth | Activate | Withdraw
Act: TypeAlias = Halt | Resume | Change | PolicyAct
AnyAct: TypeAlias = Act | Suspend | Release


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An act, as ``officer`` (a public key) says it to ``log``; ``at`` and ``until`` are in ms."""

    act: AnyAct
    at: int
    log: str
    nonce: str
    officer: str
    until: int
    v: int = 1


class Signed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A statement and its signature, base64url of 64 bytes."""

    said: Statement
    sig: str


_DECODER = msgspec.json.Decoder(Signed)


def milliseconds(at: datetime) -> int:
    """Return an instant as milliseconds since 1970, rounded down."""
    return int(at.timestamp() * 1000)


def signed_bytes(statement: Statement) -> bytes:
    """Return what is signed."""
    return TAG + encode(statement)


def statement_of(act: AnyAct, *, officer: str, log: str, nonce: str, now: datetime) -> Statement:
    """Return what ``officer`` signs, to be used within STATEMENT_LIFETIME."""
    return Statement(
        act=act,
        at=milliseconds(now),
        log=log,
        nonce=nonce,
        officer=officer,
        until=milliseconds(now + STATEMENT_LIFETIME),
    )


def read_signed(data: bytes) -> Signed:
    """Return the signed statement that ``data`` is; who signed it is not checked.

    Raises:
        MalformedError: it is none.
    """
    if len(data) > SIGNED_BYTES_MOST:
        raise MalformedError(f"a signed statement has no more than {SIGNED_BYTES_MOST} bytes")
    parse_strict(data)
    try:
        signed = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError("not a signed statement of an officer") from error
    check_form(signed)
    return signed


def check_form(signed: Signed) -> None:
    """Refuse a statement that no officer's program makes. Raises MalformedError."""
    said = signed.said
    from_b64url(signed.sig, size=SIGNATURE_BYTES)
    from_b64url(said.officer, size=KEY_BYTES)
    from_b64url(said.nonce, size=NONCE_BYTES)
    if said.v != 1 or not 0 <= said.at < said.until <= MAX_SAFE_INTEGER:
        raise MalformedError("a statement of a version or a time that there is not")
    match said.act:
        case Halt(because=because) | Suspend(because=because):
            if not _BECAUSE.fullmatch(because):
                raise MalformedError("a reason is one word of up to 64 letters: a file number")
        case Resume(halt=number) | Release(suspended=number):
            _check_number(number)
        case Change(since=number, add=add, remove=remove):
            _check_number(number)
            for key in filter(None, (add, remove)):
                from_b64url(key, size=KEY_BYTES)
            if add == remove:
                raise MalformedError("a change adds a key, removes one, or puts one for another")
        case Propose() | Approve() | AcceptGrowth() | Activate() | Withdraw():
            _check_policy_act(said.act)
        case _:
            assert_never(said.act)


def _check_policy_act(act: PolicyAct) -> None:
    match act:
        case Propose(digest=digest, follows=follows, growth=growth):
            _check_digests(digest, *filter(None, (follows, growth)))
        case Approve(digest=digest, proposal=number):
            _check_digests(digest)
            _check_number(number)
        case AcceptGrowth(digest=digest, growth=growth, proposal=number):
            _check_digests(digest, growth)
            _check_number(number)
        case Activate(digest=digest, growth=growth, proposal=number):
            _check_digests(digest, *filter(None, (growth,)))
            _check_number(number)
        case Withdraw(proposal=number):
            _check_number(number)
        case _:
            assert_never(act)


def _check_digests(*digests: str) -> None:
    for digest in digests:
        from_b64url(digest, size=HASH_BYTES)


def _check_number(number: int) -> None:
    if not 0 <= number <= MAX_SAFE_INTEGER:
        raise MalformedError("an act has no such number")


def check_time(said: Statement, *, now: datetime) -> None:
    """Refuse what was said too long ago, is not said yet, or would last too long.

    Raises:
        StatementRefusedError: it does not count now.
    """
    if said.until - said.at > STATEMENT_LIFETIME / timedelta(milliseconds=1):
        raise StatementRefusedError("a statement counts for ten minutes at most")
    if milliseconds(now) >= said.until:
        raise StatementRefusedError("this statement is over: sign it again")
    if said.at > milliseconds(now + STATEMENT_AHEAD_MOST):
        raise StatementRefusedError("this statement is of a later time: set the clock")
