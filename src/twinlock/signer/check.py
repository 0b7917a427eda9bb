"""The signer's check: from hostile bytes and a transaction to a clearance, or a refusal.

Every check is one small function; none takes the word of the bundle for what the signer can know
itself: the time, the head it saw last, the transaction it is about to sign.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from twinlock.domain.actions import type_of
from twinlock.domain.authorization import Authorization
from twinlock.domain.bounds import SPEND_LIFETIME
from twinlock.domain.errors import (
    BundleRefusedError,
    FileUnsafeError,
    MalformedError,
    ProofError,
    SignerRefusedError,
    UntrustedNoteError,
    invariant,
)
from twinlock.domain.exits import AnyExit, Exit, WithdrawalCrypto, leads_to, most_fee, terms_of
from twinlock.domain.log.checkpoint import Checkpoint, parse_checkpoint
from twinlock.domain.log.merkle import verify_consistency
from twinlock.domain.log.note import parse_note
from twinlock.domain.money import minor_units
from twinlock.proofs.bundles import VerifiedBundle, verify_bundle
from twinlock.proofs.notes import verify_checkpoint
from twinlock.signer.memory import (
    ClearedSpend,
    Heads,
    Memory,
    SignerState,
    first_seen,
    followed,
)
from twinlock.signer.model import Cleared, SignerFault, SignerSettings, Transaction, refusal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def check_spend(
    bundle: bytes,
    transaction: Transaction,
    *,
    settings: SignerSettings,
    state: SignerState,
    now: datetime,
) -> Cleared:
    """Return that ``transaction`` may be signed; it is then on record as cleared.

    ``now`` is the signer's own clock, UTC. A head that was verified on the way is remembered even
    where the spend is refused.

    Raises:
        SignerRefusedError: nothing may be signed; ``fault`` is a SignerFault or a BundleFault.
    """
    check_clock_is_utc(now)
    outcome: Cleared | SignerRefusedError
    with opened(state) as memory:
        try:
            outcome = _judge(bundle, transaction, settings, memory, now)
        except SignerRefusedError as refused:
            outcome = refused
    if isinstance(outcome, SignerRefusedError):
        raise outcome
    return outcome


def adopt_head(
    checkpoint: bytes, *, settings: SignerSettings, state: SignerState, now: datetime
) -> Checkpoint:
    """Return the first head that this signer believes; a person compared it with the log's own.

    Keys that are bound already begin to age now, by this signer's clock.

    Raises:
        SignerRefusedError: head_known, head_refused, checkpoint_too_old, memory_unusable.
    """
    check_clock_is_utc(now)
    with opened(state) as memory:
        if memory.heads() is not None:
            raise refusal(SignerFault.HEAD_KNOWN)
        head = _read_head(checkpoint, settings, now)
        memory.put_heads(first_seen(head, now=now))
    return head


def follow_head(
    checkpoint: bytes,
    proof: tuple[bytes, ...],
    *,
    settings: SignerSettings,
    state: SignerState,
    now: datetime,
) -> Checkpoint:
    """Return the head that extends the last one seen; call it now and then, so that keys age.

    ``proof`` is the consistency proof from the last head's size: hashes of 32 bytes.

    Raises:
        SignerRefusedError: head_unknown, head_refused, checkpoint_too_old, clock_went_back,
            memory_unusable.
    """
    check_clock_is_utc(now)
    with opened(state) as memory:
        heads = heads_seen(memory, settings, now)
        head = _read_head(checkpoint, settings, now)
        last = heads.last
        try:
            verify_consistency(
                old_size=last.size,
                old_root=last.root,
                new_size=head.size,
                new_root=head.root,
                proof=proof,
            )
        except ProofError as error:
            raise refusal(SignerFault.HEAD_REFUSED) from error
        if head.origin != last.origin:
            raise refusal(SignerFault.HEAD_REFUSED)
        memory.put_heads(_followed(heads, head, settings, now))
    return head


# --- Clock, memory and log ---


def check_clock_is_utc(now: datetime) -> None:
    """Refuse an instant of another clock than UTC: that is our caller's bug."""
    invariant(now.utcoffset() == timedelta(0), "the signer's clock is UTC")


@contextmanager
def opened(state: SignerState) -> Iterator[Memory]:
    """Hold the memory alone. Raises SignerRefusedError: memory_unusable."""
    try:
        with state.open() as pages:
            yield Memory(pages)
    except OSError as error:
        named = f"{error.filename}: {error.strerror}" if error.filename else ""
        raise refusal(SignerFault.MEMORY_UNUSABLE, named) from error
    except (FileUnsafeError, MalformedError) as error:
        raise refusal(SignerFault.MEMORY_UNUSABLE, str(error)) from error


def heads_seen(memory: Memory, settings: SignerSettings, now: datetime) -> Heads:
    """Return the heads seen. Prevents: a clock set back, by which what has expired is new again."""
    heads = memory.heads()
    if heads is None:
        raise refusal(SignerFault.HEAD_UNKNOWN)
    if now < heads.latest_at - settings.clock_skew_most:
        raise refusal(SignerFault.CLOCK_WENT_BACK)
    return heads


def _followed(heads: Heads, head: Checkpoint, settings: SignerSettings, now: datetime) -> Heads:
    fresh = SPEND_LIFETIME + 2 * settings.clock_skew_most
    return followed(heads, head, now=now, age=settings.key_age_least, fresh=fresh)


def _read_head(data: bytes, settings: SignerSettings, now: datetime) -> Checkpoint:
    try:
        note = parse_note(data)
        origin = parse_checkpoint(note.text).origin
        witnessed = verify_checkpoint(note, settings.trust.log_policy, origin=origin)
    except (MalformedError, UntrustedNoteError) as error:
        raise refusal(SignerFault.HEAD_REFUSED) from error
    _check_fresh(witnessed.fresh_at, settings, now)
    return witnessed.checkpoint


def _check_fresh(fresh_at: datetime | None, settings: SignerSettings, now: datetime) -> None:
    """Without witnesses nobody but the operator dates a head; it must still extend our last."""
    if fresh_at is None:
        return
    newest, oldest = now + settings.clock_skew_most, now - settings.checkpoint_age_most
    if not oldest <= fresh_at <= newest:
        raise refusal(SignerFault.CHECKPOINT_TOO_OLD)


# --- The judgement ---


def _judge(
    bundle: bytes,
    transaction: Transaction,
    settings: SignerSettings,
    memory: Memory,
    now: datetime,
) -> Cleared:
    heads = heads_seen(memory, settings, now)
    hearing = memory.hearing()
    if hearing.halted is not None:
        raise refusal(SignerFault.HALTED, hearing.because)
    verified = _verified(bundle, settings, heads.last)
    _check_fresh(verified.fresh_at, settings, now)
    heads = _followed(heads, verified.head, settings, now)
    memory.put_heads(heads)
    claims, payload = _spend_in(verified, settings)
    _check_transaction(payload, transaction)
    before = _check_once(verified, claims, transaction, memory)
    _check_time(claims, before, settings, now)
    if before is None:
        _check_new(verified, claims, heads, settings, now)
    _check_consents_unused(verified, memory)
    consented = _has_aged_consent(verified, heads.size_at(now - settings.key_age_least))
    counted = 0 if before is None else before.cents
    if not consented:
        value = _value_in_budget(verified, transaction, settings)
        added = max(value - counted, 0)
        _count(added, settings, memory, now)
        counted += added
    spend = ClearedSpend(
        spend_id=claims.spend,
        digest=verified.payload_digest,
        fee_minor=str(transaction.fee_minor),
        cents=counted,
        at=now if before is None else before.at,
    )
    _remember(verified, spend, memory)
    return Cleared(
        action_id=verified.action_id,
        spend_id=claims.spend,
        transaction=transaction,
        replaces=before is not None,
        consented=consented,
        head=verified.head,
    )


def _verified(bundle: bytes, settings: SignerSettings, known: Checkpoint) -> VerifiedBundle:
    try:
        return verify_bundle(bundle, trust=settings.trust, known=known)
    except BundleRefusedError as refused:
        raise SignerRefusedError(str(refused), fault=refused.fault) from refused
    except Exception as error:  # A parser of hostile bytes: refused.
        raise refusal(SignerFault.UNREADABLE) from error


def _spend_in(verified: VerifiedBundle, settings: SignerSettings) -> tuple[Authorization, AnyExit]:
    claims, payload = verified.authorization, verified.payload
    if claims is None:
        raise refusal(SignerFault.NO_AUTHORIZATION)
    if not verified.spent or not isinstance(payload, Exit):
        raise refusal(SignerFault.NOT_A_SPEND)
    if verified.policy.digest not in settings.policies:
        raise refusal(SignerFault.STALE_POLICY)
    return claims, payload


def _check_transaction(payload: AnyExit, transaction: Transaction) -> None:
    """Hold the transaction against what was decided, and, with an assertion, consented to."""
    contract = payload.contract if isinstance(payload, WithdrawalCrypto) else ""
    network, address, memo = leads_to(payload)
    same = {
        SignerFault.OTHER_TYPE: transaction.type == type_of(payload),
        SignerFault.OTHER_ACCOUNT: transaction.account == payload.account,
        SignerFault.OTHER_ASSET: transaction.asset == payload.asset,
        SignerFault.OTHER_NETWORK: transaction.network == network,
        SignerFault.OTHER_CONTRACT: transaction.contract == contract,
        SignerFault.OTHER_ADDRESS: transaction.address == address,
        SignerFault.OTHER_MEMO: transaction.memo == memo,
        SignerFault.OTHER_AMOUNT: transaction.amount_minor == minor_units(payload.amount_minor),
        SignerFault.FEE_TOO_HIGH: transaction.fee_minor <= most_fee(payload),
        SignerFault.OTHER_TERMS: dict(transaction.terms) == terms_of(payload),
    }
    for fault, holds in same.items():
        if not holds:
            raise refusal(fault)


def _check_once(
    verified: VerifiedBundle, claims: Authorization, transaction: Transaction, memory: Memory
) -> ClearedSpend | None:
    """Return what was cleared for this action before: the same spend with a lower fee, or None."""
    before = memory.cleared(verified.action_id)
    if memory.owner("spend", _spend_name(verified, claims.spend)) not in (None, verified.action_id):
        raise refusal(SignerFault.REPLAYED)
    if before is None:
        return None
    same = (before.spend_id, before.digest) == (claims.spend, verified.payload_digest)
    if not same or transaction.fee_minor < int(before.fee_minor):
        raise refusal(SignerFault.REPLAYED)
    return before


def _spend_name(verified: VerifiedBundle, spend_id: str) -> str:
    return f"{verified.account}:{spend_id}"


def _check_time(
    claims: Authorization, before: ClearedSpend | None, settings: SignerSettings, now: datetime
) -> None:
    """Judge by the signer's clock. A spend that it cleared itself may have its fee raised later."""
    skew = settings.clock_skew_most // _MILLISECOND
    at = (now - _EPOCH) // _MILLISECOND
    if at < claims.iat * 1000 - skew:
        raise refusal(SignerFault.NOT_YET_VALID)
    if before is not None and now < before.at + settings.fee_raise_for:
        return
    if at >= claims.exp * 1000 + skew:
        raise refusal(SignerFault.EXPIRED)


def _check_new(
    verified: VerifiedBundle,
    claims: Authorization,
    heads: Heads,
    settings: SignerSettings,
    now: datetime,
) -> None:
    """Refuse an entry that this signer saw in the log for longer than such a spend may live.

    Prevents: a spend that a compromised application dated ahead and kept, past a veto, for later.
    Two clocks that differ by the skew either way never make an honest spend look so old.
    """
    lifetime = timedelta(seconds=claims.exp - claims.iat)
    if verified.index < heads.size_at(now - lifetime - 2 * settings.clock_skew_most):
        raise refusal(SignerFault.EXPIRED)


def _check_consents_unused(verified: VerifiedBundle, memory: Memory) -> None:
    """Prevents: one consent to pay, shown again by a compromised application for a second action.

    A consent is known by its challenge. Prevents: the same signature in another encoding (n − s).
    """
    for one in verified.assertions:
        if memory.owner("consent", one.challenge) not in (None, verified.action_id):
            raise refusal(SignerFault.CONSENT_REPLAYED)


def _has_aged_consent(verified: VerifiedBundle, aged_size: int) -> bool:
    """Say whether a key consented that stood in a log which this signer saw long enough ago.

    Prevents: a key that a compromised application bound a minute ago, dated back by its own clock.
    """
    return any(one.binding_index < aged_size for one in verified.assertions)


def _value_in_budget(
    verified: VerifiedBundle, transaction: Transaction, settings: SignerSettings
) -> int:
    """Return the value of what may leave without the customer's own consent."""
    value = transaction.value_cents
    if value is not None and value <= settings.session_budget_cents:
        return value
    young = bool(verified.assertions)
    raise refusal(SignerFault.KEY_TOO_YOUNG if young else SignerFault.CONSENT_MISSING)


def _count(added: int, settings: SignerSettings, memory: Memory, now: datetime) -> None:
    if memory.sum_cents(now) + added > settings.unasserted_daily_cents:
        raise refusal(SignerFault.DAILY_SUM_REACHED)
    memory.add_cents(added, now=now)


def _remember(verified: VerifiedBundle, spend: ClearedSpend, memory: Memory) -> None:
    memory.put_cleared(verified.action_id, spend)
    memory.put_owner("spend", _spend_name(verified, spend.spend_id), verified.action_id)
    for one in verified.assertions:
        memory.put_owner("consent", one.challenge, verified.action_id)
