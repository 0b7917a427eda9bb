"""Somebody edits the database, and the audit says what does not hold, and where.

First whoever owns the database, and has no key of ours. Then an insider who holds the keyring, and
seals what he wrote so that it opens. Last an insider who decides himself, with the real store, so
that boxes, leaves and tree all fit each other: what shows him is that the events say otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from support.auditing import adopt, audited, codes, settings_of
from support.hooks import hooks_on
from support.postgres import TestDatabase
from support.store_scene import Scene, set_scene
from support.stores import (
    ENTROPY,
    POLICY,
    THUMBPRINT,
    SteerableClock,
    idempotency,
    make_keyring,
    new_action,
    spend,
    withdrawal,
)

from twinlock.adapters.anchor import AnchorFile
from twinlock.adapters.boxes import NONCE_BYTES, Sealer
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.keyring.signing import KeyringSigner, log_keys
from twinlock.adapters.settings import Settings
from twinlock.adapters.sql.log_keys import SqlLogKeys
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.sql.told_streams import SqlToldStreams
from twinlock.domain.account import Account, Session, State
from twinlock.domain.actions import payload_bytes
from twinlock.domain.audit.findings import Fault
from twinlock.domain.canonical import encode
from twinlock.domain.decisions import Decided, Decision
from twinlock.domain.entries import ClosedAction, Kept, Opening
from twinlock.domain.errors import present
from twinlock.domain.events import (
    ActionAuthorized,
    ActionDone,
    ActionSpent,
    ActionVetoed,
    FreezeLifted,
    SessionStarted,
)
from twinlock.domain.ids import MemberId, SessionId
from twinlock.domain.limits import Spent
from twinlock.domain.listed import Destination
from twinlock.domain.replay import apply_all
from twinlock.domain.requirements import Answer
from twinlock.domain.stepping import advance
from twinlock.domain.transmitting.streams import (
    Followed,
    Form,
    ReceiverId,
    StreamId,
    ToldStream,
    Waiting,
)
from twinlock.ports import Work
from twinlock.ports.log import Anchor, Head
from twinlock.services.auditing import Verdict


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A scene that is sound, and how to edit and to audit it."""

    database: TestDatabase
    keyring: Keyring
    settings: Settings
    store: SqlStore
    scene: Scene

    async def edit(self, sql: str) -> None:
        await self.database.execute(self.scene.sql(sql))

    async def audit(self, *, since: bytes | None = None, only_log: bool = False) -> Verdict:
        return await audited(
            self.database, self.keyring, self.settings, since=since, only_log=only_log
        )

    async def anchor(self) -> None:
        """Move the anchor to the log's head, as the service does."""
        head = await self.store.head()
        signer = KeyringSigner(self.keyring, log_origin=self.settings.log_origin)
        anchors = AnchorFile(self.settings.data_dir / "log-anchor.json")
        new = Anchor(size=head.size, root=head.root, checkpoint=signer.checkpoint(head).decode())
        anchors.advance(new, expected_size=present(anchors.read(), "there is one").size)

    # --- With the keyring ---

    async def reseal(
        self,
        table: str,
        where: str,
        change: Callable[[bytes], object],
        *,
        version: int | None = None,
    ) -> None:
        """Write another document into a row, sealed so that it opens."""
        sql = (
            f"SELECT t.*, k.wrapped FROM {table} t JOIN subject_key k USING (subject)"  # noqa: S608 - the test's own words
            f" WHERE {self.scene.sql(where)}"
        )
        (row,) = await self.database.fetch(sql)
        key = Sealer(self.keyring).open_subject_key(row["subject"], row["wrapped"])
        kind, name, number = (
            ("event", row["subject"], row["number"])
            if table == "event"
            else (row["kind"], row["id"], row["version"])
        )
        data = key.open(row["box"], kind=kind, row_id=name, version=number)
        written = number if version is None else version
        box = key.seal(
            encode(change(data)),
            kind=kind,
            row_id=name,
            version=written,
            nonce=ENTROPY.draw(NONCE_BYTES),
        )
        column = "number" if table == "event" else "version"
        await self.database.execute(
            f"UPDATE {table} t SET box = $1, {column} = $2 WHERE {self.scene.sql(where)}",  # noqa: S608 - of ours
            box,
            written,
        )


@pytest.fixture
async def installation(
    store: SqlStore,
    database: TestDatabase,
    keyring: Keyring,
    clock: SteerableClock,
    tmp_path: Path,
) -> Installation:
    scene = await set_scene(store, clock, database)
    settings = settings_of(database, tmp_path / "data")
    await adopt(database, keyring, settings)
    return Installation(
        database=database, keyring=keyring, settings=settings, store=store, scene=scene
    )


async def test_what_nobody_edited_is_sound(installation: Installation) -> None:
    await installation.anchor()

    verdict = await installation.audit()

    assert (verdict.sound, verdict.findings, verdict.size) == (True, (), 5)
    assert verdict.counts == {
        "accounts": 2,
        "documents": 5,
        "entries": 5,
        "key_uses": 0,
        "leaves": 5,
        "letters": 2,  # Of the two that may leave; being opened is no news.
        "spends": 1,
        "tiles": 1,
    }


# --- Whoever owns the database ---

EDITS = [
    # The installation
    ("UPDATE installation SET fingerprint = 'x'", {Fault.INSTALLATION_FOREIGN}),
    ("UPDATE installation SET log_origin = 'x'", {Fault.INSTALLATION_FOREIGN}),
    ("DELETE FROM installation", {Fault.INSTALLATION_FOREIGN}),
    ("UPDATE policy SET body = '{{}}'", {Fault.POLICY_ALTERED, Fault.LEAF_POLICY_UNKNOWN}),
    ("DELETE FROM policy", {Fault.LEAF_POLICY_UNKNOWN}),
    (
        "INSERT INTO policy SELECT 'ChtJB9gINfKpGQ4Rk66mYs-8EgsGfsOihCeKLzPAfHg', body FROM policy",
        {Fault.POLICY_ALTERED},
    ),
    (
        (
            "INSERT INTO platform_key VALUES"
            " ('p', repeat('x', 40)::bytea, '{{prove}}', '{{}}', now(), now())"
        ),
        {Fault.KEY_ROW_ALTERED},
    ),
    (
        (
            "INSERT INTO platform_key VALUES"
            " ('p', repeat('x', 40)::bytea, '{{read}}', '{{}}', now(), now() + interval '10 years')"
        ),
        {Fault.KEY_ROW_ALTERED},
    ),
    # The head
    ("DELETE FROM head", {Fault.HEAD_FORGED}),
    ("UPDATE head SET size = 4", {Fault.HEAD_FORGED, Fault.LEAF_BEYOND_HEAD}),
    ("UPDATE head SET size = 7", {Fault.HEAD_FORGED, Fault.LEAF_MISSING}),
    ("UPDATE head SET mac = ''", {Fault.HEAD_FORGED}),
    (
        "UPDATE head SET edge = set_byte(edge, 0, get_byte(edge, 0) # 1)",
        {Fault.HEAD_FORGED, Fault.HEAD_WRONG},
    ),
    ("INSERT INTO head SELECT 2, size, edge, at, mac FROM head", {Fault.HEAD_WRONG}),
    (
        (
            "UPDATE head h SET size = o.size, edge = o.edge, at = o.at, mac = o.mac"
            " FROM public.old_head o"
        ),
        {Fault.LEAF_BEYOND_HEAD, Fault.TILE_WRONG, Fault.LEAF_MISSING},
    ),
    # Tiles
    ("DELETE FROM tile", {Fault.TILE_MISSING}),
    ("UPDATE tile SET hashes = set_byte(hashes, 40, 0)", {Fault.TILE_WRONG}),
    ("UPDATE tile SET hashes = hashes || substr(hashes, 1, 32)", {Fault.TILE_WRONG}),
    ("INSERT INTO tile SELECT 1, 1, 0, hashes FROM tile", {Fault.TILE_BEYOND_HEAD}),
    ("INSERT INTO tile SELECT 2, level, number, hashes FROM tile", {Fault.TILE_BEYOND_HEAD}),
    # Leaves
    (
        "UPDATE leaf SET entry = set_byte(entry, 20, get_byte(entry, 20) # 1) WHERE leaf_index = 3",
        {Fault.LEAF_MALFORMED, Fault.TILE_WRONG, Fault.HEAD_WRONG},
    ),
    (
        "UPDATE leaf SET entry = 'x' WHERE leaf_index = 0",
        {Fault.LEAF_MALFORMED, Fault.TILE_WRONG, Fault.HEAD_WRONG, Fault.CHAIN_BROKEN},
    ),
    (
        (
            "UPDATE leaf SET entry = convert_to(regexp_replace(convert_from(entry, 'utf8'),"
            " '\"at\":[0-9]+', '\"at\":1'), 'utf8') WHERE leaf_index = 3"
        ),
        {Fault.TIME_BACKWARDS, Fault.TIME_WRONG, Fault.TILE_WRONG, Fault.HEAD_WRONG},
    ),
    (
        (
            "UPDATE leaf SET entry = convert_to(regexp_replace(convert_from(entry, 'utf8'),"
            ' \'"dec":"allow"\', \'"dec":"deny"\'), \'utf8\') WHERE leaf_index = 3'
        ),
        {Fault.ANSWER_WRONG, Fault.TILE_WRONG, Fault.HEAD_WRONG, Fault.CHAIN_BROKEN},
    ),
    (
        (
            "UPDATE leaf SET entry = o.entry FROM leaf o"
            " WHERE leaf.leaf_index = 2 AND o.leaf_index = 4"
        ),
        {Fault.LABEL_WRONG, Fault.CHAIN_BROKEN, Fault.COMMITMENT_WRONG, Fault.TILE_WRONG},
    ),
    (
        "UPDATE leaf SET label = repeat('x', 32)::bytea WHERE leaf_index = 1",
        {Fault.LEAF_LABEL_WRONG},
    ),
    ("UPDATE leaf SET facts = '{{}}' WHERE leaf_index = 2", {Fault.FACTS_ALTERED}),
    ("DELETE FROM leaf WHERE leaf_index = 4", {Fault.LEAF_MISSING, Fault.TILE_WRONG}),
    ("DELETE FROM leaf WHERE leaf_index IN (1, 2)", {Fault.LEAF_MISSING, Fault.TILE_WRONG}),
    (
        (
            "INSERT INTO leaf SELECT 1, 5, repeat('x', 32)::bytea, entry, facts FROM leaf"
            " WHERE leaf_index = 4"
        ),
        {Fault.LEAF_BEYOND_HEAD},
    ),
    (
        "INSERT INTO leaf SELECT 2, leaf_index, label, entry, facts FROM leaf",
        {Fault.LEAF_BEYOND_HEAD},
    ),
    (
        (
            "ALTER TABLE leaf DROP CONSTRAINT leaf_leaf_index_check;"
            "UPDATE leaf SET leaf_index = leaf_index - 100 WHERE leaf_index = 4"
        ),
        {Fault.LEAF_MISSING, Fault.LEAF_BEYOND_HEAD},
    ),
    (
        (
            "ALTER TABLE leaf DROP CONSTRAINT leaf_pkey, DROP CONSTRAINT leaf_label;"
            "INSERT INTO leaf SELECT * FROM leaf WHERE leaf_index = 2"
        ),
        {Fault.TILE_WRONG},
    ),
    # Entries
    (
        "DELETE FROM event WHERE subject = '{alice}' AND number = 1",
        {Fault.ENTRY_MISSING, Fault.LEAF_UNOWNED},
    ),
    (
        "DELETE FROM event WHERE subject = '{alice}' AND number = 3",
        {Fault.LEAF_UNOWNED, Fault.ACCOUNT_DIFFERS, Fault.DESTINATION_DIFFERS},
    ),
    ("DELETE FROM event WHERE subject = '{bob}'", {Fault.LEAF_UNOWNED, Fault.STREAM_UNKNOWN}),
    (
        (
            "UPDATE event a SET box = b.box FROM event b WHERE a.subject = '{alice}'"
            " AND b.subject = '{alice}' AND (a.number, b.number) IN ((1, 3), (3, 1))"
        ),
        {Fault.ENTRY_BROKEN},
    ),
    (
        (
            "UPDATE event a SET leaf_index = b.leaf_index FROM event b WHERE a.subject = '{alice}'"
            " AND b.subject = '{alice}' AND (a.number, b.number) IN ((1, 3), (3, 1))"
        ),
        {Fault.LABEL_WRONG, Fault.CHAIN_BROKEN, Fault.COMMITMENT_WRONG, Fault.TIME_WRONG},
    ),
    ("UPDATE event SET box = {flipped} WHERE leaf_index = 2", {Fault.ENTRY_BROKEN}),
    (
        "INSERT INTO event SELECT subject, 4, leaf_index, box FROM event WHERE leaf_index = 3",
        {Fault.ENTRY_BROKEN},
    ),
    (
        "UPDATE event SET leaf_index = 99 WHERE leaf_index = 2",
        {Fault.LEAF_MISSING, Fault.LEAF_UNOWNED},
    ),
    # Documents
    ("{old_account}", {Fault.ACCOUNT_DIFFERS}),
    ("{old_account} {old_destination}", {Fault.ACCOUNT_DIFFERS, Fault.DESTINATION_DIFFERS}),
    ("DELETE FROM stream WHERE id = '{alice}'", {Fault.ACCOUNT_MISSING}),
    ("DELETE FROM stream WHERE id = '{destination}'", {Fault.DESTINATION_MISSING}),
    ("DELETE FROM stream WHERE id = '{spent}'", {Fault.CLOSED_MISSING}),
    ("UPDATE stream SET box = {flipped} WHERE id = '{spent}'", {Fault.STREAM_BROKEN}),
    ("UPDATE stream SET box = {flipped} WHERE id = '{alice}'", {Fault.STREAM_BROKEN}),
    (
        (
            "UPDATE stream a SET version = b.version, box = b.box FROM stream b"
            " WHERE (a.id, b.id) IN (('{alice}', '{bob}'), ('{bob}', '{alice}'))"
        ),
        {Fault.STREAM_BROKEN},
    ),
    (
        (
            "INSERT INTO stream SELECT 'dst_x', subject, kind, version, box FROM stream"
            " WHERE id = '{destination}'"
        ),
        {Fault.STREAM_BROKEN, Fault.STREAM_UNKNOWN},
    ),
    (
        (
            "INSERT INTO stream SELECT 'acc_x', subject, kind, version, box FROM stream"
            " WHERE id = '{alice}'"
        ),
        {Fault.STREAM_BROKEN, Fault.STREAM_UNKNOWN},
    ),
    (
        "UPDATE stream SET subject = '{bob}' WHERE id = '{spent}'",
        {Fault.STREAM_BROKEN, Fault.STREAM_UNKNOWN, Fault.CLOSED_MISSING},
    ),
    # Keys of accounts
    (
        "DELETE FROM subject_key WHERE subject = '{alice}'",
        {Fault.SUBJECT_KEY_MISSING},
    ),
    (
        (
            "UPDATE subject_key a SET wrapped = b.wrapped FROM subject_key b"
            " WHERE a.subject = '{alice}' AND b.subject = '{bob}'"
        ),
        {Fault.SUBJECT_KEY_BROKEN},
    ),
    (
        "INSERT INTO subject_key SELECT 'acc_x', wrapped FROM subject_key WHERE subject = '{bob}'",
        {Fault.SUBJECT_KEY_BROKEN},
    ),
    (
        "DELETE FROM stream WHERE subject = '{bob}'; DELETE FROM event WHERE subject = '{bob}'",
        {Fault.LEAF_UNOWNED, Fault.STREAM_UNKNOWN},
    ),
    # Endpoints: of one that was removed a key stays, and must be ours.
    (
        (
            "INSERT INTO subject_key SELECT 'wh_' || repeat('a', 26), wrapped FROM subject_key"
            " WHERE subject = '{bob}'"
        ),
        {Fault.SUBJECT_KEY_BROKEN},
    ),
    (
        (
            "INSERT INTO subject_key SELECT 'whk_x', wrapped FROM subject_key LIMIT 1;"
            "INSERT INTO webhook (id, version, box, position) VALUES ('whk_x', 1, 'x', 0)"
        ),
        {Fault.WEBHOOK_BROKEN},
    ),
    # What waits
    ("UPDATE outbox SET box = {flipped}", {Fault.LETTER_BROKEN}),
    ("UPDATE outbox SET serial = serial || 'x'", {Fault.LETTER_BROKEN}),
    # What can be looked up
    (
        (
            "INSERT INTO inbox (subject, serial, box)"
            " SELECT subject, serial, {flipped} FROM outbox; DELETE FROM outbox"
        ),
        {Fault.LETTER_BROKEN},
    ),
]


@pytest.mark.parametrize(("sql", "found"), EDITS, ids=[sql[:60] for sql, _ in EDITS])
async def test_an_edit_is_found_and_named(
    installation: Installation, sql: str, found: set[Fault]
) -> None:
    await installation.edit(sql)

    verdict = await installation.audit()

    assert found <= codes(verdict)
    assert sum(verdict.faults.values()) < 30, "one edit has few effects"
    told = " ".join(f"{one.where} {one.says}" for one in verdict.findings)
    assert "0x" not in told, "no finding tells an address"


async def test_a_repointed_idempotency_key_is_found(installation: Installation) -> None:
    alice = installation.scene.alice
    await installation.store.run(withdrawal(alice, new_action(alice), key=idempotency("one")))
    await installation.edit("UPDATE idempotency SET action_id = '{spent}'")

    verdict = await installation.audit()

    assert codes(verdict) == {Fault.KEY_USE_FORGED}
    assert verdict.counts["key_uses"] == 1


async def test_another_keyring_opens_nothing(installation: Installation, tmp_path: Path) -> None:
    foreign = make_keyring(tmp_path / "foreign")

    verdict = await audited(installation.database, foreign, installation.settings)

    assert {
        Fault.INSTALLATION_FOREIGN,
        Fault.HEAD_FORGED,
        Fault.SUBJECT_KEY_BROKEN,
        Fault.ANCHOR_WRONG,
        Fault.LETTER_BROKEN,
    } <= codes(verdict)
    assert not verdict.sound


async def test_a_spend_of_the_next_day_counts_there_and_is_sound(
    installation: Installation, clock: SteerableClock
) -> None:
    """Authorized before midnight, spent after it: account and destination both count it anew."""
    alice, action = installation.scene.alice, new_action(installation.scene.alice)
    late = clock.at.replace(hour=23, minute=59, second=50)
    session = Session(
        session_id=SessionId("ses_" + "n" * 26),
        member_id=MemberId("mem_x"),
        thumbprint=THUMBPRINT,
        started_at=late,
        seen_at=late,
        bound_at=late - timedelta(days=90),
    )
    clock.at = late
    begun = SessionStarted(at=late + timedelta(milliseconds=1), session=session)
    decision = Decision(kind="session.start", action_id="", answer=Answer.ALLOW, events=(begun,))
    await installation.store.run(forged(installation, decision))
    night = replace(alice, session_id=session.session_id)
    await installation.store.run(withdrawal(night, action))
    clock.advance(timedelta(minutes=1))
    await installation.store.run(spend(night, action, spend_id="spend-late"))

    verdict = await installation.audit()

    account = await installation.store.account(alice.account_id)
    destination = await installation.store.destination(alice.account_id, alice.destination_id)
    assert verdict.findings == ()
    assert verdict.counts["spends"] == 2
    tomorrow = (late + timedelta(days=1)).date().isoformat()
    assert account.spent.day == tomorrow
    assert destination is not None
    assert destination.spent.day == tomorrow


# --- What belongs to no account ---


async def test_an_endpoint_has_a_key_and_no_entry_and_is_sound(
    installation: Installation, clock: SteerableClock
) -> None:
    hooks = hooks_on(installation.store, clock)
    await hooks.use.add("https://platform.example/hooks", patterns=("*",))

    verdict = await installation.audit()
    await installation.edit("UPDATE webhook SET version = version + 1")

    assert verdict.findings == ()
    assert codes(await installation.audit()) == {Fault.WEBHOOK_BROKEN}


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE told_stream SET version = version + 1",
        "UPDATE told_subject SET subject = '{bob}'",
        "UPDATE told_token SET box = {flipped}",
    ],
)
async def test_a_stream_of_signals_has_a_key_and_no_entry_and_is_sound(
    installation: Installation, clock: SteerableClock, edit: str
) -> None:
    now, named = clock.now(database_at=None), StreamId(f"ssf_{'a' * 26}")
    stream = ToldStream(
        stream_id=named,
        receiver_id=ReceiverId("broker"),
        audience="https://broker.example",
        requested=(),
        added_at=now,
    )
    streams = SqlToldStreams(installation.store, entropy=ENTROPY)
    assert await streams.add(stream, most=1)
    followed = Followed(account=installation.scene.alice.account_id, form=Form.OPAQUE)
    await streams.add_subject(named, followed, now=now)
    assert await streams.verify(named, Waiting(jti="set_a", claims={}), now=now, before=now)

    verdict = await installation.audit()
    await installation.edit(edit)

    assert verdict.findings == ()
    assert codes(await installation.audit()) == {Fault.TOLD_STREAM_BROKEN}


async def name_key(installation: Installation, clock: SteerableClock, vkey: str) -> None:
    """Have the log name a key of its own, as a rotation does."""
    sealer = Sealer(installation.keyring)
    await SqlLogKeys(installation.store.database, sealer=sealer, clock=clock).tell(vkey)


async def test_a_leaf_that_names_a_key_of_the_log_is_nobodys_and_sound(
    installation: Installation, clock: SteerableClock
) -> None:
    origin = installation.settings.log_origin
    (own, *_) = log_keys(installation.keyring, log_origin=origin)
    await name_key(installation, clock, str(own))

    verdict = await installation.audit()

    assert (verdict.sound, verdict.size, verdict.counts["entries"]) == (True, 6, 5)
    assert (await installation.audit(only_log=True)).sound


async def test_a_leaf_that_names_a_key_of_somebody_else_is_found(
    installation: Installation, clock: SteerableClock
) -> None:
    await name_key(installation, clock, "log.example/another+00000000+AAAA")

    verdict = await installation.audit()

    assert codes(verdict) == {Fault.LOG_KEY_UNKNOWN}
    assert verdict.findings[0].where == "leaf 5"


# --- The anchor, and a checkpoint that somebody kept ---


async def test_a_log_cut_back_with_all_that_belongs_to_it_contradicts_its_anchor(
    installation: Installation,
) -> None:
    """Every row is as it was once: what shows it lies outside the database."""
    await installation.anchor()
    await installation.edit(
        "DELETE FROM outbox; DELETE FROM event WHERE leaf_index > 1;"
        "DELETE FROM leaf WHERE leaf_index > 1; DELETE FROM stream WHERE id = '{spent}';"
        "{old_account} {old_destination}"
        "UPDATE head h SET size = o.size, edge = o.edge, at = o.at, mac = o.mac"
        " FROM public.old_head o; UPDATE tile t SET hashes = o.hashes FROM public.old_tile o"
    )

    verdict = await installation.audit()

    assert codes(verdict) == {Fault.ANCHOR_WRONG}
    assert verdict.findings[0].says == "the log has 2 leaves, and had 5 when it was signed"


async def test_a_log_without_its_anchor_is_not_sound(installation: Installation) -> None:
    (installation.settings.data_dir / "log-anchor.json").unlink()

    assert codes(await installation.audit()) == {Fault.ANCHOR_MISSING}


@pytest.mark.parametrize("content", ["{}", '{"checkpoint":"x","root":"' + "A" * 43 + '","size":0}'])
async def test_an_edited_anchor_is_found(installation: Installation, content: str) -> None:
    (installation.settings.data_dir / "log-anchor.json").write_text(content)

    assert codes(await installation.audit()) == {Fault.ANCHOR_WRONG}


async def test_an_anchor_that_its_checkpoint_does_not_say_is_found(
    installation: Installation,
) -> None:
    await installation.anchor()
    path = installation.settings.data_dir / "log-anchor.json"
    path.write_text(path.read_text().replace('"size":5', '"size":4'))

    assert codes(await installation.audit()) == {Fault.ANCHOR_WRONG}


async def test_a_log_that_is_not_the_anchored_one_is_found(installation: Installation) -> None:
    await sign_another(installation, size=3, into_anchor=True)

    verdict = await installation.audit()

    assert codes(verdict) == {Fault.ANCHOR_WRONG}


async def test_a_log_that_is_not_the_one_somebody_kept_a_checkpoint_of_is_found(
    installation: Installation,
) -> None:
    kept = await sign_another(installation, size=3, into_anchor=False)

    verdict = await installation.audit(since=kept)

    assert codes(verdict) == {Fault.CHECKPOINT_WRONG}
    assert "the first 3 leaves" in verdict.findings[0].says


async def test_a_checkpoint_that_was_kept_of_this_log_is_no_finding(
    installation: Installation,
) -> None:
    head = await installation.store.head()
    signer = KeyringSigner(installation.keyring, log_origin=installation.settings.log_origin)

    assert (await installation.audit(since=signer.checkpoint(head))).sound


async def sign_another(installation: Installation, *, size: int, into_anchor: bool) -> bytes:
    """Sign a tree that never was, as a stolen log key would."""
    origin = installation.settings.log_origin
    head = Head(size=size, root=b"r" * 32)
    note = KeyringSigner(installation.keyring, log_origin=origin).checkpoint(head)
    if into_anchor:
        anchors = AnchorFile(installation.settings.data_dir / "log-anchor.json")
        new = Anchor(size=size, root=head.root, checkpoint=note.decode())
        anchors.advance(new, expected_size=0)
    return note


# --- An insider with the keyring ---


def altered(kind: type, **changes: object) -> Callable[[bytes], object]:
    return lambda data: replace(msgspec.json.decode(data, type=kind), **changes)


def account(**changes: object) -> Callable[[bytes], object]:
    return altered(Account, **changes)


def without_actions(data: bytes) -> Account:
    return replace(msgspec.json.decode(data, type=Account), actions=())


def another_end(data: bytes) -> ClosedAction:
    closed = msgspec.json.decode(data, type=ClosedAction)
    vetoed = ActionVetoed(
        at=closed.ended.at, action_id=closed.action.action_id, by="somebody", root=None
    )
    return replace(closed, ended=vetoed)


def another_fee(data: bytes) -> ClosedAction:
    closed = msgspec.json.decode(data, type=ClosedAction)
    assert isinstance(closed.ended, ActionSpent)
    return replace(closed, ended=replace(closed.ended, fee_minor="999"))


def fewer_events(data: bytes) -> Kept:
    return replace(msgspec.json.decode(data, type=Kept), events=())


def opened(field: str, **changes: str) -> Callable[[bytes], object]:
    def change(data: bytes) -> Kept:
        kept = msgspec.json.decode(data, type=Kept)
        openings = dict(kept.openings)
        openings[field] = replace(openings[field], **changes)
        return replace(kept, openings=openings)

    return change


def unopened(field: str) -> Callable[[bytes], object]:
    def change(data: bytes) -> Kept:
        kept = msgspec.json.decode(data, type=Kept)
        left = {name: one for name, one in kept.openings.items() if name != field}
        return replace(kept, openings=left)

    return change


def one_more(data: bytes) -> Kept:
    kept = msgspec.json.decode(data, type=Kept)
    return replace(kept, openings={**kept.openings, "more": Opening("A" * 43, "1")})


def nonsense(_: bytes) -> object:
    return {"no": "such thing"}


RESEALED = [
    ("stream", "t.id = '{alice}'", account(destinations_required=True), {Fault.ACCOUNT_DIFFERS}),
    ("stream", "t.id = '{alice}'", account(spent=Spent()), {Fault.ACCOUNT_DIFFERS}),
    ("stream", "t.id = '{alice}'", without_actions, {Fault.ACCOUNT_DIFFERS}),
    ("stream", "t.id = '{alice}'", nonsense, {Fault.STREAM_BROKEN}),
    (
        "stream",
        "t.id = '{destination}'",
        altered(Destination, budget_cents=10**6),
        {Fault.DESTINATION_DIFFERS},
    ),
    (
        "stream",
        "t.id = '{destination}'",
        altered(Destination, spent=Spent()),
        {Fault.DESTINATION_DIFFERS},
    ),
    ("stream", "t.id = '{destination}'", nonsense, {Fault.STREAM_BROKEN}),
    ("stream", "t.id = '{spent}'", another_end, {Fault.CLOSED_DIFFERS}),
    ("stream", "t.id = '{spent}'", another_fee, {Fault.CLOSED_DIFFERS}),
    ("stream", "t.id = '{spent}'", nonsense, {Fault.STREAM_BROKEN}),
    ("event", "t.leaf_index = 3", fewer_events, {Fault.EVENTS_ALTERED, Fault.SPEND_WRONG}),
    ("event", "t.leaf_index = 2", nonsense, {Fault.ENTRY_BROKEN}),
    ("event", "t.leaf_index = 0", fewer_events, {Fault.EVENTS_ALTERED, Fault.REPLAY_IMPOSSIBLE}),
    (
        "event",
        "t.leaf_index = 2",
        opened("account", value='"acc_x"'),
        {Fault.ACCOUNT_WRONG, Fault.COMMITMENT_WRONG},
    ),
    ("event", "t.leaf_index = 2", opened("reasons", value="[1]"), {Fault.COMMITMENT_WRONG}),
    ("event", "t.leaf_index = 2", opened("actor", salt="A" * 43), {Fault.COMMITMENT_WRONG}),
    ("event", "t.leaf_index = 2", opened("actor", salt="short"), {Fault.COMMITMENT_WRONG}),
    ("event", "t.leaf_index = 2", unopened("proofs"), {Fault.COMMITMENT_WRONG}),
    ("event", "t.leaf_index = 2", one_more, {Fault.COMMITMENT_WRONG}),
]


@pytest.mark.parametrize(("table", "where", "change", "found"), RESEALED)
async def test_a_row_that_an_insider_sealed_is_found_and_named(
    installation: Installation,
    table: str,
    where: str,
    change: Callable[[bytes], object],
    found: set[Fault],
) -> None:
    await installation.reseal(table, where, change)

    verdict = await installation.audit()

    assert found <= codes(verdict)
    assert sum(verdict.faults.values()) < 10


async def test_a_finding_names_the_fields_and_not_what_stands_in_them(
    installation: Installation,
) -> None:
    await installation.reseal("stream", "t.id = '{alice}'", account(spent=Spent(cents=77_777)))

    (finding,) = (await installation.audit()).findings

    assert finding.where == installation.scene.alice.account_id
    assert finding.says == "its events make another spent"


@pytest.mark.parametrize("name", ["{alice}", "{destination}", "{spent}"])
async def test_a_version_that_was_counted_up_is_found(
    installation: Installation, name: str
) -> None:
    await installation.reseal("stream", f"t.id = '{name}'", msgspec.Raw, version=99)

    assert codes(await installation.audit()) == {Fault.VERSION_WRONG}


async def test_an_entry_that_an_insider_counted_up_leaves_a_gap(installation: Installation) -> None:
    await installation.reseal("event", "t.leaf_index = 4", msgspec.Raw, version=7)

    assert {Fault.ENTRY_MISSING} <= codes(await installation.audit())


# --- An insider who decides ---


def forged(installation: Installation, *decisions: Decision) -> Work:
    """Return a work that decides what the gate never would; states follow from its events.

    Each decision has the payload of the action that its event is about.
    """
    alice = installation.scene.alice

    def decided(state: State, _: object) -> Decided:
        states, told = [], []
        for decision in decisions:
            about = {getattr(event, "action_id", "") for event in decision.events}
            known = [one.payload for one in state.account.actions if one.action_id in about]
            payload = payload_bytes(known[0]) if known else b""
            told.append(replace(decision, payload=payload))
            state = advance(apply_all(state, decision.events))
            states.append(state)
        return Decided(decisions=tuple(told), states=tuple(states))

    return Work(
        account_id=alice.account_id,
        destination_id=alice.destination_id,
        decide=decided,
        actor="insider",
        policy=POLICY.name,
    )


async def test_a_yes_that_the_leaf_does_not_say_is_found(
    installation: Installation, clock: SteerableClock
) -> None:
    action = installation.scene.authorized
    at = clock.at + timedelta(milliseconds=1)
    done = ActionDone(at=at, action_id=action)
    decision = Decision(
        kind="withdrawal.crypto", action_id=action, answer=Answer.DENY, events=(done,)
    )
    await installation.store.run(forged(installation, decision))

    assert codes(await installation.audit()) == {Fault.ANSWER_WRONG}


async def test_an_event_of_another_time_is_found(
    installation: Installation, clock: SteerableClock
) -> None:
    lifted = FreezeLifted(at=clock.at - timedelta(days=1))
    decision = Decision(kind="freeze.lift", action_id="", answer=Answer.ALLOW, events=(lifted,))
    await installation.store.run(forged(installation, decision))

    assert codes(await installation.audit()) == {Fault.TIME_WRONG}


async def test_a_spend_in_an_entry_of_another_type_is_found(
    installation: Installation, clock: SteerableClock
) -> None:
    action = installation.scene.authorized
    at = clock.at + timedelta(milliseconds=1)
    spent = ActionSpent(at=at, action_id=action, spend_id="spend-9", fee_minor="0", value_cents=0)
    decision = Decision(
        kind="withdrawal.crypto", action_id=action, answer=Answer.ALLOW, events=(spent,)
    )
    await installation.store.run(forged(installation, decision))

    assert codes(await installation.audit()) == {Fault.SPEND_WRONG}


async def test_an_action_that_its_entry_does_not_name_is_found(
    installation: Installation, clock: SteerableClock
) -> None:
    at = clock.at + timedelta(milliseconds=1)
    done = ActionDone(at=at, action_id=installation.scene.authorized)
    decision = Decision(
        kind="withdrawal.crypto", action_id="act_other", answer=Answer.ALLOW, events=(done,)
    )
    await installation.store.run(forged(installation, decision))

    assert codes(await installation.audit()) == {Fault.ACTION_WRONG}


async def test_a_payload_that_nobody_proposed_is_found(installation: Installation) -> None:
    """The customer is shown and signs one payload, and another one is carried out."""
    alice = installation.scene.alice
    work = withdrawal(alice, new_action(alice))

    def decided(state: State, now: object) -> Decided:
        honest = work.decide(state, now)  # type: ignore[arg-type] # the store gives the time
        answer = replace(honest.answer, payload=b'{"amount_minor":"1"}')
        return replace(honest, decisions=(*honest.decisions[:-1], answer))

    await installation.store.run(replace(work, decide=decided))

    assert codes(await installation.audit()) == {Fault.PAYLOAD_WRONG}


async def test_an_action_that_is_spent_again_is_found(
    installation: Installation, clock: SteerableClock
) -> None:
    """An insider opens a spent action again, without an event, and spends it once more."""
    scene = installation.scene
    closed = present(await installation.store.closed_action(scene.spent), "it was spent")
    await installation.database.execute("DELETE FROM stream WHERE id = $1", scene.spent)
    at = clock.at + timedelta(milliseconds=1)
    spent = ActionSpent(
        at=at, action_id=scene.spent, spend_id="spend-2", fee_minor="0", value_cents=0
    )
    nothing = Decision(kind="session.end", action_id="", answer=Answer.ALLOW)
    again = Decision(
        kind="action.spend", action_id=scene.spent, answer=Answer.ALLOW, events=(spent,)
    )

    def decided(state: State, _: object) -> Decided:
        opened = replace(state.account, actions=(*state.account.actions, closed.action))
        first = advance(replace(state, account=opened))
        return Decided(
            decisions=(nothing, again), states=(first, advance(apply_all(first, again.events)))
        )

    work = forged(installation)
    await installation.store.run(replace(work, decide=decided))

    verdict = await installation.audit()

    assert codes(verdict) == {Fault.SPENT_TWICE}
    assert verdict.findings[0].where == f"{scene.alice.account_id} entry 5"


async def test_a_state_that_no_event_made_is_found(installation: Installation) -> None:
    """A decision without an event, after which a customer's limits are gone."""
    work = forged(installation)

    def decided(state: State, _: object) -> Decided:
        richer = replace(state.account, spent=Spent())
        nothing = Decision(kind="session.end", action_id="", answer=Answer.ALLOW)
        return Decided(decisions=(nothing,), states=(advance(replace(state, account=richer)),))

    await installation.store.run(replace(work, decide=decided))

    verdict = await installation.audit()

    assert codes(verdict) == {Fault.ACCOUNT_DIFFERS}
    assert verdict.findings[0].says == "its events make another spent"


async def test_an_event_that_cannot_have_happened_is_found(
    installation: Installation, clock: SteerableClock
) -> None:
    action = new_action(installation.scene.alice)  # Which nobody has proposed.
    at = clock.at + timedelta(milliseconds=1)
    authorized = ActionAuthorized(at=at, action_id=action, value_cents=1)
    decision = Decision(
        kind="withdrawal.crypto", action_id=action, answer=Answer.ALLOW, events=(authorized,)
    )
    work = replace(
        forged(installation),
        decide=lambda state, _: Decided(decisions=(decision,), states=(advance(state),)),
    )
    await installation.store.run(work)

    assert codes(await installation.audit()) == {Fault.REPLAY_IMPOSSIBLE}


def test_every_fault_has_an_edit_that_is_found_by_its_name() -> None:
    told = {fault for _, found in EDITS for fault in found}
    told |= {fault for *_, found in RESEALED for fault in found}
    told |= {
        Fault.ANCHOR_MISSING,
        Fault.ANCHOR_WRONG,
        Fault.CHECKPOINT_WRONG,
        Fault.ERASURE_FORGED,  # This and the next: test_erasing_beside.py.
        Fault.ERASURE_UNDONE,
        Fault.KEY_USE_FORGED,
        Fault.LEFT_WHILE_HALTED,  # This, and what is wrong with acts: test_officers_store.py.
        Fault.LEFT_WHILE_SUSPENDED,
        Fault.SUSPENSION_UNSAID,
        Fault.PLATFORM_WRONG,
        Fault.POLICY_NOT_IN_FORCE,  # test_policy_life_store.py
        Fault.LOG_KEY_UNKNOWN,
        Fault.PAYLOAD_WRONG,
        Fault.ACTION_WRONG,
        Fault.REPLAY_IMPOSSIBLE,
        Fault.SPENT_TWICE,
        Fault.TOLD_STREAM_BROKEN,
        Fault.VERSION_WRONG,
    }

    assert told == set(Fault)
