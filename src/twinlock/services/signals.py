"""Receiving signals: a token is checked, whom it speaks of is found, and each account decides.

Always true (tests/integration/test_signals_received.py): a token counts once for an account, also
where two processes receive it at the same moment, since its name is kept in the transaction that
decides; a stream that says more in a day than it may is heard no more that day.
"""

from contextlib import suppress
from hashlib import sha256

import msgspec

from twinlock.domain.bounds import SIGNAL_BYTES_MOST
from twinlock.domain.canonical import b64url, encode, from_b64url, parse_strict, tagged_hash
from twinlock.domain.commands import ReceiveSignal
from twinlock.domain.erasure import AccountErasedError
from twinlock.domain.errors import (
    AccountUnknownError,
    DocumentTooLargeError,
    IdempotencyConflictError,
    InvariantError,
    MalformedError,
    SealBrokenError,
    TwinlockError,
    UnavailableError,
)
from twinlock.domain.gate import decide
from twinlock.domain.ids import AccountId
from twinlock.domain.signal_streams import (
    UPDATED,
    VERIFICATION,
    Named,
    Stream,
    kind_of,
    named_by,
)
from twinlock.domain.signals import SignalKind, is_better
from twinlock.ports import Clock, Idempotency, Policies, Store, Work
from twinlock.ports.ruled import by_rules
from twinlock.ports.signals import SignalIndex, SignalKeys
from twinlock.proofs.sets import (
    SecurityEvent,
    SetFault,
    SetRefusedError,
    parts_of,
    verify_set,
)


class SignalsTooManyError(TwinlockError):
    """This stream said as much today as its operator lets it: send the rest tomorrow (UTC)."""

    code = "signals_too_many"
    status = 429
    retry_after = 3_600  # The day may have begun by then.


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a token: of which kind it was, and how many accounts it was decided for."""

    kind: SignalKind | None = None
    accounts: int = 0
    state: str = ""  # of a verification (SSF 1.0, 8.1.4.1)


class Signals:
    """The use cases of signals."""

    def __init__(
        self,
        store: Store,
        *,
        keys: SignalKeys,
        index: SignalIndex,
        clock: Clock,
        policies: Policies,
    ) -> None:
        self._store = store
        self._keys = keys
        self._index = index
        self._clock = clock
        self._policies = policies

    async def receive(self, stream: Stream, token: str) -> Heard:
        """Take a token of ``stream``; received again it changes nothing.

        Where one account cannot decide, the others that it speaks of do, and it is told then.
        Prevents: an account with somebody else's address, which cannot be opened or has no room,
        and behind which the owner's own is never told of.

        Raises:
            SetRefusedError: it does not hold, or its name stood for something else before.
            SignalsTooManyError: the stream has said enough for today.
            UnavailableError: the database did not answer; it may be sent again.
        """
        keys = await self._keys.keys(stream, kid=_kid(token))
        now = self._clock.now(database_at=None)
        event = verify_set(
            token, keys=keys, issuer=stream.issuer, audience=stream.audience, now=now
        )
        if event.event in (VERIFICATION, UPDATED):
            state = event.claims.get("state", "")
            return Heard(state=state if isinstance(state, str) else "")
        kind = kind_of(event.event)
        if kind is None or not stream.hears(kind):
            return Heard()  # SSF 1.0, 8.1.1: an event that nobody asked for is passed over.
        told = await self._told(stream, event)
        better = is_better(kind, event.claims)
        count, failed = 0, None
        for account, address in told.items():
            signal = ReceiveSignal(
                stream=stream.stream_id, kind=kind, address=address, better=better
            )
            try:
                count += await self._decide(account, signal, event, most=stream.daily_most)
            except (SealBrokenError, DocumentTooLargeError, InvariantError) as error:
                failed = error
        if failed is not None:
            raise failed
        return Heard(kind=kind, accounts=count)

    async def _told(self, stream: Stream, event: SecurityEvent) -> dict[AccountId, str]:
        """Return each account that an event speaks of, with the address by which it does."""
        named: list[Named] = []
        for part in parts_of(event.subject):
            named += named_by(part, issuer=stream.issuer)
        told: dict[AccountId, str] = {}
        for one in named:
            if one.account is not None:
                told.setdefault(one.account, "")
                continue
            for account in await self._index.accounts(one.address):
                told[account] = one.address  # It says more than the account's id does.
        return told

    async def _decide(
        self, named: AccountId, signal: ReceiveSignal, event: SecurityEvent, *, most: int
    ) -> bool:
        """Have one account decide; say whether there is one.

        What was decided before is not counted again. Prevents: a token that is sent a thousand
        times, after which no other is heard that day. The name that it counts under is none that a
        caller may give his own request. Prevents: a platform's key by which a signal is used up
        before it comes.

        Raises:
            SetRefusedError, SignalsTooManyError: as ``receive`` says.
        """
        said = encode({"c": event.claims, "e": event.event, "s": event.subject})
        name = b64url(sha256(event.jti.encode()).digest())
        once = Idempotency(
            key=f"signal\n{signal.stream}\n{name}", digest=tagged_hash("signal/v1", said)
        )
        try:
            if await self._store.stands_for(named, once) is not None:
                return True
            await self._store.account(named)  # Whoever is not known here is not counted.
            await by_rules(
                self._policies,
                lambda rules: self._run(
                    signal.stream,
                    Work(
                        account_id=named,
                        decide=lambda state, now: decide(state, signal, rules=rules, now=now),
                        actor=f"signal:{signal.stream}",
                        policy=rules.policy.name,
                        idempotency=once,
                        action_id=named,
                    ),
                    most=most,
                ),
            )
        except (AccountUnknownError, AccountErasedError):
            return False
        except IdempotencyConflictError as error:
            says = "another event had this name before"
            raise SetRefusedError(SetFault.REPLAYED, says) from error
        return True

    async def _run(self, stream_id: str, work: Work, *, most: int) -> None:
        """Count a signal of a stream, and have it decided; what was not does not count.

        Prevents: an hour in which nothing can be decided, whose repeats use up the day: no other
        signal is heard then until it is over.

        Raises:
            SignalsTooManyError: it has said enough, and nothing was decided.
        """
        day = self._clock.now(database_at=None).date()
        if not await self._index.take(stream_id, day, most=most):
            raise SignalsTooManyError(f"the stream {stream_id} has said enough for today")
        try:
            await self._store.run(work)
        except TwinlockError:
            with suppress(UnavailableError):
                await self._index.give_back(stream_id, day)
            raise


def _kid(token: str) -> str:
    """Return the key's id that a token names, unchecked: it only says which keys to have ready."""
    if len(token) > SIGNAL_BYTES_MOST:
        return ""
    try:
        header = parse_strict(from_b64url(token.partition(".")[0]))
    except MalformedError:
        return ""
    kid = header.get("kid", "") if isinstance(header, dict) else ""
    return kid if isinstance(kid, str) else ""
