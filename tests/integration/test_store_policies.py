"""Policies are kept by their digests, for as long as anybody may ask what they decided."""

import pytest
from support.postgres import TestDatabase, both_versions

from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.errors import LogDamagedError
from twinlock.domain.policy.version import policy_digest

ONE, TWO = b'{"assets":[],"version":1}', b'{"assets":[],"version":2}'


@both_versions
async def test_a_policy_is_found_by_its_digest_and_kept_once(store: SqlStore) -> None:
    policies = SqlPolicyTexts(store.database)
    for text in (ONE, TWO, ONE):
        await policies.keep(text)

    assert await policies.read(policy_digest(ONE)) == ONE
    assert await policies.read(policy_digest(b"{}")) is None
    assert await policies.digests() == tuple(sorted((policy_digest(ONE), policy_digest(TWO))))


async def test_a_policy_that_somebody_edited_is_refused(
    store: SqlStore, database: TestDatabase
) -> None:
    policies = SqlPolicyTexts(store.database)
    await policies.keep(ONE)
    await database.execute("UPDATE policy SET body = '{}'")

    with pytest.raises(LogDamagedError, match="policy"):
        await policies.read(policy_digest(ONE))
