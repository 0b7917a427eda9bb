"""What may be asked of the gate, as values. Cryptography was checked before they were built.

A command carries everything that is random or secret and was drawn or derived outside: ids,
nonces, hashes. ``gate.decide`` adds nothing of its own.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

import msgspec

from twinlock.domain.account import Account, Candidate
from twinlock.domain.actions import AnyPayload
from twinlock.domain.api_keys import KeyLapses
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.deliveries import Outcome
from twinlock.domain.discreet import Discreet
from twinlock.domain.ids import ActionId, ApiKeyId, ChallengeId, ChannelId, MemberId, SessionId
from twinlock.domain.listed import Destination
from twinlock.domain.officers.statements import Signed
from twinlock.domain.risk.scoring import Noticed
from twinlock.domain.signals import SignalKind


class SessionSignature(msgspec.Struct, frozen=True, kw_only=True):
    """A device key signed this payload inside a session; or only named the session (no thumbprint).

    ``thumbprint`` is that of the key whose signature verified, "" where there was no signature.
    Beside a sign-in it claims no session: it says that the device asks itself.
    """

    session_id: SessionId
    thumbprint: str
    signed_at: datetime | None
    evidence: bytes = b""


class Propose(Discreet, frozen=True, kw_only=True):
    """Somebody wants ``payload`` done. ``secret`` is what takes effect with it, already derived.

    ``candidate_id`` names what it was derived from, and is used up by this proposal.
    """

    HIDDEN = frozenset({"veto_key", "secret"})

    action_id: ActionId
    member_id: MemberId | None = None  # whose action it is; None: the account's only member
    payload: AnyPayload
    veto_key: str
    claimed_cents: int = 0
    session: SessionSignature | None = None
    secret: str = ""
    candidate_id: ChallengeId | None = None
    noticed: Noticed | None = None  # of a sign-in, by the platform's word


class Ask(Discreet, frozen=True, kw_only=True):
    """Ask the customer for a proof of ``factor`` for an open action."""

    HIDDEN = frozenset({"code_mac"})

    action_id: ActionId
    challenge_id: ChallengeId
    factor: Factor
    nonce: str
    channel_id: ChannelId | None = None
    code_mac: str = ""


class Right(Discreet, frozen=True, kw_only=True):
    """An answer whose cryptography verified against ``against``: seed, key, hash or code MAC.

    ``evidence`` is what can be shown later; empty where a proof is bound by our record only. ``ip``
    is where an API key was used from, by the platform's word; "" where it told none. ``rehashed``
    is a hash of ours in the place of an older system's, of a password that was right. ``copied``: a
    counter of a key that is said to be one of a kind did not grow, so that there may be two.
    """

    HIDDEN = frozenset({"against", "rehashed", "ip"})

    factor: Factor
    source: str
    against: str
    challenge_id: ChallengeId | None = None
    totp_step: int = 0
    sign_count: int = 0
    backed_up: bool = False
    copied: bool = False
    evidence: bytes = b""
    ip: str = ""
    rehashed: str = ""


class Wrong(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that did not verify, and why."""

    factor: Factor
    fault: ProofFault


class Prove(Discreet, frozen=True, kw_only=True):
    """The customer answered for an open action."""

    HIDDEN = frozenset({"fresh", "blind", "drawn", "forced"})

    action_id: ActionId
    proof: Right | Wrong
    fresh: str  # 26 random characters for the name of what begins with a yes
    blind: str = ""  # 16 random bytes, base64url: what is said under the proof's seal
    drawn: bool = False  # chance picks this account, if it picks any (``duress``)
    forced: bool = False  # what this binds is for duress


class Veto(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody says no: by the link of a channel, or by a session's signature."""

    action_id: ActionId
    channel_id: ChannelId | None = None
    session: SessionSignature | None = None


class Repudiate(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody says that what an action bound was never theirs.

    ``target`` is what it bound at ``bound_at``, by the account's entry ``entry``: it may be bound
    no more. Who speaks is named as in a veto.
    """

    action_id: ActionId
    target: str
    entry: int
    bound_at: datetime
    channel_id: ChannelId | None = None
    session: SessionSignature | None = None


class FreezeByLink(Discreet, frozen=True, kw_only=True):
    """Somebody who reads a channel freezes, by the link of a notice.

    ``told_at`` is when was asked for what the notice told of; ``freeze_id`` names the freeze.
    """

    HIDDEN = frozenset({"veto_key"})

    freeze_id: ActionId
    veto_key: str
    channel_id: ChannelId
    told_at: datetime


class Spend(msgspec.Struct, frozen=True, kw_only=True):
    """The platform is about to sign: decide again, exactly once."""

    action_id: ActionId
    spend_id: str
    fee_minor: str


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """Give out a registration challenge or a fresh seed."""

    candidate: Candidate


class EndSession(msgspec.Struct, frozen=True, kw_only=True):
    """End a session, or every session but ``keep``, where one is kept."""

    session_id: SessionId | None
    keep: SessionId | None = None


class OpenAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The platform has a new customer, or one of an older system with ``listed`` destinations."""

    account: Account
    listed: tuple[Destination, ...] = ()


class ImportDestination(msgspec.Struct, frozen=True, kw_only=True):
    """List a destination of an older system, unproved, while the account is set up."""

    destination: Destination


class ReportSimChange(msgspec.Struct, frozen=True, kw_only=True):
    """The platform has word from a carrier that the SIM of the account's number changed."""

    changed_at: datetime


class ReportFlood(msgspec.Struct, frozen=True, kw_only=True):
    """The platform sees, or has word from a mail provider, that messages to the account are buried.

    Other people's messages do that, by the thousand: the account's own are counted here.
    """


class ReportNotice(msgspec.Struct, frozen=True, kw_only=True):
    """How far the word that an action waits came on one channel, as its carrier or reader says."""

    about: ActionId
    channel_id: ChannelId
    outcome: Outcome


class ReceiveSignal(msgspec.Struct, frozen=True, kw_only=True):
    """Another party, by its stream, says that something happened to what it calls ``address``.

    ``address`` is that of a channel in its one form, or "" where the account itself is named.
    ``better`` says that nothing got worse by it.
    """

    stream: str
    kind: SignalKind
    address: str = ""
    better: bool = False


class SetLegalHold(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody needs the account's records: it is not erased while this stands."""

    reference: str


class LiftLegalHold(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever needed the records needs them no more."""

    reference: str


class RecordExport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is held about the person is being handed out."""


class RecordTrading(msgspec.Struct, frozen=True, kw_only=True):
    """Orders passed that named these API keys, or sessions: told now and then, for their lapse."""

    api_key_ids: tuple[ApiKeyId, ...] = ()
    session_ids: tuple[SessionId, ...] = ()


class RevokeIntegrator(msgspec.Struct, frozen=True, kw_only=True):
    """The program of this integrator is broken, or broken into: end every key made for it."""

    integrator: str


class WarnOfLapse(msgspec.Struct, frozen=True, kw_only=True):
    """Tell the owner of API keys that are about to lapse; ``lapses`` is what the policy says."""

    lapses: KeyLapses


class Erase(msgspec.Struct, frozen=True, kw_only=True):
    """The wait of an erasure is over: decide again, and end the account with a yes."""

    action_id: ActionId


class OfficerSpeaks(msgspec.Struct, frozen=True, kw_only=True):
    """An officer's statement about this account; its signature was checked (``proofs.officers``).

    ``officers`` are those who count, as ``standing`` (the head's bytes) stood when they were read,
    ``instead`` whose places keys took, and ``log`` is the log that they speak to.
    """

    signed: Signed
    officers: tuple[str, ...]
    standing: bytes
    log: str
    instead: Mapping[str, str] = {}


OfKeys: TypeAlias = RecordTrading | RevokeIntegrator | WarnOfLapse
OfAccount: TypeAlias = (
    Offer
    | EndSession
    | OpenAccount
    | ImportDestination
    | ReportSimChange
    | ReportFlood
    | ReportNotice
    | ReceiveSignal
    | SetLegalHold
    | LiftLegalHold
    | RecordExport
    | OfficerSpeaks
    | OfKeys
)
Command: TypeAlias = (
    Propose | Ask | Prove | Veto | Repudiate | FreezeByLink | Spend | Erase | OfAccount
)
