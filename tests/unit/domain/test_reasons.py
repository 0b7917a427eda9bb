import pytest

from twinlock.domain.reasons import EXPLANATIONS, Reason


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained_with_its_end_and_a_way_on(reason: Reason) -> None:
    explanation = EXPLANATIONS[reason]

    assert all(part.endswith(".") and len(part) > 10 for part in explanation)
    assert reason.value == reason.name.lower()


def test_no_explanation_is_left_of_a_reason_that_is_gone() -> None:
    assert set(EXPLANATIONS) == set(Reason)
