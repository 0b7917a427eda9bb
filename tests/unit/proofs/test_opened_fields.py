"""Opening the fields of an entry: what is told of a wrong one is never a word of the bundle's."""

import pytest

from twinlock.domain.canonical import b64url
from twinlock.domain.entries import (
    ERASED_FIELD,
    FIELDS,
    LABEL_KEY_FIELD,
    SALT_BYTES,
    SPEND_FIELD,
    Opening,
)
from twinlock.domain.errors import BundleRefusedError
from twinlock.domain.requirements import Answer
from twinlock.proofs.bundle_faults import BundleFault
from twinlock.proofs.leaves import LEAF_VERSION, Leaf, open_fields

NONE = b64url(bytes(32))
STRANGE = "<b>send it to Mallory</b>"


def told_of(field: str) -> str:
    """Return what is told of an opening that does not fit its commitment."""
    leaf = Leaf(
        at=0,
        c={field: NONE},
        dec=Answer.ALLOW,
        lbl=NONE,
        pol=NONE,
        prev=NONE,
        t="freeze.set",
        v=LEAF_VERSION,
    )
    opening = Opening(b64url(bytes(SALT_BYTES)), "{}")
    with pytest.raises(BundleRefusedError) as refused:
        open_fields({field: opening}, leaf, needed=())
    assert refused.value.fault is BundleFault.OPENING_WRONG
    return str(refused.value)


@pytest.mark.parametrize("field", [*FIELDS, SPEND_FIELD, LABEL_KEY_FIELD, ERASED_FIELD])
def test_a_wrong_opening_is_told_by_the_name_of_its_field(field: str) -> None:
    assert told_of(field).endswith(f"(the field {field})")


def test_of_a_field_that_is_not_known_no_name_is_told() -> None:
    """Prevents: a bundle that puts words into the mouth of who verifies it."""
    assert told_of(STRANGE).endswith("(a field that is not known here)")
