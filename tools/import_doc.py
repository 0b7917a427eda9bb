"""The page of moving in: docs/import.md, from the types that rows are read as."""

import json

from doc_parts import fields_of, page, summary, table

from twinlock.domain.authenticators.foreign_hashes import (
    ARGON2_KIB_MOST,
    ARGON2_KIB_PASSES_MOST,
    ARGON2_LANES_MOST,
    BCRYPT_LOG_LEAST,
    BCRYPT_LOG_MOST,
    PBKDF2_LEAST,
    PBKDF2_SHA256_MOST,
    PBKDF2_SHA512_MOST,
    SCRYPT_MEMORY_MOST,
    SCRYPT_WORK_MOST,
)
from twinlock.domain.importing.faults import SENTENCES
from twinlock.domain.importing.rows import (
    ImportedApiKey,
    ImportedDestination,
    ImportedPasskey,
    ImportedTotp,
    Row,
    schema,
)
from twinlock.proofs.totp import OLDER_SEED_BYTES
from twinlock.services.importing.reading import CELLS_MOST, LINE_BYTES_MOST, column_names

_INTRODUCTION = """
Customers of an older system move in from one file, of CSV or of JSON Lines:

```sh
chmod 600 old.csv
twinlock import old.csv --dry-run --errors errors.csv
twinlock import old.csv --errors errors.csv --accounts accounts.jsonl
```

Run it with the settings of the service. A dry run reads the database, writes nothing, and finds
what the run would find. The run takes over every row that is sound, in transactions that many
share, beside a service that goes on serving; a row with one fault is refused whole, since an
account without its app would ask for less than it did. `--errors` writes line, column, code and
sentence of each refused row, and nothing that stood in it; `--accounts` writes which reference
became which account. `--map` names a JSON file from the file's own names to the ones below, or to
`null` for what is left out. Exit codes: 0 all rows are in, 1 some were refused, 2 nothing could
be done. On a terminal it shows how far it is. Rows of a file above 250 KB are checked by a second
process, which has no database and writes nothing; while it checks some, the first one writes those
before.

**Once, and resumable.** An account's id follows from the installation's log origin and the row's
`reference`, so the account itself is the mark of its row. A row whose account exists is refused
(`account_exists`), whatever file it comes from; with `--resume` those that this very file brought
count as done, also where another `--map` reads them otherwise now: what went in stays as it is.
Stop it where you like, also by `kill -9`, and run it again with `--resume`. A file
that was mended is another file: cut the rows that went in, or let them be refused. Whoever knows
a reference can compute its account's id, and so tell from a copy of the database which rows are
that customer's, not what they say: take the older system's customer number, never an address.

**The file is the most dangerous one that you have**: it holds every seed and hash. Make it on an
encrypted disk or in memory (`/dev/shm`), mode 0600, and let two people agree on its SHA-256,
which the command prints and every imported account keeps: whoever can add a row to it can move in
as anybody. Destroy it afterwards with its copies; `shred` alone does nothing on an SSD or a
journal, but destroying the key of the disk does. Nothing of it is logged, told or kept in clear:
seeds and hashes are sealed under each customer's own key like all else.
"""
_TRUST = (
    (
        "all of it",
        (
            "One sitting and one age, the import's: nothing imported is a newcomer beside the "
            "rest, and nothing is older. The account is not *being set up*: nothing is bound "
            "without proof. Nobody is written to."
        ),
    ),
    (
        "floor",
        "Follows from what is imported, as from anything that is bound.",
    ),
    (
        "password",
        (
            "As it was. A first right answer hashes it anew as argon2id (`password.rehashed/1`): "
            "it stays as old as it was."
        ),
    ),
    (
        "app",
        (
            "Possession, like any app. Its seed was known to the older system. Codes of before the "
            "import are used up."
        ),
    ),
    (
        "passkey",
        (
            "Of another site: it sets the floor, opens a session that looks and freezes, and binds "
            "a passkey of ours, which waits three days; nothing else, and not even that once there "
            "is one ([ADR 11](adr/0011-what-an-imported-passkey-may-do.md)). Whatever the file "
            "says, it counts as the phone's."
        ),
    ),
    (
        "address, number",
        "Notice channels; codes where nothing stronger is bound.",
    ),
    (
        "destination",
        "Listed and unproved: it takes a proof and a wait like a new one.",
    ),
    (
        "API key",
        (
            "A public key that may read or trade. It stands for no proof; the right to withdraw "
            "takes a new key, by the owner's proof."
        ),
    ),
)
_ON_TRUST = """
`GET /v1/accounts/{id}` says of each thing whether it was imported, and `imported_from` is the
SHA-256 of its file (base64url). The first entry of the account has it too, for whoever disputes
something later: bound by another system, not under our eyes. The label key is not told by an
import, so a customer who was moved in cannot find all of their entries in the public log alone.

Passkeys take `TWINLOCK_LEGACY_ORIGINS`: the RP IDs and origins on which they may answer. A
browser lets a page use the passkeys of its own site only, so the question has to be put on a page
of the older one: ask with `POST /v1/actions/{id}/challenges`, hand its `options` to that page,
bring the answer back. Our own confirm page cannot.
""".strip()
_HASHES = (
    (
        "argon2id, argon2i",
        "PHC `$argon2id$v=19$…`; Django `argon2$argon2id$…`",
        "1 MiB",
        (
            f"{ARGON2_KIB_MOST // 1024} MiB; {ARGON2_KIB_PASSES_MOST // 1024} MiB times passes; "
            f"{ARGON2_LANES_MOST} lanes"
        ),
    ),
    (
        "bcrypt",
        (
            "`$2a$`, `$2b$`, `$2y$`; Django `bcrypt$…`, `bcrypt_sha256$…`; passlib "
            "`$bcrypt-sha256$v=2,…`"
        ),
        f"cost {BCRYPT_LOG_LEAST}",
        f"cost {BCRYPT_LOG_MOST}",
    ),
    (
        "scrypt",
        (
            "`$scrypt$ln=…,r=…,p=…$…` (passlib); Django `scrypt$N$salt$r$p$…`; Werkzeug "
            "`scrypt:N:r:p$…`"
        ),
        "N = 1,024",
        f"N times r = {SCRYPT_MEMORY_MOST:,} (128 MiB); times p = {SCRYPT_WORK_MOST:,}",
    ),
    (
        "PBKDF2-SHA256",
        "`$pbkdf2-sha256$…` (passlib, PHC); Django `pbkdf2_sha256$…`; Werkzeug `pbkdf2:sha256:…`",
        f"{PBKDF2_LEAST:,}",
        f"{PBKDF2_SHA256_MOST:,}",
    ),
    (
        "PBKDF2-SHA512",
        "the same with `sha512`",
        f"{PBKDF2_LEAST:,}",
        f"{PBKDF2_SHA512_MOST:,}",
    ),
)
_ON_HASHES = """
A password is compared as it is typed, and in its NFC and NFKC forms. Stray bits in the last
letter of bcrypt's salt are dropped, as it drops them; PBKDF2's iterations count for each block of
the digest. bcrypt reads 72 bytes: of a longer password the rest is not compared, as the older
system did not, and the hash is then kept as it is, so that a mistyped end does not become the
password. A NUL never fits. Until it is hashed anew, checking takes as long as that hash asks for,
so the clock tells that an account was moved in.
""".strip()
_FORMAT = f"""
UTF-8, with or without a byte order mark. One line is one row, in CSV too: a quote that is open at
its end breaks that row, and each that follows until a quote closes it, since what stands there was
written into a cell, perhaps by a customer. Keep line breaks out of cells. A row has
{LINE_BYTES_MOST // 1024} KiB at most, and {CELLS_MOST} cells; empty lines are skipped. A seed has
{OLDER_SEED_BYTES} bytes at least.
References, seeds, credentials and API keys stand in one row of a file only. Texts begin with none
of `= + - @`.

In JSON Lines each line is an object of these members (`jq -c '.[]' old.json` makes such lines of an
array), of which only `reference` must be there; a row without a way in (password or passkey) or
without anybody to tell (address or number) is refused.
"""
_THINGS = (ImportedTotp, ImportedPasskey, ImportedDestination, ImportedApiKey)


def import_page() -> str:
    """Return docs/import.md."""
    columns = ", ".join(f"`{name}`" for name in column_names())
    return page(
        "Moving in",
        _INTRODUCTION,
        "## What it is worth",
        table(("what", "how it counts"), _TRUST),
        _ON_TRUST,
        "## Password hashes",
        table(("scheme", "spellings", "refused below", "refused above"), _HASHES),
        _ON_HASHES,
        "## The file",
        _FORMAT.strip(),
        table(
            ("of", "members", "meaning"),
            (
                (f"`{one.__name__}`", fields_of(one, skip=()), summary(one))
                for one in (Row, *_THINGS)
            ),
        ),
        f"In CSV the columns are {columns}. `totp`, `passkeys`, `destinations` and `api_keys` hold "
        "a JSON array; or each thing has columns of its own, such as `totp_1_seed`, "
        "`passkey_2_rp_id`, `destination_1_network` or `api_key_1_scopes`, in which "
        "lists are parted by spaces.",
        "## Why a row is refused",
        table(("code", "meaning"), ((f"`{fault}`", text) for fault, text in SENTENCES.items())),
        "## Schema of a line",
        "```json\n" + json.dumps(schema(), indent=1, ensure_ascii=False) + "\n```",
    )
