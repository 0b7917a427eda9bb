"""Why not, by the platform's officers: words of ``reasons``, by their codes.

What a policy version misses is read by officers, and by no customer.
"""

from collections.abc import Mapping
from types import MappingProxyType

OF_OFFICERS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "platform_halted": (
            "The platform is halted: nothing leaves any account.",
            "When two officers of the platform resume it.",
            "Wait, and ask again; what you have is untouched.",
        ),
        "account_suspended": (
            "An officer of the platform has suspended this account: nothing leaves it.",
            "By itself after 14 days, or when two other officers release it.",
            "Ask the platform for the reason; freezing and securing the account still work.",
        ),
        "policy_approvals": (
            "A policy version comes only when two officers want it.",
            "At once, when another officer approves of it.",
            "Ask another officer to look at it, and to approve.",
        ),
        "policy_grows": (
            "By this policy version a theft becomes possible that was not, or takes less time.",
            "At once, when a third officer signs exactly that growth.",
            "Look at the attacks that are named, and propose a stricter version instead.",
        ),
        "policy_waits": (
            "A policy version waits a day for the no of any officer.",
            "At the time shown, unless an officer withdraws it or halts the platform.",
            "Wait, and activate it then.",
        ),
        "policy_lapsed": (
            "This policy version was proposed more than a week ago, or its wait would end later.",
            "It does not end.",
            "Propose it again.",
        ),
    }
)
