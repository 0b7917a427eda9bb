"""Why not, where a trusted contact has a say: words of ``reasons``, by their codes."""

from collections.abc import Mapping
from types import MappingProxyType

OF_CONTACTS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "agreement_needed": (
            "This is above the sum that you set, so a trusted contact of yours agrees to it first.",
            "At once, when they agree; for a smaller sum they are not asked.",
            "Send them the link for it. If they cannot be reached, remove them: that takes a week.",
        ),
        "contact_stays": (
            "It changes who must agree to what leaves, or above which sum, so it waits a week.",
            "At the time shown, unless somebody entitled says no.",
            "Wait. If you did not ask for it, veto it with one tap.",
        ),
    }
)
