"""A custody provider's co-signer: what it is told of requests of every kind."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from support.bundles import PAYEE
from support.cast import DAY
from support.wallets import DictState, Wallet
from support.worlds import CONTRACT

from twinlock.domain.canonical import encode
from twinlock.domain.ids import ActionId
from twinlock.signer import FileState
from twinlock.signer.callback import (
    AGE_MOST,
    REQUEST_BYTES_MOST,
    SKEW,
    Asset,
    CallbackFault,
    CallbackHandler,
    CallbackUnauthenticatedError,
    EvidenceMissingError,
    EvidenceSilentError,
    read_clock,
)
from twinlock.signer.memory import Hearing
from twinlock.signer.model import SignerFault

COSIGNER = RSAKey.generate_key(2048)
OWN = ECKey.generate_key("P-256")
STRANGER = RSAKey.generate_key(2048)
USDT = Asset(
    asset="USDT",
    network="ethereum",
    contract=CONTRACT,
    decimals=6,
    fee_decimals=18,
    lower_case=True,
)
Told = dict[str, str]


class Desk:
    """A wallet behind a co-signer, and the handler that it asks."""

    def __init__(self, *, asset: Asset = USDT, state: Any = None) -> None:  # noqa: ANN401 - a memory
        self.wallet = Wallet()
        self.action: ActionId = self.wallet.pay()
        self.down: type[Exception] | None = None
        self.fetched = 0
        self.swapped: dict[str, ActionId] = {}
        self.fetch = self.evidence
        self.assets, self.state = {"USDT_ERC20": asset}, state or self.wallet.state
        self.handler = self.other()

    def other(self) -> CallbackHandler:
        """Return the handler of one process more, on the same memory."""
        return CallbackHandler(
            cosigner=COSIGNER,
            own=OWN,
            assets=self.assets,
            settings=self.wallet.settings,
            state=self.state,
            evidence=self.fetch,
        )

    def evidence(self, action: str, size: int) -> bytes:
        if self.down is not None:
            raise self.down("down")
        assert size == self.wallet.head_size
        self.fetched += 1
        return self.wallet.bundle(self.swapped.get(action, ActionId(action)))

    def request(self, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any members
        to = {
            "amountNativeStr": "50",
            "displayDstAddress": PAYEE.upper().replace("0X", "0x"),
            "dstType": "ONE_TIME_ADDRESS",
        }
        whole = {
            "requestId": "req-1",
            "txId": "tx-1",
            "operation": "TRANSFER",
            "sourceType": "VAULT",
            "asset": "USDT_ERC20",
            "amount": 50.0,
            "amountStr": "50",
            "fee": "0.000000000000001",
            "externalTxId": self.action,
            "destinations": [to | changes.pop("to", {})],
            "iat": int(self.wallet.now.timestamp()),
        } | changes
        return {name: value for name, value in whole.items() if value is not None}

    def ask(self, *, later: timedelta = timedelta(), **changes: Any) -> Told:  # noqa: ANN401 - claims of any kind
        return self.send(signed(self.request(**changes)), later=later)

    def send(self, body: bytes, *, later: timedelta = timedelta()) -> Told:
        return read(self.handler.answer(body, now=self.wallet.now + later))


def read(answer: bytes) -> Told:
    told: Told = json.loads(jws.deserialize_compact(answer, OWN, algorithms=["ES256"]).payload)
    return told


def signed(claims: Any, key: Any = COSIGNER, alg: str = "RS256") -> bytes:  # noqa: ANN401 - a test's own
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jws.serialize_compact({"alg": alg}, body, key, algorithms=[alg]).encode()


def rejected(told: Told, fault: str) -> None:
    assert told == {"action": "REJECT", "rejectionReason": fault, "requestId": "req-1"}


# --- Yes ---


def test_what_the_customer_consented_to_is_approved() -> None:
    assert Desk().ask() == {"action": "APPROVE", "requestId": "req-1"}


def test_the_same_request_again_gets_the_same_answer_and_asks_nobody() -> None:
    desk = Desk()
    first = desk.ask()

    assert desk.ask(iat=int(desk.wallet.now.timestamp()) + 60, later=timedelta(minutes=1)) == first
    assert desk.fetched == 1


def test_the_same_transaction_under_another_request_id_is_approved_again() -> None:
    desk = Desk()
    desk.ask()

    assert desk.ask(requestId="req-2") == {"action": "APPROVE", "requestId": "req-2"}


def test_a_small_sum_by_the_wallets_own_prices_counts_in_its_budget() -> None:
    priced = Asset(
        **{
            **{f: getattr(USDT, f) for f in USDT.__struct_fields__},
            "cents": 100,
            "fee_cents": 400_000,
        }
    )

    assert Desk(asset=priced).ask()["action"] == "APPROVE"


# --- No ---


def test_a_second_transaction_for_one_action_is_rejected() -> None:
    """Prevents: a wallet that pays twice, since the signer takes the second for a fee raised."""
    desk = Desk()
    desk.ask()

    rejected(desk.ask(requestId="req-1", txId="tx-2"), CallbackFault.REQUEST_REPLAYED)
    other = desk.ask(requestId="req-2", txId="tx-2")
    assert (other["action"], other["rejectionReason"]) == ("REJECT", "other_transaction")


def test_of_two_processes_on_one_memory_one_approves() -> None:
    """While one takes over from the other, both are asked, each for a transaction of its own."""
    desk = Desk()
    desk.wallet.follow()
    beside, told = desk.other(), []

    def meanwhile(action: str, size: int) -> bytes:
        bundle = desk.evidence(action, size)
        asked = signed(desk.request(requestId="req-2", txId="tx-2"))
        told.append(read(beside.answer(asked, now=desk.wallet.now)))
        return bundle

    desk.fetch = meanwhile
    desk.handler = desk.other()

    rejected(desk.ask(), CallbackFault.OTHER_TRANSACTION)
    assert told == [{"action": "APPROVE", "requestId": "req-2"}]


def test_a_rejected_request_stays_rejected() -> None:
    desk = Desk()
    desk.down = EvidenceMissingError
    rejected(desk.ask(), CallbackFault.EVIDENCE_MISSING)
    desk.down = None
    rejected(desk.ask(), CallbackFault.EVIDENCE_MISSING)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"operation": "CONTRACT_CALL"}, CallbackFault.OPERATION_UNKNOWN),
        ({"operation": "RAW"}, CallbackFault.OPERATION_UNKNOWN),
        ({"asset": "BTC"}, CallbackFault.ASSET_UNKNOWN),
        ({"destinations": []}, CallbackFault.DESTINATIONS),
        ({"destinations": [{}, {}]}, CallbackFault.DESTINATIONS),
        ({"to": {"displayDstAddress": ""}}, CallbackFault.DESTINATIONS),
        ({"destAddress": "0x" + "6" * 40}, CallbackFault.DESTINATIONS),
        ({"to": {"displayDstAddress": "0x" + "6" * 40}}, SignerFault.OTHER_ADDRESS),
        ({"to": {"displayDstTag": "77"}}, SignerFault.OTHER_MEMO),
        ({"to": {"amountNativeStr": "51"}}, CallbackFault.AMOUNT_MALFORMED),
        ({"to": {"amountNativeStr": ""}, "amountStr": "50.000001"}, SignerFault.OTHER_AMOUNT),
        (
            {"amountStr": "50.0000001", "to": {"amountNativeStr": ""}},
            CallbackFault.AMOUNT_MALFORMED,
        ),
        ({"amountStr": "5e1", "to": {"amountNativeStr": ""}}, CallbackFault.AMOUNT_MALFORMED),
        ({"amountStr": "-50", "to": {"amountNativeStr": ""}}, CallbackFault.AMOUNT_MALFORMED),
        ({"amountStr": "5.0.0", "to": {"amountNativeStr": ""}}, CallbackFault.AMOUNT_MALFORMED),
        (
            # A part of a unit behind more digits than arithmetic keeps unless it is told to.
            {"amountStr": f"50.{'0' * 27}1", "to": {"amountNativeStr": ""}},
            CallbackFault.AMOUNT_MALFORMED,
        ),
        ({"amountStr": "9" * 81, "to": {"amountNativeStr": ""}}, CallbackFault.AMOUNT_MALFORMED),
        ({"fee": ""}, CallbackFault.FEE_MISSING),
        ({"fee": "1"}, SignerFault.FEE_TOO_HIGH),
        ({"externalTxId": None}, CallbackFault.ACTION_UNNAMED),
        ({"externalTxId": "payout-7"}, CallbackFault.ACTION_UNNAMED),
        ({"amountStr": 50}, CallbackFault.REQUEST_MALFORMED),
        ({"txId": ""}, CallbackFault.REQUEST_MALFORMED),
        ({"txId": "x" * 129}, CallbackFault.REQUEST_MALFORMED),
        ({"exp": 1}, CallbackFault.REQUEST_EXPIRED),
        ({"iat": 1}, CallbackFault.REQUEST_EXPIRED),
        ({"exp": 10**400}, CallbackFault.REQUEST_MALFORMED),
        ({"iat": -1}, CallbackFault.REQUEST_MALFORMED),
    ],
)
def test_any_other_request_is_rejected_with_its_code(changes: dict[str, Any], fault: str) -> None:
    rejected(Desk().ask(**changes), fault)


def test_a_request_without_a_name_is_rejected_without_one() -> None:
    told = Desk().ask(requestId=7)

    assert told == {"action": "REJECT", "rejectionReason": "request_malformed", "requestId": ""}


@pytest.mark.parametrize(
    ("moved", "fault"),
    [
        (SKEW, None),
        (SKEW + timedelta(seconds=1), CallbackFault.REQUEST_EXPIRED),
        (-AGE_MOST - SKEW, None),
        (-AGE_MOST - SKEW - timedelta(seconds=1), CallbackFault.REQUEST_EXPIRED),
    ],
)
def test_a_request_is_as_young_as_it_says(moved: timedelta, fault: str | None) -> None:
    desk = Desk()
    told = desk.ask(iat=int((desk.wallet.now + moved).timestamp()))

    assert told.get("rejectionReason") == fault


def test_the_evidence_of_another_action_approves_nothing() -> None:
    desk = Desk()
    mine, other = desk.action, desk.wallet.pay(spend_id="payout-2")
    desk.swapped = {mine: other}
    told = desk.ask()

    assert told["rejectionReason"] == CallbackFault.OTHER_TRANSACTION


# --- Later ---


def test_while_the_service_is_silent_the_cosigner_asks_again() -> None:
    desk = Desk()
    desk.down = EvidenceSilentError
    told = desk.ask()
    assert (told["action"], told["rejectionReason"]) == ("RETRY", "evidence_silent")
    desk.down = None
    assert desk.ask()["action"] == "APPROVE"


def test_what_may_pass_is_asked_again() -> None:
    desk = Desk(state=DictState())
    desk.wallet.state.kept.clear()
    told = desk.ask()

    assert (told["action"], told["rejectionReason"]) == ("RETRY", SignerFault.HEAD_UNKNOWN)


def test_under_an_officers_halt_the_cosigner_asks_again() -> None:
    desk = Desk()
    desk.wallet.state.kept["officers"] = encode(Hearing(halted=1, because="case-7"))
    told = desk.ask()

    assert (told["action"], told["rejectionReason"]) == ("RETRY", SignerFault.HALTED)


def test_a_yes_of_before_a_halt_is_not_repeated_under_it() -> None:
    desk = Desk()
    first = desk.ask()
    desk.wallet.state.kept["officers"] = encode(Hearing(halted=1, because="case-7"))
    asked_again = desk.ask(later=timedelta(minutes=3))
    desk.wallet.state.kept["officers"] = encode(Hearing())

    assert (asked_again["action"], asked_again["rejectionReason"]) == ("RETRY", SignerFault.HALTED)
    assert desk.ask(later=timedelta(minutes=6)) == first


def test_a_memory_that_others_may_read_approves_nothing(tmp_path: Any) -> None:  # noqa: ANN401 - a path
    (tmp_path / "state").mkdir(mode=0o755)
    told = Desk(state=FileState(tmp_path / "state")).ask()

    assert (told["action"], told["rejectionReason"]) == ("RETRY", SignerFault.MEMORY_UNUSABLE)


def test_what_has_expired_is_not_asked_for_again() -> None:
    desk = Desk()
    told = desk.ask(later=DAY, iat=None)

    assert told["action"] != "APPROVE"


# --- Who asks ---


FORGED: dict[str, Callable[[], bytes]] = {
    "by a stranger": lambda: signed({"requestId": "req-1"}, STRANGER),
    "by another algorithm": lambda: signed({"requestId": "req-1"}, COSIGNER, "PS256"),
    "no token": lambda: b"{}",
    "empty": lambda: b"",
    "no JSON": lambda: signed(b"{"),
    "no object": lambda: signed(b"[]"),
    "a doubled member": lambda: signed(b'{"requestId":"a","requestId":"b"}'),
    "half a letter": lambda: signed(b'{"requestId":"req-1","asset":"\\ud800"}'),
    "too deep": lambda: signed(b"[" * 50_000),
    "too large": lambda: b"x" * (REQUEST_BYTES_MOST + 1),
}


@pytest.mark.parametrize("defect", FORGED)
def test_whoever_is_not_the_cosigner_gets_no_answer(defect: str) -> None:
    desk = Desk()
    with pytest.raises(CallbackUnauthenticatedError):
        desk.send(FORGED[defect]())
    assert desk.fetched == 0


def test_its_clock_is_utc() -> None:
    assert read_clock().utcoffset() == timedelta(0)
