"""One witness, asked directly: what it keeps, what it signs when, and what it never forgets."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.growing_log import GrowingLog

from twinlock.domain.errors import FileUnsafeError, MalformedError
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.note import KeyType, SignedNote, VerifierKey, parse_note, parse_vkey
from twinlock.domain.log.submission import SIZE_TYPE, Submission, origin_name, parse_cosignatures
from twinlock.domain.log.text import to_base64
from twinlock.proofs.notes import sign_note, verifier_key, verify_cosignatures
from twinlock.witness import ledger as ledgers
from twinlock.witness.files import WitnessDamagedError, write
from twinlock.witness.ledger import (
    Ledger,
    WatchedLog,
    WitnessExistsError,
    WitnessMissingError,
    make_witness,
)
from twinlock.witness.serving import Answer, Witness, WitnessClockError

NAME = "witness.example/w1"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LOG = GrowingLog().grow(9)
FORK = LOG.fork(at=3)


class Scene:
    """A witness in a directory of its own, with a clock that a test sets."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.at = NOON
        make_witness(directory, name=NAME)
        self.reopen()
        self.ledger.add_log((LOG.key,), beginning=None)

    def reopen(self) -> None:
        self.ledger = Ledger.open(self.directory)
        self.witness = Witness(self.ledger, now=lambda: self.at)

    def submit(self, submission: Submission) -> Answer:
        return self.witness.add_checkpoint(submission.encode())

    def log_directory(self) -> Path:
        return self.directory / "logs" / origin_name(LOG.origin)

    def refused(self) -> list[str]:
        return sorted(one.name for one in (self.log_directory() / "refused").iterdir())

    def known_size(self) -> int | None:
        known = self.ledger.known(WatchedLog(origin=LOG.origin, keys=(LOG.key,)))
        return None if known is None else known.checkpoint.size

    def cosigned_at(self, answer: Answer, note: SignedNote) -> datetime:
        lines = parse_cosignatures(answer.body)
        whole = SignedNote(text=note.text, signatures=(*note.signatures, *lines))
        return verify_cosignatures(whole, [self.ledger.identity.key])[self.ledger.identity.key]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "witness")


# --- What it answers ---


def test_a_cosignature_is_one_line_over_the_checkpoint_at_this_second(scene: Scene) -> None:
    scene.at = NOON + timedelta(milliseconds=900)
    answer = scene.submit(LOG.submission(0, 4))

    assert (answer.status, answer.said) == (200, "cosigned")
    assert scene.cosigned_at(answer, LOG.note(4)) == NOON
    assert answer.body.count(b"\n") == 1


def test_each_refusal_has_its_status_and_leaves_everything_as_it_was(scene: Scene) -> None:
    scene.submit(LOG.submission(0, 4))
    before = (scene.log_directory() / "head").read_bytes()
    stranger = GrowingLog(seed=9).grow(9)
    refused = {
        b"garbage": 400,
        replace(LOG.submission(3, 3), old_size=4).encode(): 400,
        stranger.submission(4).encode(): 403,
        GrowingLog(origin="log.example/other").grow(9).submission(0).encode(): 404,
        LOG.submission(3).encode(): 409,
        LOG.submission(0).encode(): 409,
        FORK.submission(4).encode(): 422,
        FORK.submission(4, 4).encode(): 422,
    }

    answers = {body: scene.witness.add_checkpoint(body) for body in refused}

    assert {body: answer.status for body, answer in answers.items()} == refused
    assert (scene.log_directory() / "head").read_bytes() == before
    assert all(answer.body.endswith(b"\n") for answer in answers.values())


def test_a_409_says_the_size_that_was_cosigned_last(scene: Scene) -> None:
    probe = LOG.submission(0)
    assert scene.submit(LOG.submission(4)).body == b"0\n"
    scene.submit(LOG.submission(0, 4))

    answer = scene.submit(probe)

    assert (answer.status, answer.media_type, answer.body) == (409, SIZE_TYPE, b"4\n")


def test_a_checkpoint_is_cosigned_anew_at_a_later_time(scene: Scene) -> None:
    scene.submit(LOG.submission(0))
    scene.at += 60 * SECOND

    again = scene.submit(LOG.submission(9))

    assert scene.cosigned_at(again, LOG.note()) == NOON + 60 * SECOND


def test_a_checkpoint_text_that_fits_no_record_is_malformed(scene: Scene) -> None:
    text = LOG.note().text + b"extension\n" * 2_000
    line = sign_note(text, name=LOG.origin, key=LOG.secret)
    note = SignedNote(text=text, signatures=(line,))

    answer = scene.submit(Submission(old_size=0, proof=(), note=note))

    assert (answer.status, scene.known_size()) == (400, None)


# --- Time ---


@pytest.mark.parametrize("back", [SECOND, timedelta(days=1)])
def test_a_clock_that_went_back_signs_nothing(scene: Scene, back: timedelta) -> None:
    scene.submit(LOG.submission(0, 4))
    scene.at -= back

    with pytest.raises(WitnessClockError):
        scene.submit(LOG.submission(4))

    assert scene.known_size() == 4
    scene.at = NOON
    assert scene.submit(LOG.submission(4)).status == 200


def test_a_clock_that_stutters_within_a_second_never_tells_an_earlier_time(scene: Scene) -> None:
    scene.submit(LOG.submission(0, 4))
    scene.at -= timedelta(milliseconds=300)

    assert scene.cosigned_at(scene.submit(LOG.submission(4)), LOG.note()) == NOON


# --- What it remembers ---


def test_a_new_process_stands_where_the_last_one_stood(scene: Scene) -> None:
    scene.submit(LOG.submission(0, 4))
    scene.reopen()

    assert scene.submit(FORK.submission(4, 4)).status == 422
    assert scene.submit(LOG.submission(4)).status == 200


def test_monitors_see_the_logs_lines_and_ours(scene: Scene) -> None:
    name = origin_name(LOG.origin)
    assert scene.witness.monitored(name).status == 404
    line = scene.submit(LOG.submission(0)).body

    shown = scene.witness.monitored(name)

    assert (shown.status, shown.body) == (200, LOG.note().encode() + line)


@pytest.mark.parametrize("name", ["", "..", "0" * 64, "lock", origin_name(LOG.origin).upper()])
def test_monitors_of_anything_else_see_nothing(scene: Scene, name: str) -> None:
    scene.submit(LOG.submission(0))

    assert scene.witness.monitored(name).status == 404


def test_what_the_log_signed_and_we_refused_is_kept_once(scene: Scene) -> None:
    scene.submit(LOG.submission(0, 4))
    for _ in range(3):
        scene.submit(FORK.submission(4, 4))
        scene.submit(FORK.submission(4))
        scene.submit(replace(FORK.submission(4), proof=()))

    root4, root9 = FORK.head(4).root.hex(), FORK.head(9).root.hex()
    assert scene.refused() == [f"forked-4-{root4}", f"unproved-9-{root9}"]
    kept = (scene.log_directory() / "refused" / f"forked-4-{root4}").read_bytes()
    assert kept == FORK.submission(4, 4).encode()


def test_a_flood_of_refused_submissions_pushes_no_fork_out(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledgers, "REFUSED_MOST", 2)
    scene.submit(LOG.submission(0, 4))
    for size in range(5, 10):
        scene.submit(replace(LOG.submission(4, size), proof=()))
    scene.submit(FORK.submission(4, 4))

    assert [name.partition("-")[0] for name in scene.refused()] == [
        "forked",
        "unproved",
        "unproved",
    ]


def test_what_another_process_kept_meanwhile_is_not_kept_again(scene: Scene) -> None:
    head, kept = FORK.head(4), scene.ledger.keep_refused
    watched = WatchedLog(origin=LOG.origin, keys=(LOG.key,))

    assert kept(watched, head, b"one", kind="forked")
    assert not kept(watched, head, b"two", kind="forked")


def test_the_operator_is_told_of_a_fork_and_not_of_strangers(scene: Scene) -> None:
    scene.submit(LOG.submission(0, 4))
    with structlog.testing.capture_logs() as told:
        scene.submit(FORK.submission(4, 4))
        scene.submit(GrowingLog(seed=9).grow(9).submission(4))
        scene.witness.add_checkpoint(b"garbage")

    assert [(one["event"], one["fault"], one["log_level"]) for one in told] == [
        ("submission_refused", "forked", "error")
    ]


# --- Its logs ---


def test_a_log_is_begun_from_a_known_head(tmp_path: Path) -> None:
    make_witness(tmp_path / "w", name=NAME)
    ledger = Ledger.open(tmp_path / "w")
    ledger.add_log((LOG.key,), beginning=LOG.note(4))
    witness = Witness(ledger, now=lambda: NOON)

    assert witness.monitored(origin_name(LOG.origin)).status == 404
    assert witness.add_checkpoint(LOG.submission(0).encode()).body == b"4\n"
    assert witness.add_checkpoint(FORK.submission(4).encode()).status == 422
    assert witness.add_checkpoint(LOG.submission(4).encode()).status == 200


def test_a_log_that_changes_its_key_goes_on_under_the_new_one(scene: Scene) -> None:
    scene.submit(LOG.submission(0, 4))
    rotated = GrowingLog(seed=7).grow(9)
    assert scene.submit(rotated.submission(4)).status == 403

    added = scene.ledger.add_log((rotated.key, LOG.key), beginning=None)

    assert added.keys == (LOG.key, rotated.key)
    assert scene.submit(rotated.submission(4)).status == 200


def test_a_key_that_was_dropped_is_believed_no_more(scene: Scene) -> None:
    """Prevents: a retired key from an old backup, by which somebody grows a log of his own."""
    scene.submit(LOG.submission(0, 4))
    rotated = GrowingLog(seed=7).grow(9)
    scene.ledger.add_log((rotated.key,), beginning=None)

    left = scene.ledger.drop_keys((LOG.key,))

    assert left.keys == (rotated.key,)
    assert scene.submit(LOG.submission(4)).status == 403
    assert scene.submit(rotated.submission(4)).status == 200
    assert scene.ledger.add_log((LOG.key,), beginning=None).keys == (rotated.key, LOG.key)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        pytest.param((LOG.key,), "keeps one key", id="its last"),
        pytest.param((GrowingLog(seed=7).key,), "no such key", id="unknown"),
        pytest.param((GrowingLog(origin="log.example/b").key,), "no such key", id="another log's"),
        pytest.param((), "not the keys of one log", id="none"),
    ],
)
def test_a_log_keeps_a_key_and_loses_only_its_own(
    scene: Scene, keys: tuple[VerifierKey, ...], why: str
) -> None:
    with pytest.raises(MalformedError, match=why):
        scene.ledger.drop_keys(keys)

    assert scene.submit(LOG.submission(0, 4)).status == 200


def test_a_key_goes_only_once_the_head_is_not_by_its_word_alone(tmp_path: Path) -> None:
    make_witness(tmp_path / "w", name=NAME)
    ledger = Ledger.open(tmp_path / "w")
    ledger.add_log((LOG.key,), beginning=LOG.note(4))
    ledger.add_log((GrowingLog(seed=7).key,), beginning=None)

    with pytest.raises(MalformedError, match="cosigned nothing yet"):
        ledger.drop_keys((LOG.key,))

    Witness(ledger, now=lambda: NOON).add_checkpoint(LOG.submission(4).encode())
    assert ledger.drop_keys((LOG.key,)).keys == (GrowingLog(seed=7).key,)


def test_a_beginning_comes_too_late_for_a_log_that_is_watched(scene: Scene) -> None:
    with pytest.raises(WitnessExistsError):
        scene.ledger.add_log((LOG.key,), beginning=LOG.note(4))


OWN = Ed25519PrivateKey.from_private_bytes(b"\x05" * 32)


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param((), id="none"),
        pytest.param((LOG.key, GrowingLog(origin="log.example/b").key), id="of two logs"),
        pytest.param((verifier_key("w", OWN, KeyType.ED25519_COSIGNATURE),), id="a cosigner's"),
        pytest.param(tuple(GrowingLog(seed=s).key for s in range(20, 29)), id="nine"),
    ],
)
def test_what_is_not_the_keys_of_one_log_is_refused(
    scene: Scene, keys: tuple[VerifierKey, ...]
) -> None:
    with pytest.raises(MalformedError):
        scene.ledger.add_log(keys, beginning=None)


def test_a_witness_watches_no_log_under_its_own_key(scene: Scene) -> None:
    own = VerifierKey(
        name="log.example/own",
        key_type=KeyType.ED25519,
        public_key=scene.ledger.identity.key.public_key,
    )
    with pytest.raises(MalformedError, match="no log's"):
        scene.ledger.add_log((own,), beginning=None)


def test_a_witness_watches_so_many_logs_and_no_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledgers, "LOGS_MOST", 1)
    with pytest.raises(MalformedError, match="at most 1 logs"):
        scene.ledger.add_log((GrowingLog(origin="log.example/b").key,), beginning=None)
    scene.ledger.add_log((GrowingLog(seed=7).key,), beginning=None)  # Of the log it has.

    assert [log.origin for log in scene.ledger.logs()] == [LOG.origin]


def test_a_log_that_was_half_added_is_not_watched(scene: Scene) -> None:
    other = GrowingLog(origin="log.example/b").grow(3)
    (scene.directory / "logs" / origin_name(other.origin)).mkdir(mode=0o700)

    assert scene.submit(other.submission(0)).status == 404
    assert len(list(scene.ledger.logs())) == 1


# --- Its files ---


def test_a_witness_is_made_once(scene: Scene) -> None:
    before = (scene.directory / "key").read_bytes()
    with pytest.raises(WitnessExistsError):
        make_witness(scene.directory, name=NAME)

    assert (scene.directory / "key").read_bytes() == before
    assert before.startswith(f"PRIVATE+KEY+{NAME}+".encode())
    assert parse_vkey(str(scene.ledger.identity.key)) == scene.ledger.identity.key
    assert to_base64(scene.ledger.identity.secret.private_bytes_raw()) not in repr(
        scene.ledger.identity
    )


@pytest.mark.parametrize("name", ["", "two words", "a+b"])
def test_a_name_that_can_name_no_key_makes_no_witness(tmp_path: Path, name: str) -> None:
    with pytest.raises(MalformedError):
        make_witness(tmp_path / "w", name=name)
    assert not (tmp_path / "w").exists()


def test_where_no_witness_was_made_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(WitnessMissingError):
        Ledger.open(tmp_path / "nothing")
    (tmp_path / "empty").mkdir(mode=0o700)
    with pytest.raises(WitnessMissingError):
        Ledger.open(tmp_path / "empty")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: data[:-1], id="cut short"),
        pytest.param(lambda data: data + data, id="twice"),
        pytest.param(lambda data: data.replace(b"PRIVATE", b"PUBLIC!"), id="another form"),
        pytest.param(lambda data: data.replace(b"/w1+", b"/w2+"), id="another name"),
        pytest.param(lambda data: b"PRIVATE+KEY+w+00000000+AQ==\n", id="no seed"),
        pytest.param(
            lambda data: b"PRIVATE+KEY+w+0+" + to_base64(b"\1" * 33).encode() + b"\n", id="a log's"
        ),
    ],
)
def test_a_key_that_was_changed_is_refused(scene: Scene, change: Callable[[bytes], bytes]) -> None:
    path = scene.directory / "key"
    write(path, change(path.read_bytes()))

    with pytest.raises(WitnessDamagedError):
        Ledger.open(scene.directory)


@pytest.mark.parametrize("where", ["", "key", "logs", "logs/{log}/keys", "logs/{log}/head"])
def test_files_that_are_open_to_others_stop_it(scene: Scene, where: str) -> None:
    scene.submit(LOG.submission(0, 4))
    path = scene.directory / where.format(log=origin_name(LOG.origin))
    path.chmod(path.stat().st_mode | 0o044)

    with pytest.raises(FileUnsafeError):
        Witness(Ledger.open(scene.directory), now=lambda: NOON).add_checkpoint(
            LOG.submission(4).encode()
        )


def another_logs_head() -> bytes:
    return GrowingLog(origin="log.example/b").grow(1).note().encode()


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(b"garbage", id="garbage"),
        pytest.param(FORK.fork(at=2).note().encode().replace(b"9\n", b"8\n"), id="not signed"),
        pytest.param(another_logs_head(), id="another log's"),
    ],
)
def test_a_head_that_we_did_not_write_stops_it(scene: Scene, record: bytes) -> None:
    watched = WatchedLog(origin=LOG.origin, keys=(LOG.key,))
    with scene.ledger.holding(watched) as held:
        held._file.put(record)  # noqa: SLF001 - as somebody who has the disk would

    with pytest.raises(WitnessDamagedError):
        scene.submit(LOG.submission(0))


def test_a_head_of_another_log_under_our_own_line_stops_it(scene: Scene) -> None:
    other = GrowingLog(origin="log.example/b").grow(3)
    scene.ledger.add_log((other.key,), beginning=None)
    line = parse_cosignatures(scene.submit(other.submission(0)).body)
    note = other.note()
    with scene.ledger.holding(WatchedLog(origin=LOG.origin, keys=(LOG.key,))) as held:
        held.put(SignedNote(text=note.text, signatures=(*note.signatures, *line)))

    with pytest.raises(WitnessDamagedError, match="another log"):
        scene.submit(LOG.submission(0))


@pytest.mark.parametrize(
    "data", [b"garbage\n", f"{GrowingLog(origin='log.example/b').key}\n".encode()]
)
def test_keys_that_we_did_not_write_stop_it(scene: Scene, data: bytes) -> None:
    write(scene.log_directory() / "keys", data)

    with pytest.raises(WitnessDamagedError):
        scene.submit(LOG.submission(0))


def test_the_head_it_stands_by_is_read_back_whole(scene: Scene) -> None:
    scene.submit(LOG.submission(0, 4))

    known = scene.ledger.known(WatchedLog(origin=LOG.origin, keys=(LOG.key,)))

    assert known is not None
    assert known.checkpoint == Checkpoint(origin=LOG.origin, size=4, root=LOG.head(4).root)
    assert parse_note(known.note.encode()) == known.note
    assert known.cosigned_at == NOON
