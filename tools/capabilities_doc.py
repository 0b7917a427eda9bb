"""The page docs/capabilities.md: what a compromise is, row by row, from the prover's own table."""

from doc_parts import page, table

from twinlock.domain.prover.capabilities import TABLE, Kind

_KINDS = {
    Kind.THIEF: ("Thieves", "Counted by the theorem, one each."),
    Kind.INSIDER: ("Insiders", "Somebody bribed. Counted by the theorem, one each."),
    Kind.OPERATOR: (
        "Operators",
        "What the operator's own machines, keys and officers hold. Shown, not counted.",
    ),
    Kind.OWNER: ("The owner's own will", "Shown, not counted: it is made to wait."),
}


def capabilities_page() -> str:
    """Return docs/capabilities.md."""
    parts = []
    for kind, (title, counts) in _KINDS.items():
        rows = [
            (f"`{name.value}`", given.says) for name, given in TABLE.items() if given.kind is kind
        ]
        parts += [f"## {title}", counts, table(("name", "what it is"), rows)]
    return page(
        "Capabilities",
        """
Each row is one compromise, as `twinlock prove`, `twinlock policy diff` and `policy propose` name
them. A row that opens nothing says why. [proof.md](proof.md#capabilities) says what is taken for
granted of them.
""",
        *parts,
    )
