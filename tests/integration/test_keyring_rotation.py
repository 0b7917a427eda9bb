"""Keys come and go in real files: announced, activated, retired; whole, or not there."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.keyrings import age, the_file

from twinlock.adapters import private_files
from twinlock.adapters.keyring import ring as keyring
from twinlock.adapters.keyring.ring import REQUIRED, Role
from twinlock.adapters.keyring.signing import (
    KeyringIndex,
    KeyringMac,
    KeyringSigner,
    log_keys,
    trust,
)
from twinlock.adapters.system import SystemEntropy
from twinlock.adapters.witnesses import read_policy
from twinlock.domain import canonical
from twinlock.domain.actions import Place
from twinlock.domain.errors import (
    FileBusyError,
    InvariantError,
    KeyringMissingError,
    KeyringWrongError,
    SealBrokenError,
)
from twinlock.domain.ids import AccountId
from twinlock.domain.log.note import parse_note
from twinlock.domain.trust import Trust
from twinlock.ports.log import (
    Head,
)
from twinlock.proofs.notes import verify_checkpoint

BORN = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 2, 1, tzinfo=UTC)
LATEST = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 4, 1, tzinfo=UTC)
ENTROPY = SystemEntropy()
ORIGIN = "log.example/twinlock"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    keyring.create_all(tmp_path / "keys", entropy=ENTROPY, now=BORN)
    return tmp_path / "keys"


def announce(directory: Path, role: Role) -> keyring.Keyring:
    return keyring.announce(directory, role, entropy=ENTROPY, now=LATER)


def rotate(directory: Path, role: Role) -> keyring.Keyring:
    """Announce and activate a key of ``role``."""
    announce(directory, role)
    return keyring.activate(directory, role, now=LATEST)


def trust_of(held: keyring.Keyring, *, with_retired: bool = False) -> Trust:
    logs = log_keys(held, log_origin=ORIGIN, with_retired=with_retired)
    return trust(
        held,
        log_policy=read_policy(None, logs=logs, url="http://localhost"),
        rp_id="localhost",
        origin="http://localhost",
        policies=(),
        with_retired=with_retired,
    )


# --- A key's life ---


@pytest.mark.parametrize("role", REQUIRED)
def test_an_announced_key_is_held_and_makes_nothing(directory: Path, role: Role) -> None:
    old = keyring.load(directory).current(role)

    held = announce(directory, role)

    assert held.current(role) == old
    assert [key.used_from for key in held.keys(role)] == [BORN, None]
    assert held.fingerprint() == keyring.load(directory).fingerprint()


@pytest.mark.parametrize("role", REQUIRED)
def test_an_activated_key_makes_and_the_old_one_reads(directory: Path, role: Role) -> None:
    old = keyring.load(directory).current(role)
    new = announce(directory, role).keys(role)[-1]

    held = keyring.activate(directory, role, now=LATEST)

    assert [key.key_id for key in held.keys(role)] == [new.key_id, old.key_id]
    assert held.current(role).used_from == LATEST
    assert held.current(role).created_at == LATER
    assert held.current(role).secret == new.secret


@pytest.mark.parametrize("role", REQUIRED)
def test_a_retired_key_leaves_its_name_and_no_secret(directory: Path, role: Role) -> None:
    before = keyring.load(directory)
    old, name = before.current(role), the_file(directory, role)
    rotate(directory, role)

    held = keyring.retire(directory, role, old.key_id, now=END)

    assert [key.key_id for key in held.keys(role)] == [held.current(role).key_id]
    gone = next(key for key in held.all_keys(role) if key.key_id == old.key_id)
    assert (gone.material, gone.retired_at, gone.public) == (None, END, old.public)
    assert canonical.b64url(old.secret) not in name.read_text()
    assert held.fingerprint() == before.fingerprint()
    assert keyring.retire(directory, role, old.key_id, now=LATEST).all_keys(role) == held.all_keys(
        role
    )


@pytest.mark.parametrize("role", REQUIRED)
def test_an_announced_key_is_withdrawn(directory: Path, role: Role) -> None:
    new = announce(directory, role).keys(role)[-1]

    held = keyring.retire(directory, role, new.key_id, now=END)

    assert [key.used_from for key in held.keys(role)] == [BORN]
    assert keyring.announce(directory, role, entropy=ENTROPY, now=END).keys(role)[-1] != new


@pytest.mark.parametrize("role", REQUIRED)
def test_a_name_that_is_gone_makes_it_another_installation(directory: Path, role: Role) -> None:
    before = keyring.load(directory)
    rotate(directory, role)
    keyring.retire(directory, role, before.current(role).key_id, now=END)
    (directory / f"{role}-{before.current(role).key_id}.json").unlink()

    assert keyring.load(directory).fingerprint() != before.fingerprint()


def test_what_is_not_due_changes_nothing(directory: Path) -> None:
    current = keyring.load(directory).current(Role.SEAL).key_id
    with pytest.raises(KeyringWrongError, match="no seal key is announced"):
        keyring.activate(directory, Role.SEAL, now=LATER)
    for key_id in (current, "0" * 16):
        with pytest.raises(KeyringWrongError, match="may go"):
            keyring.retire(directory, Role.SEAL, key_id, now=LATER)
    announce(directory, Role.SEAL)
    with pytest.raises(KeyringWrongError, match="not older"):
        announce(directory, Role.SEAL)
    with pytest.raises(KeyringWrongError, match="announced already"):
        keyring.announce(directory, Role.SEAL, entropy=ENTROPY, now=END)
    with pytest.raises(KeyringWrongError, match="younger than the current"):
        keyring.activate(directory, Role.SEAL, now=BORN)
    with pytest.raises(InvariantError, match="not ours to make"):
        keyring.announce(directory, Role.PRICES, entropy=ENTROPY, now=END)

    assert keyring.load(directory).current(Role.SEAL).key_id == current


def test_a_price_key_that_was_retired_is_never_believed_again(directory: Path) -> None:
    public = bytes(range(32))
    key_id = keyring.key_id_of(Role.PRICES, public)
    keyring.trust_prices(directory, public, now=LATER)
    keyring.trust_prices(directory, bytes(32), now=LATEST)

    held = keyring.retire(directory, Role.PRICES, key_id, now=END)

    assert [key.public for key in held.keys(Role.PRICES)] == [bytes(32)]
    with pytest.raises(KeyringWrongError, match="nobody believes it again"):
        keyring.trust_prices(directory, public, now=END)


def test_a_keyring_that_has_only_an_announced_key_of_a_role_is_refused(directory: Path) -> None:
    announce(directory, Role.LOG)
    (the_file(directory, Role.LOG, number=0)).unlink()

    with pytest.raises(KeyringMissingError, match="no log key"):
        keyring.load(directory)


# --- Files that no command wrote ---


def change(path: Path, **fields: object) -> None:
    content = json.loads(path.read_bytes()) | fields
    kept = {name: value for name, value in content.items() if value is not None}
    path.write_bytes(canonical.encode(kept))


@pytest.mark.parametrize(
    ("role", "fields", "why"),
    [
        (Role.SEAL, {"next": True, "used_from": "2026-02-01T00:00:00Z"}, "is not a key"),
        (Role.SEAL, {"next": False}, "canonical form"),
        (Role.SEAL, {"used_from": "2026-02-01T00:00:00+01:00"}, "canonical form"),
        (Role.SEAL, {"retired_at": "2026-02-01T00:00:00Z"}, "is not a key"),
        (Role.SEAL, {"handle": "0" * 32}, "is not a key"),
        (Role.SEAL, {"key": None, "handle": "0" * 32}, "is not a key"),
        (Role.SEAL, {"key": None, "handle": "0" * 31, "wrapped": "A" * 80}, "is not a key"),
        (Role.SEAL, {"key": None, "handle": "0" * 32, "wrapped": "A" * 80}, "is not a key"),
        (Role.SEAL, {"wrapped": "A" * 80}, "is not a key"),
        (Role.LOG, {"key": None, "handle": "0" * 32, "wrapped": "A" * 80}, "is not a key"),
        (Role.LOG, {"key": None, "public": None, "handle": "0" * 32}, "is not a key"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(
    directory: Path, role: Role, fields: dict[str, object], why: str
) -> None:
    change(the_file(directory, role), **fields)

    with pytest.raises(KeyringWrongError, match=why):
        keyring.load(directory)


def test_two_announced_keys_are_refused(directory: Path) -> None:
    announce(directory, Role.SEAL)
    keyring.add(directory, Role.SEAL, entropy=ENTROPY, now=LATEST)
    change(the_file(directory, Role.SEAL, number=2), next=True)

    with pytest.raises(KeyringWrongError, match="announced at once"):
        keyring.load(directory)


@pytest.mark.parametrize("step", ["announce", "activate", "retire"])
def test_no_step_leaves_a_file_that_others_may_read(directory: Path, step: str) -> None:
    old = keyring.load(directory).current(Role.LOG).key_id
    umask = os.umask(0)
    try:
        announce(directory, Role.LOG)
        if step != "announce":
            keyring.activate(directory, Role.LOG, now=LATEST)
        if step == "retire":
            keyring.retire(directory, Role.LOG, old, now=END)
    finally:
        os.umask(umask)

    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


# --- Crashes, and two at once ---

KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from twinlock.adapters import private_files
from twinlock.adapters.keyring import ring as keyring
from twinlock.adapters.system import SystemEntropy
from twinlock.domain.keys import Role

directory, step, call = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
now = datetime(2026, 3, 1, tzinfo=UTC)
count = 0

def audit(event, arguments):
    if event == call:
        os.kill(os.getpid(), signal.SIGKILL)

with keyring.changing(directory):
    old = keyring.load(directory).keys(Role.SEAL)[-1].key_id
    sys.addaudithook(audit)
    if step == "announce":
        keyring.announce(directory, Role.SEAL, entropy=SystemEntropy(), now=now)
    elif step == "activate":
        keyring.activate(directory, Role.SEAL, now=now)
    else:
        keyring.retire(directory, Role.SEAL, old, now=now)
"""


@pytest.mark.parametrize("step", ["announce", "activate", "retire"])
@pytest.mark.parametrize("call", ["os.rename", "os.chmod"])
def test_a_keyring_loads_after_a_kill_in_the_middle_of_a_step(
    directory: Path, step: str, call: str
) -> None:
    """Killed just before the new file takes its place, and when only its draft is there."""
    if step == "activate":
        announce(directory, Role.SEAL)
    if step == "retire":
        keyring.add(directory, Role.SEAL, entropy=ENTROPY, now=LATER)
    before = keyring.load(directory)

    killed = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", KILLED, str(directory), step, call],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )

    assert killed.returncode == -9
    left = [path for path in directory.iterdir() if path.name.startswith(".")]
    assert len(left) == 1
    after = keyring.load(directory)
    assert after.all_keys(Role.SEAL) == before.all_keys(Role.SEAL)
    with keyring.changing(directory):
        assert not left[0].exists()


def test_two_commands_never_change_a_keyring_at_once(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "LOCK_SECONDS", 0)
    with keyring.changing(directory), pytest.raises(FileBusyError), keyring.changing(directory):
        pass
    with keyring.changing(directory):
        keyring.load(directory)


def test_a_keyring_that_is_not_there_is_not_changed(tmp_path: Path) -> None:
    with pytest.raises(KeyringMissingError), keyring.changing(tmp_path / "keys"):
        pass


def test_commands_that_race_make_one_key(directory: Path) -> None:
    race = KILLED.replace("sys.addaudithook(audit)", "pass")
    words = [sys.executable, "-c", race, str(directory), "announce", "-"]
    there = {"PYTHONPATH": os.pathsep.join(sys.path)}
    start = subprocess.Popen
    racing = [start(words, env=there, stderr=subprocess.DEVNULL) for _ in range(4)]

    assert sorted(one.wait() for one in racing) == [0, 1, 1, 1]
    assert len(keyring.load(directory).keys(Role.SEAL)) == 2


def test_the_lock_lies_beside_the_keyring(directory: Path) -> None:
    with keyring.changing(directory):
        assert (directory.parent / ".keys.lock").stat().st_mode & 0o777 == 0o600
        private_files.check_directory(directory, owner=os.geteuid())


# --- What the keys do then ---


def test_an_authorization_is_signed_by_the_key_that_makes(directory: Path) -> None:
    signer = KeyringSigner(keyring.load(directory), log_origin=ORIGIN)
    first = signer.authorization(b"{}", "t")

    signer.take(announce(directory, Role.AUTHORIZATION))
    assert signer.authorization(b"{}", "t") == first
    signer.take(keyring.activate(directory, Role.AUTHORIZATION, now=LATEST))
    assert signer.authorization(b"{}", "t") != first


def test_a_checkpoint_bears_both_signatures_until_the_old_key_is_retired(directory: Path) -> None:
    head = Head(size=3, root=bytes(32))
    alone = keyring.load(directory)
    signer = KeyringSigner(alone, log_origin=ORIGIN)
    one = signer.checkpoint(head)

    signer.take(announce(directory, Role.LOG))
    assert signer.checkpoint(head) == one
    both = keyring.activate(directory, Role.LOG, now=LATEST)
    signer.take(both)
    two = signer.checkpoint(head)
    signer.take(
        last := keyring.retire(directory, Role.LOG, alone.current(Role.LOG).key_id, now=END)
    )
    three = signer.checkpoint(head)

    assert [len(parse_note(note).signatures) for note in (one, two, three)] == [1, 2, 1]
    assert set(parse_note(two).signatures) == {
        *parse_note(one).signatures,
        *parse_note(three).signatures,
    }
    for held, notes in ((alone, (one, two)), (both, (one, two, three)), (last, (two, three))):
        for note in notes:
            policy = trust_of(held).log_policy
            assert verify_checkpoint(parse_note(note), policy, origin=ORIGIN).checkpoint.size == 3


def test_a_trust_file_names_what_signs_and_what_will(directory: Path) -> None:
    for role in (Role.LOG, Role.AUTHORIZATION):
        old = keyring.load(directory).current(role).key_id
        announce(directory, role)
        assert len(trust_of(keyring.load(directory)).authorization_keys) == 1 + (
            role is Role.AUTHORIZATION
        )
        keyring.activate(directory, role, now=LATEST)
        keyring.retire(directory, role, old, now=END)
    held = keyring.load(directory)

    lean, full = trust_of(held), trust_of(held, with_retired=True)
    assert (len(lean.log_policy.logs), len(lean.authorization_keys)) == (1, 1)
    assert (len(full.log_policy.logs), len(full.authorization_keys)) == (2, 2)


def test_what_was_withdrawn_before_it_signed_is_told_to_nobody(directory: Path) -> None:
    new = announce(directory, Role.LOG).keys(Role.LOG)[-1].key_id
    held = keyring.retire(directory, Role.LOG, new, now=END)

    assert len(trust_of(held, with_retired=True).log_policy.logs) == 1


def test_a_platform_key_is_checked_under_the_key_it_was_made_with(directory: Path) -> None:
    mac = KeyringMac(keyring.load(directory))
    old = mac.of(b"secret")
    held = rotate(directory, Role.PLATFORM)
    mac.take(held)
    new = mac.of(b"secret")

    assert old[:8] != new[:8]
    for one in (old, new):
        mac.check(one, b"secret")
        with pytest.raises(SealBrokenError, match="not what it was made as"):
            mac.check(one, b"other")
        with pytest.raises(SealBrokenError):
            mac.check(one[8:], b"secret")
    mac.take(keyring.retire(directory, Role.PLATFORM, old[:8].hex(), now=END))
    with pytest.raises(SealBrokenError, match="do not hold"):
        mac.check(old, b"secret")


def test_a_name_is_made_by_every_key_and_first_by_the_one_that_makes(directory: Path) -> None:
    place = Place(account=AccountId("acc_a"), network="tron", address="T", memo="")
    index = KeyringIndex(keyring.load(directory))
    (old,) = index.names(place)

    index.take(announce(directory, Role.INDEX))
    assert index.names(place)[0] == old
    new = index.names(place)[1]
    index.take(keyring.activate(directory, Role.INDEX, now=LATEST))
    assert index.names(place) == (new, old)


def test_an_aged_file_is_as_good_as_a_new_one(directory: Path) -> None:
    announce(directory, Role.LOG)
    age(directory, Role.LOG, by=timedelta(days=2))

    held = keyring.load(directory)

    assert [key.created_at for key in held.keys(Role.LOG)] == [
        BORN - timedelta(days=2),
        LATER - timedelta(days=2),
    ]
