"""The page of the policy that is in force by default, and of what every policy may say."""

from collections.abc import Iterator
from datetime import timedelta

from doc_parts import in_words, page, table

from twinlock.bootstrap.rulebook import rule_book
from twinlock.cli.policy_table import laws_ask, lifted_by
from twinlock.domain.assurance import Factor
from twinlock.domain.catalogue import CLASS_OF, ActionClass
from twinlock.domain.policy.annotations import Permit
from twinlock.domain.policy.fitting import FITS
from twinlock.domain.policy.statute import Statute
from twinlock.domain.policy.terms import (
    Kind,
)
from twinlock.domain.policy.varying import VARYING, classes_of, only, told
from twinlock.domain.policy.version import Policy
from twinlock.domain.policy.vocabulary import VOCABULARY, Fact, shape_of
from twinlock.domain.reasons import EXPLANATIONS

_EXITS = frozenset(kind for kind, cls in CLASS_OF.items() if cls is ActionClass.EXIT)


def policy_page() -> str:
    """Return docs/policy.md."""
    policy = rule_book().policy
    return page(
        "The policy",
        _introduction(policy),
        "## What follows from a yes",
        """
Only what stands here is permitted. A hold stops every exit from the moment the change takes effect:
after `session.start` only where the device is new, and not after the sign-in that ends setting up;
after `api_key.create` only where the key may withdraw; after `authenticator.bind` only once the
account is set up. A change that had to wait takes effect with the first thing that is decided about
the account after its wait, however late that is ([api.md](api.md#the-life-of-an-action)).
""".strip(),
        table(
            ("action", "holds every exit for", "may be proved by", "lapses without use after"),
            (_permit(kind, one) for kind, one in sorted(policy.statutes.permits.items())),
        ),
        "## What is asked for",
        """
Each row is a rule of the file. While it matches, what stands under *lifted by* is missing; all
rules that match count together, and beside the laws. What those ask for anyway where a rule
matches, of waits and of what leaves on the session key alone, stands beside it: a rule that asks
for less does nothing.
""".strip(),
        table(
            ("rule", "about", "lifted by", "the laws ask anyway for", "what the customer reads"),
            map(_rule, policy.statutes.rules),
        ),
        "## What a rule may read",
        """
Sums are US cents. A day is a day of UTC. The platform's word is in the value only, where it can
only add. Facts out of their range are refused. What varies for some actions only is the same for
all others, so a rule about those that asks for anything else never matches.
""".strip(),
        table(("fact", "type", "says", "varies for", "by whose word"), _facts()),
        *_writing(),
        "## Assets",
        """
Nothing else can be withdrawn. `asset` and `network` are asked for by these names. The line of a
network without a contract is its own coin, in which fees are paid.
""".strip(),
        table(("asset", "network", "decimals", "contract", "addresses"), _assets(policy)),
        """
Addresses have the form that their asset names, and are checked down to their checksums
([destinations.md](destinations.md)). A network whose form is `plain` has none that is known here:
any printable ASCII without spaces passes.
""".strip(),
    )


def _introduction(policy: Policy) -> str:
    return f"""
A policy adds to the [laws](laws.md); nothing in it can take one back. It is one file in
[Cedar](https://docs.cedarpolicy.com), with comments for whoever has to answer for it:
`src/twinlock/policies/default.cedar`, or `strict.cedar` beside it. `TWINLOCK_PROFILE` names one of
the two, or the path of a file of your own. Once officers are appointed, what they activated
decides, whatever that variable says ([officers.md](officers.md#another-policy)). This page is about
`default`;
[profiles.md](profiles.md) compares.

| | |
| --- | --- |
| profile | `{policy.profile}` |
| version | {policy.name.version} |
| digest | `{policy.name.digest}` |

The digest stands in each decision's entry in the log, in each authorization and in each bundle. It
is what a wallet signer and an auditor pin ([verify.md](verify.md)), and `twinlock keys trust`
prints it. It covers version, profile and assets, and by their own digests the rules, the schema,
and the range of every fact; comments and the order of rules do not change it. `twinlock policy
show --json` prints all of that, and without `--json` tables as below. The version is 1 for every
policy that is read from a file: two policies are told apart by their digests alone.
"""


def _permit(kind: str, permit: Permit) -> tuple[str, str, str, str]:
    every = permit.offers == frozenset(Factor)
    offers = "anything bound" if every else ", ".join(f"`{one}`" for one in sorted(permit.offers))
    return f"`{kind}`", _length(permit.exits_held), offers, _length(permit.lapses)


def _length(value: timedelta | None) -> str:
    return "–" if value is None else in_words(value, written=str(value))


def _rule(rule: Statute) -> tuple[str, str, str, str, str]:
    sentence, lifted = EXPLANATIONS[rule.demand.reason].sentence, lifted_by(rule.demand)
    return f"`{rule.rule_id}`", _about(rule.actions), lifted, laws_ask(rule), sentence


def _about(actions: frozenset[str]) -> str:
    if actions == frozenset(CLASS_OF):
        return "anything"
    return "every exit" if actions == _EXITS else ", ".join(f"`{one}`" for one in sorted(actions))


def _facts() -> Iterator[tuple[str, str, str, str, str]]:
    for name, fact in VOCABULARY.items():
        yield f"`{name}`", _type(fact), fact.says, _varies(name), fact.source.value


def _varies(name: str) -> str:
    """Return for which actions a fact varies, and what it is for all others."""
    if name == "class":
        two = sorted(kind for kind in CLASS_OF if len(classes_of(kind)) > 1)
        return f"{', '.join(f'`{one}`' for one in two)}; every other action has one class"
    if name not in VARYING:
        return "any action"
    actions, constant = VARYING[name]
    listed = ", ".join(f"`{one}`" for one in sorted(actions)) or "nothing"
    return f"{listed}; else {told(only(constant), shape_of(VOCABULARY[name]))}"


def _type(fact: Fact) -> str:
    if fact.words:
        words = ", ".join(f"`{word}`" for word in sorted(fact.words))
        return f"one of {words}" if fact.kind is Kind.WORD else f"some of {words}"
    if fact.kind is Kind.WHOLE:
        return f"0 to {fact.most:,}"
    return {Kind.FLAG: "yes or no", Kind.INSTANT: "time"}[fact.kind]


def _writing() -> tuple[str, ...]:
    return (
        "## Writing one's own",
        """
Start from one of the two files, and check each change: `twinlock policy check FILE` says what is
wrong, by the rule's `@id` and the line on which it begins. A policy is refused as a whole when
anything in it

* does not parse, or does not fit the schema: unknown facts and actions, wrong types;
* looks otherwise than it is read: control letters, what turns text around, a lone carriage return;
* has no `@id`, or one twice; has an annotation that is unknown, out of range or of another outcome;
  has a reason that no customer is told, or one that would not be true of it (below);
* permits with a condition, twice, or anything at all; names single accounts; leaves a template;
* has `@exits_held_seconds` on a permit of what neither loosens, gives access nor repudiates, or on
  an erasure; `@lapses_seconds` on any but `destination.add` and `api_key.create`, `@unused_seconds`
  on any but the latter; or what [intents.md](intents.md) tells on any but `trade.unusual`: there
  they would mean nothing, or a freeze that costs its owner a year;
* has `@risk_raised_held_seconds` or `@risk_high_held_seconds` on any permit but that of
  `session.start`, or of more than two weeks; or could stop matching as `risk` or `wanted_elsewhere`
  rises, or once `signalled` is so. They are the word of others, or what other customers did, and
  may only add ([risk.md](risk.md)): compare `context.risk >=` a number;
* has more than 64 brackets open at once, or 512 operators in a rule, counted before it is parsed;
* compares with a word that a fact can never be (`"passkye"` parses, and would never match), or with
  a number that all values of a fact lie on one side of: `value_cents > 99999999999999`, `>= 0`;
* can leave 64 bits in any sum: Cedar would skip the rule, and allow;
* is not lifted by what it asks for, so that an honest customer would never get through;
* asks for a review, which nobody can give yet; or in `@factors` for what a permit of its actions
  does not offer, or for a code: those are asked for only where nothing stronger is bound (law 4),
  so an account with a passkey could never show one;
* slows or forbids what tightens, or leaves out of its `@offers` what somebody has to tighten by
  (law 5): passkey, app and password, and whatever `session.start` takes beside them;
* is read differently by the two engines at any of 512 boundary requests, or of as many more as each
  rule takes to match once.
""".strip(),
        _warnings(),
        """
`@offers("passkey,totp,password")` on a permit names what its action may be proved by, in the words
of the fact `factors`; without it, that is anything bound. Nothing else is asked for, and nothing
else counts where it is shown all the same, or was before the policy said so: what waits is then
asked for a proof again.

What a rule may say: facts as in the table; `&&`, `||`, `!`, comparisons, `+`, `-`, `*`; `contains`,
`containsAll`, `containsAny` and `isEmpty` of sets of words; `durationSince` and `duration("2d")`.
Its scope is one action, the group `exits`, or any. An action that no permit names is refused.

Rules run twice: as functions that are compiled from the parsed file, and in Cedar's own engine. A
yes on an exit or a loosening needs both; a no needs one. Whatever goes wrong in either is a refusal
with the reason `engine_error`, and is in the log like any other. `/metrics` counts them as
`twinlock_engine_errors_total`: wake somebody when it grows.
""".strip(),
        "### A daily limit",
        _daily_limit(),
        "### Which reason fits",
        """
A reason is a code with sentences that the customer reads ([reason-codes.md](reason-codes.md)). A
rule gives one of these, and only where its sentences are true: with that outcome, about nothing but
those actions, and reading one of those facts at least. All others are the laws' to give.
""".strip(),
        table(("reason", "with", "about", "reads one of"), _reasons()),
    )


def _daily_limit() -> str:
    return """
"Tomorrow" is a promise: a rule with `@ends("day")` may match nothing while `day_cents` and
`destination_day_cents` are 0. So a limit of one's own takes two rules. What is above it by itself
is refused for good; what is above it together with what left today may leave tomorrow:

```cedar
@id("mine.sum") @outcome("deny") @reason("above_platform_limit")
forbid (principal, action in Action::"exits", resource)
when { !context.value_unknown && context.value_cents > 5000000 };

@id("mine.day") @outcome("deny") @reason("above_platform_limit") @ends("day")
forbid (principal, action in Action::"exits", resource)
when { context.value_cents <= 5000000 && context.day_cents + context.value_cents > 5000000 };
```

`!context.value_unknown` leaves what has no price to `exits.unknown_value`, which holds it for a day
or takes proofs of two roots. Without that word the first rule refuses it for good, however little
it is ([prices.md](prices.md)). With it, what has no price may leave above the limit after that
wait, and a highest fee in a coin without a price makes all of it so: sign prices in time, of every
network's own coin too.
""".strip()


def _warnings() -> str:
    return """
It warns of what may be meant and seldom is, on stderr and as `warnings` with `--json`:
`permit_missing` and `permit_not_built` (an action nobody may do, or none can), `nobody_proves` (the
`@offers` of a permit reach the floor of no account: a saved code alone to sign in, say, or a
password alone for an exit, so that whoever is asked is asked for ever), `refuses_always`,
`never_matches` (no action that the rule names, whatever the facts), `rules_missing` (which
`default` has and this file lacks), `below_law` (the laws ask for more wherever the rule matches),
`unknown_is_refused` (a deny above a sum, without a word on `value_unknown`: what has no price
counts as the highest sum, so a cent of it is refused as too much), `told_longer` (`@hold_seconds`
or `@retained_seconds` has another length than the condition; a wait that was told is kept, law 5),
`nobody_sets_up` (it stops the first authenticator of a new account: write `context.enrolling ||`
into its `unless`), `reset_in_vain` (`password.reset` offers codes of one kind: an account with
channels of both shows both, or resets nothing), and two ways round a wait for new destinations:
`listing_is_sooner` (to list one takes less long) and `state_is_sooner` (what was removed, or never
signed, waits less long). It notes, under `notes`, a rule about many
actions that can match some of them only: `matches_some`. It also names the rules that differ from
`default`, and says what each rule does beside the others and the laws
([policy-changes.md](policy-changes.md)).
""".strip()


def _reasons() -> Iterator[tuple[str, str, str, str]]:
    for reason, fit in sorted(FITS.items()):
        facts = ", ".join(f"`{one}`" for one in sorted(fit.facts)) or "–"
        yield f"`{reason}`", fit.says, _about_class(fit.actions), facts


def _about_class(actions: frozenset[str]) -> str:
    if actions == frozenset(CLASS_OF) - _EXITS:
        return "anything but exits"
    listed = sorted(actions - _EXITS)
    if listed and actions >= _EXITS and actions != frozenset(CLASS_OF):
        return "every exit, " + ", ".join(f"`{one}`" for one in listed)
    return _about(actions)


def _assets(policy: Policy) -> Iterator[tuple[str, str, str, str, str]]:
    for one in policy.assets:
        yield (
            f"`{one.symbol}`",
            f"`{one.network}`",
            str(one.decimals),
            f"`{one.contract}`" if one.contract else "the network's own coin",
            f"`{one.form}`" if one.form else "none: nothing is sent there",
        )
