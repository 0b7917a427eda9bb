"""What a page says when something is refused: by stable code, never by what was sent.

No page repeats an address, a field or a message of ours: a page that shows what it was given can
be made to say anything.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from twinlock.domain.authenticators.faults import ProofFault


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One page of refusal: status, stable code, and what a person may do now."""

    status: int
    code: str
    title: str
    words: str
    way_on: str
    incident: str = ""


_UNCHANGED = "Nothing has changed."
_BY_CODE: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "malformed": (
            "This address is not complete",
            f"Part of the link is missing or was changed. {_UNCHANGED}",
            "Open it again from the message or the page that it came from.",
        ),
        "action_not_found": (
            "There is nothing to confirm here",
            f"This link leads to no action. {_UNCHANGED}",
            "Start again at the platform. If somebody sent you the link, tell the platform.",
        ),
        "action_closed": (
            "This is over already",
            "It was finished, stopped or too late before your answer came.",
            "Open the link again to see how it ended.",
        ),
        "foreign_origin": (
            "This did not come from our own page",
            f"Another site sent it, or your browser did not say who did. {_UNCHANGED}",
            "Open the link yourself, and answer there.",
        ),
        "rate_limited": (
            "Too many requests",
            f"There were too many in a short time. {_UNCHANGED}",
            "Wait a minute, then try again.",
        ),
        "body_too_large": (
            "That was too much at once",
            f"More was sent than any answer needs. {_UNCHANGED}",
            "Open the link again, and answer there.",
        ),
        "document_too_large": (
            "The account is full",
            f"Too much is unfinished for one more thing. {_UNCHANGED}",
            "Finish or remove something at the platform first.",
        ),
        "unavailable": (
            "Not reachable for a moment",
            "Our database does not answer. What you sent may not have arrived.",
            "Try again in a minute; this page will then say how things stand.",
        ),
        "proof_refused": (
            "This link does not fit",
            f"It is not one that we sent about this action. {_UNCHANGED}",
            "Open the link in the newest message. If it does not fit either, freeze the account.",
        ),
    }
)
_ALIASES = {"media_type_refused": "malformed"}
# Prevents: a page that tells which accounts exist, or did. The platform's own calls may know.
_NOTHING, _NOTHING_STATUS = "action_not_found", 404
_TOLD_ALIKE = frozenset({"account_not_found", "account_erased"})
_HTTP_CODES = {
    400: "malformed",
    404: "not_found",
    413: "body_too_large",
    415: "media_type_refused",
}
_BROKEN = (
    "Something broke on our side",
    "We were told, and look into it.",
    "Try again in a minute; this page will then say how things stand.",
)
_OTHERWISE = (
    "This is not possible",
    _UNCHANGED,
    "Start again at the platform.",
)
FAULTS: Mapping[ProofFault, str] = MappingProxyType(
    {
        ProofFault.CODE_WRONG: "That code is not the right one. Nothing was confirmed.",
        ProofFault.CODE_EXPIRED: "The time of that code is over. Ask for a new one.",
        ProofFault.CODE_REPLAYED: (
            "That was used before and counts once. Wait for the next code, or use another way."
        ),
        ProofFault.ALREADY_SHOWN: "That counts already. See below what else is asked for.",
        ProofFault.PASSWORD_WRONG: "That password is not the right one. Nothing was confirmed.",
        ProofFault.USER_NOT_VERIFIED: (
            "Your device did not check that it is you. Nothing was confirmed. Unlock it with its "
            "PIN, finger or face when it asks."
        ),
        ProofFault.USER_NOT_PRESENT: "Nobody touched the key. Nothing was confirmed.",
        ProofFault.CHALLENGE_GONE: (
            "The time to answer is over, or the question was asked again. Nothing was confirmed. "
            "Try again."
        ),
        ProofFault.AUTHENTICATOR_GONE: (
            "That is not bound to this account, or not any more. Nothing was confirmed."
        ),
        ProofFault.WRONG_CREDENTIAL: "That key is not one of this account's. Try another.",
        ProofFault.BELOW_FLOOR: (
            "This way is weaker than the best that you have, so it is not taken here."
        ),
        ProofFault.NOT_OFFERED: (
            "The platform does not take this way for what you are about to do. Use another way."
        ),
        ProofFault.SUSPENDED: (
            "That was reported lost, so it is suspended and answers nothing. Use another way."
        ),
        ProofFault.CHANNEL_NOT_READY: (
            "The new channel gets its code once the change itself is confirmed. Confirm that first."
        ),
        ProofFault.THROTTLED: (
            "Too many tries. For a while no code and no password is read; a passkey still works."
        ),
        ProofFault.CODES_LIMITED: (
            "So many codes were sent that no more is, for now. The last one that you got counts."
        ),
        ProofFault.SIM_CHANGED: (
            "The SIM of your number was changed lately, so codes by SMS do not count for a week. "
            "Use another way."
        ),
        ProofFault.CHANNEL_SIGNALLED: (
            "Your provider told us that somebody else may read what is sent there, so for some "
            "days its codes do not count. Use another way."
        ),
        ProofFault.BACKUP_FLAGS_CHANGED: (
            "This passkey is not what it was when you added it. Nothing was confirmed. Use another "
            "one, and tell the platform."
        ),
    }
)
FAULT_OTHERWISE = "The answer did not fit the question. Nothing was confirmed. Try again."
_SERVER_ERROR = 500


def refusal(*, code: str, status: int, incident: str = "") -> Refusal:
    """Return the page of refusal for a stable ``code``."""
    if code in _TOLD_ALIKE:
        code, status = _NOTHING, _NOTHING_STATUS
    otherwise = _BROKEN if status >= _SERVER_ERROR else _OTHERWISE
    title, words, way_on = _BY_CODE.get(_ALIASES.get(code, code), otherwise)
    return Refusal(
        status=status, code=code, title=title, words=words, way_on=way_on, incident=incident
    )


def code_of_http(status: int) -> str:
    """Return the stable code of an error that the web framework raised."""
    return _HTTP_CODES.get(status, "http_error")


def words_of(fault: ProofFault) -> str:
    """Return what to tell of a refused proof."""
    return FAULTS.get(fault, FAULT_OTHERWISE)
