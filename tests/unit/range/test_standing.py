"""Stories of channels, resets, reports and repudiations, played."""

from typing import Any

from support.ranges import APP_ACCOUNT, answers, attack, step

from twinlock.range.results import Status

CODES = {**APP_ACCOUNT, "authenticators": ["password"]}


def given(**words: Any) -> dict[str, Any]:  # noqa: ANN401 - as a file has them
    return {"with": words}


async def test_pictures_change_no_channel_and_the_mailbox_no_password() -> None:
    """S03, as far as it needs no recovery."""
    said = await answers(
        step("password.reset", by="mallory", proof=["email_code"]),
        step("contact.change", **given(channel="sms"), proof=["document_image", "face_video"]),
        step("contact.change", **given(channel="email"), proof=["document_image"]),
    )

    assert said == ["challenge", "deny", "deny"]


async def test_a_forgotten_password_is_reset_by_the_app_and_then_counts() -> None:
    part = await attack(
        step("password.reset", proof=["totp"], expect=["hold"], leaves=["notice_old_channels"]),
        step(
            "session.start",
            at="wait:x1",
            **given(**{"from": "known_device"}),
            proof=["password@new", "totp"],
            expect=["allow"],
            leaves=["exits_held"],
        ),
    )

    assert [one.status for one in part.steps] == [Status.PASSED] * 2


async def test_where_nothing_stronger_is_bound_a_reset_takes_a_code_of_each_kind() -> None:
    told = {"expect": ["hold"], "leaves": ["veto_open"]}
    part = await attack(
        step("password.reset", proof=["email_code"], **told),
        step("password.reset", at="1m", proof=["email_code", "sms_code"], **told),
        account=CODES,
    )

    assert [one.status for one in part.steps] == [Status.FAILED, Status.PASSED]
    assert part.steps[0].notes == ("answered challenge, not hold",)  # One code begins no wait.


async def test_a_replaced_channel_says_that_it_was_not_it() -> None:
    part = await attack(
        step(
            "contact.change",
            by="mallory",
            **given(channel="email"),
            proof=["totp"],
            expect=["hold"],
            leaves=["notice_old_channels", "veto_open"],
        ),
        step("session.start", at="wait:x1", proof=["password", "totp"], expect=["allow"]),
        step("event.veto", at="wait:x1+1h", **given(of="x1", channel="email"), expect=["allow"]),
        step(
            "withdrawal.crypto",
            at="wait:x1+2h",
            by="mallory",
            **given(amount="small", destination="old_addr"),
            proof=["totp", "email_code@new"],
            expect=["hold"],
        ),
    )

    assert [one.status for one in part.steps] == [Status.PASSED] * 4, part


async def test_what_is_lost_is_suspended_and_what_was_added_repudiated() -> None:
    part = await attack(
        step("authenticator.suspend", **given(authenticator="totp"), proof=["password"]),
        step(
            "withdrawal.crypto",
            at="1m",
            **given(amount="small", destination="old_addr"),
            proof=["totp"],
        ),
        step("authenticator.reactivate", at="2m", **given(authenticator="totp")),
        step("contact.change", at="80h", **given(channel="desktop"), proof=["totp"]),
        step("session.start", at="wait:x4", proof=["password", "totp"]),
        step("contact.repudiate", at="wait:x4+1m", **given(channel="desktop"), proof=["password"]),
    )

    said = [one.answer.value if one.answer else None for one in part.steps]
    assert said == ["allow", "deny", "challenge", "hold", "allow", "allow"], part


async def test_what_a_wait_that_is_over_has_brought_is_there_though_nobody_looked() -> None:
    withdraws = {"scopes": ["withdraw"], "ip_list": ["203.0.113.7"], "destinations": ["old_addr"]}
    part = await attack(
        step("contact.change", **given(channel="desktop"), proof=["totp"]),
        step("contact.repudiate", at="wait:x1", **given(channel="desktop"), proof=["password"]),
        step("contact.change", at="wait:x1+1m", **given(channel="email"), proof=["totp"]),
        step("contact.change", at="wait:x3", **given(channel="email"), proof=["totp"]),
        step("api_key.create", at="wait:x3+5m", **given(**withdraws), proof=["totp"]),
        step("api_key.revoke", at="wait:x5", **given(key="x5"), proof=["totp"]),
    )

    said = [one.answer.value if one.answer else None for one in part.steps]
    assert said == ["hold", "allow", "hold", "hold", "hold", "allow"], part


async def test_words_of_these_that_mean_nothing_are_not_played() -> None:
    part = await attack(
        step("contact.change", **given(channel="pigeon")),
        step("contact.change", **given(channel="email", change="sideways")),
        step("contact.change", **given(channel="desktop", change="remove")),
        step("contact.repudiate", **given(channel="email")),
        step("contact.change", **given(channel="email", change="remove"), proof=["totp"]),
    )

    assert [one.status for one in part.steps[:4]] == [Status.NOT_PLAYABLE] * 4
    assert part.steps[4].answer is not None
