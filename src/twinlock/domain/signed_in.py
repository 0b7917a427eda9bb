"""Which sessions and devices an account keeps: a new one in the place of what is worth least."""

from twinlock.domain.account import Device, Session
from twinlock.domain.bounds import DEVICES_MOST, SESSIONS_MOST
from twinlock.domain.policy.facts import SessionState


def with_session(sessions: tuple[Session, ...], new: Session) -> tuple[Session, ...]:
    """Return ``sessions`` with ``new``, which ends older ones of its device, if not more able.

    Of too many the dead go first, then those that may only look, the oldest first.
    Prevents: a thief below the floor who signs in again and again until the owner is signed out.
    """
    others = (
        one
        for one in sessions
        if one.thumbprint != new.thumbprint or (new.read_only and not one.read_only)
    )
    worth = (SessionState.NONE, SessionState.READ_ONLY, SessionState.FULL)
    kept = sorted((*others, new), key=lambda one: worth.index(one.state(new.started_at)))
    return tuple(kept[-SESSIONS_MOST:])


def with_device(devices: tuple[Device, ...], session: Session) -> tuple[Device, ...]:
    """Return ``devices`` with that of ``session``; of too many the one seen longest ago goes."""
    known = {device.thumbprint: device.since for device in devices}
    device = Device(
        thumbprint=session.thumbprint,
        since=known.get(session.thumbprint, session.started_at),
        seen_at=session.started_at,
    )
    rest = (one for one in devices if one.thumbprint != session.thumbprint)
    return (*rest, device)[-DEVICES_MOST:]
