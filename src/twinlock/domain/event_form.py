"""The form of a fact that changes an account."""

from datetime import datetime

import msgspec


class EventForm(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", omit_defaults=True):
    """A fact; ``at`` is when it was decided (UTC)."""

    at: datetime
