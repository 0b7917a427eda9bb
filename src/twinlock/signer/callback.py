"""A custody provider's co-signer asks here before it signs: a JWT with the transaction, a JWT back.

The protocol is that of a co-signer's callback handler: ``POST /v2/tx_sign_request``, the request
signed by the co-signer, the answer by us, with APPROVE, REJECT or RETRY and the request's id. What
is approved was cleared by ``check_spend``: a wallet that runs such a co-signer obeys the gate.

Always true (tests/unit/signer/test_callback.py):

* whatever is not understood is no APPROVE; nothing but a clearance is one;
* under a halt that was heard nothing is approved, nor is a yes of before it repeated;
* of the transactions that name one action one is approved, ever, by whichever process: the same
  one, whenever it is asked for again; one request id stands for one transaction;
* a refusal says its code; what may pass with time is RETRY, which the co-signer asks again.

Source: Fireblocks, API Co-signer callback handler: approve transactions, response object.
"""

import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_UP, Context, Decimal, InvalidOperation, localcontext
from enum import StrEnum
from typing import Annotated, Any, NoReturn, TypeAlias

import msgspec
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from twinlock.domain.canonical import encode, tagged_hash
from twinlock.domain.errors import MalformedError, SignerRefusedError, TwinlockError
from twinlock.domain.ids import account_of
from twinlock.proofs.bundle_faults import BundleFault
from twinlock.signer.check import check_spend
from twinlock.signer.memory import Memory, SignerState
from twinlock.signer.model import SignerFault, SignerSettings, Transaction

REQUEST_BYTES_MOST = 131_072  # A transaction of many inputs lists each; ours is rarely 4 KB.
ID_LENGTH_MOST = 128
AGE_MOST = timedelta(hours=1)  # A co-signer asks for an hour: 20 times every three minutes.
SKEW = timedelta(seconds=30)
DIGITS_MOST = 80  # Of an amount: 2^256 has 78.
SECONDS_MOST = 2**53 - 1  # Of an instant.
# Prevents: an amount of which the last digits are rounded away, and which then equals another.
_EXACT = Context(prec=4 * DIGITS_MOST)
ALGORITHMS = ("RS256", "PS256", "ES256")
OPERATION = "TRANSFER"


_Seconds: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=SECONDS_MOST)]


class Action(StrEnum):
    """What a co-signer is told."""

    APPROVE = "APPROVE"
    REJECT = "REJECT"
    RETRY = "RETRY"


class CallbackFault(StrEnum):
    """Why a request was not approved, beside the faults of signers and bundles."""

    REQUEST_MALFORMED = "request_malformed"
    REQUEST_EXPIRED = "request_expired"
    REQUEST_REPLAYED = "request_replayed"
    OPERATION_UNKNOWN = "operation_unknown"
    DESTINATIONS = "destinations"
    ASSET_UNKNOWN = "asset_unknown"
    AMOUNT_MALFORMED = "amount_malformed"
    FEE_MISSING = "fee_missing"
    ACTION_UNNAMED = "action_unnamed"
    OTHER_TRANSACTION = "other_transaction"
    EVIDENCE_MISSING = "evidence_missing"
    EVIDENCE_SILENT = "evidence_silent"


# What may be otherwise in three minutes.
_PASSING = frozenset(
    {
        SignerFault.CHECKPOINT_TOO_OLD,
        SignerFault.MEMORY_UNUSABLE,
        SignerFault.CLOCK_WENT_BACK,
        SignerFault.HALTED,
        SignerFault.HEAD_UNKNOWN,
        SignerFault.NOT_YET_VALID,
        BundleFault.CHECKPOINT_STALE,
        BundleFault.CONSISTENCY_MISSING,
    }
)


class CallbackUnauthenticatedError(TwinlockError):
    """No co-signer that we know signed this request: it is answered with 401, and by no JWT."""

    code = "cosigner_unauthenticated"
    status = 401


class EvidenceMissingError(TwinlockError):
    """There is no spend of this action to show: the transaction is rejected."""

    code = "cosigner_evidence_missing"
    status = 404


class EvidenceSilentError(TwinlockError):
    """The service did not answer for the evidence: the co-signer is told to ask again."""

    code = "cosigner_evidence_silent"
    status = 503


class Asset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the provider's name of an asset stands for here.

    ``fee_decimals`` are those of the network's own coin. ``cents`` and ``fee_cents`` are the most
    that one whole unit of each is worth, by the wallet's own owner; without them every transaction
    counts as above every budget.
    """

    asset: str
    network: str
    decimals: int
    fee_decimals: int
    contract: str = ""
    lower_case: bool = False
    cents: int | None = None
    fee_cents: int | None = None


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """One destination of a request; ``displayDst…`` is what stands in the bytes to be signed."""

    amountNativeStr: str = ""  # noqa: N815 - the provider's name
    displayDstAddress: str = ""  # noqa: N815 - the provider's name
    displayDstTag: str = ""  # noqa: N815 - the provider's name


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a request; other members are passed over."""

    requestId: str  # noqa: N815 - the provider's name
    txId: str = ""  # noqa: N815 - the provider's name
    operation: str = ""
    asset: str = ""
    amountStr: str = ""  # noqa: N815 - the provider's name
    fee: str = ""
    destAddress: str = ""  # noqa: N815 - the provider's name
    externalTxId: str = ""  # noqa: N815 - the provider's name
    destinations: tuple[Destination, ...] = ()
    iat: _Seconds | None = None
    exp: _Seconds | None = None


class _RefusedError(Exception):
    def __init__(self, fault: str, action: Action = Action.REJECT) -> None:
        super().__init__(fault)
        self.fault = fault
        self.action = action


class _Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a request that was decided for good."""

    digest: str
    action: Action
    fault: str = ""


class CallbackHandler:
    """Answers one co-signer. ``evidence`` fetches the bundle of an action, from a head's size on.

    ``evidence`` raises EvidenceMissingError where there is none, and EvidenceSilentError.
    """

    def __init__(
        self,
        *,
        cosigner: RSAKey | ECKey,
        own: RSAKey | ECKey,
        assets: Mapping[str, Asset],
        settings: SignerSettings,
        state: SignerState,
        evidence: Callable[[str, int], bytes],
    ) -> None:
        self._cosigner = cosigner
        self._own = own
        self._assets = assets
        self._settings = settings
        self._state = state
        self._evidence = evidence
        self._lock = threading.Lock()

    def answer(self, body: bytes, *, now: datetime) -> bytes:
        """Return the signed answer to a request; ``now`` is our own clock, UTC.

        Raises:
            CallbackUnauthenticatedError: the co-signer did not sign it.
        """
        claims = self._verified(body)
        named = claims.get("requestId")
        request_id = named if isinstance(named, str) and len(named) <= ID_LENGTH_MOST else ""
        try:
            request = _read(claims)
            with self._lock:  # One after the other: the second of two sees what the first did.
                action, fault = self._decide(request, now=now)
        except _RefusedError as refused:
            action, fault = refused.action, refused.fault
        except (TwinlockError, OSError, msgspec.MsgspecError):
            action, fault = Action.RETRY, SignerFault.MEMORY_UNUSABLE.value
        return self._signed(request_id, action, fault)

    def _verified(self, body: bytes) -> dict[str, Any]:
        if len(body) > REQUEST_BYTES_MOST:
            raise CallbackUnauthenticatedError("the request is too large")
        try:
            payload = jws.deserialize_compact(
                body.strip(), self._cosigner, algorithms=[_algorithm(self._cosigner)]
            ).payload
        except Exception as error:  # A parser of hostile bytes: refused.
            raise CallbackUnauthenticatedError("no co-signer that is known signed this") from error
        try:
            claims = json.loads(payload, parse_float=str, object_pairs_hook=_unique)
            json.dumps(claims, ensure_ascii=False).encode()  # Refuses half of a surrogate pair.
        except (ValueError, RecursionError) as error:
            raise CallbackUnauthenticatedError("a request is JSON without doubled keys") from error
        if not isinstance(claims, dict):
            raise CallbackUnauthenticatedError("a request is an object")
        return claims

    def _decide(self, request: Request, *, now: datetime) -> tuple[Action, str]:
        _check_time(request, now=now)
        digest = _digest(request)
        known = self._known(request.requestId)
        if known is not None:
            if known.digest != digest:
                _refuse(CallbackFault.REQUEST_REPLAYED)
            if known.action is Action.APPROVE and self._is_halted():
                _refuse(SignerFault.HALTED, Action.RETRY)
            return known.action, known.fault
        try:
            self._clear(request, digest, now=now)
        except _RefusedError as refused:
            if refused.action is Action.REJECT:
                self._keep(request.requestId, digest, Action.REJECT, refused.fault)
            raise
        self._keep(request.requestId, digest, Action.APPROVE)
        return Action.APPROVE, ""

    def _clear(self, request: Request, digest: str, *, now: datetime) -> None:
        transaction = self._transaction(request)
        action_id = request.externalTxId
        size = self._reserve(action_id, digest)
        try:
            bundle = self._evidence(action_id, size)
        except EvidenceMissingError:
            _refuse(CallbackFault.EVIDENCE_MISSING)
        except EvidenceSilentError:
            _refuse(CallbackFault.EVIDENCE_SILENT, Action.RETRY)
        try:
            cleared = check_spend(
                bundle, transaction, settings=self._settings, state=self._state, now=now
            )
        except SignerRefusedError as refused:
            _refuse(refused.fault, Action.RETRY if refused.fault in _PASSING else Action.REJECT)
        if cleared.action_id != action_id or not self._holds(action_id, digest):
            _refuse(CallbackFault.OTHER_TRANSACTION)

    def _transaction(self, request: Request) -> Transaction:
        """Return what is about to be signed. Raises _RefusedError for whatever is not sure."""
        if request.operation != OPERATION:
            _refuse(CallbackFault.OPERATION_UNKNOWN)
        if len(request.destinations) != 1:
            _refuse(CallbackFault.DESTINATIONS)
        (to,) = request.destinations
        asset = self._assets.get(request.asset)
        if asset is None:
            _refuse(CallbackFault.ASSET_UNKNOWN)
        address = to.displayDstAddress
        if not address or request.destAddress not in ("", address):
            _refuse(CallbackFault.DESTINATIONS)
        if to.amountNativeStr not in ("", request.amountStr):
            _refuse(CallbackFault.AMOUNT_MALFORMED)
        if not request.fee:
            _refuse(CallbackFault.FEE_MISSING)
        try:
            account = account_of(request.externalTxId)
        except MalformedError:
            _refuse(CallbackFault.ACTION_UNNAMED)
        amount = _minor(request.amountStr, asset.decimals)
        fee = _minor(request.fee, asset.fee_decimals)
        return Transaction(
            account=account,
            asset=asset.asset,
            network=asset.network,
            contract=asset.contract,
            address=address.lower() if asset.lower_case else address,
            memo=to.displayDstTag,
            amount_minor=amount,
            fee_minor=fee,
            value_cents=_value(asset, amount, fee),
        )

    # --- Memory ---

    def _known(self, request_id: str) -> _Answered | None:
        with self._state.open() as pages:
            data = pages.get(f"callback:request:{request_id}")
        return None if data is None else msgspec.json.decode(data, type=_Answered)

    def _is_halted(self) -> bool:
        """Prevents: a yes of a minute ago, fetched once more after an officer's halt."""
        with self._state.open() as pages:
            return Memory(pages).hearing().halted is not None

    def _keep(self, request_id: str, digest: str, action: Action, fault: str = "") -> None:
        kept = _Answered(digest=digest, action=action, fault=fault)
        with self._state.open() as pages:
            pages.put(f"callback:request:{request_id}", encode(kept))

    def _reserve(self, action_id: str, digest: str) -> int:
        """Name the transaction of an action before it is cleared; return the last head's size.

        Prevents: a second transaction of the provider's for one action, which the signer would take
        for the first one with its fee raised.
        """
        name = f"callback:action:{action_id}"
        with self._state.open() as pages:
            memory = Memory(pages)
            if memory.cleared(action_id) is not None and pages.get(name) != digest.encode():
                _refuse(CallbackFault.OTHER_TRANSACTION)
            pages.put(name, digest.encode())
            heads = memory.heads()
        return 0 if heads is None else heads.last.size

    def _holds(self, action_id: str, digest: str) -> bool:
        """Say whether the action still has this transaction, now that it is cleared.

        Prevents: two processes on one memory, as while one takes over from the other, of which each
        names a transaction before either clears it.
        """
        with self._state.open() as pages:
            return pages.get(f"callback:action:{action_id}") == digest.encode()

    def _signed(self, request_id: str, action: Action, fault: str) -> bytes:
        answer = {"action": action.value, "requestId": request_id}
        if fault:
            answer["rejectionReason"] = fault
        header = {"alg": _algorithm(self._own), "typ": "JWT"}
        algorithms = [header["alg"]]
        signed = jws.serialize_compact(header, encode(answer), self._own, algorithms=algorithms)
        return signed.encode("ascii")


def _refuse(fault: str, action: Action = Action.REJECT) -> NoReturn:
    raise _RefusedError(fault, action)


def _algorithm(key: RSAKey | ECKey) -> str:
    """Return the one algorithm of a key: it never follows from a header (RFC 8725, 3.1)."""
    return "RS256" if isinstance(key, RSAKey) else "ES256"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _read(claims: dict[str, Any]) -> Request:
    try:
        request = msgspec.convert(claims, Request)
    except msgspec.ValidationError as error:
        raise _RefusedError(CallbackFault.REQUEST_MALFORMED) from error
    for text in (request.requestId, request.txId):
        if not 0 < len(text) <= ID_LENGTH_MOST or not text.isascii() or not text.isprintable():
            _refuse(CallbackFault.REQUEST_MALFORMED)
    return request


def _check_time(request: Request, *, now: datetime) -> None:
    at = now.timestamp()
    skew, age = SKEW.total_seconds(), AGE_MOST.total_seconds()
    if request.exp is not None and at >= request.exp + skew:
        _refuse(CallbackFault.REQUEST_EXPIRED)
    if request.iat is not None and not at - age - skew <= request.iat <= at + skew:
        _refuse(CallbackFault.REQUEST_EXPIRED)


def _digest(request: Request) -> str:
    """Return the name of a transaction: all that is read of it, and the provider's own id."""
    said = msgspec.structs.replace(request, requestId="", iat=None, exp=None)
    return tagged_hash("callback/v1", encode(said)).hex()


def _minor(text: str, decimals: int) -> int:
    """Return a decimal amount in minor units; one that has none, or a part of one, is refused."""
    if len(text) > DIGITS_MOST or not text.isascii() or not set(text) <= set("0123456789."):
        _refuse(CallbackFault.AMOUNT_MALFORMED)
    try:
        whole = Decimal(text).scaleb(decimals, context=_EXACT)
    except InvalidOperation:
        _refuse(CallbackFault.AMOUNT_MALFORMED)
    number = int(whole)
    if number != whole:
        _refuse(CallbackFault.AMOUNT_MALFORMED)
    return number


def _value(asset: Asset, amount: int, fee: int) -> int | None:
    """Return what a transaction is worth at most, in US cents, rounded up."""
    if asset.cents is None or asset.fee_cents is None:
        return None
    with localcontext(_EXACT):
        worth = Decimal(amount).scaleb(-asset.decimals) * asset.cents
        worth += Decimal(fee).scaleb(-asset.fee_decimals) * asset.fee_cents
        return int(worth.to_integral_value(rounding=ROUND_UP))


def read_clock() -> datetime:
    """Return this machine's time (UTC): a signer has a clock of its own."""
    return datetime.now(UTC)  # noqa: TID251 - a program of its own, without the service's clock
