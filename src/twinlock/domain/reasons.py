"""Why not, in codes that never change and sentences a customer understands.

Every no has a reason, an end and a way on (law 10). The code is stored and signed; the sentence
may be reworded. ``docs/reason-codes.md`` is generated from this module.
"""

from enum import StrEnum
from typing import NamedTuple

from twinlock.domain.contact_reasons import OF_CONTACTS
from twinlock.domain.officers_reasons import OF_OFFICERS


class Explanation(NamedTuple):
    """What a customer reads: what stops this, when it ends, and what would lift it."""

    sentence: str
    ends: str
    way_on: str


class Reason(StrEnum):
    """The code of one reason; written to the log, so a member is never renamed or reused."""

    ACTION_UNKNOWN = "action_unknown"
    ACTION_NOT_BUILT = "action_not_built"
    PROOF_NEEDED = "proof_needed"
    SECOND_ROOT_NEEDED = "second_root_needed"
    PROOF_NOT_BOUND = "proof_not_bound"
    PASSWORD_NEEDED = "password_needed"  # noqa: S105 - a code, not a password
    ACCOUNT_FROZEN = "account_frozen"
    EXITS_HELD = "exits_held"
    SIGN_IN_UNUSUAL = "sign_in_unusual"
    LOOSENING_WAITS = "loosening_waits"
    SUCCESSOR_NEEDED = "successor_needed"
    SUCCESSOR_WAITS = "successor_waits"
    WAIT_TOLD = "wait_told"
    FEE_TOO_HIGH = "fee_too_high"
    NOT_ENTITLED = "not_entitled"
    AUTHORIZATION_EXPIRED = "authorization_expired"
    VETOED = "vetoed"
    DESTINATION_NEW = "destination_new"
    DESTINATION_NOT_LISTED = "destination_not_listed"
    DESTINATION_UNPROVED = "destination_unproved"
    DESTINATION_REMOVED = "destination_removed"
    EXIT_UNSPOKEN = "exit_unspoken"
    LOOK_ALIKE = "look_alike"
    DESTINATION_SHARED = "destination_shared"
    SCREENED = "screened"
    SCREENING_DOWN = "screening_down"
    LIMIT_EXCEEDED = "limit_exceeded"
    OWN_LIMIT = "own_limit"
    LOCKED = "locked"
    BOTH_KEYS_NEEDED = "both_keys_needed"
    KEYS_TOO_FEW = "keys_too_few"
    AGREEMENT_NEEDED = "agreement_needed"
    CONTACT_STAYS = "contact_stays"
    MEMBERS_NEEDED = "members_needed"
    MEMBERS_STAY = "members_stay"
    MEMBERS_TOO_FEW = "members_too_few"
    NOT_TIGHTER = "not_tighter"
    NARROW_LIMIT = "narrow_limit"
    VALUE_UNKNOWN = "value_unknown"
    NARROW_DESTINATION = "narrow_destination"
    ENROLMENT_OPEN = "enrolment_open"
    NEWCOMER = "newcomer"
    WEAKER_PROOF = "weaker_proof"
    API_KEY_IP_LIST = "api_key_ip_list"
    API_KEY_DESTINATIONS = "api_key_destinations"
    API_KEY_DAILY_SUM = "api_key_daily_sum"
    API_KEY_SCOPE = "api_key_scope"
    API_KEY_IP = "api_key_ip"
    API_KEY_DESTINATION = "api_key_destination"
    API_KEY_SUM = "api_key_sum"
    API_KEY_WAITS = "api_key_waits"
    API_KEY_STOPPED = "api_key_stopped"
    API_KEY_LAPSED = "api_key_lapsed"
    BUDGET_TOO_HIGH = "budget_too_high"
    FREEZE_TOO_SOON = "freeze_too_soon"
    TOO_MANY = "too_many"
    LAST_AUTHENTICATOR = "last_authenticator"
    THROTTLED = "throttled"
    CODES_LIMITED = "codes_limited"
    SIM_CHANGED = "sim_changed"
    CHANNEL_SIGNALLED = "channel_signalled"
    SIGNALLED = "signalled"
    ROOT_MISSING = "root_missing"
    NOTHING_BOUND = "nothing_bound"
    ALREADY_BOUND = "already_bound"
    NOT_PERMITTED = "not_permitted"
    ENGINE_ERROR = "engine_error"
    PHISHING_RESISTANT_NEEDED = "phishing_resistant_needed"
    LEGAL_HOLD = "legal_hold"
    RETENTION = "retention"
    EXIT_OPEN = "exit_open"
    TARGET_GONE = "target_gone"
    LAST_CHANNEL = "last_channel"
    CHANNEL_UNCONFIRMED = "channel_unconfirmed"
    OLDER_NEEDED = "older_needed"
    REPUDIATION_OVER = "repudiation_over"
    ABOVE_PLATFORM_LIMIT = "above_platform_limit"
    PLATFORM_RULE = "platform_rule"
    PLATFORM_WAITS = "platform_waits"
    CONTESTED = "contested"
    NOTICE_UNCONFIRMED = "notice_unconfirmed"
    EXITS_CONTESTED = "exits_contested"
    PLATFORM_HALTED = "platform_halted"
    ACCOUNT_SUSPENDED = "account_suspended"
    POLICY_APPROVALS = "policy_approvals"
    POLICY_GROWS = "policy_grows"
    POLICY_WAITS = "policy_waits"
    POLICY_LAPSED = "policy_lapsed"


EXPLANATIONS: dict[Reason, Explanation] = {
    Reason.ACTION_UNKNOWN: Explanation(
        "This kind of action is not known here, so it is refused.",
        "When the platform registers it and a policy speaks of it.",
        "Ask the platform.",
    ),
    Reason.ACTION_NOT_BUILT: Explanation(
        "This kind of action is known, but cannot be decided safely yet, so it is refused.",
        "With a version of Twinlock that decides it.",
        "Use another way out, or ask the platform.",
    ),
    Reason.PROOF_NEEDED: Explanation(
        "Show that it is you, with an authenticator as strong as the best you have bound.",
        "At once, when you have shown it for exactly this action.",
        "Use your passkey, your security key or your authenticator app.",
    ),
    Reason.SECOND_ROOT_NEEDED: Explanation(
        "This needs a second authenticator that does not live on the same device.",
        "At once, when you have shown it.",
        "Use another key; where a wait is shown too, letting it run does instead.",
    ),
    Reason.PROOF_NOT_BOUND: Explanation(
        "What was shown is not bound to exactly this action.",
        "It does not end: a proof counts for one action only.",
        "Start again and prove this action.",
    ),
    Reason.PASSWORD_NEEDED: Explanation(
        "An authenticator app is one factor; signing in, a new password and an API key take the "
        "password beside it.",
        "At once, when the password is shown.",
        "Enter the password too, or use a passkey.",
    ),
    Reason.ACCOUNT_FROZEN: Explanation(
        "The account is frozen; nothing leaves it and nothing about it is loosened.",
        "When the freeze lapses or has been lifted.",
        "Ask to lift the freeze and wait.",
    ),
    Reason.EXITS_HELD: Explanation(
        "This account changed, or was picked, so for a while nothing may leave it.",
        "At the time shown; nobody can shorten it.",
        "Wait. If you did not make the change, freeze the account.",
    ),
    Reason.SUCCESSOR_NEEDED: Explanation(
        "Your passkey was made for an older site, so it lets you look and freeze, and no more.",
        "When you have bound a passkey of this site, and that has waited.",
        "Bind a passkey of this site: the older one is all that takes.",
    ),
    Reason.SUCCESSOR_WAITS: Explanation(
        "A passkey of this site, bound with one of an older site, waits for three days.",
        "At the time shown, unless somebody entitled says no.",
        "Wait. If you did not ask for it, veto it with one tap.",
    ),
    Reason.SIGN_IN_UNUSUAL: Explanation(
        "Somebody signs in unlike you: from elsewhere, with something else, or nobody can tell.",
        "At the time shown; what has been seen a few times is not unusual any more.",
        "Sign in with two authenticators of different devices, or wait. If it was not you, freeze.",
    ),
    Reason.LOOSENING_WAITS: Explanation(
        "This weakens a protection, so it waits, and every channel is told.",
        "At the time shown, unless somebody entitled says no.",
        "Wait. If you did not ask for it, veto it with one tap.",
    ),
    Reason.DESTINATION_NEW: Explanation(
        "Nothing was ever sent to this destination with your proof, so it waits.",
        "At the time shown, unless somebody entitled says no.",
        "Wait, or send to a destination you have used before.",
    ),
    Reason.DESTINATION_NOT_LISTED: Explanation(
        "You chose that money leaves only to listed destinations; this one is not listed.",
        "When the destination has been added and has waited.",
        "Add the destination first.",
    ),
    Reason.DESTINATION_UNPROVED: Explanation(
        "This destination was never signed by you, so it counts as new.",
        "At the time shown, after you have proved it.",
        "Prove this action; the destination then waits like a new one.",
    ),
    Reason.DESTINATION_REMOVED: Explanation(
        "This destination was removed, so it counts as new.",
        "At the time shown, after you have proved it.",
        "Add it again and wait.",
    ),
    Reason.EXIT_UNSPOKEN: Explanation(
        "The platform has made a new way out, and no rule speaks of it yet.",
        "From day to day, for as long as no rule does.",
        "Ask the platform, or take another way out. Once a rule speaks of it, ask for it anew.",
    ),
    Reason.LOOK_ALIKE: Explanation(
        "This address begins and ends like one that you have listed or paid before, and is "
        "another. Thieves make such addresses, and send from them, to be taken for yours.",
        "It does not end while the other one is known.",
        "Compare both, character by character, and copy the right one from where you first had it. "
        "If this one is right, ask the receiver for another address.",
    ),
    Reason.DESTINATION_SHARED: Explanation(
        "Several other customers have begun to send to this address within a month, so it waits "
        "longer: thieves use one address for many.",
        "At the time shown, after you have proved it.",
        "Make sure who asked you to send there. If you know it well, let the time pass.",
    ),
    Reason.SCREENED: Explanation(
        "This address is on a list of sanctions, so nothing is sent to it.",
        "When the list no longer names it.",
        "Use another address, or ask the platform, which can say which list it is.",
    ),
    Reason.SCREENING_DOWN: Explanation(
        "The list of sanctions cannot be read, or is too old, so no address can be checked.",
        "When the platform has put a new list in its place.",
        "Try again later, or ask the platform.",
    ),
    Reason.LIMIT_EXCEEDED: Explanation(
        "Together with what left today this is above the daily limit.",
        "Tomorrow, or when a second root or the wait stands behind it.",
        "Show a second, independent authenticator, or wait.",
    ),
    Reason.OWN_LIMIT: Explanation(
        "Together with what left today this is above your own limit.",
        "Tomorrow, or when a higher limit has waited.",
        "Raise your limit and wait, or send less.",
    ),
    **{Reason(code): Explanation(*words) for code, words in OF_CONTACTS.items()},
    **{Reason(code): Explanation(*words) for code, words in OF_OFFICERS.items()},
    Reason.NOT_TIGHTER: Explanation(
        "This would weaken a protection, and only tightening acts at once.",
        "It does not end.",
        "Ask for the raise or the loosening, which waits.",
    ),
    Reason.VALUE_UNKNOWN: Explanation(
        "What this is worth is not known just now, so it counts as the most there is.",
        "When a price is known again, or when a second root or the wait stands behind it.",
        "Try again later, show a second, independent authenticator, or wait.",
    ),
    Reason.NARROW_LIMIT: Explanation(
        "One device proves this and reads every notice, so only a small sum may leave each day.",
        "Tomorrow, or for good when a notice channel that is read elsewhere is 30 days old.",
        "Add a notice channel that is read on another device; it counts after 30 days.",
    ),
    Reason.NARROW_DESTINATION: Explanation(
        "One device proves this and reads every notice, so a new destination waits seven days.",
        "At the time shown.",
        "Add a notice channel that is read on another device; it counts after 30 days.",
    ),
    Reason.ENROLMENT_OPEN: Explanation(
        "The account is still being set up; nothing may leave it yet.",
        "With the first sign-in, or within the hour.",
        "Finish setting up and sign in.",
    ),
    Reason.NEWCOMER: Explanation(
        "For 30 days a new authenticator cannot remove or veto an older one; nor do codes reset a "
        "password once they, or a link, undid something.",
        "At the time shown.",
        "Use an older authenticator.",
    ),
    Reason.WEAKER_PROOF: Explanation(
        "This takes a proof as strong as what it ends, or as the account's own minimum.",
        "At once, when a stronger one is shown.",
        "Use your strongest authenticator.",
    ),
    Reason.API_KEY_IP_LIST: Explanation(
        "An API key that may withdraw must name the addresses it is used from.",
        "At once, when the list is given.",
        "Give the key an IP list.",
    ),
    Reason.API_KEY_DESTINATIONS: Explanation(
        "An API key that may withdraw must name the destinations it may use.",
        "At once, when the destinations are given.",
        "Name destinations that are already usable.",
    ),
    Reason.API_KEY_DAILY_SUM: Explanation(
        "An API key that may withdraw must name how much it may move in a day.",
        "At once, when the sum is given.",
        "Give the key a daily sum.",
    ),
    Reason.API_KEY_SCOPE: Explanation(
        "This API key may not withdraw.",
        "It does not end: what a key may do was signed.",
        "Prove it yourself, or make a key that may.",
    ),
    Reason.API_KEY_IP: Explanation(
        "This API key was used from an address that is not on its list.",
        "At once, from an address of its list.",
        "Use it from there. If you did not use it, revoke it.",
    ),
    Reason.API_KEY_DESTINATION: Explanation(
        "This is no destination that the API key may send to now.",
        "At once, for one that it names and that is in use.",
        "Prove it yourself, or make a key that names it.",
    ),
    Reason.API_KEY_SUM: Explanation(
        "This is more than the API key may still move today.",
        "Tomorrow, if its daily sum is large enough; never otherwise.",
        "Prove it yourself, or wait for the next day (UTC).",
    ),
    Reason.API_KEY_WAITS: Explanation(
        "This API key is being made; until its wait is over it proves nothing.",
        "At the time shown, unless somebody entitled says no.",
        "Wait, or prove it yourself. If you did not ask for the key, veto it with one tap.",
    ),
    Reason.API_KEY_STOPPED: Explanation(
        "What signed this API key was reported lost, stolen or swapped, or its making was stopped.",
        "It does not end: what was reported makes this key never again.",
        "Prove it yourself, or make another key.",
    ),
    Reason.API_KEY_LAPSED: Explanation(
        "This API key lapsed: it was not used for too long, or never bound to an address.",
        "It does not end: a lapsed key never works again.",
        "Make another key, with an IP list. If you did not use this one, revoke it.",
    ),
    Reason.BUDGET_TOO_HIGH: Explanation(
        "A destination's daily sum without a tap is bounded.",
        "At once, with a smaller sum.",
        "Ask for a smaller sum.",
    ),
    Reason.FREEZE_TOO_SOON: Explanation(
        "A freeze with so little proof may be set once a month from the same place.",
        "After thirty days, or at once with a stronger proof.",
        "Use the strongest authenticator you have.",
    ),
    Reason.TOO_MANY: Explanation(
        "There are as many of these as an account may have.",
        "When one of them is removed or ends.",
        "Remove or finish one first.",
    ),
    Reason.LAST_AUTHENTICATOR: Explanation(
        "Without this authenticator nobody could sign in to the account any more.",
        "When another one that signs in by itself is bound.",
        "Bind a password or a passkey first.",
    ),
    Reason.WAIT_TOLD: Explanation(
        "A wait was announced for this action, and an announced wait is never shortened.",
        "At the time shown.",
        "Wait, or veto it.",
    ),
    Reason.FEE_TOO_HIGH: Explanation(
        "The network's fee is above the most you agreed to pay.",
        "At once, with a lower fee.",
        "Try again with a lower fee, or start again with a higher maximum.",
    ),
    Reason.NOT_ENTITLED: Explanation(
        "This channel or authenticator is too new to object to something older.",
        "Thirty days after it was added.",
        "Object from an older channel, or freeze the account.",
    ),
    Reason.VETOED: Explanation(
        "Somebody entitled to stop it said no.",
        "It does not end: a no is final.",
        "Start again, if it was you who wanted it.",
    ),
    Reason.AUTHORIZATION_EXPIRED: Explanation(
        "This action was not finished in time, or before newer ones took its place.",
        "It does not end.",
        "Start again.",
    ),
    Reason.ROOT_MISSING: Explanation(
        "A password alone moves no money, nor does what it alone bound in the last 30 days.",
        "At the time shown, if one is shown; else when an authenticator app, a passkey or a channel"
        " for codes is bound, and 30 days after a password alone bound it.",
        "Bind a passkey or an authenticator app.",
    ),
    Reason.NOTHING_BOUND: Explanation(
        "Nothing is bound to this account, so nobody can prove anything.",
        "When an authenticator is bound, which is possible for an hour after opening.",
        "Bind an authenticator, or open a new account.",
    ),
    Reason.ALREADY_BOUND: Explanation(
        "This authenticator, or another password, is bound already.",
        "When what is bound has been removed.",
        "Use what is bound, change the password, or bind another authenticator.",
    ),
    Reason.TARGET_GONE: Explanation(
        "What this names is gone, or is not what it was when it was asked for.",
        "It does not end: what was signed is not what stands there now.",
        "Look at the account and start again.",
    ),
    Reason.LAST_CHANNEL: Explanation(
        "Without this channel nobody could be told of anything that happens to the account.",
        "When another channel has been added.",
        "Replace it in one step, or add another one first.",
    ),
    Reason.CHANNEL_UNCONFIRMED: Explanation(
        "The new channel has not shown yet that messages arrive there.",
        "At once, with the code that was sent to it.",
        "Have a code sent to the new channel, and enter it.",
    ),
    Reason.OLDER_NEEDED: Explanation(
        "This is said by something that was bound earlier than what it is about.",
        "At once, when that is shown.",
        "Use an older authenticator, or the link in the notice to an older channel.",
    ),
    Reason.REPUDIATION_OVER: Explanation(
        "What was added can be undone at once for 30 days only.",
        "It does not end.",
        "Suspend it or remove it. If money is at risk, freeze the account.",
    ),
    Reason.THROTTLED: Explanation(
        "Too many wrong answers; nothing that can be guessed is accepted for a while.",
        "At the time shown, or with a sign-in from a device that you have used before.",
        "Use a passkey, or a device that you have used before; or wait.",
    ),
    Reason.NOT_PERMITTED: Explanation(
        "The policy of this platform does not permit this kind of action.",
        "With a policy version that permits it.",
        "Ask the platform.",
    ),
    Reason.ENGINE_ERROR: Explanation(
        "Something went wrong while this was being decided, and in doubt the answer is no.",
        "When the operator has mended it; the error is on record.",
        "Nothing was done. Try again later, or tell the platform.",
    ),
    Reason.PHISHING_RESISTANT_NEEDED: Explanation(
        "This platform takes a passkey or a security key for this, and nothing that can be typed.",
        "At once, when you have shown one.",
        "Use a passkey; bind one if you have none.",
    ),
    Reason.CODES_LIMITED: Explanation(
        "As many codes were sent to this account as may be sent in an hour or a day.",
        "At the time shown; sooner for whoever shows the password first.",
        "Use the last code that you got, or wait. If you asked for none, freeze the account.",
    ),
    Reason.LEGAL_HOLD: Explanation(
        "A legal hold stands: somebody needs what is kept of this account, for a claim or by law.",
        "When whoever set the hold lifts it.",
        "Ask the platform for the reason, and again for the erasure when the hold is lifted.",
    ),
    Reason.RETENTION: Explanation(
        "The law has records of payments kept for a while after the last one.",
        "At the time shown, if nothing more leaves the account until then.",
        "Ask for the erasure again at that time.",
    ),
    Reason.EXIT_OPEN: Explanation(
        "Something that you proved is to leave this account, and is not finished.",
        "When it has left, is vetoed or lapses; at the time shown at the latest.",
        "Finish it or veto it.",
    ),
    Reason.ABOVE_PLATFORM_LIMIT: Explanation(
        "This is more than this platform lets leave at once or in a day.",
        "At the time shown, if one is shown; otherwise at once, for a smaller sum.",
        "Ask for a smaller sum, or ask the platform.",
    ),
    Reason.PLATFORM_RULE: Explanation(
        "A rule of this platform refuses this as it was asked for.",
        "At the time shown, if one is shown; otherwise when the platform changes its rules.",
        "Ask the platform.",
    ),
    Reason.PLATFORM_WAITS: Explanation(
        "A rule of this platform makes this wait.",
        "At the time shown, unless somebody entitled says no.",
        "Wait. If you did not ask for it, veto it with one tap.",
    ),
    Reason.CONTESTED: Explanation(
        "Somebody entitled said no to this twice, so it is contested and stands still.",
        "At the time shown: if nobody decided until then, it does not happen.",
        "Prove it with another authenticator, older than 30 days, that neither side has used, or "
        "say no from another side. Where several members must agree, another one of them decides.",
    ),
    Reason.NOTICE_UNCONFIRMED: Explanation(
        "No word of this arrived, or it came in a flood of messages: it waits once more as long.",
        "At the time shown, unless somebody entitled says no; it is lengthened once only.",
        "Wait. See that your notice channels work.",
    ),
    Reason.EXITS_CONTESTED: Explanation(
        "Two sides of this account disagree about a change of it; nothing leaves meanwhile.",
        "At the time shown; sooner when the contest is decided or what it is about is taken back.",
        "Decide it with an authenticator that neither side has used, or take the change back.",
    ),
    Reason.SIM_CHANGED: Explanation(
        "The SIM of this telephone number was changed lately, so codes by SMS count nothing.",
        "At the time shown, a week after the change.",
        "Use another way. If you did not change it, call your operator, and freeze the account.",
    ),
    Reason.CHANNEL_SIGNALLED: Explanation(
        "Your mail or telephone provider told us that somebody else may read what is sent there.",
        "At the time shown, 14 days after the first such word at the latest.",
        "Use another way; you can still sign in and freeze. Put things right with the provider.",
    ),
    Reason.SIGNALLED: Explanation(
        "Another company told us, or a key of yours showed, that something may be in wrong hands.",
        "At once, with the proof shown, or at the time shown; 14 days after the first such word at "
        "the latest.",
        "Prove it, or wait. If anything surprises you, freeze the account.",
    ),
}
