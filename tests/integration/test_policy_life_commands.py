"""``twinlock policy propose`` to ``history`` as officers start them, by a prover of tests."""

from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from support.commands import Ended, free_port, run, serve
from support.growths import BY_RULES
from support.installations import environment_of
from support.policies import DEFAULT, LAX, permits
from support.policy_lives import STRICTER, stricter_text
from support.postgres import TestDatabase

from twinlock.adapters.officers import make_key
from twinlock.adapters.settings import load as load_settings
from twinlock.adapters.system import SystemEntropy
from twinlock.bootstrap.keys import make_keyring

Variables = dict[str, str]
Keys = dict[str, str]


@pytest.fixture
def variables(database: TestDatabase, tmp_path: Path) -> Variables:
    """An installation; its profile is the default one."""
    found = environment_of(tmp_path, DATABASE_URL=database.app_dsn, OWNER_URL=database.owner_dsn)
    make_keyring(load_settings(found))
    return {**found, BY_RULES: "1"}


@pytest.fixture
async def keys(variables: Variables, tmp_path: Path) -> Keys:
    """Officers' key files by their public keys; they are appointed."""
    files = [tmp_path / f"officer-{number}.pem" for number in range(3)]
    found = {make_key(file, entropy=SystemEntropy()): str(file) for file in files}
    told = await run(variables, "officers", "appoint", *found)
    assert told.code == 0, told.err
    assert f"in force from now on: the policy {DEFAULT.name.digest}" in told.err
    return found


@pytest.fixture
def stricter(tmp_path: Path) -> str:
    """The file of a policy by which less leaves than by the default one."""
    file = tmp_path / "stricter.cedar"
    file.write_text(stricter_text())
    return str(file)


@pytest.fixture
def laxer(tmp_path: Path) -> str:
    """The file of a policy that asks for nothing."""
    file = tmp_path / "lax.cedar"
    file.write_text("\n".join(permits()))
    return str(file)


def refused(told: Ended, code: str) -> None:
    assert told.code == 2, told
    assert told.err.rstrip().endswith(f"[{code}]"), told
    assert "Traceback" not in told.err


async def asked(variables: Variables, *words: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON
    told = await run(variables, *words, "--json")
    assert told.code == code, told.err
    return msgspec.json.decode(told.out)


async def test_a_version_is_proposed_approved_and_waits(
    variables: Variables, keys: Keys, stricter: str
) -> None:
    ada, ben, cleo = keys.values()
    shown = await asked(variables, "policy", "propose", stricter, "--show")
    assert shown["act"] == {
        "digest": STRICTER.name.digest,
        "do": "policy.propose",
        "follows": DEFAULT.name.digest,
        "growth": "",
    }
    listed = await asked(variables, "officers", "list")
    assert (listed["policy"], len(listed["acts"])) == (DEFAULT.name.digest, 1)

    proposed = await asked(variables, "policy", "propose", stricter, "--key", ada, code=1)
    (one,) = proposed["proposals"]
    assert (one["digest"], one["profile"], one["proposal"]) == (
        STRICTER.name.digest,
        "stricter",
        1,
    )
    begins = STRICTER.name.digest[:22]
    approved = await run(variables, "policy", "approve", begins, "--key", ben)
    assert approved.code == 1
    assert "A policy version waits a day" in approved.err
    refused(await run(variables, "policy", "activate", begins, "--key", cleo), "policy_not_ready")
    refused(
        await run(variables, "policy", "activate", begins[:21], "--key", cleo), "proposal_unknown"
    )

    history = await run(variables, "policy", "history")
    first, second = history.out.splitlines()
    assert first.startswith(f"{DEFAULT.name.digest}  default  from ")
    assert "with the first officers" in first
    assert second.startswith(f"proposed: {STRICTER.name.digest}  stricter  act 1  ")
    withdrawn = await asked(variables, "policy", "withdraw", begins[:6], "--key", cleo)
    assert (withdrawn["proposals"], withdrawn["policy"]) == ([], DEFAULT.name.digest)
    refused(await run(variables, "policy", "approve", begins, "--key", ben), "proposal_unknown")
    assert "policy.withdraw" in (await run(variables, "officers", "list")).out


async def test_what_grows_is_named_and_is_accepted_by_its_digest(
    variables: Variables, keys: Keys, laxer: str
) -> None:
    ada, _, cleo = keys.values()
    told = await run(variables, "policy", "propose", laxer, "--key", ada, "--json")
    assert told.code == 1, told.err
    assert "what thieves could do: up to a minute" in told.err.splitlines()[0]
    assert "grows: phone_malware: 90 minutes, by " in told.err
    assert ", as in any" in told.err
    (one,) = msgspec.json.decode(told.out)["proposals"]
    growth = one["growth"]
    assert (one["digest"], len(growth)) == (LAX.name.digest, 43)

    words = ("policy", "accept-growth", one["digest"][:22], "--key", cleo)
    other = "A" * 43
    refused(await run(variables, *words, "--growth", other), "proposal_unknown")
    accepted = await run(variables, *words, "--growth", growth)

    assert accepted.code == 1, accepted.err
    assert "grows: phone_malware: 90 minutes, by " in accepted.err
    history = await asked(variables, "policy", "history")
    (one,) = history["proposals"]
    assert (len(one["agreed"]), len(one["accepted"])) == (1, 1)
    assert one["missing"] == {"code": "policy_approvals", "count": 1, "need": "approvals"}


async def test_officers_sign_elsewhere_what_is_said_of_a_policy(
    variables: Variables, keys: Keys, stricter: str, tmp_path: Path
) -> None:
    ada, ben, cleo = keys.values()
    log = (await asked(variables, "policy", "history"))["log"]
    statement = tmp_path / "statement.json"
    digest = STRICTER.name.digest

    async def signs(key: str, *words: str) -> None:
        told = await run({}, "officers", "sign", "--key", key, "--log", log, *words)
        assert told.code == 0, told.err
        statement.write_text(told.out)

    signed = ("--signed", str(statement))
    shown = await run(variables, "policy", "propose", stricter, "--show")
    await signs(ada, *shown.out.split())
    proposed = await asked(variables, "policy", "propose", stricter, *signed, code=1)
    assert proposed["proposals"][0]["proposal"] == 1
    await signs(ben, "policy.approve", "1", digest)
    approved = await asked(variables, "policy", "approve", digest, *signed, code=1)
    assert len(approved["proposals"][0]["agreed"]) == 2
    refused(await run(variables, "policy", "withdraw", digest, *signed), "malformed")
    await signs(cleo, "policy.activate", "1", digest, "none")
    refused(await run(variables, "policy", "activate", digest, *signed), "policy_not_ready")
    await signs(cleo, "policy.accept_growth", "1", digest, "A" * 43)
    growth = ("--growth", "A" * 43)
    accepts = await run(variables, "policy", "accept-growth", digest, *growth, *signed)
    refused(accepts, "proposal_unknown")
    await signs(cleo, "policy.withdraw", "2")
    refused(await run(variables, "policy", "withdraw", digest, *signed), "malformed")
    await signs(cleo, "policy.withdraw", "1")
    refused(await run(variables, "policy", "approve", digest, *signed), "malformed")
    assert (await asked(variables, "policy", "withdraw", digest, *signed))["proposals"] == []
    for words in (("policy.approve", "x", digest), ("policy.none", "1"), ("policy.propose",)):
        told = await run({}, "officers", "sign", "--key", ada, "--log", log, *words)
        refused(told, "malformed")


async def test_officers_who_are_appointed_begin_with_the_policy_that_they_name(
    variables: Variables, stricter: str, tmp_path: Path
) -> None:
    files = [tmp_path / f"officer-{number}.pem" for number in range(3)]
    publics = [make_key(file, entropy=SystemEntropy()) for file in files]
    refused(await run(variables, "policy", "propose", stricter, "--show"), "officers_missing")
    nothing = await run(variables, "policy", "history")
    assert (nothing.code, nothing.out) == (0, "officers have activated no policy\n")

    named = await asked(variables, "officers", "appoint", *publics, "--policy", stricter)

    assert named["policy"] == STRICTER.name.digest
    trusted = await run(variables, "keys", "trust")
    assert msgspec.json.decode(trusted.out)["policies"][0] == STRICTER.name.digest


async def test_a_service_says_whose_policy_decides(
    variables: Variables, stricter: str, tmp_path: Path
) -> None:
    """Without officers whoever sets a variable; with them what they activated, whatever it says."""
    async with serve(variables, port=free_port()) as served:
        _, says = await served.end()
    assert "no officers: the policy" in says
    files = [tmp_path / f"officer-{number}.pem" for number in range(3)]
    publics = [make_key(file, entropy=SystemEntropy()) for file in files]
    await asked(variables, "officers", "appoint", *publics)

    async with serve({**variables, "TWINLOCK_PROFILE": stricter}, port=free_port()) as served:
        async with httpx.AsyncClient(base_url=served.url) as http:
            told = (await http.get("/metrics")).text
        _, says = await served.end()
    assert f'twinlock_policy{{digest="{DEFAULT.name.digest}"}} 1.0' in told
    assert "[policy_not_activated]" in says
