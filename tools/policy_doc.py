"""The page of the policy in force: docs/policy.md."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec
from doc_parts import in_words, page, table

from twinlock.bootstrap import rule_book
from twinlock.domain.policy.profile import Policy, Profile

_NUMBERS = {
    "new_device_hold": "Every exit is held for so long after a sign-in from a new device.",
    "new_destination_wait": "An exit to a destination that is not listed and proved waits so long.",
    "narrow_destination_wait": "The same, where no notice channel lies off the phone (*narrow*).",
    "destination_lapse": "A listed destination has no budget after so long without use.",
    "narrow_daily_cents": "Above this sum of a day a narrow account needs a second root.",
    "daily_limit_cents": "Above this sum of a day an exit needs a second root or a wait.",
    "over_limit_wait": "That wait.",
    "budget_most_cents": "The largest budget of a destination: per day, on the session key alone.",
    "sms_codes": "Codes by SMS may be asked for, where nothing stronger is bound.",
}
_ELSEWHERE = {"name", "waits", "holds"}  # These have a line or a table of their own.


def policy_page() -> str:
    """Return docs/policy.md."""
    policy = rule_book().policy
    return page(
        "The policy",
        _introduction(policy),
        "## Numbers",
        """
A day is a day of UTC. A value is the higher of the signed price list and the platform's figure, for
amount and fee together. Without a price list every value counts as the highest there is, which is
above each of these limits.
""".strip(),
        table(("name", "value", "meaning"), _numbers(policy.profile)),
        "## Changes",
        """
A wait runs from the proof, before the change takes effect. A hold stops every exit from then on.
`api_key.create` does so only where the key may withdraw, and `authenticator.bind` only once the
account is set up.
""".strip(),
        table(("action", "waits", "holds every exit for"), _changes(policy.profile)),
        "## Assets",
        """
Nothing else can be withdrawn. `asset` and `network` are asked for by these names. The line of a
network without a contract is its own coin, in which fees are paid.
""".strip(),
        table(("asset", "network", "decimals", "contract", "addresses"), _assets(policy)),
        """
The form of an address is all that is checked. EIP-55 checksums are not compared: an address in
mixed case is taken in lower case. Off EVM no checksum is compared either, nor the form that the
network itself demands: check addresses before you ask.
""".strip(),
    )


def _introduction(policy: Policy) -> str:
    return f"""
The numbers and assets by which this version decides, beside the laws. They are fixed: no setting,
file or call changes one. A platform that needs others changes
`src/twinlock/domain/policy/profile.py` and has a policy of its own, with another digest. Each
decision's entry in the log names the digest.

| | |
| --- | --- |
| profile | `{policy.profile.name}` |
| version | {policy.name.version} |
| digest | `{policy.name.digest}` |

The digest is what a wallet signer and an auditor pin ([verify.md](verify.md)): `H("policy/v1", …)`
over the canonical bytes of version, profile and assets. `twinlock keys trust` prints it as well.
"""


def _numbers(profile: Profile) -> Iterator[tuple[str, str, str]]:
    for field in msgspec.structs.fields(Profile):
        if field.name not in _ELSEWHERE:
            value = _number(field.name, getattr(profile, field.name))
            yield f"`{field.name}`", value, _NUMBERS[field.name]


def _number(name: str, value: timedelta | int) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_cents") and isinstance(value, int):
        return f"US${value // 100:,}.{value % 100:02}"
    return in_words(value, written=str(value))


def _changes(profile: Profile) -> Iterator[tuple[str, str, str]]:
    for kind in sorted({*profile.waits, *profile.holds}):
        yield f"`{kind}`", _length(profile.waits.get(kind)), _length(profile.holds.get(kind))


def _length(value: timedelta | None) -> str:
    return "–" if value is None else in_words(value, written=str(value))


def _assets(policy: Policy) -> Iterator[tuple[str, str, str, str, str]]:
    for one in policy.assets:
        yield (
            f"`{one.symbol}`",
            f"`{one.network}`",
            str(one.decimals),
            f"`{one.contract}`" if one.contract else "the network's own coin",
            "0x and 40 hexadecimal digits" if one.evm else "printable ASCII without spaces",
        )
