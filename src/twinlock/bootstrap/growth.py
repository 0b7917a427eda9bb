"""What a policy version lets thieves do more than another: the prover's answer, for officers."""

from twinlock.domain.errors import TwinlockError
from twinlock.domain.officers.growth import NamedAttack


class ProverMissingError(TwinlockError):
    """Nothing here can say what thieves could do by a policy, so that none is proposed."""

    code = "prover_missing"
    status = 503


def growth(
    in_force: bytes,  # noqa: ARG001 - what it is called with, once something can tell
    proposed: bytes,  # noqa: ARG001 - as above
) -> tuple[NamedAttack, ...]:
    """Return the attacks by the version ``proposed`` that no attack by ``in_force`` dominates.

    Both are texts of policy versions. What is in force may be another release's: of other facts.

    Raises:
        ProverMissingError: nothing here can tell.
    """
    raise ProverMissingError("nothing here can say what thieves could do by this policy")
