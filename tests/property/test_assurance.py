import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.facts import factor_sets, levels

from twinlock.domain.assurance import (
    Evidence,
    Factor,
    Level,
    Placement,
    evidence_of,
    floor_of,
    level_of,
    level_shown,
    root_of,
)

CODES = frozenset({Factor.EMAIL_CODE, Factor.SMS_CODE})
authenticators = st.frozensets(st.sampled_from([Factor.PASSWORD, Factor.TOTP, Factor.PASSKEY]))
LESS = frozenset(Factor) - {Factor.PASSKEY}


@given(authenticators, authenticators, st.booleans())
def test_binding_one_more_never_lowers_the_floor(
    bound: frozenset[Factor], more: frozenset[Factor], has_channel: bool
) -> None:
    assert floor_of(bound | more, has_channel=has_channel) >= floor_of(
        bound, has_channel=has_channel
    )


@given(authenticators, st.booleans())
def test_the_floor_is_the_strongest_authenticator_bound(
    bound: frozenset[Factor], has_channel: bool
) -> None:
    strongest = max((level_of(one) for one in bound), default=Level.NONE)

    assert floor_of(bound, has_channel=False) is strongest
    assert floor_of(bound, has_channel=has_channel) >= strongest


@given(authenticators.filter(bool))
def test_whoever_shows_all_that_is_bound_reaches_the_floor(bound: frozenset[Factor]) -> None:
    floor = floor_of(bound, has_channel=True)

    assert level_shown(bound | {Factor.EMAIL_CODE}, floor=floor) >= floor


@given(factor_sets, levels.filter(lambda level: level > Level.OUT_OF_BAND))
def test_codes_add_nothing_where_anything_stronger_is_bound(
    shown: frozenset[Factor], floor: Level
) -> None:
    assert level_shown(shown, floor=floor) is level_shown(shown - CODES, floor=floor)


@pytest.mark.requirement("N-B05", "O-05")
@given(factor_sets, levels.filter(lambda level: level > Level.OUT_OF_BAND))
def test_an_e_mail_code_adds_nothing_where_anything_stronger_is_bound(
    shown: frozenset[Factor], floor: Level
) -> None:
    with_it = level_shown(shown | {Factor.EMAIL_CODE}, floor=floor)

    assert with_it is level_shown(shown, floor=floor)


@pytest.mark.requirement("N-B11")
@given(st.frozensets(st.sampled_from(sorted(LESS))), levels)
def test_nothing_that_is_typed_by_hand_withstands_phishing(
    typed: frozenset[Factor], floor: Level
) -> None:
    assert level_shown(typed, floor=floor) < Level.PHISHING_RESISTANT


@pytest.mark.requirement("N-B15")
@given(authenticators, st.booleans())
def test_recovery_codes_set_no_floor(bound: frozenset[Factor], has_channel: bool) -> None:
    saved = bound | {Factor.RECOVERY_CODE}

    assert floor_of(saved, has_channel=has_channel) is floor_of(bound, has_channel=has_channel)


@given(factor_sets, factor_sets, levels)
def test_one_more_proof_never_shows_less(
    shown: frozenset[Factor], more: frozenset[Factor], floor: Level
) -> None:
    assert level_shown(shown | more, floor=floor) >= level_shown(shown, floor=floor)


@given(factor_sets, levels)
def test_a_session_shows_no_level(shown: frozenset[Factor], floor: Level) -> None:
    without = shown - {Factor.SESSION}

    assert level_shown(shown, floor=floor) is level_shown(without, floor=floor)


@pytest.mark.requirement("N-B05", "O-05")
@given(st.sampled_from(sorted(CODES | {Factor.SESSION, Factor.RECOVERY_CODE})), levels)
def test_neither_a_code_nor_a_session_counts_alone(factor: Factor, floor: Level) -> None:
    assert level_shown({factor}, floor=floor) is Level.NONE


names = st.sampled_from(["aut_1", "aut_2"])
proofs = st.tuples(st.sampled_from(Factor), st.sampled_from(Placement), names)


PEOPLE = (Factor.TRUSTED_CONTACT, Factor.MEMBER)


@pytest.mark.requirement("P-09")
@given(proofs, proofs)
def test_only_security_and_desktop_keys_are_independent_of_the_phone(
    one: tuple[Factor, Placement, str], two: tuple[Factor, Placement, str]
) -> None:
    roots = {root_of(factor, place, name=name) for factor, place, name in (one, two)} - {None}
    apart = {
        (place, name)
        for factor, place, name in (one, two)
        if factor is Factor.PASSKEY and place in (Placement.ROAMING, Placement.DESKTOP)
    } | {(factor, name) for factor, _, name in (one, two) if factor in PEOPLE}

    assert len(roots - {"phone"}) == len(apart)


@pytest.mark.requirement("P-09")
@pytest.mark.parametrize(
    ("factor", "placement", "root"),
    [
        (Factor.PASSWORD, Placement.NOWHERE, None),
        (Factor.SESSION, Placement.PHONE, None),
        (Factor.EMAIL_CODE, Placement.DESKTOP, "phone"),
        (Factor.SMS_CODE, Placement.PHONE, "phone"),
        (Factor.TOTP, Placement.ROAMING, "phone"),
        (Factor.RECOVERY_CODE, Placement.NOWHERE, "phone"),
        (Factor.PASSKEY, Placement.PHONE, "phone"),
        (Factor.PASSKEY, Placement.NOWHERE, "phone"),
        (Factor.PASSKEY, Placement.DESKTOP, "desktop:aut_1"),
        (Factor.PASSKEY, Placement.ROAMING, "roaming:aut_1"),
    ],
)
def test_the_table_of_roots(factor: Factor, placement: Placement, root: str | None) -> None:
    assert root_of(factor, placement, name="aut_1") == root


@pytest.mark.requirement("N-B01")
@pytest.mark.parametrize(
    ("shown", "floor", "level"),
    [
        ([], Level.NONE, Level.NONE),
        ([Factor.PASSWORD], Level.OUT_OF_BAND, Level.KNOWLEDGE),
        ([Factor.PASSWORD, Factor.SMS_CODE], Level.OUT_OF_BAND, Level.OUT_OF_BAND),
        ([Factor.PASSWORD, Factor.SMS_CODE], Level.POSSESSION, Level.KNOWLEDGE),
        ([Factor.TOTP], Level.POSSESSION, Level.POSSESSION),
        ([Factor.RECOVERY_CODE], Level.POSSESSION, Level.NONE),
        ([Factor.RECOVERY_CODE, Factor.SMS_CODE], Level.OUT_OF_BAND, Level.NONE),
        ([Factor.PASSWORD, Factor.RECOVERY_CODE], Level.POSSESSION, Level.POSSESSION),
        ([Factor.PASSWORD, Factor.RECOVERY_CODE], Level.PHISHING_RESISTANT, Level.POSSESSION),
        ([Factor.TOTP, Factor.PASSKEY], Level.POSSESSION, Level.PHISHING_RESISTANT),
    ],
)
def test_the_table_of_levels(shown: list[Factor], floor: Level, level: Level) -> None:
    assert level_shown(shown, floor=floor) is level


@pytest.mark.requirement("N-B01")
@pytest.mark.parametrize(
    ("bound", "has_channel", "floor"),
    [
        ([], True, Level.NONE),
        ([Factor.PASSWORD], False, Level.KNOWLEDGE),
        ([Factor.PASSWORD], True, Level.OUT_OF_BAND),
        ([Factor.PASSWORD, Factor.TOTP], True, Level.POSSESSION),
        ([Factor.TOTP, Factor.PASSKEY], True, Level.PHISHING_RESISTANT),
        ([Factor.RECOVERY_CODE], True, Level.NONE),
        ([Factor.PASSWORD, Factor.RECOVERY_CODE], True, Level.OUT_OF_BAND),
    ],
)
def test_the_table_of_floors(bound: list[Factor], has_channel: bool, floor: Level) -> None:
    assert floor_of(bound, has_channel=has_channel) is floor


@pytest.mark.parametrize("factor", Factor)
def test_only_a_key_of_the_customers_own_signs_what_it_proves(factor: Factor) -> None:
    signs = factor in (
        Factor.PASSKEY,
        Factor.SESSION,
        Factor.API_KEY,
        *PEOPLE,
    )

    assert (evidence_of(factor) is Evidence.SIGNATURE) is signs
