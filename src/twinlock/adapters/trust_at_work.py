"""The trust file of an installation while it serves: it follows the keyring, and pins no policy.

Always true (tests/integration/test_web_public_log.py): each key that the log signs with is named.
Which policy versions decided is for whoever reviewed them to say, so none is pinned here.
"""

from dataclasses import replace

from twinlock.adapters.keyring import signing
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.settings import Settings
from twinlock.adapters.witnesses import log_policy, own_logs
from twinlock.domain.trust import Trust


class TrustAtWork:
    """Whom evidence is verified by. Implements ``Takes``.

    The witnesses are those of the start, as with everything that asks them.

    Raises:
        WitnessPolicyWrongError: the trust policy that the settings name cannot be meant.
    """

    def __init__(self, keyring: Keyring, settings: Settings) -> None:
        self._keyring = keyring
        self._settings = settings
        self._policy = log_policy(settings, keyring)
        self._trust: Trust | None = None

    def take(self, keyring: Keyring) -> None:
        """Go on with a keyring that has changed."""
        self._keyring = keyring
        self._trust = None

    def trust(self) -> Trust:
        """Return the trust file of this moment. Raises MalformedError: one key has two roles."""
        if self._trust is None:
            logs = own_logs(self._settings, self._keyring)
            self._trust = signing.trust(
                self._keyring,
                log_policy=replace(self._policy, logs=logs),
                rp_id=self._settings.rp_id,
                origin=self._settings.origin,
                policies=(),
            )
        return self._trust
