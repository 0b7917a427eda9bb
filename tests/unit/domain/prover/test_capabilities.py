"""The table of capabilities: every word of the attack stories, and what each one gives."""

from support.proved import ASSUMED

from twinlock.domain.prover.capabilities import (
    MUTES,
    TABLE,
    TOGETHER,
    Assumptions,
    Capability,
    Kind,
    Mean,
    counted,
    means_of,
)
from twinlock.range.reader import shipped_names, shipped_story

# A word of the stories that stands for two things here: malware is in the phone or in the computer.
TWO = {"device_malware": {"phone_malware", "pc_malware"}}
WHY_NOTHING = {
    Capability.PII: "nothing asks for them",
    Capability.ID_IMAGES: "law 8",
    Capability.FORGED_ID: "law 8",
    Capability.DEEPFAKE_VIDEO: "law 8",
    Capability.CAMERA_INJECTION: "law 8",
    Capability.FORGED_LEGAL: "moves nothing",
    Capability.CHAIN_DUST: "law 5",
    Capability.COUNTERPARTY: "another account",
    Capability.STAFF_READ: "no action is proved",
    Capability.STAFF_SUPPORT: "law 7",
    Capability.STAFF_APPROVE: "law 7",
    Capability.STAFF_APPROVE_2: "law 7",
    Capability.PLATFORM_KEY: "proves nothing",
    Capability.LOG_KEY: "alone it opens nothing",
    Capability.SEALING_KEY: "alone they read and move nothing",
    Capability.AUTHORIZATION_KEY: "law 9",
    Capability.OFFICER: "alone lets nothing out",
    Capability.OFFICER_2: "adds no attack",
    Capability.OFFICER_3: "docs/proof.md",
}
NOT_ALONE = {one for both, _, _ in TOGETHER for one in both}


def test_each_word_of_the_attack_stories_has_its_capability() -> None:
    told = {
        word.value.lower() for name in shipped_names() for word in shipped_story(name).capabilities
    }
    meant = set().union(*(TWO.get(word, {word}) for word in told))

    assert meant
    assert meant <= {one.value for one in Capability}


def test_every_capability_has_a_row() -> None:
    assert set(TABLE) == set(Capability)
    assert all(row.says for row in TABLE.values())


def test_what_gives_nothing_says_which_mechanism_makes_that_so() -> None:
    nothing = {one for one, row in TABLE.items() if not row.means}

    assert nothing == set(WHY_NOTHING)
    assert all(why in TABLE[one].says for one, why in WHY_NOTHING.items())


def test_what_gives_nothing_alone_and_something_together_is_an_operators() -> None:
    assert all(TABLE[one].kind is Kind.OPERATOR for one in NOT_ALONE)
    assert all(Mean.PAST_GATE in means for _, means, _ in TOGETHER)


def test_every_means_is_given_by_something() -> None:
    given = set().union(*(row.means for row in TABLE.values()))

    assert given == set(Mean)


def test_the_theorem_counts_thieves_and_insiders_and_nobody_else() -> None:
    assert counted(Capability.PHONE_MALWARE)
    assert counted(Capability.NOTICE_PROVIDER)
    assert not counted(Capability.APP_DEPLOY)
    assert not counted(Capability.INATTENTIVE)
    assert not counted(Capability.COERCE_OWNER)


def test_what_lies_on_a_phone_falls_with_it_and_a_security_key_does_not() -> None:
    phone = means_of(Capability.PHONE_MALWARE, assumed=ASSUMED)

    assert phone >= {Mean.READ_SMS, Mean.READ_EMAIL, Mean.TOTP, Mean.PHONE_KEY, Mean.SAVED_CODE}
    assert phone.isdisjoint({Mean.ROAMING_KEY, Mean.MUTE_DESKTOP})


def test_a_built_in_passkey_falls_with_either_device_and_not_with_what_is_synced() -> None:
    """Browsers say the same of one in a phone and of one in a computer."""
    for taken in (Capability.PHONE_MALWARE, Capability.PC_MALWARE):
        assert Mean.BUILT_IN_KEY in means_of(taken, assumed=ASSUMED)
    provider = means_of(Capability.PASSKEY_PROVIDER, assumed=ASSUMED)
    assert provider == {Mean.PHONE_KEY}


def test_a_mailbox_that_a_phone_recovers_falls_to_the_number() -> None:
    apart = Assumptions(mailbox_by_phone=False)

    assert Mean.READ_EMAIL in means_of(Capability.SMS_RECEIVE, assumed=ASSUMED)
    assert Mean.READ_EMAIL not in means_of(Capability.SMS_RECEIVE, assumed=apart)
    assert Mean.READ_EMAIL in means_of(Capability.EMAIL_FULL, assumed=apart)


def test_codes_that_are_typed_there_are_caught_by_a_computer_where_that_is_assumed() -> None:
    caught = Assumptions(typed_codes=True)

    assert Mean.TOTP not in means_of(Capability.PC_MALWARE, assumed=ASSUMED)
    assert Mean.TOTP in means_of(Capability.PC_MALWARE, assumed=caught)
    assert Mean.TOTP not in means_of(Capability.EMAIL_FULL, assumed=caught)


def test_an_owner_who_reads_nothing_proves_nothing() -> None:
    assert means_of(Capability.INATTENTIVE, assumed=ASSUMED) == MUTES
