"""Every limit, wait and lifetime that no policy may change, with its unit and its reason.

What a policy may choose (holds, waits, budgets) stands in ``policy/profile.py`` instead. The reason
of a value stands behind it, or in the lines right above it; ``docs/settings.md`` is generated from
both.
"""

from datetime import timedelta

# --- Authorizations and challenges ---

# SP 800-63B-4, 3.1.3.2: a code that travels by another way lives ten minutes at most.
CHALLENGE_LIFETIME = timedelta(minutes=10)
AUTHORIZATION_LIFETIME = timedelta(minutes=15)  # A signing queue drains within minutes.
# What a spent trade.unusual lets pass: as long as a yes waits for its spend.
TRADE_PERMIT_LIFETIME = timedelta(minutes=15)
# What the signer holds in hand is short-lived, since it can move money.
SPEND_LIFETIME = timedelta(minutes=5)
# Counted from the end of its waits; an action that nobody finished lapses then.
OPEN_ACTION_LIFETIME = timedelta(days=7)
# The same of an erasure: the command that carries it out may fail to run for days, and GDPR,
# Art. 12(3) counts in months.
ERASURE_LIFETIME = timedelta(days=30)
# A question that nobody answered lapses; the oldest gives way to a fifth (LOOSE_ACTIONS_MOST).
UNPROVED_ACTION_LIFETIME = timedelta(hours=1)
SIGNED_AT_TOLERANCE = timedelta(minutes=5)  # Clocks of phones are off by minutes.
ENROLMENT_WINDOW = timedelta(hours=1)  # Sign-up happens in one sitting; nothing is held yet.

# --- Exits of a platform's own ---

# A way out that no statute speaks of is held from one day to the next (law 6): once one speaks of
# it, whoever asked before waits no longer than this.
UNSPOKEN_HELD = timedelta(hours=24)
REGISTERED_EXITS_MOST = 64  # Whoever has more of them wants one with a term that says which.
REGISTERED_TERMS_MOST = 8  # Each is shown and signed; together they leave room in a payload.

# --- Reconciling ---

EXECUTION_SKEW = timedelta(minutes=5)  # A ledger's clock may be behind ours by so much.
# From a spend to its execution, in ledgers and on chains; one that is younger is not missed yet.
EXECUTION_LENGTH = timedelta(hours=1)

# --- Passwords ---

# Characters. SP 800-63B-4, 3.1.1.2: beside an app or a passkey.
PASSWORD_LEAST = 8
# Characters. SP 800-63B-4, 3.1.1.2: where the password may be all that somebody shows.
PASSWORD_LEAST_ALONE = 15
# Characters, before and after normalising: at most 1,024 bytes, so that none keeps a core busy.
# SP 800-63B-4 asks for 64 or more.
PASSWORD_MOST = 256

# --- Recovery codes ---

RECOVERY_CODES = 10  # In one set: enough for years, and they fit on a card.
# SP 800-63B-4, 4.2.1.1 asks for 64 bits. From 112 on a plain hash is enough (3.1.2.2), so that
# checking one costs nothing that a flood could use up.
RECOVERY_CODE_BITS = 120

# --- Sessions ---

# SP 800-63B-4, 2.2.3: at AAL2 somebody should sign in again after a day at the latest.
SESSION_LIFETIME = timedelta(hours=24)
# SP 800-63B-4, 2.2.3: at AAL2 a session that nobody uses should end after an hour.
SESSION_IDLE = timedelta(hours=1)
# Orders are no entries of the log: that a session trades is told so often, so that none idles.
SESSION_TOLD_EVERY = timedelta(minutes=30)

# A device that has not signed in for so long is a new one again: it may have been sold since.
DEVICE_KNOWN_FOR = timedelta(days=90)
# --- Scores of sign-ins ---

RISK_MOST = 100  # The highest score.
# Law 5: what a score alone holds ends within two weeks, whatever a policy says.
SCORE_HOLD_MOST = timedelta(days=14)
# A platform that tells of sign-ins no more is believed after as long: nobody is held for ever.
SILENCE_COUNTS_FOR = timedelta(days=14)

# --- Signed messages ---

# From ``created`` to ``expires``: a request is sent when it is signed. Each nonce is kept so long.
MESSAGE_LIFETIME_MOST = timedelta(minutes=5)
MESSAGE_CLOCK_TOLERANCE = timedelta(seconds=30)  # Clocks of servers are set by NTP; some drift.
EVALUATIONS_MOST = 20  # In one AuthZEN request: a page of buttons. Each reads the account anew.

# --- Failures ---

# Wrong answers without a wait: five are what RTS-SCA, Art. 4(3)(b) allows.
FREE_FAILURES = 5
FAILURE_WAIT = timedelta(seconds=30)  # After the fifth; doubles with each further failure.
FAILURE_WAIT_MOST = timedelta(hours=24)  # It doubles no further.
# Of each of two counters; then only what cannot be guessed answers. SP 800-63B-4, 3.2.2 allows one
# hundred.
FAILURES_MOST = 50

# --- Freezes below the floor ---

# Law 5: a no is not a weapon, so a freeze set with too little proof lapses.
WEAK_FREEZE_LENGTH = timedelta(hours=72)
# Law 5: the same root sets such a freeze once in this time, and not again and again.
WEAK_FREEZE_EVERY = timedelta(days=30)

# --- Locks ---

LOCK_DAYS_MOST = 30  # As long as a newcomer is one; whoever wants longer wants another product.
WEAK_LOCK_DAYS = 3  # Below the floor's proof: as long as a freeze set so lasts.

# Law 5: what goes missing together (a phone's app and its passkey) is reported in one sitting.
WEAK_SITTING = timedelta(hours=1)

# --- Contests ---

# Law 5 allows 30 days. A fortnight outlasts most holidays, and is as long as any hold by others.
CONTEST_LENGTH = timedelta(days=14)
# A second veto counts as one for so long; later it is a first one again.
NO_REMEMBERED_FOR = timedelta(days=30)
# A contest holds exits once in this time for each kind of root: no lock that is set over and over.
CONTEST_HOLDS_EVERY = timedelta(days=90)
# For so long a root that lost a contest vetoes nothing, so that what was decided takes effect.
SILENCE = timedelta(days=30)
OBJECTIONS_MOST = 4  # Vetoes of proved changes that are remembered; only their owners can add one.
SILENT_ROOTS_MOST = 2  # Of one session: an app or a key, and what else lives on the phone.

# --- Telephone numbers ---

# SP 800-63B-4, 3.1.3.3: a number whose SIM changed is not used as if nothing had been. Long enough
# that an owner whose phone went dead has noticed.
SIM_CHANGE_PERIOD = timedelta(days=7)

# --- Signals ---

# Law 5: what signals do to an account ends so long after the first of them, however many come.
SIGNAL_SERIES_MOST = timedelta(days=14)
# And only so long after it the next ones count again: half of the time nobody else holds anything.
SIGNAL_SERIES_EVERY = timedelta(days=30)
SIGNAL_TOLD_EVERY = timedelta(hours=24)  # Word of a flood of signals is not a flood itself.
SIGNALLED_CHANNELS_MOST = 4  # Whose voice a signal took; an account has four channels.
# A transmitter's queue outlives a weekend; twice as long what was received is remembered.
SIGNAL_AGE_MOST = timedelta(days=3)
SIGNAL_AHEAD_MOST = timedelta(minutes=5)  # As signed messages: clocks of servers drift.
SIGNAL_BYTES_MOST = 16_384  # A token of an event; most have 1 KB.
SIGNAL_KEYS_MOST = 32  # Of one transmitter; most have two.
SIGNAL_KEYS_BYTES_MOST = 65_536  # A set of as many RSA keys with certificates.
SIGNAL_STREAMS_MOST = 16  # Mail providers and carriers that agree on this are few.
# Signals of one stream in a day (UTC), unless its operator says otherwise: a stolen key stops then.
SIGNALS_A_DAY = 1_000
SIGNALS_A_DAY_MOST = 1_000_000  # What an operator may say.
# Accounts that one address leads to; of more it names nobody in particular.
SIGNAL_ACCOUNTS_MOST = 8

# --- Signals that we send ---

TOLD_RECEIVERS_MOST = 16  # Parties that an operator tells by signals.
TOLD_STREAMS_MOST = 4  # Of one receiver: production, a trial, and one of each that takes over.
TOLD_EVENTS_MOST = 64  # Types that a receiver asks for; there are some twenty.
# Tokens of one stream that wait: more stay in the log, in order, and nothing is lost.
TOLD_WAITING_MOST = 10_000
# Tokens of one stream that nobody takes, the newest: enough to see why.
TOLD_DEAD_MOST = 1_000
TOLD_AT_ONCE_MOST = 100  # Tokens in one answer to a poll: 100 KB.
# Of those that are signed by RS256: each takes a processor 1.5 ms, thirty times as long as EdDSA.
TOLD_RS256_AT_ONCE_MOST = 10
# Names in one poll that are acknowledged or refused: what nine answers before it gave, and 30 KB.
TOLD_ACKS_MOST = 900
TOLD_VERIFIED_EVERY = timedelta(minutes=1)  # SSF 1.0, 8.1.4: no more often is a stream verified.

# --- Newness ---

# Law 3: a new authenticator or channel may not undo an older one.
NEWCOMER_PERIOD = timedelta(days=30)

# --- Moving in ---

# A passkey of our own site that an older site's passkey binds: three days, announced everywhere, as
# long as resetting an authenticator takes. Who phished the older site's waits in the open.
SUCCESSOR_WAIT = timedelta(hours=72)

# --- Picked accounts ---

# Nothing leaves an account that was picked: over a weekend, so that a desk was at work once.
PICKED_HOLD = timedelta(hours=72)
# From being picked to the next time. Law 5: whoever makes it happen holds a tenth of the time.
PICKED_EVERY = timedelta(days=30)
# Picking more often would make false alarms of holds, and hardly ever would make holds alarms.
PICKED_ONE_IN_LEAST, PICKED_ONE_IN_MOST = 20, 99_999

# --- Trusted contacts ---

# From the proof until a contact is gone, another may agree too, or more leaves without one. Who
# talks an owner into it must hold on as long, over a weekend and more. And no longer, since it is
# the way out when a contact is unreachable, or wants something for it.
CONTACT_WAIT = timedelta(days=7)
CONTACTS_MOST = 2  # Who may agree; each may take 1 KB of the document.
INVITATION_LIFETIME = timedelta(days=7)  # A friend answers within a week, or is asked again.

# --- Members ---

# From the proofs of as many members as must agree until somebody is a member, or none any more, or
# fewer agree: as long as with a trusted contact, and for the same reasons.
MEMBER_WAIT = timedelta(days=7)
# Of one account. Each has one passkey at least, and an account keeps eight authenticators.
MEMBERS_MOST = 5
# From the proposal until enough members agreed: a working day, and less than the shortest wait that
# a law asks for.
MEMBERS_AGREE_WITHIN = timedelta(hours=12)
MEMBER_ACTIONS_MOST = 4  # Open ones of one member of several, of eight: the others keep half.

# --- Sizes of an account ---

# An account is one document; one of 27 KB halved the throughput (measured). Each list below may be
# full, and all of them together not. An owner who moves in lists one place per network at once:
# eight actions that wait, with room for what becomes of the word of each, last with 10,559 bytes.
DOCUMENT_BYTES_MOST = 23_308
# What signing in, time and others add: sessions, histories, vetoes, an officer's stop.
PASSING_BYTES_MOST = 7_352
# One urgent action with all its questions, and what two more prove that answer none.
URGENT_BYTES_MOST = 2_304
URGENT_ACTIONS_LEAST = 2  # Of them stand in the fullest account: a stranger's, and the owner's.
# What the rest may fill, so that what is urgent (tightening, signing in) always fits beside it.
DOCUMENT_ROOM = DOCUMENT_BYTES_MOST - PASSING_BYTES_MOST - URGENT_ACTIONS_LEAST * URGENT_BYTES_MOST
URGENT_PAYLOAD_BYTES_MOST = 384  # An address and a memo of 128 letters each, on a long network.
PAYLOAD_BYTES_MOST = 1_024  # The longest ordinary one, an API key with 8 networks, has 900.
SECRET_BYTES_MOST = 1_024  # A passkey whose credential id has 400 bytes; most have 16 to 80.
OPEN_ACTIONS_MOST = 8  # Of one account at a time; each may take 1 KB of the document.
# Of them without a proof that waits: anybody can make those. The oldest gives way to a fifth.
LOOSE_ACTIONS_MOST = 4
KEY_ACTIONS_MOST = 4  # Of them that an API key alone signed: its owner keeps the other half.
CHALLENGES_PER_ACTION_MOST = 4  # Two of a passkey and one of each code: none pushes out another.
CANDIDATES_MOST = 2  # Offers to bind something; a third takes the place of the oldest.
AUTHENTICATORS_MOST = 8  # Each may take 1 KB of the document.
CHANNELS_MOST = 4  # Each is told of every change, so each costs a message.
REPLACED_MOST = 2  # Channels that stood in one place before: a typing error, and its correction.
BEHIND_MOST = 3  # Newcomers behind a newcomer told apart; of more, neighbours count as one.
# Repudiated bindings told apart. One more than what can be bound or come back (8 authenticators, 4
# channels and 2 before each): of more, two always have nothing between them that is not repudiated.
DOUBTS_MOST = AUTHENTICATORS_MOST + CHANNELS_MOST * (1 + REPLACED_MOST) + 1
SESSIONS_MOST = 4  # Of too many the dead go first, then those that may only look, then the oldest.
DEVICES_MOST = 5  # That signed in before; of too many the one seen longest ago goes.
HOLDS_MOST = 2  # Only the one that ends last stops anything; the log keeps all.
DESTINATIONS_MOST = 100  # 48 bytes each; removed ones too, until a new one needs their place.
FORMER_MOST = 100  # Removed ones that are known by their looks: 13 days' listings; 10 bytes each.
SENT_TO_MOST = 8  # Places whose sum of the day is counted apart; 20 bytes each, more as one.
PAID_MOST = 16  # Addresses paid without being listed that are remembered; 21 bytes each.
API_KEYS_MOST = 4  # Each may take 1 KB of the document.
# At how many accounts a destination was wanted is counted over a month: mules are kept for weeks.
SIGHTINGS_PERIOD = timedelta(days=30)
SIGHTINGS_COUNTED = 20  # Accounts; the difference between twenty and more says nothing.
SIGHTINGS_KEPT = 64  # Rows of one destination: some may lapse before others without a gap.
API_KEY_PAIRS_MOST = 20  # That one key names; a maker of more markets makes another key.
# Basis points from the middle. A band that exempts any price exempts the thief's.
API_KEY_BAND_BP_MOST = 1_000
# A key that may act and is bound to no address. OKX (2026-04) ends it after 14 days, Binance
# (2021-07) after 30; the shorter.
API_KEY_UNBOUND_LIFETIME = timedelta(days=14)
# A key that nobody uses is nobody's care. Binance ends one that is unused after 30 days.
API_KEY_UNUSED_LIFETIME = timedelta(days=30)
# So long before a key lapses its owner is told: whoever is away over a weekend can still keep it.
KEY_LAPSE_NOTICE = timedelta(days=7)
IPV4_PREFIX_LEAST = 24  # Bits: what one site is assigned; an IP list of more binds nothing.
IPV6_PREFIX_LEAST = 48  # Bits: what one site is assigned; an IP list of more binds nothing.
CODES_PER_HOUR_MOST = 10  # E-mail and SMS codes: a flood trains people to click.
CODES_UNPROVED_PER_HOUR_MOST = 5  # Of them for whoever has shown nothing yet: anybody can ask.
# Of them for whoever knows no more than the password: a leaked one leaves the owner's devices some.
CODES_STRANGE_PER_HOUR_MOST = 8
CODES_PER_DAY_MOST = 16  # A flood that keeps to the hour's limit is one all the same.
CODES_UNPROVED_PER_DAY_MOST = 8  # Half of them, so that strangers leave the owner the other half.
CODES_STRANGE_PER_DAY_MOST = 13  # Three are left: a sign-in takes one, setting a password another.
FLOOD_TOLD_EVERY = timedelta(hours=24)  # Word of a flood of codes is not a flood itself.

# --- Notices ---

# What an account is told in an hour, before it is a flood: whoever changes everything in one
# sitting is told a dozen things, and the last of thirty is not read.
NOTICES_PER_HOUR_MOST = 30
FLOOD_WINDOW = timedelta(hours=1)  # As long as a thief who buries a message has to keep at it.
# A notice that could not be handed on for so long is not sent any more. RFC 5321, 4.5.4.1: mail is
# tried for four or five days; whoever is away over a weekend repairs it within a week.
NOTICE_LIFETIME = timedelta(days=7)

# --- The owner's word in messages ---

NOTICE_WORD_LEAST = 4  # Letters and spaces: a shorter one is guessed in a hundred thousand tries.
# Letters and spaces. It stands in each text message, which has to stay one.
NOTICE_WORD_MOST = 16

# --- Legal holds and exports ---

LEGAL_HOLDS_MOST = 3  # Of one account: a court, an authority and a claim.
LEGAL_REFERENCE_MOST = 24  # Characters: a file number.

# --- Officers ---

# Law 7: one of them may be away and one a thief, and two still agree.
OFFICERS_LEAST = 3
OFFICERS_MOST = 15  # Each of them can halt; a board with deputies has fewer.
OFFICERS_AGREEING = 2  # Law 7: nobody alone.
# Acts of one officer on a day (UTC): the whole chain is read again with each, 26 us an act, behind
# a lock of 300 ms. What stops what is not stopped is not counted out: two others ended it before.
OFFICER_ACTS_A_DAY = 24
STATEMENT_LIFETIME = timedelta(minutes=10)  # From signing to use: a file is carried across a room.
STATEMENT_AHEAD_MOST = timedelta(minutes=1)  # Clocks of officers' machines drift.
# Between the first officer's word and the second's: a call and a safe to open, within one shift.
AGREEMENT_LIFETIME = timedelta(hours=1)
# Between the first word for other officers and their coming: every officer hears, on a weekend too.
OFFICERS_WAIT = timedelta(hours=72)
OFFICERS_WAIT_BEFORE = timedelta(hours=24)  # What it was for what leaves of the second form hold.
OFFICERS_AGREEMENT_LIFETIME = timedelta(days=7)  # Whoever travels agrees within it.
# From the last word that a policy version needs to its activation: a day in which any officer hears
# what comes, and says no.
POLICY_WAIT = timedelta(hours=24)
POLICY_PROPOSAL_LIFETIME = timedelta(days=7)  # What nobody wanted for a week was not wanted.
# After an activation, for so long, two officers return to the version before it without a wait: a
# fault of the new one shows within a week, on each day of it.
POLICY_RETURN = timedelta(days=7)
# Law 5: what one officer holds ends within two weeks, by itself.
SUSPENSION_LENGTH = timedelta(days=14)
# From the beginning of one to the next, whoever sets it: no chain of them holds an account.
SUSPENSION_EVERY = timedelta(days=90)

# --- The prover ---

# What the proofs take for granted of an owner who reads a notice: that it is stopped within a day.
OWNER_REACTS = timedelta(hours=24)
# For how long a signer that is set up as docs/verify.md says has known a key before it believes it.
SIGNER_KEY_AGES = timedelta(days=7)
# What is proved holds for so long: until a thief whom nobody noticed owns something that is old.
PROVED_WITHIN = NEWCOMER_PERIOD
# US cents a day: what law 5 calls a small sum, of an account that one device proves and is told on.
SMALL_SUM_CENTS = 1_000_00
# Bytes: ours has fewer than 10,000, for a few hundred kinds of accounts.
CERTIFICATE_BYTES_MOST = 65_536

# --- Sums ---

# Law 4: what may leave to one destination in a day on the session key alone, whatever a policy
# says. The larger of what our profiles let a stolen device or a narrow account lose in a day.
BUDGET_CENTS_MOST = 1_000_00

MAX_VALUE_CENTS = 10**12  # An unknown value counts as this much (law 1).
# The largest amount of any asset, in its minor units: what fits in 256 bits, as on EVM chains.
MAX_UINT256 = 2**256 - 1
