"""Which channel gets a notice, by whom, and what is owed of it."""

from msgspec.structs import replace
from support.asked import an_action
from support.cast import DAY, NOON
from support.worlds import DESKTOP, EMAIL, SMS, an_account, list_address, send

from twinlock.domain.channels import ChannelKind
from twinlock.domain.notices import Notice, NoticeKind
from twinlock.domain.parcels import CarrierName, addressed, name_of, slips

LISTING, EXIT = an_action(list_address("0x1")), replace(an_action(send()), action_id="act_exit")
ACCOUNT = replace(an_account(channels=(EMAIL, SMS)), actions=(LISTING, EXIT))
NOTICE = Notice(
    kind=NoticeKind.WAITING,
    what="destination.add",
    at=NOON,
    channels=(EMAIL.channel_id, SMS.channel_id),
    action_id=LISTING.action_id,
    until=NOON + DAY,
)
CARRIERS = {ChannelKind.EMAIL: CarrierName.MAIL}


def test_each_channel_that_stands_or_is_gone_gets_it_once() -> None:
    notice = replace(NOTICE, channels=(EMAIL.channel_id, "chn_gone"), gone=(DESKTOP, EMAIL))

    assert set(addressed(ACCOUNT, notice)) == {DESKTOP, EMAIL}
    assert addressed(ACCOUNT, NOTICE) == (EMAIL, SMS)


def test_a_channel_s_carrier_is_that_of_its_kind_or_nobody() -> None:
    made = slips(ACCOUNT, NOTICE, serial="one", carriers=CARRIERS)

    assert [one.carrier for one in made] == [CarrierName.MAIL, CarrierName.NONE]
    assert [one.parcel.channel for one in made] == [EMAIL, SMS]
    assert {one.parcel.notice for one in made} == {NOTICE}


def test_a_name_is_the_same_each_time_and_of_one_notice_and_channel() -> None:
    names = {name_of(serial, channel) for serial in ("one", "two") for channel in (EMAIL, SMS)}

    assert len(names) == 4
    assert name_of("one", EMAIL) in names
    assert all(name.startswith("ntc_") and len(name) == 30 for name in names)


def test_codes_go_first() -> None:
    code = replace(NOTICE, kind=NoticeKind.CODE, code="123456")
    ranks = [slips(ACCOUNT, one, serial="x", carriers={})[0].rank for one in (code, NOTICE)]

    assert ranks == [0, 1]


def test_word_of_a_change_that_waits_is_owed_and_of_nothing_else() -> None:
    owed = {
        name: slips(ACCOUNT, notice, serial="x", carriers={})[0].owes
        for name, notice in {
            "a change": NOTICE,
            "an exit": replace(NOTICE, action_id=EXIT.action_id),
            "over": replace(NOTICE, action_id="act_gone"),
            "done": replace(NOTICE, kind=NoticeKind.DONE),
        }.items()
    }

    assert owed == {"a change": True, "an exit": False, "over": False, "done": False}
