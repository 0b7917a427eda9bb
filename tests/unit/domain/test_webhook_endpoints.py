from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from twinlock.domain.webhooks.endpoints import (
    DOWN_AFTER,
    FAILING_MOST,
    FAULTS,
    JITTER_PARTS,
    OVERLAP_MOST,
    PAUSE,
    PAUSE_LONGEST,
    PAUSE_MOST,
    RETRIES_MOST,
    RETRY_AFTER,
    SECRETS_MOST,
    Disabled,
    Endpoint,
    Fault,
    Health,
    Secret,
    WebhookId,
    WebhooksFullError,
    WebhookUnknownError,
    after_failure,
    in_force,
    is_webhook_id,
    next_try,
    parse_webhook_id,
    rotated,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEAST, MOST = b"\0\0", b"\xff\xff"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def secret(name: str) -> Secret:
    return Secret(key=name * 43, seed=name * 43)


def endpoint(*secrets: Secret) -> Endpoint:
    return Endpoint(
        webhook_id=WebhookId("wh_" + "a" * 26),
        url="https://hooks.example/x",
        patterns=("*",),
        secrets=secrets,
        added_at=NOW,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "wh_",
        "wh_" + "a" * 25,
        "wh_" + "a" * 27,
        "wh_" + "A" * 26,
        "act_" + "a" * 26,
        "wh_" + "1" * 26,
    ],
)
def test_an_id_of_another_form_is_nobodys(text: str) -> None:
    assert not is_webhook_id(text)
    with pytest.raises(WebhookUnknownError):
        parse_webhook_id(text)


def test_an_id_is_taken_as_it_is() -> None:
    assert parse_webhook_id("wh_" + "a2" * 13) == "wh_" + "a2" * 13
    assert is_webhook_id("wh_" + "a2" * 13)


# --- Secrets ---


def test_the_older_secrets_sign_until_the_overlap_is_over() -> None:
    both = rotated(endpoint(secret("a")), secret("b"), overlap=HOUR, now=NOW)

    assert [one.key[0] for one in in_force(both, now=NOW + HOUR - timedelta(seconds=1))] == [
        "b",
        "a",
    ]
    assert [one.key[0] for one in in_force(both, now=NOW + HOUR)] == ["b"]


def test_a_second_rotation_lengthens_nobodys_life() -> None:
    twice = rotated(
        rotated(endpoint(secret("a")), secret("b"), overlap=HOUR, now=NOW),
        secret("c"),
        overlap=24 * HOUR,
        now=NOW,
    )

    assert [one.key[0] for one in in_force(twice, now=NOW + HOUR)] == ["c", "b"]


def test_without_an_overlap_the_new_secret_stands_alone_however_many_there_were() -> None:
    full = endpoint(*(secret(name) for name in "abcd"))

    assert rotated(full, secret("e"), overlap=timedelta(), now=NOW).secrets == (secret("e"),)


def test_an_overlap_has_a_longest() -> None:
    both = rotated(endpoint(secret("a")), secret("b"), overlap=2 * OVERLAP_MOST, now=NOW)

    assert both.secrets[1].until == NOW + OVERLAP_MOST


def test_no_more_secrets_are_in_force_than_a_header_holds() -> None:
    full = endpoint(*(secret(name) for name in "abcd"[:SECRETS_MOST]))

    with pytest.raises(WebhooksFullError):
        rotated(full, secret("e"), overlap=HOUR, now=NOW)


# --- Retries ---


@pytest.mark.parametrize(("attempts", "wait"), list(enumerate(RETRY_AFTER, start=1)))
def test_a_message_is_tried_again_by_the_schedule_and_up_to_a_fifth_later(
    attempts: int, wait: timedelta
) -> None:
    soonest = next_try(7, attempts=attempts, fault=Fault.STATUS, random=LEAST, now=NOW)
    latest = next_try(7, attempts=attempts, fault=Fault.STATUS, random=MOST, now=NOW)

    assert soonest.due_at == NOW + wait
    assert latest.due_at is not None
    assert wait < latest.due_at - NOW < wait + wait / JITTER_PARTS


def test_what_is_spread_is_cut_to_the_microsecond_and_needs_two_bytes_alone() -> None:
    """Prevents: a wait of a whole fifth more, or of many times that, by longer random bytes."""
    for random in (MOST, MOST + b"\xff"):
        late = next_try(7, attempts=1, fault=Fault.STATUS, random=random, now=NOW)

        assert late.due_at == NOW + RETRY_AFTER[0] + timedelta(microseconds=999_984)


def test_after_the_last_attempt_it_is_dead() -> None:
    dead = next_try(7, attempts=len(RETRY_AFTER) + 1, fault=Fault.STATUS, random=MOST, now=NOW)

    assert dead.due_at is None


def test_the_schedule_is_the_standards() -> None:
    assert len(RETRY_AFTER) == 9
    assert sum(RETRY_AFTER, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)


def test_what_is_put_off_while_an_endpoint_is_down_fits_in_the_bound() -> None:
    lives = sum(RETRY_AFTER, timedelta()) * (JITTER_PARTS + 1) / JITTER_PARTS

    assert lives / PAUSE_MOST + DOWN_AFTER + (PAUSE_MOST // PAUSE).bit_length() < 1.1 * RETRIES_MOST


# --- Health ---


def failed(health: Health, *, again: bool = False, at: datetime = NOW) -> Health:
    return after_failure(health, Fault.STATUS, again=again, random=LEAST, now=at)


def test_an_endpoint_rests_after_failures_in_a_row_and_ever_longer() -> None:
    health, rests = Health(), []
    for _ in range(DOWN_AFTER + 8):
        health = failed(health)
        rests.append(None if health.paused_until is None else health.paused_until - NOW)

    assert rests[: DOWN_AFTER - 1] == [None] * (DOWN_AFTER - 1)
    assert rests[DOWN_AFTER - 1 :] == [
        *(PAUSE * 2**doubled for doubled in range(6)),
        PAUSE_MOST,
        PAUSE_MOST,
        PAUSE_MOST,
    ]


def test_even_the_longest_failure_pauses_for_no_longer() -> None:
    health = failed(Health(failures=10**6))

    assert health.paused_until == NOW + PAUSE_MOST
    assert health.paused(now=NOW)
    assert not health.paused(now=NOW + PAUSE_MOST)
    assert not health.paused(now=NOW - DAY)  # The clock was set back.


def test_a_pause_with_all_of_its_jitter_is_one_and_none_is_longer() -> None:
    longest = Health(paused_until=NOW + PAUSE_LONGEST)

    assert longest.paused(now=NOW)
    assert not longest.paused(now=NOW - timedelta(microseconds=1))


def test_what_fails_again_ends_no_pause_and_enables_nothing() -> None:
    resting = Health(failures=DOWN_AFTER, failing_since=NOW, paused_until=NOW + PAUSE)
    gone = replace(resting, disabled=Disabled.GONE)

    assert failed(resting, again=True) == resting
    assert failed(gone, again=True) == gone


def test_what_fails_again_brings_nobody_down() -> None:
    health = Health()
    for _ in range(2 * DOWN_AFTER):
        health = failed(health, again=True)

    assert health == Health(failing_since=NOW)


def test_one_that_says_that_it_is_gone_is_disabled_at_once() -> None:
    health = after_failure(Health(), Fault.GONE, again=False, random=LEAST, now=NOW)

    assert health.disabled is Disabled.GONE


@pytest.mark.parametrize(
    ("later", "disabled"),
    [(FAILING_MOST - timedelta(seconds=1), None), (FAILING_MOST, Disabled.FAILING)],
)
def test_one_that_failed_for_days_is_disabled(later: timedelta, disabled: Disabled | None) -> None:
    health = failed(failed(Health()), at=NOW + later)

    assert health.disabled is disabled
    assert health.failing_since == NOW


def test_every_fault_is_explained() -> None:
    assert set(FAULTS) == set(Fault)
