"""Measuring on made-up sign-ins (synthetic): what comes out, and that memory is bounded."""

import pytest

from twinlock.range.sign_ins import sign_ins
from twinlock.services import risk
from twinlock.services.risk import HONEST, Attempt, Measuring, Model, Thief

HOME = Attempt(
    user="alice",
    ip=("NO", "1", "198.51.100.0/24", "198.51.100.1"),
    ua=("pc", "Linux", "Firefox", "Firefox/140"),
    versions=("Firefox 140", "Linux"),
)
AWAY = HOME._replace(
    ip=("BR", "2", "203.0.113.0/24", "203.0.113.1"), ua=("phone", "Android", "Chrome", "Chrome/90")
)


def measuring(*attempts: Attempt, **bounds: int) -> Measuring:
    found = Measuring(**bounds)
    for one in attempts:
        found.take(one)
    return found


def test_a_first_sign_in_has_no_score() -> None:
    found = measuring(HOME).measured()

    assert (found.sign_ins, found.scored, found.users) == (1, 0, 1)
    assert found.raised == dict.fromkeys((HONEST, *Thief))
    assert found.models[Model.BACK_OFF][Thief.NAIVE].rates == ()


def test_a_takeover_is_scored_and_teaches_nothing() -> None:
    taken = AWAY._replace(takeover=True)
    found = measuring(*[HOME] * 12, taken, taken, taken._replace(user="nobody")).measured()
    ours = found.models[Model.BACK_OFF][Thief.VERY_TARGETED]

    assert (found.sign_ins, ours.attacks, ours.area) == (12, 2, 1.0)
    assert found.high[Thief.VERY_TARGETED] == 1.0
    assert found.models[Model.FREEMAN][Thief.VERY_TARGETED].area == 1.0


def test_only_the_first_sign_ins_of_a_user_are_scored() -> None:
    found = measuring(*[HOME] * 60).measured()

    assert found.scored == risk.SCORED_MOST
    assert found.models[Model.BACK_OFF][Thief.NAIVE].attacks == risk.ATTACKS_MOST


def test_medians_are_told_for_those_who_signed_in_so_often() -> None:
    found = measuring(*[HOME] * 12).measured()
    [rate, *_] = found.models[Model.BACK_OFF][Thief.NAIVE].rates

    assert rate.medians["39"] is None
    assert rate.medians["12"] is not None


@pytest.fixture(scope="module")
def synthetic() -> risk.Measured:
    found = Measuring()
    for one in sign_ins(customers=150, each=13, seed=7):
        found.take(one)
    return found.measured()


@pytest.mark.parametrize("model", Model)
def test_both_models_tell_made_up_thieves_from_made_up_customers(
    synthetic: risk.Measured, model: Model
) -> None:
    found = synthetic.models[model]

    assert (found[Thief.NAIVE].area or 0) > 0.95
    assert (found[Thief.VPN].area or 0) > 0.9
    assert (found[Thief.TARGETED].area or 0) > 0.7


def test_at_our_thresholds_few_of_the_honest_are_asked_for_more(synthetic: risk.Measured) -> None:
    """The ratio alone, on synthetic sign-ins: docs/risk.md tells the numbers."""
    assert (synthetic.high[HONEST] or 0) <= (synthetic.raised[HONEST] or 0) < 0.05
    assert (synthetic.raised[Thief.NAIVE] or 0) > 0.4


def test_of_too_many_users_a_fair_sample_is_left() -> None:
    attempts = [HOME._replace(user=f"user {n % 400}") for n in range(1_200)]
    found = measuring(*attempts, users_most=50).measured()

    assert 0 < found.scored / 50 <= 2
    assert found.sampled <= 1 / 8
    assert 200 < found.users < 800  # An estimate.
    assert found.sign_ins == 1_200


def test_of_too_many_values_those_seen_once_are_forgotten() -> None:
    many = [
        HOME._replace(user=f"user {n}", ip=("NO", "1", "198.51.100.0/24", f"address {n}"))
        for n in range(100)
    ]
    found = measuring(*many, HOME, HOME, nodes_most=60)

    assert found.measured().forgotten > 0
    assert found.measured().scored == 1


def test_values_that_were_all_seen_twice_are_forgotten_too() -> None:
    """A file of such would otherwise be looked through again with each row."""
    many = [
        HOME._replace(user=f"user {n}", ip=(f"land {n}", f"{n}", f"site {n}", f"address {n}"))
        for n in range(100)
        for _ in range(2)
    ]
    found = measuring(*many, nodes_most=100)
    trees = sum(len(one) for tree in found._trees for one in tree)  # noqa: SLF001 - what is bounded
    tallies = sum(len(one) for one in found._tallies)  # noqa: SLF001 - the same

    assert found.measured().forgotten < 20
    assert trees + tallies <= 150


def test_of_what_one_user_showed_the_most_frequent_is_remembered() -> None:
    often = HOME._replace(ua=("pc", "Linux", "Firefox", "always"))
    every = [HOME._replace(ip=("NO", "1", "site", f"address {n}")) for n in range(200)]
    found = measuring(*[often] * 40, *every, own_most=50)
    [user] = found._users.values()  # noqa: SLF001 - what is bounded

    assert found.measured().forgotten > 0
    assert len(user.seen) <= 50
    assert user.sign_ins == 240
    assert (3, hash("always")) in user.seen


def test_of_one_users_takeovers_a_hundred_are_scored() -> None:
    taken = AWAY._replace(takeover=True)
    found = measuring(*[HOME] * 2, *[taken] * 150).measured()

    assert found.models[Model.BACK_OFF][Thief.VERY_TARGETED].attacks == risk.TAKEOVERS_MOST


def test_addresses_of_too_many_countries_are_taken_from_anybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(risk, "COUNTRIES_MOST", 1)
    found = measuring(HOME, AWAY._replace(user="bob"), AWAY._replace(user="bob")).measured()

    assert found.models[Model.BACK_OFF][Thief.VPN].attacks == 1


def test_thieves_are_drawn_from_all_that_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(risk, "DRAWN_FROM", 2)
    found = measuring(*[HOME] * 5, *[AWAY] * 5)

    assert len(found._any) == 2  # noqa: SLF001 - what is bounded
