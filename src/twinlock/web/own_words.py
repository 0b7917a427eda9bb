"""Limits and locks in words: what is set, and from when it holds."""

from twinlock.domain.actions import LimitLower, LimitRaise, LockLoosen, LockTighten
from twinlock.web.lines import Line, Told
from twinlock.web.words import dollars

_NONE = "As much as the platform lets leave"


def tell_own(payload: LimitRaise | LimitLower | LockTighten | LockLoosen) -> Told:
    """Return ``payload`` in words."""
    if isinstance(payload, LimitRaise | LimitLower):
        return _limits(payload)
    return _lock(payload)


def _limits(payload: LimitRaise | LimitLower) -> Told:
    raises = isinstance(payload, LimitRaise)
    return Told(
        title="Raise your limits" if raises else "Lower your limits",
        lines=(
            Line(label="A day, in all", text=_sum(payload.day_cents), heed=raises),
            Line(
                label="A day, to one destination",
                text=_sum(payload.destination_cents),
                heed=raises,
            ),
        ),
        effect=(
            "So much may leave a day then, once the wait is over and nobody has objected."
            if raises
            else "It acts at once. Raising them again waits."
        ),
    )


def _sum(cents: int | None) -> str:
    return _NONE if cents is None else f"At most {dollars(cents)}"


def _lock(payload: LockTighten | LockLoosen) -> Told:
    loosens = isinstance(payload, LockLoosen)
    days = f"{payload.days} days" if payload.days != 1 else "1 day"
    keys = "Two independent authenticators, shown together" if payload.two_keys else "Nobody"
    if not payload.days:
        return Told(
            title="End your lock",
            lines=(Line(label="Then waits", text="What would wait without a lock", heed=True),),
            effect="It ends when its own delay is over and nobody has objected.",
        )
    return Told(
        title="Loosen your lock" if loosens else "Lock your account",
        lines=(
            Line(label="All that leaves or weakens waits", text=days, heed=loosens),
            Line(label="Who is spared the wait", text=keys),
        ),
        effect=(
            "It holds when the old lock's delay is over and nobody has objected."
            if loosens
            else "It acts at once. Loosening it takes as long as it says, for everybody."
        ),
    )
