"""The page of webhooks: docs/webhooks.md."""

from doc_parts import in_words, page, table

from twinlock.adapters.sql.webhooks import CLAIM
from twinlock.adapters.webhooks.pumps import LOOK_SECONDS
from twinlock.domain.webhooks.endpoints import (
    DOWN_AFTER,
    ENDPOINTS_MOST,
    FAILING_MOST,
    FAULTS,
    JITTER_PARTS,
    OVERLAP_MOST,
    PAUSE,
    PAUSE_MOST,
    RETRIES_MOST,
    RETRY_AFTER,
    SECRETS_MOST,
)
from twinlock.domain.webhooks.outcomes import TYPES

_ALWAYS = "in all but `webhook.test`"
_ABOUT = f"{_ALWAYS} and `officers.acted`"
_DATA = (
    ("account_id", _ABOUT, "whose account"),
    ("answer", _ABOUT, "what the gate said: one of the six words of [api.md](api.md)"),
    ("index", _ALWAYS, "the decision's place in the log"),
    ("policy_digest", _ABOUT, "the policy version that decided"),
    ("action_id", "of an action", "which action"),
    ("type", "of an action", "its type ([actions.md](actions.md))"),
    ("state", "where the decision says it", "where the action stands after it"),
    (
        "until",
        "when a wait began",
        "when the wait that must pass is over (UTC); in `alarm.duress` when the hold that began is",
    ),
    (
        "reasons",
        "where there are any",
        "codes of what is missing ([reason-codes.md](reason-codes.md))",
    ),
    ("act", "in `officers.acted`", "what an officer said; of the first act nothing"),
    ("number", "in `officers.acted`", "the act's number"),
    ("officer", "in `officers.acted`", "by which public key"),
    ("officers", "in `officers.acted`", "of the first act, who are named by it"),
)


def webhooks_page() -> str:
    """Return docs/webhooks.md."""
    return page(
        "Webhooks",
        _INTRODUCTION,
        "## Registering",
        _REGISTERING.strip(),
        "## Types",
        table(("type", "tells"), ((f"`{kind}`", told) for kind, told in sorted(TYPES.items()))),
        "## A message",
        _MESSAGE.strip(),
        table(("field of `data`", "there", "meaning"), ((f"`{a}`", b, c) for a, b, c in _DATA)),
        _RECEIVING.strip(),
        "## When a message is not taken",
        _failing(),
        table(("fault", "meaning"), ((f"`{one}`", told) for one, told in sorted(FAULTS.items()))),
        "## Where messages may go",
        _WHERE.strip(),
        "## Watching it",
        table(("metric", "tells"), _METRICS),
        _LIMITS.strip(),
    )


_INTRODUCTION = f"""
Every outcome of the gate can be pushed to your servers, so that nobody has to poll: what was
proposed, held, authorized, spent, done, refused, vetoed or lapsed, also what was settled later on.
Messages follow [Standard Webhooks](https://www.standardwebhooks.com), so your receiver may use one
of its libraries. They cost a decision nothing: the log is the queue, and an endpoint follows it a
moment later (within a second on a quiet machine; a process looks every {LOOK_SECONDS} s).

A message says *that* something was decided, and names it. It holds no address, label, sum or
secret. Ask the API for the rest, and never sign anything on a message: a signer believes the
[evidence](verify.md#for-a-wallet) and nothing else.

A wait that is over is settled with the next decision about its account, or when somebody asks for
one; `action.done` comes then. So a change that waits until noon may be told later than noon.
"""
_REGISTERING = f"""
```sh
twinlock webhook add https://hooks.example/twinlock --events 'action.*'
twinlock webhook list
```

The secret (`whsec_…`) is shown this once, and with it a public key (`whpk_…`) for receivers that
should not be able to sign. An endpoint is told of what is decided from now on. `--events` takes a
type, its first words and `.*`, or `*` for all, and may be repeated. There are at most
{ENDPOINTS_MOST} endpoints. URL and secrets are kept sealed: the database cannot read them, nor lead
messages elsewhere.

* `twinlock webhook list` names on stderr what is not what we sealed, with exit code 1:
  remove it, and add it anew.
* `twinlock webhook test ID` sends a message that tells of nothing, and says what came back.
* `twinlock webhook rotate ID` makes a new secret. Older ones sign beside it for a day, or for
  `--overlap-hours` (0: not at all; {in_words(OVERLAP_MOST, written="")} at most), so a receiver may
  change whenever it likes meanwhile. Up to {SECRETS_MOST} are in force at once.
* `twinlock webhook replay ID` tries dead messages again; with `--from INDEX` everything from that
  entry of the log, in order and under the same ids. An entry that the log does not have is refused
  (`webhook_replay_refused`).
* `twinlock webhook enable ID` goes on with one that was disabled, from where it stood.
* `twinlock webhook remove ID` forgets it and all that waits for it.
"""
_MESSAGE = """
```json
{"data":{"account_id":"acc_…","action_id":"act_…","answer":"hold","index":4711,
"policy_digest":"…","reasons":["loosening_waits"],"state":"open","type":"destination.add",
"until":"2026-03-02T12:00:00Z"},"timestamp":"2026-03-01T12:00:00Z","type":"action.held"}
```

| header | meaning |
| --- | --- |
| `webhook-id` | the message: the same for every attempt and every endpoint, and for a replay |
| `webhook-timestamp` | when this attempt was signed, in POSIX seconds |
| `webhook-signature` | by each secret `v1,` HMAC-SHA-256 and `v1a,` Ed25519 of `id.time.body` |

`timestamp` is when it was decided. Body and id follow from the entry of the log alone, so they are
the same bytes each time; the id is made of the hash of the entry's public leaf. A `webhook.test`
follows from no entry: its `data` holds `webhook_id` and nothing else.
"""
_RECEIVING = """
**Receiving.** Verify the signature over the raw body before you read it, and refuse a timestamp
that is more than five minutes off. Answer 2xx at once, within ten seconds, and work afterwards:
the status is all that is read. Messages come at least once, so keep the ids you have seen. While
nothing fails they come in the order of the log, one at a time; what was tried again comes late,
so compare `index` before you let an older message replace what a newer one said.
"""


def _failing() -> str:
    waits = ", ".join(in_words(wait, written="") for wait in RETRY_AFTER)
    return f"""
Whatever is not answered with 2xx is tried again after {waits}, each up to 1/{JITTER_PARTS} longer.
After {len(RETRY_AFTER) + 1} attempts it is *dead*: kept, counted, and tried no more until it is
replayed. What follows does not wait for it.

An endpoint that fails {DOWN_AFTER} times in a row is *down*. New messages then wait in the log, in
order; one at a time is tried after {in_words(PAUSE, written="")}, then ever more rarely, but at
least every {in_words(PAUSE_MOST, written="")} or so. The first one that is taken ends that. At most
{RETRIES_MOST:,} messages of an endpoint wait to be tried again; more stay in the log. An endpoint
is *disabled* at once by a 410, and after {in_words(FAILING_MOST, written="")} in which everything
failed; that is logged as `webhook_disabled`. An endpoint that also carries messages to customers
([notices.md](notices.md)) goes on with those. No endpoint keeps another one or a decision waiting.

Two processes share the work and do not send one message twice, unless one was killed or stopped
after it sent and before it could note that. What a killed one was at goes on within
{in_words(CLAIM, written="")}.
""".strip()


_WHERE = """
By https on port 443 to public addresses, and nowhere else. A name is resolved once for each
connection; every address of the answer is checked, and the connection goes to a checked one, with
the certificate of the name. Redirects are not followed, proxies of the environment are not used.

Exchanges run inside private networks, so [settings](settings.md) can name networks
(`TWINLOCK_WEBHOOK_NETWORKS`), ports (`TWINLOCK_WEBHOOK_PORTS`) and an authority of your own
(`TWINLOCK_WEBHOOK_CA_FILE`); all are off by default. Link-local addresses, a cloud's metadata,
multicast and IPv4 hidden in IPv6 (mapped, NAT64, 6to4, Teredo, ISATAP) are refused whatever they
say. `TWINLOCK_WEBHOOK_PLAIN_LOOPBACK=yes` lets http go to this machine, for trying out.
"""
_METRICS: tuple[tuple[str, str], ...] = (
    (
        "`twinlock_webhook_attempts_total{result}`",
        "attempts of this process, by `delivered` or fault",
    ),
    ("`twinlock_webhook_dead_total`", "messages that this process gave up"),
    (
        "`twinlock_webhook_behind{webhook}`",
        "entries of the log that an endpoint was not told of yet",
    ),
    (
        "`twinlock_webhook_oldest_seconds{webhook}`",
        "the age of the first of them; NaN where that one is damaged",
    ),
    ("`twinlock_webhook_retries{webhook}`", "messages that wait to be tried again"),
    ("`twinlock_webhook_dead_letters{webhook}`", "messages that are dead"),
    ("`twinlock_webhook_disabled{webhook}`", "1 where nothing is sent any more"),
)
_LIMITS = """
Logs name endpoints and messages by id, never a URL.

**What it does not do.** One message at a time means that an endpoint 50 ms away takes 20 a second
at most; split it by types, or answer from nearby. There is no list of messages: the log is it. An
erased person's messages are not sent any more, but the one that says so. Whoever owns the database
can make messages come again or not at all, and put an endpoint's earlier document back as a whole,
with the secrets and the URL it had then; they can neither read, make nor change one.
"""
