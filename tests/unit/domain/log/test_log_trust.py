from datetime import UTC, datetime, timedelta

import pytest

from twinlock.domain.errors import MalformedError, QuorumError
from twinlock.domain.log.note import KeyType, VerifierKey
from twinlock.domain.log.trust import MAX_POLICY_BYTES, TrustedLog, Witness, parse_trust_policy

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def raw_key(number: int) -> bytes:
    return b"key" + number.to_bytes(29, "little")


def log_vkey(number: int = 0) -> VerifierKey:
    return VerifierKey(
        name=f"log{number}.example", key_type=KeyType.ED25519, public_key=raw_key(number)
    )


def witness_vkey(number: int) -> VerifierKey:
    return VerifierKey(
        name=f"witness{number}.example",
        key_type=KeyType.ED25519_COSIGNATURE,
        public_key=raw_key(1000 + number),
    )


def witnesses(*numbers: int) -> str:
    return "".join(f"witness w{number} {witness_vkey(number)}\n" for number in numbers)


def read(*parts: str) -> None:
    parse_trust_policy("".join(parts).encode())


X_AND_Y = f"""
# Two of the first three, and one of the others.
log {log_vkey()}
{witnesses(1, 2, 3)}
group x 2 w1 w2 w3
{witnesses(4, 5)}
group y any w4 w5
group both all x y
quorum both
"""


def test_a_policy_names_logs_and_witnesses_with_their_addresses() -> None:
    policy = parse_trust_policy(
        f"log {log_vkey()} https://log0.example\n"
        f"witness w1 {witness_vkey(1)} https://witness1.example\n"
        "quorum w1\n".encode()
    )

    assert policy.logs == (TrustedLog(key=log_vkey(), url="https://log0.example"),)
    assert policy.witnesses == (
        Witness(name="w1", key=witness_vkey(1), url="https://witness1.example"),
    )
    assert (policy.groups, policy.quorum) == ((), "w1")
    assert parse_trust_policy(policy.to_text().encode()) == policy


def test_tabs_blank_lines_comments_and_outer_spaces_mean_nothing() -> None:
    tidy = f"log {log_vkey()}\nwitness w1 {witness_vkey(1)}\nquorum w1\n"
    untidy = f"\n  # Why.\n\tlog\t{log_vkey()} \n\t \nwitness  w1 {witness_vkey(1)}\n\tquorum w1\n"

    assert parse_trust_policy(untidy.encode()) == parse_trust_policy(tidy.encode())


def test_names_are_bytes_and_not_unicode_text() -> None:
    kelvin, latin = "\u212a".encode(), b"\xff"
    lines = [
        b"witness K %s" % str(witness_vkey(1)).encode(),
        b"witness %s %s" % (kelvin, str(witness_vkey(2)).encode()),
        b"witness %s %s" % (latin, str(witness_vkey(3)).encode()),
        b"witness a\xc2\xa0b %s" % str(witness_vkey(4)).encode(),
        b"quorum %s" % kelvin,
    ]

    policy = parse_trust_policy(b"\n".join(lines) + b"\n")

    assert len({witness.name for witness in policy.witnesses}) == 4
    assert policy.quorum == "\u212a"


@pytest.mark.parametrize(
    ("cosigned", "enough"),
    [
        pytest.param([], False, id="nobody"),
        pytest.param(["w1", "w2"], False, id="the first group only"),
        pytest.param(["w4", "w5"], False, id="the second group only"),
        pytest.param(["w1", "w4"], False, id="one below the first threshold"),
        pytest.param(["w1", "w3", "w5"], True, id="just enough"),
        pytest.param(["w1", "w2", "w3", "w4", "w5"], True, id="all"),
        pytest.param(["w1", "w1", "w4"], False, id="one of them twice"),
    ],
)
def test_a_quorum_is_counted_through_its_groups(cosigned: list[str], enough: bool) -> None:
    policy = parse_trust_policy(X_AND_Y.encode())

    if enough:
        policy.check_quorum(cosigned)
    else:
        with pytest.raises(QuorumError):
            policy.check_quorum(cosigned)


def test_a_quorum_may_be_one_witness_or_none() -> None:
    one = parse_trust_policy(f"{witnesses(1, 2)}quorum w2\n".encode())
    none = parse_trust_policy(b"quorum none\n")

    one.check_quorum(["w2"])
    none.check_quorum([])
    with pytest.raises(QuorumError):
        one.check_quorum(["w1"])


def test_a_checkpoint_is_as_fresh_as_a_whole_quorum_says() -> None:
    policy = parse_trust_policy(f"{witnesses(1, 2, 3)}group g 2 w1 w2 w3\nquorum g\n".encode())
    hour = timedelta(hours=1)

    fresh_at = policy.quorum_fresh_at({"w1": NOON + 9 * hour, "w2": NOON, "w3": NOON - hour})

    assert fresh_at == NOON
    with pytest.raises(QuorumError):
        policy.quorum_fresh_at({"w1": NOON + 9 * hour})


def test_without_a_quorum_nothing_says_how_fresh_a_checkpoint_is() -> None:
    policy = parse_trust_policy(f"{witnesses(1)}quorum none\n".encode())

    assert policy.quorum_fresh_at({"w1": NOON}) is None


def test_thirty_two_of_each_are_supported() -> None:
    logs = "".join(f"log {log_vkey(number)}\n" for number in range(32))
    groups = "".join(f"group g{number} any w{number}\n" for number in range(32))

    policy = parse_trust_policy(f"{logs}{witnesses(*range(32))}{groups}quorum g31\n".encode())

    assert (len(policy.logs), len(policy.witnesses), len(policy.groups)) == (32, 32, 32)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "end in LF", id="nothing"),
        pytest.param("# Nothing.\n", "no quorum", id="no quorum"),
        pytest.param("quorum none", "end in LF", id="no LF at the end"),
        pytest.param("quorum none\r\n", "control", id="CRLF"),
        pytest.param("quorum none\x7f\n", "control", id="DEL"),
        pytest.param("quorum none\n" * 2, "line 2: a second quorum", id="two quorums"),
        pytest.param("quorum w1\n", "line 1: a name is used", id="quorum undefined"),
        pytest.param(f"quorum w1\n{witnesses(1)}", "a name is used", id="quorum defined later"),
        pytest.param("quorum\n", "not a definition", id="quorum without a name"),
        pytest.param("quorum none none\n", "not a definition", id="quorum with two names"),
        pytest.param("witnes w1\n", "not a definition", id="unknown word"),
        pytest.param("log\n", "not a definition", id="log without a key"),
        pytest.param(f"log {log_vkey()} url more\n", "not a definition", id="log with more"),
        pytest.param("log key\n", "base64|type", id="log with no vkey"),
        pytest.param(f"log {witness_vkey(1)}\n", "wrong type", id="log with a cosigner's key"),
        pytest.param(f"log {log_vkey()}\n" * 2, "one raw key", id="one log twice"),
        pytest.param("witness w1\n", "not a definition", id="witness without a key"),
        pytest.param(
            f"witness w1 {witness_vkey(1)} url more\n", "not a definition", id="witness with more"
        ),
        pytest.param(f"witness w1 {log_vkey()}\n", "wrong type", id="witness with a log's key"),
        pytest.param(f"witness none {witness_vkey(1)}\n", "'none'", id="a witness named none"),
        pytest.param(
            witnesses(1) + f"witness w1 {witness_vkey(2)}\n", "defined twice", id="one name twice"
        ),
        pytest.param(
            witnesses(1) + f"witness w2 {witness_vkey(1)}\n", "one raw key", id="one key twice"
        ),
        pytest.param(witnesses(1) + "group w1 any w1\n", "defined twice", id="group named so"),
        pytest.param(witnesses(1) + "group none any w1\n", "'none'", id="a group named none"),
        pytest.param("group g any\n", "not a definition", id="group without members"),
        pytest.param("group g any w1\n", "a name is used", id="member undefined"),
        pytest.param("group g any g\n", "a name is used", id="group within itself"),
        pytest.param("group g any none\n", "a name is used", id="none as a member"),
        pytest.param(witnesses(1) + "group g any w1 w1\n", "member twice", id="member twice"),
        pytest.param(
            witnesses(1) + "group g any w1\ngroup h any w1\n", "member twice", id="in two groups"
        ),
        pytest.param(witnesses(1) + "group g 0 w1\n", "threshold", id="threshold zero"),
        pytest.param(witnesses(1) + "group g 2 w1\n", "threshold", id="threshold above members"),
        pytest.param(witnesses(1) + "group g 01 w1\n", "threshold", id="leading zero"),
        pytest.param(witnesses(1) + "group g most w1\n", "threshold", id="unknown threshold"),
        pytest.param(
            "".join(f"log {log_vkey(number)}\n" for number in range(33)),
            "line 33: more than 32 logs",
            id="33 logs",
        ),
        pytest.param(witnesses(*range(33)), "more than 32 witnesses", id="33 witnesses"),
        pytest.param(
            witnesses(*range(32))
            + "".join(f"group g{number} any w{number}\n" for number in range(32))
            + "group last any g1\n",
            "more than 32 groups",
            id="33 groups",
        ),
        pytest.param("#" * MAX_POLICY_BYTES + "\n", "too long", id="too long"),
    ],
)
def test_a_malformed_policy_is_refused(text: str, reason: str) -> None:
    with pytest.raises(MalformedError, match=reason):
        read(text)


def test_a_policy_of_the_greatest_length_is_read() -> None:
    ending = "\nquorum none\n"

    read("#" * (MAX_POLICY_BYTES - len(ending)), ending)


def test_a_log_cannot_be_its_own_witness() -> None:
    same = VerifierKey(
        name="other.example", key_type=KeyType.ED25519_COSIGNATURE, public_key=raw_key(0)
    )

    with pytest.raises(MalformedError, match="one raw key"):
        read(f"log {log_vkey()}\n", f"witness w1 {same}\n", "quorum w1\n")
