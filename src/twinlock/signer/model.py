"""What a signer is told and tells: settings, the transaction, its clearance, why it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from twinlock.domain.catalogue import ActionType
from twinlock.domain.errors import SignerRefusedError, invariant
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.trust import Trust


class SignerFault(StrEnum):
    """Why a signer refuses, beside the faults of bundles; the value never changes."""

    UNREADABLE = "bundle_unreadable"
    MEMORY_UNUSABLE = "memory_unusable"
    CLOCK_WENT_BACK = "clock_went_back"
    HALTED = "halted"
    HEAD_UNKNOWN = "head_unknown"
    HEAD_KNOWN = "head_known"
    HEAD_REFUSED = "head_refused"
    CHECKPOINT_TOO_OLD = "checkpoint_too_old"
    NO_AUTHORIZATION = "no_authorization"
    NOT_A_SPEND = "not_a_spend"
    STALE_POLICY = "stale_policy"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    OTHER_TYPE = "other_type"
    OTHER_ACCOUNT = "other_account"
    OTHER_ASSET = "other_asset"
    OTHER_NETWORK = "other_network"
    OTHER_CONTRACT = "other_contract"
    OTHER_ADDRESS = "other_address"
    OTHER_MEMO = "other_memo"
    OTHER_AMOUNT = "other_amount"
    FEE_TOO_HIGH = "fee_too_high"
    OTHER_TERMS = "other_terms"
    REPLAYED = "replayed"
    CONSENT_REPLAYED = "consent_replayed"
    CONSENT_MISSING = "consent_missing"
    KEY_TOO_YOUNG = "key_too_young"
    DAILY_SUM_REACHED = "daily_sum_reached"


_F = SignerFault
SENTENCES: Mapping[SignerFault, str] = MappingProxyType(
    {
        _F.UNREADABLE: "checking the bundle failed in a way that nobody foresaw",
        _F.MEMORY_UNUSABLE: "the signer's memory cannot be read or written, or is open to others",
        _F.CLOCK_WENT_BACK: "the signer's clock is behind what it was before",
        _F.HALTED: "an officer halted this signer, and two have not resumed it",
        _F.HEAD_UNKNOWN: "this signer has never seen a head of the log: adopt one first",
        _F.HEAD_KNOWN: "a head was adopted before; another one is followed, never adopted",
        _F.HEAD_REFUSED: "the checkpoint is not trusted, or does not extend the last one",
        _F.CHECKPOINT_TOO_OLD: "the witnesses cosigned too long ago, or in the future",
        _F.NO_AUTHORIZATION: "the bundle holds no authorization",
        _F.NOT_A_SPEND: "the entry says yes, but with it nothing was spent",
        _F.STALE_POLICY: "it was decided by a policy that the settings do not name",
        _F.NOT_YET_VALID: "the authorization begins later, by the signer's clock",
        _F.EXPIRED: "the authorization is over, by the signer's clock",
        _F.OTHER_TYPE: "the transaction is of another type of exit",
        _F.OTHER_ACCOUNT: "the transaction debits another account",
        _F.OTHER_ASSET: "the transaction pays in another asset",
        _F.OTHER_NETWORK: "the transaction is for another network",
        _F.OTHER_CONTRACT: "the transaction moves another token",
        _F.OTHER_ADDRESS: "the transaction pays somebody else",
        _F.OTHER_MEMO: "the transaction bears another memo",
        _F.OTHER_AMOUNT: "the transaction pays another amount",
        _F.FEE_TOO_HIGH: "the transaction's fee is above what was consented to",
        _F.OTHER_TERMS: "the transaction has other terms than were consented to",
        _F.REPLAYED: "this action or spend was cleared before, and this is not its own fee raised",
        _F.CONSENT_REPLAYED: "the customer's assertion was used before, for another action",
        _F.CONSENT_MISSING: "above the session budget the customer's own assertion is needed",
        _F.KEY_TOO_YOUNG: "above the session budget the customer's key must be older",
        _F.DAILY_SUM_REACHED: "what leaves without assertions has reached its daily sum",
    }
)


def refusal(fault: SignerFault, detail: str = "") -> SignerRefusedError:
    """Return the refusal to raise for ``fault``; ``detail`` says more of the case at hand."""
    sentence = SENTENCES[fault]
    return SignerRefusedError(f"{sentence}: {detail}" if detail else sentence, fault=fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerSettings:
    """What the signer's owner decides, out of reach of the platform.

    ``policies`` are the digests of the policy versions in force. Above ``session_budget_cents`` a
    transaction needs the customer's own assertion, by a key bound ``key_age_least`` ago;
    ``unasserted_daily_cents`` bounds everything that leaves without one, of all accounts together.
    ``officers`` are the public keys of those whose halt this signer obeys.
    ``fee_raise_for`` is how long after a spend its own fee may be raised. With ``witnessed`` the
    trust file must name a quorum of witnesses: without one, nobody but the operator dates a head.
    """

    trust: Trust
    policies: frozenset[str]
    session_budget_cents: int
    unasserted_daily_cents: int
    key_age_least: timedelta
    clock_skew_most: timedelta = timedelta(seconds=30)  # Servers with NTP differ by milliseconds.
    checkpoint_age_most: timedelta = timedelta(minutes=10)  # Witnesses cosign within seconds.
    fee_raise_for: timedelta = timedelta(days=3)  # A transaction that nobody mined is dropped then.
    witnessed: bool = False
    officers: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        invariant(bool(self.policies), "a signer knows which policy is in force")
        sums = (self.session_budget_cents, self.unasserted_daily_cents)
        invariant(all(cents >= 0 for cents in sums), "a sum is not negative")
        lengths = (self.clock_skew_most, self.checkpoint_age_most, self.fee_raise_for)
        invariant(all(length >= timedelta(0) for length in lengths), "a length is not negative")
        invariant(self.key_age_least > timedelta(0), "a key has to age for some time")
        dated = self.trust.log_policy.quorum is not None
        invariant(dated or not self.witnessed, "witnesses are demanded, and none is trusted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What is about to be signed, as the wallet itself reads it from the bytes it will sign.

    ``account`` is the one that the wallet's own ledger debits. ``contract`` and ``memo`` are empty
    where there is none; ``address`` is in the payload's form (lower case on EVM networks).
    ``fee_minor`` is the most the transaction can cost, in minor units of the network's own coin.
    ``value_cents`` is the worth of amount and fee together in US cents, rounded up, by the wallet's
    own prices; None where it has none, which counts as above every budget.

    A ledger that carries out other exits than withdrawals names their ``type``, the place in the
    books as network and address, and in ``terms`` what else the payload says, each as a string.
    """

    account: str
    asset: str
    network: str
    contract: str
    address: str
    memo: str
    amount_minor: int
    fee_minor: int
    value_cents: int | None
    type: str = ActionType.WITHDRAWAL_CRYPTO.value
    terms: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = (self.amount_minor, self.fee_minor, self.value_cents or 0)
        invariant(all(number >= 0 for number in numbers), "an amount is not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """This transaction may be signed, once.

    With ``replaces`` the same spend was cleared before: sign only what takes the place of the
    transaction signed then (the same inputs or nonce), so that one of the two can be mined.
    ``consented`` says that the customer's own assertion stood behind it.
    """

    action_id: str
    spend_id: str
    transaction: Transaction
    replaces: bool
    consented: bool
    head: Checkpoint
