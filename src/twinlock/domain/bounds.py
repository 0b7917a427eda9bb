"""Every limit, wait and lifetime that no policy may change, with its unit and its reason.

What a policy may choose (holds, waits, budgets) stands in ``policy/profile.py`` instead.
"""

from datetime import timedelta

# Authorizations and challenges
CHALLENGE_LIFETIME = timedelta(minutes=10)  # N-B06: an out-of-band secret lives ten minutes.
AUTHORIZATION_LIFETIME = timedelta(minutes=15)  # A signing queue drains within minutes.
SPEND_LIFETIME = timedelta(
    minutes=5
)  # What the signer holds in hand; short, since it can move money.
OPEN_ACTION_LIFETIME = timedelta(days=7)  # Counted from the end of its waits; then it lapses.
UNPROVED_ACTION_LIFETIME = timedelta(hours=1)  # A question nobody answered.
SIGNED_AT_TOLERANCE = timedelta(minutes=5)  # Clocks of phones are off by minutes.
ENROLMENT_WINDOW = timedelta(hours=1)  # Sign-up happens in one sitting; nothing is held yet.

# Sessions (SP 800-63B-4, 2.2.3: AAL2 SHOULD NOT exceed 24 h overall, 1 h idle)
SESSION_LIFETIME = timedelta(hours=24)
SESSION_IDLE = timedelta(hours=1)

# Failures: RTS-SCA Art. 4(3)(b) takes five; SP 800-63B-4, 3.2.2 ends at one hundred.
FREE_FAILURES = 5
FAILURE_WAIT = timedelta(seconds=30)  # After the fifth; doubles with each further failure.
FAILURE_WAIT_MOST = timedelta(hours=24)
FAILURES_MOST = 50  # Of each of two counters; then only what cannot be guessed answers.

# Freezes below the floor (law 5: nor is a no a weapon)
WEAK_FREEZE_LENGTH = timedelta(hours=72)
WEAK_FREEZE_EVERY = timedelta(days=30)

# Newness (law 3)
NEWCOMER_PERIOD = timedelta(days=30)  # A new authenticator or channel may not undo an older one.

# Sizes of an account, which is one document of at most 16 KB. Each list alone may be full; all of
# them together not, and what is urgent (tightening, signing in) fits in whatever the rest holds.
DOCUMENT_BYTES_MOST = 16_384  # A document of 27 KB halved the throughput (measured).
PASSING_BYTES_MOST = 3_560  # What signing in and time add: sessions, devices, holds, counters.
URGENT_BYTES_MOST = 1_680  # One urgent action with all its questions; a removal is the longest.
URGENT_ACTIONS_LEAST = 2  # Of them stand in the fullest account: a stranger's, and the owner's.
DOCUMENT_ROOM = DOCUMENT_BYTES_MOST - PASSING_BYTES_MOST - URGENT_ACTIONS_LEAST * URGENT_BYTES_MOST
URGENT_PAYLOAD_BYTES_MOST = 384  # An address and a memo of 128 letters each, on a long network.
PAYLOAD_BYTES_MOST = 1_024  # The longest ordinary one, an API key with 8 networks, has 900.
SECRET_BYTES_MOST = 1_024  # A passkey whose credential id has 400 bytes; most have 16 to 80.
OPEN_ACTIONS_MOST = 8
LOOSE_ACTIONS_MOST = 4  # Of them without a proof that waits: anybody can make those.
CHALLENGES_PER_ACTION_MOST = 4  # Who asks in ever more ways leaves the first behind.
CANDIDATES_MOST = 2
AUTHENTICATORS_MOST = 8
CHANNELS_MOST = 4
SESSIONS_MOST = 4
DEVICES_MOST = 6
HOLDS_MOST = 4  # Only the one that ends last stops anything; the log keeps all.
DESTINATIONS_MOST = 100  # 36 bytes each, removed ones too: their streams must not come back.
API_KEYS_MOST = 4
IPV4_PREFIX_LEAST = 24  # Bits: what one site is assigned; an IP list of more binds nothing.
IPV6_PREFIX_LEAST = 48
CODES_PER_HOUR_MOST = 10  # E-mail and SMS codes: a flood trains people to click.
CODES_UNPROVED_PER_HOUR_MOST = 5  # Of them for whoever has shown nothing yet: anybody can ask.

# Sums
MAX_VALUE_CENTS = 10**12  # US$10 billion: unknown values count as this (law 1).
MAX_UINT256 = 2**256 - 1  # The widest whole number a supported chain can carry.
