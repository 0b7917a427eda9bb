"""What is claimed of a policy, and that it is what the solver finds."""

import pytest
from support.proved import ASSUMED, FEW, STATES, rules, sheet_by

from twinlock.domain.bounds import PROVED_WITHIN, SMALL_SUM_CENTS
from twinlock.domain.canonical import encode
from twinlock.domain.prover.certificate import CertificateRefusedError, accepted
from twinlock.domain.prover.claims import Whole, question
from twinlock.domain.prover.covering import ClaimFalseError, certify
from twinlock.domain.prover.growth import Sheet
from twinlock.domain.prover.model import Deriver
from twinlock.domain.prover.theorem import verdicts

POLICY = bytes(32)
LOCKED = tuple(one for one in STATES if one.lock.days)


@pytest.fixture(scope="module")
def sheets() -> tuple[Sheet, ...]:
    """Two of them: states are numbered through."""
    return sheet_by(Deriver(rules("default"), assumed=ASSUMED), FEW), sheet_by(
        Deriver(rules("default"), assumed=ASSUMED), LOCKED
    )


@pytest.fixture(scope="module")
def whole(sheets: tuple[Sheet, ...]) -> Whole:
    return Whole(system for system, _ in sheets)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_claim_holds_where_the_solver_finds_no_smaller_set(
    sheets: tuple[Sheet, ...], whole: Whole, k: int
) -> None:
    found = {one.state: one for sheet in sheets for one in verdicts(*sheet, k=2)}

    for above, size in ((SMALL_SUM_CENTS, "k"), (-1, "k_any")):
        proved = whole.proved(k, whole.goals(above=above))
        for number, name in enumerate(whole.names):
            assert (proved >> number & 1 == 1) == (getattr(found[name], size) >= k), name


def test_of_states_with_old_things_the_one_that_has_all_of_them_stands_for_the_others(
    sheets: tuple[Sheet, ...], whole: Whole
) -> None:
    found = {one.state: one for sheet in sheets for one in verdicts(*sheet, k=2)}
    bases = {
        name.partition("+saved_codes")[0] + name.partition("+saved_codes")[2]: name
        for name in whole.names
    }
    for name, verdict in found.items():
        for base, worst in bases.items():
            if name == base.replace(" | a planted address | trade key | withdraw key", ""):
                assert verdict.k >= found[worst].k
                assert verdict.k_any >= found[worst].k_any


def test_what_waits_longer_than_is_proved_plays_no_part(sheets: tuple[Sheet, ...]) -> None:
    systems = [system for system, _ in sheets]
    month, ever = Whole(systems), Whole(systems, within=10 * PROVED_WITHIN)

    large = SMALL_SUM_CENTS
    assert month.proved(2, month.goals(above=large)) == month.every
    assert ever.proved(2, ever.goals(above=large)) != ever.every


def test_a_certificate_of_the_claims_is_accepted_and_of_others_refused(whole: Whole) -> None:
    asked = question(whole, k=2)
    data = encode(certify(asked, policy=POLICY))

    assert accepted(data, asked, policy=POLICY).question
    with pytest.raises(CertificateRefusedError, match="another question"):
        accepted(data, question(whole, k=1), policy=POLICY)
    with pytest.raises(CertificateRefusedError, match="another policy"):
        accepted(data, asked, policy=b"0" * 32)


def test_of_a_policy_that_falls_to_one_theft_there_is_no_certificate() -> None:
    weak = Whole([sheet_by(Deriver(rules("typical-2026"), assumed=ASSUMED), FEW[3:4])[0]])

    with pytest.raises(ClaimFalseError):
        certify(question(weak, k=2), policy=POLICY)
