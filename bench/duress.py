"""Whether time tells a forced owner from another: the same steps of two customers, in turns.

usage: python -m bench.duress [--rounds 60]

The real service on loopback, with a database and pages. Both customers have a second passkey; one
of them named hers for duress. In each round a month has passed, and each signs in twice by the
second passkey: the first time the account is picked, the one since its owner is forced and the
other by chance; the second time nobody is. Then the page of an open action is fetched, while the
hold stands. Who comes first changes with each round.

Told is how long hers takes as a multiple of the other's: the median of all rounds, and between what
the medians of each twelfth part of them lie.
"""

import argparse
import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import httpx

from twinlock.api.app import create_app
from twinlock.api.serving import Api
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.serving import page_routes
from twinlock.bootstrap.world import settings_from_environment
from twinlock.cli.console import log_to_stderr
from twinlock.domain.account import ActionState
from twinlock.domain.catalogue import ActionType
from twinlock.domain.ids import AccountId
from twinlock.domain.requirements import Answer
from twinlock.range.customer import Belongings, Customer
from twinlock.range.duress import SELDOM, make_ready
from twinlock.range.story import AccountSpec
from twinlock.range.venue import Venue, listening, open_service
from twinlock.range.words import Proof

MONTH = timedelta(days=31)
PARTS = 12
ALWAYS = 1
STEPS = ("the proof that picks", "a proof after it", "the page while it holds")
CHANNELS = ({"kind": "email", "address": "{}@example.com"}, {"kind": "desktop", "address": "{}"})


async def opened(venue: Venue, name: str, *, forced: bool) -> Customer:
    """Open an account with two passkeys; return its customer, whose ``forced`` is the second."""
    channels = [{**one, "address": one["address"].format(name)} for one in CHANNELS]
    customer = await Customer.open(venue, name, {"channels": channels})
    await bind(customer, customer.own)
    await venue.set_forward(venue.now + MONTH)  # Later nothing is bound without a proof.
    if forced:
        spec = AccountSpec(authenticators=(Proof.PASSKEY,))
        await make_ready(customer, spec, (Proof.PASSKEY,))
    else:
        customer.forced[Proof.PASSKEY] = Belongings()
        await bind(customer, customer.forced[Proof.PASSKEY])
    return customer


async def bind(customer: Customer, made: Belongings) -> None:
    """Bind a passkey that ``made`` holds from then on; a second one waits."""
    payload = await customer.draft_binding(Proof.PASSKEY, made)
    bound = await customer.propose(ActionType.AUTHENTICATOR_BIND, payload)
    if bound.state == ActionState.OPEN:
        bound = await customer.show(bound.action_id, Proof.PASSKEY)
    if bound.answer not in (Answer.ALLOW, Answer.HOLD):
        raise SystemExit(f"{customer.name}'s passkey is not bound: {bound.answer.value}")


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Return how many milliseconds ``work`` takes."""
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1e3


async def steps_of(
    customer: Customer, pages: httpx.AsyncClient, *, one_in: int
) -> tuple[float, ...]:
    """Return how long each of STEPS takes one customer."""
    venue, device = customer.venue, customer.device
    taken = []
    for each in (one_in, SELDOM):
        venue.api.use.proving.picked_one_in = each
        asked = {"device": device.jwk()}
        started = await customer.propose(ActionType.SESSION_START, asked, device=device)
        made = customer.forced[Proof.PASSKEY]
        reply = await customer.reply(started.action_id, Proof.PASSKEY, made=made)
        taken.append(await timed(partial(venue.client.prove, started.action_id, reply)))
    account = await venue.api.store.account(AccountId(customer.account_id))
    if not any(hold.ends_at > venue.now for hold in account.holds):
        raise SystemExit(f"{customer.name} was not picked: what was timed is something else")
    asked = {"device": device.jwk()}
    standing = await customer.propose(ActionType.SESSION_START, asked, device=device)
    taken.append(await timed(partial(fetched, pages, f"/confirm/{standing.action_id}")))
    return tuple(taken)


async def fetched(pages: httpx.AsyncClient, path: str) -> None:
    """Fetch a page that is there."""
    (await pages.get(path)).raise_for_status()


@asynccontextmanager
async def lent(api: Api) -> AsyncIterator[Api]:
    """Give use cases that somebody else opened."""
    yield api


async def measure(rounds: int) -> None:
    """Play the rounds, and print a line for each step."""
    hers: dict[str, list[float]] = defaultdict(list)
    others: dict[str, list[float]] = defaultdict(list)
    book = rule_book()
    routes = page_routes(settings_from_environment({}))
    async with open_service(book) as venue:
        app = create_app(lambda: lent(venue.api), pages=(routes,))
        async with listening(app) as url, httpx.AsyncClient(base_url=url) as pages:
            forced = await opened(venue, "alice", forced=True)
            picked = await opened(venue, "carol", forced=False)
            turns = [(forced, SELDOM, hers), (picked, ALWAYS, others)]
            for number in range(rounds + 1):
                await venue.set_forward(venue.now + MONTH)
                for who, one_in, kept in turns:
                    taken = await steps_of(who, pages, one_in=one_in)
                    for step, each in zip(STEPS, taken, strict=True):
                        kept[step] += [each] if number else []  # The first one warms up.
                turns.reverse()
    for step in STEPS:
        print(line(step, hers[step], others[step]))


def line(step: str, hers: list[float], others: list[float]) -> str:
    """Return what is told of one step."""
    ratios = [one / other for one, other in zip(hers, others, strict=True)]
    size = max(len(ratios) // PARTS, 1)
    parts = [statistics.median(ratios[at : at + size]) for at in range(0, len(ratios), size)]
    return (
        f"{step}: {statistics.median(ratios):.3f} times the other's"
        f" (parts {min(parts):.3f} to {max(parts):.3f}), whose median is"
        f" {statistics.median(others):.2f} ms"
    )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=60)
    log_to_stderr("error")
    asyncio.run(measure(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
