"""The table of all settings: name, unit, default and meaning, as people read them."""

from dataclasses import dataclass

from twinlock.adapters.mail import settings as mail_settings
from twinlock.domain.bounds import PICKED_ONE_IN_LEAST, PICKED_ONE_IN_MOST

PREFIX = "TWINLOCK_"
PROFILES = ("default", "strict")  # The range's weaker profiles cannot be set from here.
LOG_LEVELS = ("debug", "info", "warning", "error")
MAX_WORKERS = 64  # Each keeps a pool of connections; the embedded server takes 100.
YES_OR_NO = ("no", "yes")
MAX_PROXIES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """One line of the documentation. ``default`` and ``unit`` are for people."""

    name: str
    unit: str
    default: str
    meaning: str


def _row(name: str, unit: str, default: str, meaning: str) -> SettingRow:
    return SettingRow(name=PREFIX + name, unit=unit, default=default, meaning=meaning)


TABLE = (
    _row(
        "DATABASE_URL",
        "postgresql:// URL",
        "the embedded PostgreSQL",
        "The database, PostgreSQL 15 or later, as the application's role. A secret: it may hold "
        "a password.",
    ),
    _row(
        "OWNER_URL",
        "postgresql:// URL",
        "none",
        "The same database as the owner of its tables (docs/postgresql.md): for `migrate`, "
        "`erase-due` and `keys rewrap`, and never for the service. A secret.",
    ),
    _row(
        "DATA_DIR",
        "absolute path",
        "`$XDG_DATA_HOME/twinlock`; as root `/var/lib/twinlock`",
        "Where the embedded database, the log's anchor and the clock's anchor live.",
    ),
    _row(
        "KEYRING_DIR",
        "absolute path",
        "`$XDG_CONFIG_HOME/twinlock/keyring`; as root `/etc/twinlock/keyring`",
        "Where the keys live, mode 0700; never inside the data directory.",
    ),
    _row(
        "PKCS11_MODULE",
        "absolute path",
        "none: the keys lie in files",
        "The PKCS #11 module of a token that shall hold the keys (docs/keys.md). It takes the two "
        "below, too, and the extra `twinlock[hsm]`.",
    ),
    _row("PKCS11_TOKEN", "label", "none", "Which of the module's tokens, by its label."),
    _row(
        "PKCS11_PIN_FILE",
        "absolute path",
        "none",
        "The file, mode 0600, with the token's user PIN, which no setting, log or error holds.",
    ),
    _row(
        "ORIGIN",
        "https:// origin",
        "`http://localhost:PORT`",
        "The one web origin where people prove. Plain http only for the host localhost.",
    ),
    _row(
        "RP_ID",
        "host name",
        "the origin's host",
        "The WebAuthn relying party. It must be the origin's host: passkeys are bound to it, so "
        "stating it guards against a changed origin.",
    ),
    _row(
        "LEGACY_ORIGINS",
        f"RP_ID@https://origin, separated by commas, at most {MAX_PROXIES}",
        "none",
        "Sites of an older system whose passkeys were imported: on these origins they may be used "
        "to look, to freeze and to bind a successor (docs/import.md).",
    ),
    _row(
        "LOG_ORIGIN",
        "name without scheme",
        "`RP_ID/twinlock`",
        "The log's name in its checkpoints; it never changes in the life of a log.",
    ),
    _row(
        "LISTEN",
        "host:port",
        "`127.0.0.1:8080`",
        "Where the server listens; an IPv6 address stands in brackets.",
    ),
    _row("WORKERS", f"processes, 1 to {MAX_WORKERS}", "1", "How many processes serve."),
    _row(
        "PROFILE",
        f"{' or '.join(PROFILES)}, or the absolute path of a .cedar file",
        "`default`",
        "The policy whose statutes are added to the laws, until officers are appointed; from then "
        "on what they activated decides (officers.md). For the service, and the same for the "
        "commands beside it: `erase-due`, `legal-hold`, `export` and `keys trust` are refused "
        "under another one (`policy_differs`).",
    ),
    _row(
        "OUTBOX_DIR",
        "absolute path",
        "`DATA_DIR/outbox`",
        "Where messages are left as files while nobody carries any: for trying out.",
    ),
    *(_row(*row) for row in mail_settings.ROWS),
    _row(
        "PRICE_FILE",
        "absolute path",
        "none: every value counts as the highest",
        "The signed price list.",
    ),
    _row(
        "SCREENING_FILE",
        "absolute path",
        "none: no address is screened",
        "The list of sanctions. Once it is set, nothing is sent where none is in force.",
    ),
    _row(
        "SCREENING_KEY",
        "32 bytes, base64url",
        "none: the list need not be signed",
        "The public key of whoever signs the list of sanctions (`twinlock screening keygen`).",
    ),
    _row(
        "EXITS_FILE",
        "absolute path",
        "none: the exits of docs/actions.md are all",
        "JSON: exits of your own, which are held until the policy speaks of them (docs/exits.md). "
        "Read when a process starts.",
    ),
    _row(
        "BREACHED_PASSWORDS_FILE",
        "absolute path",
        "none: only the common passwords that we ship are refused",
        "Published passwords that may not be set: lines of `SHA-1:count`, sorted by hash, as Pwned "
        "Passwords are.",
    ),
    _row(
        "PICKED_ONE_IN",
        f"a whole number, {PICKED_ONE_IN_LEAST} to {PICKED_ONE_IN_MOST}",
        "none: nobody is picked, and no authenticator is for duress",
        "Of so many proofs by a passkey or an app one picks its account: nothing leaves it for "
        "three days, once a month at most. What is named for duress does the same each time "
        "(docs/duress.md). The same on every process.",
    ),
    _row(
        "NETWORK_FILE",
        "absolute path",
        "none: sign-ins are not told apart by provider",
        "A MaxMind DB of networks' owners, such as GeoLite2-ASN, with flags for data centres and "
        "VPNs where it has them (docs/risk.md). Read when a process starts.",
    ),
    _row(
        "CITY_FILE",
        "absolute path",
        "none: countries by the table that we ship, and their middles",
        "A MaxMind DB of places. Read when a process starts.",
    ),
    _row(
        "WITNESS_POLICY",
        "absolute path",
        "none: no witness is asked",
        "A C2SP trust policy: the witnesses that cosign each head of the log, and the quorum "
        "without which no spend is handed out.",
    ),
    _row("LOG_LEVEL", " or ".join(LOG_LEVELS), "`info`", "What the process writes to stderr."),
    _row(
        "TRUSTED_PROXIES",
        f"addresses or networks, separated by commas, at most {MAX_PROXIES}",
        "none",
        "Whose X-Forwarded-For is believed.",
    ),
    _row(
        "WEBHOOK_NETWORKS",
        f"addresses or networks, separated by commas, at most {MAX_PROXIES}",
        "none: public addresses only",
        "Private networks that webhooks may lead to. Link-local addresses, a cloud's metadata and "
        "IPv4 hidden in IPv6 stay refused.",
    ),
    _row(
        "WEBHOOK_PORTS",
        f"ports, separated by commas, at most {MAX_PROXIES}",
        "none: 443 only",
        "Ports besides 443 that webhooks may lead to.",
    ),
    _row(
        "WEBHOOK_CA_FILE",
        "absolute path",
        "none",
        "Certificates (PEM) of authorities that are trusted for webhooks beside the system's.",
    ),
    _row(
        "WEBHOOK_PLAIN_LOOPBACK",
        " or ".join(YES_OR_NO),
        "`no`",
        "Whether webhooks may go to this machine by plain http, for trying out.",
    ),
)
