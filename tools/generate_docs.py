"""Write the pages of ``docs/`` that follow from the code.

usage: python tools/generate_docs.py

A page that is written by hand goes out of date on the day somebody is in a hurry. These cannot: a
test (tests/tidy/test_generated_docs.py) compares each with what this program would write.
"""

import ast
import importlib
import inspect
import itertools
import pkgutil
import re
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from capabilities_doc import capabilities_page
from doc_parts import attribute_docs, fields_of, in_words, page, summary, table, type_name
from export_doc import export_page
from import_doc import import_page
from policy_doc import policy_page
from profiles_doc import profiles_page
from requirements_doc import requirements_page
from webhooks_doc import webhooks_page

import twinlock
from twinlock.adapters import settings
from twinlock.api import problems
from twinlock.bootstrap.rulebook import rule_book
from twinlock.cli import listening
from twinlock.domain import (
    actions,
    bounds,
    catalogue,
    drafts,
    exit_drafts,
    key_changes,
    message_signatures,
    own_drafts,
)
from twinlock.domain.authenticators import faults, passwords
from twinlock.domain.errors import TwinlockError
from twinlock.domain.events import Event
from twinlock.domain.policy.vocabulary import schema_text
from twinlock.domain.reasons import EXPLANATIONS, Reason
from twinlock.domain.requirements import Answer

DOCS = Path(__file__).resolve().parent.parent / "docs"


def main() -> None:
    """Write every page anew."""
    for name, written in PAGES.items():
        (DOCS / name).write_text(written(), encoding="utf-8")
        print(f"docs/{name}")


# --- Errors ---


def all_errors() -> list[type[TwinlockError]]:
    """Return every error class of the package, by code, after importing all of its modules."""
    for module in pkgutil.walk_packages(twinlock.__path__, prefix="twinlock."):
        if not module.name.endswith(".__main__"):  # Importing that one runs the program.
            importlib.import_module(module.name)
    return sorted(_family(TwinlockError), key=lambda error: error.code)


def _family(error: type[TwinlockError]) -> Iterator[type[TwinlockError]]:
    yield error
    for child in error.__subclasses__():
        yield from _family(child)


def errors_page() -> str:
    """Return docs/errors.md."""
    rows = [(f"`{error.code}`", str(error.status), summary(error)) for error in all_errors()]
    return page(
        "Errors",
        """
An error means that a question could not be answered: its input was nonsense, something that
Twinlock leans on failed, or Twinlock itself is wrong. It decides nothing and opens nothing. A "no"
of the gate is not an error: it is an answer, in the log like a "yes", and its codes stand in
[reason-codes.md](reason-codes.md).

The API tells an error as a problem (RFC 9457) whose `code` is the one below, with this HTTP status.
Codes never change and are never used again. The text beside a code may change; do not read it with
a program. No error holds a secret. Commands tell the same codes on stderr and end with 2.

What to do follows from the status first:

| status | what to do |
| --- | --- |
| 400, 413, 415, 422 | Mend the request: repeated as it is, it is refused again. |
| 401, 403 | Use another key, or the page that is meant: no repeating helps. |
| 404 | Look at the id, and at whose it is. |
| 409 | Look at what stands there already; where an idempotency key is at fault, take a new one. |
| 429, 503 | Repeat later under the same idempotency key; `Retry-After` says from when. |
| 500 | Ours or the operator's fault: tell the operator; repeat under the same idempotency key. |
| 501 | This version cannot do it. |
""",
        table(("code", "status", "meaning"), rows),
        "## What the web server refuses",
        "Before any of our code is asked, with the same kind of answer.",
        table(("code", "status", "meaning"), _http_rows()),
        f"""\
Before that the connection itself is looked at. What is no HTTP (400), has a head of more than
{listening.HEAD_BYTES_MOST:,} bytes or {listening.HEADERS_MOST} fields (431), or more than
{listening.REQUEST_BYTES_MOST:,} bytes in all (413), is answered without a problem and without a
code, and the connection closed. A request that takes more than
{listening.REQUEST_SECONDS:g} seconds to arrive is not answered.""",
    )


def _http_rows() -> list[tuple[str, str, str]]:
    own = {error.code for error in all_errors()}
    return [
        (f"`{code}`", f"{status}", title)
        for status, (code, title) in sorted(problems.HTTP_ERRORS.items())
        if code not in own
    ]


# --- Events ---


def events_page() -> str:
    """Return docs/events.md."""
    rows = [
        (f"`{event.__struct_config__.tag}`", summary(event), fields_of(event, skip=("at",)))
        for event in sorted(get_args(Event), key=lambda event: str(event.__struct_config__.tag))
    ]
    return page(
        "Events",
        """
An event is a fact about an account, in the past tense. An account changes by its events and in no
other way, so replaying them from the first gives the account that the gate decided on. Events are
stored sealed; the log's leaf of a decision commits to the digest of its events
([log-format.md](log-format.md)).

The number after the slash is the event's version: an event whose meaning or fields change gets a
new one, and the old one is read for ever. Every event also has `at`, the time of its decision
(UTC). Fields in brackets are left out while they have their default.
""",
        table(("event", "meaning", "fields"), rows),
    )


# --- Reasons and faults ---


def reasons_page() -> str:
    """Return docs/reason-codes.md."""
    reasons = [(f"`{one}`", *EXPLANATIONS[one]) for one in sorted(Reason)]
    sentences = attribute_docs(faults, faults.ProofFault.__name__)
    rules = attribute_docs(passwords, passwords.PasswordRule.__name__)
    of_passwords = [(f"`{one}`", rules[one.name]) for one in sorted(passwords.PasswordRule)]
    of_proofs = [(f"`{one}`", sentences[one.name]) for one in sorted(faults.ProofFault)]
    kinds = message_signatures.SignatureFault
    sentences = attribute_docs(message_signatures, kinds.__name__)
    of_messages = [(f"`{one}`", sentences[one.name]) for one in sorted(kinds)]
    return page(
        "Reason codes",
        """
Every "no" has a reason, an end and a way on. A decision of the gate lists all of its reasons by
code, and with each what would lift it. Codes are written to the log, so they never change and are
never used again; the sentences are for people and may be reworded.

The answer of a decision is its strongest demand. From the weakest:
"""
        + "".join(f"\n* `{one}`: {_ANSWERS[one]}" for one in Answer)
        + "\n",
        table(("code", "what the customer is told", "ends", "way on"), reasons),
        "## Faults of a proof",
        "When an answer to a challenge does not count, `fault` says why. It names the first thing\n"
        "found wrong, and nothing of the answer itself.",
        table(("fault", "meaning"), of_proofs),
        "## Rules of a new password",
        "When a new password may not be set (`password_refused`), `fault` names the first rule\n"
        "that it breaks.",
        table(("fault", "meaning and way on"), of_passwords),
        "## Faults of a message's signature",
        "When a request is not signed as it must be ([api.md](api.md#signed-messages)), `fault`\n"
        "says why.",
        table(("fault", "meaning"), of_messages),
    )


_ANSWERS = {
    Answer.ALLOW: "nothing is missing",
    Answer.READ_ONLY: "a session that may look, freeze and veto, and nothing else",
    Answer.CHALLENGE: "a proof is missing, or a stronger one",
    Answer.HOLD: "nothing takes effect before a stated time, and a veto can end it",
    Answer.REVIEW: "people must agree",
    Answer.DENY: "nothing lifts this for the payload at hand",
}


# --- Actions ---


DRAFTS: dict[catalogue.ActionType, type[msgspec.Struct]] = {
    **{catalogue.ActionType(kind): draft for kind, draft in exit_drafts.EXIT_DRAFTS.items()},
    catalogue.ActionType.TRUSTED_CONTACT_ADD: drafts.TrustedContactAddDraft,
    catalogue.ActionType.TRUSTED_CONTACT_REMOVE: drafts.TrustedContactRemoveDraft,
    catalogue.ActionType.MEMBER_ADD: drafts.MemberAddDraft,
    catalogue.ActionType.MEMBER_REMOVE: drafts.MemberRemoveDraft,
    catalogue.ActionType.QUORUM_TIGHTEN: drafts.QuorumDraft,
    catalogue.ActionType.QUORUM_LOOSEN: drafts.QuorumDraft,
    catalogue.ActionType.LIMIT_RAISE: own_drafts.LimitDraft,
    catalogue.ActionType.LIMIT_LOWER: own_drafts.LimitDraft,
    catalogue.ActionType.LOCK_TIGHTEN: own_drafts.LockTightenDraft,
    catalogue.ActionType.LOCK_LOOSEN: own_drafts.LockLoosenDraft,
    catalogue.ActionType.AUTHENTICATOR_BIND: drafts.AuthenticatorBindDraft,
    catalogue.ActionType.AUTHENTICATOR_REMOVE: drafts.AuthenticatorRemoveDraft,
    catalogue.ActionType.AUTHENTICATOR_REACTIVATE: drafts.AuthenticatorRemoveDraft,
    catalogue.ActionType.CONTACT_CHANGE: drafts.ContactChangeDraft,
    catalogue.ActionType.PASSWORD_RESET: drafts.PasswordResetDraft,
    catalogue.ActionType.DESTINATION_ADD: drafts.DestinationAddDraft,
    catalogue.ActionType.FREEZE_LIFT: drafts.EmptyDraft,
    catalogue.ActionType.ACCOUNT_ERASE: drafts.EmptyDraft,
    catalogue.ActionType.API_KEY_WIDEN: key_changes.ApiKeyChangeDraft,
    catalogue.ActionType.API_KEY_NARROW: key_changes.ApiKeyChangeDraft,
    catalogue.ActionType.API_KEY_REVOKE: drafts.ApiKeyRevokeDraft,
    catalogue.ActionType.DESTINATION_REMOVE: drafts.DestinationRemoveDraft,
    catalogue.ActionType.FREEZE_SET: drafts.EmptyDraft,
    catalogue.ActionType.AUTHENTICATOR_SUSPEND: drafts.AuthenticatorRemoveDraft,
    catalogue.ActionType.AUTHENTICATOR_REPUDIATE: drafts.AuthenticatorRemoveDraft,
    catalogue.ActionType.CONTACT_REPUDIATE: drafts.ContactRepudiateDraft,
    catalogue.ActionType.API_KEY_CREATE: drafts.ApiKeyCreateDraft,
    catalogue.ActionType.NOTICE_WORD_SET: drafts.NoticeWordSetDraft,
    catalogue.ActionType.PASSWORD_CHANGE: drafts.PasswordChangeDraft,
    catalogue.ActionType.SESSION_START: drafts.SessionStartDraft,
}


def actions_page() -> str:
    """Return docs/actions.md."""
    payloads = {str(one.__struct_config__.tag): one for one in get_args(actions.AnyPayload)}
    rows = [
        (
            f"`{kind}`",
            catalogue.CLASS_OF[kind],
            summary(payloads[kind]) if kind in actions.BUILT else "Known, and refused so far.",
            fields_of(payloads[kind], skip=("account",)) if kind in actions.BUILT else "",
        )
        for kind in sorted(catalogue.ActionType, key=_by_class)
    ]
    return page(
        "Actions",
        """
An action is a sensitive thing that somebody wants done. Its payload names everything that decides
what happens, and is what the customer signs: one changed byte needs a new proof. Every payload also
names its `account`. Fields in brackets may be left out. A type that is not on this page is refused.

You do not send the payload. You send what stands under [Asked with](#asked-with), and Twinlock
makes the payload from it: it adds contract and decimals of the policy, and turns amounts into minor
units and addresses into their one form. The answer tells the payload's `digest`. `POST
/v1/payloads` shows a payload before anything is proposed, but for those that commit to a secret.

The class says what an action does to protection and money. An *exit* lets value leave; a
*loosening* weakens a protection, so it waits and can be vetoed; a *tightening* acts at once,
a freeze and a report of something lost or foreign with little proof; *access* lets somebody in. An
API key that may withdraw counts as a loosening.
""",
        table(("action", "class", "meaning", "payload"), rows),
        "## Asked with",
        """
The fields of `payload` in `POST /v1/actions` ([api.md](api.md)). A field that is not here is
refused, and so is one of another form (`malformed`). Lengths are in characters.
""".strip(),
        table(("action", "field", "form", "default", "what it says"), asked_with()),
    )


def asked_with() -> Iterator[tuple[str, str, str, str, str]]:
    """Give each field of each draft: its action, name, form, default and meaning."""
    for kind, draft in DRAFTS.items():
        said = _field_docs(draft)
        hints = get_type_hints(draft, include_extras=True)
        named = f"`{kind}`"
        for field in msgspec.structs.fields(draft):
            form = form_of(hints[field.name])
            yield named, f"`{field.name}`", form, _default(field), said[field.name]
            named = ""
        if named:
            yield named, "none", "", "", summary(draft)


def _field_docs(draft: type[msgspec.Struct]) -> dict[str, str]:
    """Return what is said of each field of ``draft``, in the class that has it."""
    parents = (one for one in reversed(draft.__mro__) if issubclass(one, drafts.DraftForm))
    told: dict[str, str] = {}
    for one in parents:
        told |= attribute_docs(sys.modules[one.__module__], one.__name__)
    return told


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    empty = field.default in ("", (), None, msgspec.UNSET)
    return "left out" if empty else f"`{msgspec.json.encode(field.default).decode()}`"


def form_of(hint: Any) -> str:  # noqa: ANN401 - any type that a field may have
    """Return the type in ``hint`` in words, with its limits."""
    if get_origin(hint) is not Annotated:
        return type_name(hint)
    kind, meta = get_args(hint)
    named = type_name(kind).replace("Where", "object")
    if meta.max_length is not None:
        least, most = meta.min_length or 0, meta.max_length
        return f"{named}, {f'{least} to {most}' if least < most else most}"
    return f"{named}, {meta.ge} to {in_words(meta.le, written='')}"


def _by_class(kind: catalogue.ActionType) -> tuple[int, int, str]:
    classes = list(catalogue.ActionClass)
    return (classes.index(catalogue.CLASS_OF[kind]), kind not in actions.BUILT, kind)


# --- Settings and bounds ---


def settings_page() -> str:
    """Return docs/settings.md."""
    rows = [
        (f"`{row.name}`", row.unit, row.default, row.meaning.replace("\n", " "))
        for row in settings.describe()
    ]
    return page(
        "Settings",
        """
Settings are environment variables, read once when a process starts. A variable with the prefix
`TWINLOCK_` that is not on this page is refused, and so is a value that cannot be meant: a typing
error never passes silently. No setting weakens a law.
""",
        table(("variable", "value", "default", "meaning"), rows),
        "## What cannot be set",
        """
These limits, waits and lifetimes hold for every installation and every policy. What a policy
chooses stands in [policy.md](policy.md).
""".strip(),
        table(("name", "value", "reason"), bounds_of(bounds)),
    )


def bounds_of(module: types.ModuleType) -> list[tuple[str, str, str]]:
    """Return name, value and reason of each constant in ``module``, as its source gives them.

    The reason is the comment behind the value, or else the lines of comment right above it.
    """
    source = inspect.getsource(module)
    lines = source.splitlines()
    found = []
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value, end_lineno=int(end)):
                behind = lines[end - 1].partition("  # ")[2]
                above = _comment_above(lines[: node.lineno - 1])
                words = name.lower().replace("_", " ")
                text = in_words(getattr(module, name), written=ast.unparse(value))
                found.append((words, _with_unit(name, text), behind or above))
            case _:  # the docstring and the imports
                continue
    return found


def _comment_above(lines: list[str]) -> str:
    block = itertools.takewhile(lambda line: line.startswith("# "), reversed(lines))
    return " ".join(line.removeprefix("# ") for line in reversed(list(block)))


def _with_unit(name: str, text: str) -> str:
    return f"{text} bytes" if "BYTES" in name or name == "DOCUMENT_ROOM" else text


def verify_page() -> str:
    """Return docs/verify.md, which people write, with the digest of the policy in force."""
    written = (DOCS / "verify.md").read_text(encoding="utf-8")
    pinned = f'policies=frozenset({{"{rule_book().policy.name.digest}"}})'
    return re.sub(r'policies=frozenset\(\{"[\w-]{43}"\}\)', pinned, written)


PAGES: dict[str, Callable[[], str]] = {
    "verify.md": verify_page,
    "actions.md": actions_page,
    "capabilities.md": capabilities_page,
    "errors.md": errors_page,
    "events.md": events_page,
    "export.md": export_page,
    "import.md": import_page,
    "policy.md": policy_page,
    "profiles.md": profiles_page,
    "requirements.md": requirements_page,
    "../src/twinlock/policies/twinlock.cedarschema": schema_text,
    "reason-codes.md": reasons_page,
    "settings.md": settings_page,
    "webhooks.md": webhooks_page,
}

if __name__ == "__main__":
    main()
