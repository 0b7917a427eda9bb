"""What was refused in the moment of an activation is asked again, by the version in force."""

from collections.abc import Sequence

import pytest
from support.policies import DEFAULT
from support.worlds import rules_of

from twinlock.domain.answers import Teller
from twinlock.domain.decisions import Rules
from twinlock.domain.errors import InvariantError
from twinlock.domain.officers.standing import PolicyChangedError, PolicyNotLoadedError
from twinlock.ports.ruled import TRIES, by_rules


class Activations:
    """Versions that come one after the other. Implements ``ports.Policies``."""

    def __init__(self, loaded: Sequence[str] = ()) -> None:
        self.renewed: list[str] = []
        self._loads = loaded

    def rules(self) -> Rules:
        return rules_of()

    def teller(self) -> Teller:
        raise InvariantError("nothing is told here")

    async def renew(self, digest: str) -> None:
        if digest not in self._loads:
            raise PolicyNotLoadedError(digest)
        self.renewed.append(digest)


async def test_what_was_refused_is_asked_again_by_the_version_in_force() -> None:
    policies, asked = Activations(["new"]), list[str]()

    async def use(found: Rules) -> int:
        asked.append(found.policy.name.digest)
        if not policies.renewed:
            raise PolicyChangedError("new")
        return len(asked)

    assert await by_rules(policies, use) == 2
    assert (policies.renewed, asked) == (["new"], [DEFAULT.name.digest] * 2)


async def test_nothing_is_asked_for_ever() -> None:
    policies, asked = Activations(["new"]), list[str]()

    async def use(found: Rules) -> int:
        asked.append(found.policy.name.digest)
        raise PolicyChangedError("new")

    with pytest.raises(PolicyChangedError):
        await by_rules(policies, use)
    assert len(asked) == TRIES


async def test_what_cannot_be_loaded_decides_nothing() -> None:
    policies = Activations()

    async def use(_: Rules) -> int:
        raise PolicyChangedError("new")

    with pytest.raises(PolicyNotLoadedError, match="new"):
        await by_rules(policies, use)
