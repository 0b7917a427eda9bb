"""Policies are kept by their digests, for as long as anybody may ask what they decided."""

import pytest
from support.policies import policy_of, with_rules
from support.postgres import TestDatabase, both_versions

from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.errors import LogDamagedError, PolicyDiffersError
from twinlock.domain.policy.version import policy_digest

ONE, TWO = (policy_of(with_rules(), version=number) for number in (1, 2))
DIGESTS = tuple(sorted((ONE.name.digest, TWO.name.digest)))


@both_versions
async def test_a_policy_is_found_by_its_digest_and_kept_once(store: SqlStore) -> None:
    policies = SqlPolicyTexts(store.database)
    for policy in (ONE, TWO, ONE):
        await policies.keep(policy.text)

    assert await policies.read(ONE.name.digest) == ONE.text
    assert await policies.read(policy_digest(b"{}")) is None
    assert await policies.digests() == DIGESTS


@pytest.mark.parametrize("edited", [b"{}", b"[", TWO.text, ONE.text + b" "])
async def test_a_policy_that_somebody_edited_is_refused(
    store: SqlStore, database: TestDatabase, edited: bytes
) -> None:
    policies = SqlPolicyTexts(store.database)
    await policies.keep(ONE.text)
    await database.execute("UPDATE policy SET body = $1", edited)

    with pytest.raises(LogDamagedError, match="policy"):
        await policies.read(ONE.name.digest)


@both_versions
async def test_the_service_that_started_last_says_which_policy_is_served(store: SqlStore) -> None:
    policies = SqlPolicyTexts(store.database)
    await policies.keep(ONE.text)
    assert await policies.served() is None
    await policies.check_served(TWO.name.digest)

    for policy in (ONE, TWO, ONE):
        await policies.serve(policy.text)
        assert await policies.served() == policy.name.digest
        await policies.check_served(policy.name.digest)
    with pytest.raises(PolicyDiffersError) as told:
        await policies.check_served(TWO.name.digest)
    assert ONE.name.digest in str(told.value)
    assert TWO.name.digest in str(told.value)


async def test_a_clock_that_was_set_back_hides_no_start(
    store: SqlStore, database: TestDatabase
) -> None:
    policies = SqlPolicyTexts(store.database)
    await policies.serve(ONE.text)
    await database.execute("UPDATE policy SET served_at = now() + interval '1 day'")
    await policies.serve(TWO.text)

    assert await policies.served() == TWO.name.digest
