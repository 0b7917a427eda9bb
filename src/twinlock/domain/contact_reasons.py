"""Why not, by the owner's own lock, contacts and members: words of ``reasons``, by their codes."""

from collections.abc import Mapping
from types import MappingProxyType

OF_CONTACTS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "locked": (
            "You have locked this account: what leaves or weakens it waits as long as you chose.",
            "At the time shown, after you have proved it.",
            "Wait. If your lock lets two authenticators spare that, show both; not to loosen it.",
        ),
        "both_keys_needed": (
            "You have locked this account by both keys: it takes two independent authenticators.",
            "When both are shown, and the wait is over; 30 days after you reported one lost.",
            "Show both: the wait begins then. If one is lost, report it.",
        ),
        "keys_too_few": (
            "A lock by both keys takes two independent authenticators, and this account has fewer.",
            "When a second one is bound that does not live on the same device.",
            "Bind a second one first, or lock the account without it.",
        ),
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
        "members_needed": (
            "This account has several members, and more of them must agree to this.",
            "At once, when enough of them have agreed; for a smaller sum fewer are asked.",
            "Send another member the link for it, or ask for less.",
        ),
        "members_stay": (
            "It changes who belongs to this account, or how many must agree, so it waits a week.",
            "At the time shown, unless somebody entitled says no.",
            "Wait. If you did not ask for it, freeze the account, and say no to it.",
        ),
        "members_too_few": (
            "More members would have to agree than there are, or nobody would be left.",
            "When more members are there, or fewer need agree.",
            "Let fewer have to agree, or add a member, and ask for this again then.",
        ),
    }
)
