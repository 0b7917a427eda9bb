"""What statutes may read: one table, from which schema, ranges and values are made."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.cast import DAY, LONG_AGO, NOON

from twinlock.domain.assurance import Factor, Level
from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.catalogue import CLASS_OF, ActionClass
from twinlock.domain.errors import InvariantError
from twinlock.domain.policy.facts import (
    ApiKeyState,
    ApiKeyUse,
    DestinationState,
    Facts,
    SessionState,
    Within,
)
from twinlock.domain.policy.terms import (
    Between,
    Choice,
    Kind,
    Span,
)
from twinlock.domain.policy.vocabulary import (
    COUNT_MOST,
    HELD_SECONDS_MOST,
    LAST_INSTANT,
    VOCABULARY,
    OutOfRangeError,
    context_of,
    for_cedar,
    milliseconds,
    ranges_bytes,
    schema_text,
    shape_of,
    whole_box,
)

FACTS = Facts(
    now=NOON,
    action="withdrawal.crypto",
    action_class=ActionClass.EXIT,
    built=True,
    opened_at=LONG_AGO,
    proposed_at=NOON,
    proved_at=None,
)


def test_facts_become_the_values_that_statutes_read() -> None:
    found = context_of(
        replace(
            FACTS,
            proved_at=NOON - timedelta(seconds=90, milliseconds=999),
            shown_factors=(Factor.PASSKEY,),
            shown_roots=("phone", "roaming:a"),
            value_cents=MAX_VALUE_CENTS,
            session=SessionState.FULL,
        )
    )

    assert set(found) == set(VOCABULARY)
    assert found["class"] == "exit"
    assert found["held_seconds"] == 90
    assert found["proved"] is True
    assert found["factors"] == frozenset({"passkey"})
    assert found["roots_shown"] == 2
    assert found["value_unknown"] is True
    assert found["session"] == "full"


@pytest.mark.parametrize(
    ("proved_at", "seconds"),
    [
        (None, 0),
        (NOON, 0),
        (NOON + DAY, 0),
        (NOON - timedelta(milliseconds=999), 0),
        (NOON - timedelta(seconds=1), 1),
        (datetime(1, 1, 1, tzinfo=UTC), HELD_SECONDS_MOST),
    ],
)
def test_a_wait_is_counted_in_whole_seconds_from_its_proof(
    proved_at: datetime | None, seconds: int
) -> None:
    assert context_of(replace(FACTS, proved_at=proved_at))["held_seconds"] == seconds


@pytest.mark.parametrize(
    ("last_exit_at", "seconds"),
    [
        (None, HELD_SECONDS_MOST),
        (NOON + DAY, 0),
        (NOON, 0),
        (NOON - timedelta(seconds=1, milliseconds=999), 1),
        (datetime(1, 1, 1, tzinfo=UTC), HELD_SECONDS_MOST),
    ],
)
def test_how_long_nothing_left_is_counted_in_whole_seconds(
    last_exit_at: datetime | None, seconds: int
) -> None:
    found = context_of(replace(FACTS, last_exit_at=last_exit_at))

    assert found["since_last_exit_seconds"] == seconds


@pytest.mark.parametrize(
    ("use", "word"),
    [
        (None, "none"),
        (ApiKeyUse(state=ApiKeyState.LIVE, level=Level.POSSESSION), "beyond"),
        (
            ApiKeyUse(
                state=ApiKeyState.LIVE,
                level=Level.POSSESSION,
                scopes=("withdraw",),
                ip=Within.INSIDE,
                destination=Within.INSIDE,
            ),
            "possession",
        ),
    ],
)
def test_a_key_stands_for_what_made_it_while_it_is_used_as_was_signed(
    use: ApiKeyUse | None, word: str
) -> None:
    facts = replace(FACTS, api_key=use, destination=DestinationState.USABLE)

    assert context_of(facts)["api_key"] == word


def test_an_unknown_class_is_a_word_of_its_own() -> None:
    assert context_of(replace(FACTS, action_class=None))["class"] == "unknown"


@pytest.mark.parametrize(
    "changes",
    [
        {"roots_enrolled": COUNT_MOST + 1},
        {"ip_list": -1},
        {"approvals": COUNT_MOST + 1},
        {"now": datetime(1969, 12, 31, tzinfo=UTC)},
    ],
)
def test_a_fact_out_of_its_range_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(OutOfRangeError, match="out of range"):
        context_of(replace(FACTS, **changes))


def test_the_ends_of_a_range_are_in_it() -> None:
    assert context_of(replace(FACTS, roots_enrolled=COUNT_MOST))["roots_enrolled"] == COUNT_MOST
    last = datetime.max.replace(tzinfo=UTC)
    assert context_of(replace(FACTS, now=last, proved_at=NOON))["now"] == LAST_INSTANT


def test_instants_are_milliseconds_since_1970() -> None:
    assert milliseconds(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert milliseconds(NOON) == int(NOON.timestamp()) * 1000


@pytest.mark.requirement("O-26")
def test_every_fact_says_whose_word_it_is_and_has_a_range() -> None:
    for name, fact in VOCABULARY.items():
        assert fact.says.endswith("."), name
        assert fact.source, name
        words = fact.kind in (Kind.WORD, Kind.WORDS)
        assert bool(fact.words) is words, name
        assert bool(fact.most) is (fact.kind in (Kind.WHOLE, Kind.INSTANT)), name


def test_the_platforms_word_stands_where_it_can_only_add() -> None:
    """Law 1: in the value, of which the higher counts, and in the score of sign-ins."""
    theirs = {name for name, fact in VOCABULARY.items() if "platform" in fact.source.value}

    assert theirs == {"value_cents", "value_unknown", "risk"}


def test_shapes_are_all_that_a_fact_can_be() -> None:
    box = whole_box()

    assert box["narrow"] == Choice(frozenset({True, False}))
    assert box["held_seconds"] == Span(0, HELD_SECONDS_MOST)
    assert box["scopes"] == Between(frozenset(), frozenset({"read", "trade", "withdraw"}))
    assert shape_of(VOCABULARY["session"]) == Choice(VOCABULARY["session"].words)


def test_a_number_without_a_range_has_no_shape() -> None:
    held = VOCABULARY["held_seconds"]

    assert shape_of(held._replace(most=1)) == Span(0, 1)
    with pytest.raises(InvariantError, match="a number has a range"):
        shape_of(held._replace(most=0))


@pytest.mark.requirement("O-26")
def test_the_schema_names_every_fact_and_every_action() -> None:
    text = schema_text()

    for name in VOCABULARY:
        assert f"\n  {name}: " in text
    for kind, cls in CLASS_OF.items():
        group = 'in ["exits"] ' if cls is ActionClass.EXIT else ""
        assert f'action "{kind}" {group}appliesTo' in text


def test_the_schema_that_we_ship_is_the_one_that_is_checked_against() -> None:
    beside = Path(__file__).parents[4] / "src" / "twinlock" / "policies" / "twinlock.cedarschema"

    assert beside.read_text("utf-8") == schema_text()


def test_a_schema_can_name_fewer_facts() -> None:
    text = schema_text(("narrow",))

    assert "narrow: Bool" in text
    assert "day_cents" not in text
    assert for_cedar(context_of(FACTS), ("narrow",)) == {"narrow": True}


def test_cedar_is_told_words_in_order_and_instants_in_its_own_form() -> None:
    facts = replace(
        FACTS,
        now=datetime(2026, 1, 15, 12, 34, 56, 7_999, tzinfo=UTC),
        shown_factors=(Factor.TOTP, Factor.PASSWORD, Factor.PASSKEY),
    )
    told = for_cedar(context_of(facts))

    assert set(told) == set(VOCABULARY)
    assert told["factors"] == ["passkey", "password", "totp"]
    assert told["now"] == "2026-01-15T12:34:56.007Z"
    assert told["narrow"] is True


def test_ranges_have_bytes_of_their_own() -> None:
    assert b'"day_cents":{"kind":"Long","most":1000000000000,"words":[]}' in ranges_bytes()
