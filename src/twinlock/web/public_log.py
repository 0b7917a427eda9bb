"""The pages of the public log: its head, and one that verifies a bundle where the visitor is.

Always true (tests/integration/test_web_public_log.py): they are for anybody, and hold nothing
of any account. Without script the first tells all but what only the visitor's own browser can say.
"""

from typing import NamedTuple

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from twinlock.domain.log.text import to_base64
from twinlock.domain.log.tiles import TILE_WIDTH, Tile
from twinlock.proofs.bundle_faults import SENTENCES
from twinlock.services.public_log import Grown
from twinlock.web.payload_forms import payload_forms
from twinlock.web.rendering import Renderer
from twinlock.web.serving import Pages

WIDTH, HEIGHT = 600, 160  # Of the picture, in its own units: it takes the width that there is.

# What the script is told; made once, since it follows from the code alone.
_FORMS = payload_forms()
_FAULTS = {fault.value: says for fault, says in SENTENCES.items()}


class Step(NamedTuple):
    """One step of verifying, for people: its name, what is looked at, what that shows."""

    name: str
    title: str
    looked_at: str
    shows: str


# In the order and by the names of ``proofs.bundles``; docs/verify.md says the same at length.
STEPS = (
    Step(
        "form",
        "The file has one reading",
        "It is JSON without doubled or unknown members, smaller than 64 kB, of a known version.",
        "Nobody can read something else in it than you do.",
    ),
    Step(
        "checkpoint",
        "A head of this log",
        "The log's signature under the checkpoint, and the witnesses' cosignatures.",
        "The log stands by this head, and a quorum of witnesses saw it, where one is asked for.",
    ),
    Step(
        "growth",
        "Nothing was taken back",
        "Where you give an older checkpoint: the hashes that lead from it to this head.",
        "Nothing that stood in the log then was changed or taken out since.",
    ),
    Step(
        "inclusion",
        "The decision stands in the log",
        "The path of hashes from the entry up to the head.",
        "The entry cannot be taken out or changed without changing the head.",
    ),
    Step(
        "leaf",
        "The entry has one meaning",
        "The entry's one form, and that its label is made by the key in the bundle.",
        "Which kind of action was answered how, and under which policy.",
    ),
    Step(
        "openings",
        "What the entry kept closed",
        "Every field that the bundle opens, against the entry's commitment to it.",
        "Action, payload and proofs are those that were logged; of a no, its reasons.",
    ),
    Step(
        "policy",
        "The policy that decided",
        "The policy's fingerprint against the entry's; your trust file's list, if it has one.",
        "The log names this policy. Whether the answer follows from it, nobody can see here.",
    ),
    Step(
        "payload",
        "What exactly was decided",
        "The payload's one form, its account, and its asset against the policy.",
        "Exactly this, for this account; whether it was spent, and for which fee.",
    ),
    Step(
        "authorization",
        "What the wallet was given",
        "The signature over the claims that follow from the entry.",
        "The wallet was told what the log says, neither more nor later.",
    ),
    Step(
        "proofs",
        "What stood behind the decision",
        "Each proof that is shown, against the list in the entry.",
        "These proofs were counted. Codes and passwords are the operator's word only.",
    ),
    Step(
        "bindings",
        "Whose keys those are",
        "The earlier entry that bound each key to the account: its place, its form, its yes.",
        "The key was this customer's by then. That it is still, no small file can show.",
    ),
    Step(
        "assertions",
        "The customer's own signature",
        "The passkey's signature: over this payload, on the one site, by a person it verified.",
        "The customer's own key agreed to exactly this.",
    ),
)


class Corner(NamedTuple):
    """A corner of the picture's line."""

    x: int
    y: int


def line_of(growth: tuple[Grown, ...]) -> tuple[Corner, ...]:
    """Return the line of growth, from left below; none where it would be a point."""
    if not growth or growth[0].at >= growth[-1].at:
        return ()
    first, last = growth[0].at, growth[-1]
    return tuple(
        Corner(
            x=round(WIDTH * ((one.at - first) / (last.at - first))),
            y=HEIGHT - round(HEIGHT * one.size / last.size),
        )
        for one in growth
    )


def _first_tile(size: int) -> str:
    """Return how C2SP spells the first tile of a log of ``size`` entries, without its level."""
    return Tile(level=0, index=0, width=min(size, TILE_WIDTH)).path.removeprefix("tile/0/")


@get("/log")
async def look_at_log(
    pages: NamedDependency[Pages], renderer: NamedDependency[Renderer]
) -> Response[str]:
    """Show the log's head, who signed it, how it grew, and by which keys anybody verifies it."""
    seen = await pages.public_log.look()
    return renderer.page(
        "log.html",
        seen=seen,
        root=to_base64(seen.root),
        policy=seen.trust.log,
        asks_for=seen.trust.log_policy.quorum,
        cosigned_at=max(
            (one.cosigned_at for one in seen.witnesses if one.cosigned_at), default=None
        ),
        line=line_of(seen.growth),
        width=WIDTH,
        height=HEIGHT,
        first_tile=_first_tile(seen.size) if seen.size else "",
    )


@get("/log/verify")
async def verify_here(
    pages: NamedDependency[Pages], renderer: NamedDependency[Renderer]
) -> Response[str]:
    """Show the page that verifies a bundle in the browser; nothing of it is sent anywhere."""
    trust = pages.public_log.trust()
    told = msgspec.json.format(msgspec.json.encode(trust), indent=2).decode("utf-8")
    return renderer.page("log_verify.html", steps=STEPS, trust=told, forms=_FORMS, faults=_FAULTS)


LOG_PAGES = (look_at_log, verify_here)
