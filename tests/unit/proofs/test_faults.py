import ast
import inspect

import pytest

from twinlock.domain.authenticators import faults
from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.errors import BundleRefusedError
from twinlock.proofs.bundle_faults import SENTENCES, BundleFault, refuse


def test_every_fault_is_told_in_a_sentence() -> None:
    tree = ast.parse(inspect.getsource(faults))
    (fault,) = [node for node in tree.body if getattr(node, "name", "") == "ProofFault"]
    assert isinstance(fault, ast.ClassDef)
    told = {
        member.targets[0].id: sentence.value.value
        for member, sentence in zip(fault.body, fault.body[1:], strict=False)
        if isinstance(member, ast.Assign)
        and isinstance(member.targets[0], ast.Name)
        and isinstance(sentence, ast.Expr)
        and isinstance(sentence.value, ast.Constant)
    }

    assert set(told) == set(ProofFault.__members__)
    assert all(str(sentence).endswith(".") for sentence in told.values())


@pytest.mark.parametrize("fault", ProofFault)
def test_a_refused_proof_says_its_fault_and_nothing_of_the_answer(fault: ProofFault) -> None:
    error = ProofRefusedError(fault)

    assert error.fault is fault
    assert (error.code, error.status) == ("proof_refused", 422)
    assert str(error) == f"the proof was refused: {fault.value}"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, SENTENCES[BundleFault.ASSERTION_REFUSED]),
        ({"detail": "word"}, f"{SENTENCES[BundleFault.ASSERTION_REFUSED]} (word)"),
        ({"says": "something more exact"}, "something more exact"),
    ],
)
def test_a_refused_bundle_is_told_in_its_faults_sentence(said: dict[str, str], told: str) -> None:
    with pytest.raises(BundleRefusedError) as refused:
        refuse(BundleFault.ASSERTION_REFUSED, **said)

    assert refused.value.fault is BundleFault.ASSERTION_REFUSED
    assert told in str(refused.value)
    assert "()" not in str(refused.value)
    assert str(refused.value).endswith(told)
