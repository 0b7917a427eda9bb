"""SMS and messages to programs, by signed webhook to real receivers."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from support.hooks import HERE
from support.mails import a_letter
from support.postgres import TestDatabase
from support.receivers import Receiver, raw, receiving, status
from support.stores import ENTROPY, SteerableClock

from twinlock.adapters.notices.hooks import Hooks, Ways
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.sql.webhooks import SqlWebhooks
from twinlock.adapters.webhooks.sending import HttpPost
from twinlock.domain.channels import ChannelKind
from twinlock.domain.deliveries import Fate, Fault
from twinlock.domain.letters import Letter
from twinlock.domain.parcels import HOOKED, CarrierName
from twinlock.domain.webhooks.outcomes import WebhookPatternError
from twinlock.domain.webhooks.targets import Reach
from twinlock.services.webhooks.endpoints import Webhooks

SMS = replace(a_letter("+15550000001"), channel="sms")
DESKTOP = replace(a_letter("a program"), channel="desktop", name="ntc_two")


class Scene:
    """Endpoints, and the carrier that one process keeps."""

    def __init__(self, store: SqlStore, clock: SteerableClock, reach: Reach = HERE) -> None:
        shelf = SqlWebhooks(store, entropy=ENTROPY)
        post = HttpPost(reach)
        self.use = Webhooks(shelf, post=HttpPost(HERE), reach=HERE, entropy=ENTROPY, clock=clock)
        self.carrier = Hooks(shelf, post, clock=clock)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
async def scene(store: SqlStore, clock: SteerableClock) -> AsyncIterator[Scene]:
    made = Scene(store, clock)
    yield made
    await made.carrier.close()


async def test_a_message_is_signed_and_says_where_it_goes(scene: Scene, receiver: Receiver) -> None:
    shown = await scene.use.add(receiver.url(), patterns=("notice.*",))
    fates = [await scene.carrier.send(one) for one in (SMS, DESKTOP)]
    text, program = receiver.got

    assert fates == [Fate(), Fate()]
    assert all(one.verified_by(shown.secret) for one in receiver.got)
    assert receiver.ids == ["ntc_one", "ntc_two"]
    assert receiver.connections == 1
    assert (text.value["type"], text.value["data"]["to"]) == ("notice.sms", "+15550000001")
    assert text.value["data"]["text"].endswith(SMS.link)
    assert "links" not in text.value["data"]
    assert [one["url"] for one in program.value["data"]["links"]] == [SMS.link, SMS.freeze]


@pytest.mark.parametrize(
    ("patterns", "carried"),
    [
        (("*",), set()),
        (("action.*",), set()),
        (("notice.sms",), {ChannelKind.SMS}),
        (("*", "notice.desktop"), {ChannelKind.DESKTOP}),
        (("notice.*",), {ChannelKind.SMS, ChannelKind.DESKTOP}),
    ],
)
async def test_only_who_was_asked_by_name_carries_messages(
    scene: Scene, receiver: Receiver, patterns: tuple[str, ...], carried: set[ChannelKind]
) -> None:
    """Prevents: a receiver of outcomes that is sent links which stop things."""
    await scene.use.add(receiver.url(), patterns=patterns)

    assert await scene.carrier.carried() == carried
    named = await Ways(scene.carrier, mail=True).named()
    assert named == {ChannelKind.EMAIL: CarrierName.MAIL} | {kind: HOOKED[kind] for kind in carried}


async def test_one_endpoint_that_somebody_changed_stops_no_other_message(
    scene: Scene, receiver: Receiver, database: TestDatabase
) -> None:
    """Prevents: one row by which no customer is told anything, by mail too."""
    broken = await scene.use.add(receiver.url(), patterns=("notice.sms",))
    await scene.use.add(receiver.url(), patterns=("notice.desktop",))
    await database.execute("UPDATE webhook SET box = 'x' WHERE id = $1", broken.webhook_id)

    assert await Ways(scene.carrier, mail=True).named() == {
        ChannelKind.EMAIL: CarrierName.MAIL,
        ChannelKind.SMS: CarrierName.SMS,  # Which waits until somebody looks into it.
        ChannelKind.DESKTOP: CarrierName.DESKTOP,
    }
    assert await scene.carrier.send(SMS) == Fate(Fault.NO_CARRIER, carrier=True)
    assert await scene.carrier.send(DESKTOP) == Fate()


async def test_without_anybody_a_message_waits_for_somebody(
    scene: Scene, receiver: Receiver
) -> None:
    assert await scene.carrier.send(SMS) == Fate(Fault.NO_CARRIER, carrier=True)
    assert await scene.carrier.send(replace(SMS, channel="email")) == Fate(
        Fault.NO_CARRIER, carrier=True
    )
    assert await Ways(scene.carrier, mail=False).named() == {}
    assert await Ways(scene.carrier, mail=False).are_files()
    assert not await Ways(scene.carrier, mail=True).are_files()
    assert receiver.got == []


@pytest.mark.parametrize(
    ("code", "fate"),
    [
        (200, Fate()),
        (400, Fate(Fault.REFUSED, final=True, status=400)),
        (422, Fate(Fault.REFUSED, final=True, status=422)),
        (401, Fate(Fault.PUT_OFF, status=401)),
        (429, Fate(Fault.PUT_OFF, status=429)),
        (503, Fate(Fault.PUT_OFF, status=503)),
        (410, Fate(Fault.PUT_OFF, status=410)),
        (302, Fate(Fault.PUT_OFF, status=302)),
    ],
)
async def test_what_a_receiver_says_is_taken_so(
    scene: Scene, receiver: Receiver, code: int, fate: Fate
) -> None:
    """What it answers is about this message. Prevents: one number that a provider calls gone, and
    behind which every other SMS waits for a week.
    """
    await scene.use.add(receiver.url(), patterns=("notice.sms",))
    receiver.answers.append(status(code, "location: http://127.0.0.1:1/"))

    assert await scene.carrier.send(SMS) == fate
    assert len(receiver.got) == 1  # A redirect is not followed.


async def test_an_answer_that_is_cut_off_is_no_delivery(scene: Scene, receiver: Receiver) -> None:
    await scene.use.add(receiver.url(), patterns=("notice.sms",))
    receiver.answers.append(raw(b"HTTP/1.1 2", end="reset"))

    assert await scene.carrier.send(SMS) == Fate(Fault.CUT_OFF, begun=True)


async def test_nobody_there_is_the_carrier_s_fault(scene: Scene) -> None:
    async with receiving() as gone:
        await scene.use.add(gone.url(), patterns=("notice.sms",))

    assert await scene.carrier.send(SMS) == Fate(Fault.UNREACHABLE, carrier=True)


async def test_a_name_that_leads_into_our_own_network_is_not_reached(
    store: SqlStore, clock: SteerableClock, receiver: Receiver
) -> None:
    """Prevents: SSRF by whoever registers an endpoint, with a customer's links in the message."""
    scene = Scene(store, clock, Reach())
    await scene.use.add(receiver.url(), patterns=("notice.sms",))

    assert await scene.carrier.send(SMS) == Fate(Fault.UNREACHABLE, carrier=True)
    assert receiver.got == []


async def test_an_endpoint_that_changed_is_taken_up(
    scene: Scene, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twinlock.adapters.notices import hooks  # noqa: PLC0415 - its only use

    monkeypatch.setattr(hooks, "LOOK_SECONDS", -1.0)
    async with receiving() as first:
        shown = await scene.use.add(first.url(), patterns=("notice.sms",))
        assert await scene.carrier.send(SMS) == Fate()
        await scene.use.remove(shown.webhook_id)
        await scene.use.add(receiver.url(), patterns=("notice.sms",))
        assert await scene.carrier.send(SMS) == Fate()

    assert (len(first.got), len(receiver.got)) == (1, 1)


@pytest.mark.parametrize("reports", [False, True])
async def test_who_says_what_becomes_of_messages_is_known_by_each(
    scene: Scene, receiver: Receiver, *, reports: bool
) -> None:
    await scene.use.add(receiver.url(), patterns=("notice.sms",), reports=reports)

    assert await scene.carrier.send(SMS) == Fate(awaited=reports)


async def test_who_wants_no_outcomes_any_more_still_carries_messages(
    scene: Scene, receiver: Receiver, database: TestDatabase
) -> None:
    """Prevents: one 410 to an outcome, after which no SMS goes out and nobody is told."""
    shown = await scene.use.add(receiver.url(), patterns=("*", "notice.sms"))
    await database.execute("UPDATE webhook SET disabled = 'gone' WHERE id = $1", shown.webhook_id)

    assert await scene.carrier.carried() == {ChannelKind.SMS}
    assert await scene.carrier.send(SMS) == Fate()
    assert receiver.ids == ["ntc_one"]


async def test_a_pattern_of_no_type_is_refused(scene: Scene, receiver: Receiver) -> None:
    with pytest.raises(WebhookPatternError):
        await scene.use.add(receiver.url(), patterns=("notice.fax",))
    assert isinstance(SMS, Letter)
