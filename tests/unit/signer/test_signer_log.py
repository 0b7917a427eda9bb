"""The signer's own view of the log: heads it saw, by its own clock, in its own memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.bundles import MALLORYS_KEY, ORIGIN, checkpoint, trust
from support.cast import DAY, HOUR, INSTANT, NOON
from support.wallets import KEY_AGE, DictPages, DictState, Wallet, settings

from twinlock.domain.bounds import SPEND_LIFETIME
from twinlock.domain.canonical import encode
from twinlock.domain.errors import FileUnsafeError, SignerRefusedError
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.proofs.bundle_faults import BundleFault
from twinlock.proofs.notes import verifier_key
from twinlock.signer import SignerFault, SignerState, adopt_head, follow_head
from twinlock.signer.memory import FRESH_HEADS, HEADS, first_seen, followed

SKEW, OLDEST = settings().clock_skew_most, settings().checkpoint_age_most
FRESH = SPEND_LIFETIME + 2 * SKEW


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(SignerRefusedError) as caught:
        action()
    return caught.value.fault


# --- Heads ---


def test_a_signer_that_never_saw_the_log_signs_nothing() -> None:
    wallet = Wallet()
    bundle = wallet.bundle(wallet.pay())
    wallet.state = DictState()

    assert refused(lambda: wallet.check(bundle)) == SignerFault.HEAD_UNKNOWN
    assert refused(wallet.follow) == SignerFault.HEAD_UNKNOWN


def test_a_head_is_adopted_once() -> None:
    assert refused(Wallet().adopt) == SignerFault.HEAD_KNOWN


@pytest.mark.parametrize(
    "note",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"text\n\n", id="no signature"),
        pytest.param(
            checkpoint(Checkpoint(origin="b.example", size=1, root=bytes(32)), at=NOON), id="a log"
        ),
        pytest.param(
            checkpoint(
                Checkpoint(origin=ORIGIN, size=1, root=bytes(32)), at=NOON, key=MALLORYS_KEY
            ),
            id="another key",
        ),
        pytest.param(
            checkpoint(Checkpoint(origin=ORIGIN, size=1, root=bytes(32)), at=NOON, witnesses=(0,)),
            id="one witness of two",
        ),
    ],
)
def test_a_head_that_nobody_vouches_for_is_not_adopted(note: bytes) -> None:
    def adopt() -> object:
        return adopt_head(note, settings=settings(), state=DictState(), now=NOON)

    assert refused(adopt) == SignerFault.HEAD_REFUSED


def test_a_bundle_from_before_the_last_head_is_stale() -> None:
    wallet = Wallet()
    stale = wallet.bundle(wallet.pay())
    wallet.house.log.grow(1)
    wallet.follow()

    assert refused(lambda: wallet.check(stale)) == BundleFault.CHECKPOINT_STALE


def test_a_bundle_that_does_not_lead_from_the_last_head_is_refused() -> None:
    wallet = Wallet()
    action = wallet.pay()

    from_nowhere = encode(wallet.house.bundle(action))
    assert refused(lambda: wallet.check(from_nowhere)) == BundleFault.CONSISTENCY_MISSING
    from_elsewhere = encode(wallet.house.bundle(action, consistent_from=1))
    assert refused(lambda: wallet.check(from_elsewhere)) == BundleFault.CONSISTENCY_MISSING


def test_a_log_that_was_rewritten_moves_no_money() -> None:
    wallet = Wallet()
    forger = wallet.forger(wallet.pay())
    forger.log_anew(forger.binding, forger.leaf(forger.binding) | {"at": 0})

    assert refused(lambda: wallet.check(forger.to_bytes())) == BundleFault.CONSISTENCY_BROKEN


def test_a_head_that_does_not_extend_the_last_one_is_not_followed() -> None:
    wallet = Wallet()
    wallet.house.log.grow(1)
    wallet.house.log.leaves[0] = b"another beginning"

    assert refused(wallet.follow) == SignerFault.HEAD_REFUSED


def test_another_log_is_not_followed() -> None:
    wallet = Wallet()
    base = trust(quorum="none")
    other = f"log {verifier_key('b.example', MALLORYS_KEY)}\n"
    wallet.settings = settings(trust=replace(base, log=other + base.log))
    head = Checkpoint(origin="b.example", size=wallet.head_size, root=wallet.house.seen().root)
    note = checkpoint(head, at=wallet.now, key=MALLORYS_KEY, witnesses=())

    def follow() -> object:
        return follow_head(note, (), settings=wallet.settings, state=wallet.state, now=wallet.now)

    assert refused(follow) == SignerFault.HEAD_REFUSED


def test_a_head_is_remembered_even_where_the_spend_is_refused() -> None:
    wallet = Wallet()
    bundle = wallet.bundle(wallet.pay())
    refused(lambda: wallet.check(bundle, wallet.transaction(memo="for mallory")))

    assert wallet.head_size == wallet.house.log.size
    assert set(wallet.state.kept) == {"heads"}


@given(
    st.sampled_from([HOUR, timedelta(minutes=1), timedelta(seconds=1)]),
    st.lists(st.tuples(st.integers(0, 24), st.integers(0, 3)), max_size=200),
)
def test_thinning_out_the_heads_only_makes_keys_and_entries_younger(
    unit: timedelta, steps: list[tuple[int, int]]
) -> None:
    now, size = NOON, 1
    heads = first_seen(a_head(size), now=now)
    truth = [(now, size)]
    for length, entries in steps:
        now, size = now + length * unit, size + entries
        heads = followed(heads, a_head(size), now=now, age=KEY_AGE, fresh=FRESH)
        truth.append((now, size))
        for age, parts in ((KEY_AGE, HEADS), (FRESH, FRESH_HEADS)):
            aged = heads.size_at(now - age)
            assert aged <= true_size(truth, now - age)
            assert aged >= true_size(truth, now - age - age / parts)
        assert heads.last == a_head(size)
        assert len(heads.seen) <= 2 * HEADS + 2
        assert len(heads.lately) <= 2 * FRESH_HEADS + 2


@pytest.mark.parametrize("seconds", [1, 60])
def test_however_often_the_signer_looks_it_keeps_a_few_heads(seconds: int) -> None:
    heads = first_seen(a_head(1), now=NOON)
    for look in range(1, 2_000):
        now = NOON + timedelta(seconds=seconds * look)
        heads = followed(heads, a_head(1 + look), now=now, age=KEY_AGE, fresh=FRESH)

    assert 1 < len(heads.seen) <= 2 * HEADS + 2
    assert FRESH.total_seconds() / 60 <= len(heads.lately) <= 2 * FRESH_HEADS + 2
    assert len(encode(heads)) < 20_000


def test_the_same_head_seen_again_stays_as_old_as_it_was() -> None:
    heads = first_seen(a_head(1), now=NOON)

    again = followed(heads, a_head(1), now=NOON + DAY, age=KEY_AGE, fresh=FRESH)

    assert (again.seen, again.latest_at) == (heads.seen, NOON + DAY)


def a_head(size: int) -> Checkpoint:
    return Checkpoint(origin=ORIGIN, size=size, root=bytes(32))


def true_size(truth: list[tuple[datetime, int]], instant: datetime) -> int:
    return max((size for at, size in truth if at <= instant), default=0)


# --- Clocks ---


@pytest.mark.parametrize(
    ("later", "fault"),
    [
        pytest.param(-SKEW - INSTANT, SignerFault.CHECKPOINT_TOO_OLD, id="from the future"),
        pytest.param(-SKEW, None, id="as early as clocks differ"),
        pytest.param(OLDEST, None, id="as old as may be"),
        pytest.param(OLDEST + INSTANT, SignerFault.CHECKPOINT_TOO_OLD, id="too old"),
    ],
)
def test_a_head_is_dated_by_its_witnesses_and_judged_by_the_signers_clock(
    later: timedelta, fault: SignerFault | None
) -> None:
    wallet = Wallet(settings=settings(fee_raise_for=DAY))
    bundle = wallet.bundle(wallet.pay())
    wallet.check(bundle)  # Cleared before, so that its own age does not count.
    wallet.state.kept["heads"] = Wallet(settings=wallet.settings).state.kept["heads"]
    note, growth = wallet.house.note(), wallet.house.growth(wallet.head_size)
    now = wallet.now + later

    def follow() -> Checkpoint:
        return follow_head(note, growth, settings=wallet.settings, state=wallet.state, now=now)

    for look in (follow, lambda: wallet.check(bundle, later=later)):
        if fault is None:
            assert look() is not None
        else:
            assert refused(look) == fault


def test_a_clock_that_went_back_stops_the_signer() -> None:
    wallet = Wallet(settings=settings(trust=trust(quorum="none")))
    bundle = wallet.bundle(wallet.pay())
    wallet.check(bundle, later=SKEW)

    assert wallet.check(bundle, later=timedelta(0)).replaces
    assert refused(lambda: wallet.check(bundle, later=-INSTANT)) == SignerFault.CLOCK_WENT_BACK


# --- Memory ---


@dataclass
class BrokenState:
    """A memory that fails in one way."""

    error: Exception

    @contextmanager
    def open(self) -> Iterator[DictPages]:
        yield DictPages({})
        raise self.error


@pytest.mark.parametrize("error", [OSError("disk full"), FileUnsafeError("open to others")])
def test_a_memory_that_cannot_be_written_stops_the_signer(error: Exception) -> None:
    wallet = Wallet()

    def adopt(state: SignerState) -> object:
        note = wallet.house.note()
        return adopt_head(note, settings=wallet.settings, state=state, now=wallet.now)

    assert refused(lambda: adopt(BrokenState(error))) == SignerFault.MEMORY_UNUSABLE


@pytest.mark.parametrize("name", ["heads", "hours", "action", "spend", "consent"])
def test_a_damaged_page_stops_the_signer(name: str) -> None:
    wallet = Wallet()
    action = wallet.pay()
    bundle = wallet.bundle(action)
    wallet.check(bundle)
    for page in wallet.state.kept:
        if page.partition(":")[0] == name:
            wallet.state.kept[page] = b"{"
    wallet.state.kept.setdefault(name, b"{")
    forger = wallet.forger(action) if name != "heads" else None
    if forger is not None and name == "hours":
        forger.doc["proofs"] = []
    document = bundle if forger is None else forger.to_bytes()
    small = wallet.transaction(value_cents=1)

    assert refused(lambda: wallet.check(document, small)) == SignerFault.MEMORY_UNUSABLE
