"""Exporting: everything that is held about a person, piece by piece, and told to them.

The export is an entry of the log before its first piece is handed out, and a notice to every
channel: whoever has a copy made of a customer's records does not do so unseen.
"""

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from datetime import datetime

from twinlock.domain.account import Account
from twinlock.domain.canonical import encode
from twinlock.domain.commands import RecordExport
from twinlock.domain.export import FORMAT, disclose, tell_entry, withheld
from twinlock.domain.forgetting import versions_of
from twinlock.domain.gate import decide
from twinlock.domain.ids import AccountId
from twinlock.ports import Policies, Store, Work
from twinlock.ports.records import Records
from twinlock.ports.ruled import by_rules


class Exporting:
    """The use case of exporting."""

    def __init__(self, store: Store, *, records: Records, policies: Policies) -> None:
        self._store = store
        self._records = records
        self._policies = policies

    async def export(self, named: AccountId, *, actor: str) -> AsyncIterator[bytes]:
        """Put the export into the log, and return the document's bytes piece by piece.

        It tells the account as it stands after that entry. What fails later ends the pieces with an
        error, and what came until then is no JSON.

        Raises:
            AccountUnknownError, AccountErasedError: there is no such account.
        """
        command = RecordExport()
        committed = await by_rules(
            self._policies,
            lambda rules: self._store.run(
                Work(
                    account_id=named,
                    decide=lambda state, now: decide(state, command, rules=rules, now=now),
                    actor=actor,
                    policy=rules.policy.name,
                )
            ),
        )
        account = await self._store.account(named)
        return self._document(account, at=committed.at)

    async def _document(self, account: Account, *, at: datetime) -> AsyncIterator[bytes]:
        named, count = account.account_id, account.chain.entries
        head = {"format": FORMAT, "exported_at": at, "withheld": withheld()}
        yield encode(head)[:-1]
        yield _member("account") + encode(disclose(account))
        yield _member("destinations") + encode(await self._destinations(account))
        yield _member("repeats") + encode(await self._records.repeats(named))
        yield _member("notices") + encode(disclose(await self._records.waiting(named)))
        yield _member("messages") + encode(disclose(await self._records.messages(named)))
        yield _member("told_to") + encode(await self._records.told_to(named))
        closed = (disclose(one) async for one in self._records.closed_actions(named))
        entries = (tell_entry(one) async for one in self._records.entries(named, count=count))
        for name, values in (("closed_actions", closed), ("entries", entries)):
            async for piece in _list(name, values):
                yield piece
        yield _member("complete") + b"true}"

    async def _destinations(self, account: Account) -> Iterable[object]:
        found = [
            await self._store.destination(account.account_id, one)
            for one in sorted(versions_of(account))
        ]
        return [disclose(one) for one in found]


def _member(name: str) -> bytes:
    return b"," + encode(name) + b":"


async def _list(name: str, values: AsyncIterable[object]) -> AsyncIterator[bytes]:
    between = _member(name) + b"["
    async for value in values:
        yield between + encode(value)
        between = b","
    yield b"]" if between == b"," else between + b"]"
