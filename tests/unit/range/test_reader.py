from pathlib import Path

import pytest
from support.ranges import step, story_text

from twinlock.range.asked import NoValueLeaves
from twinlock.range.reader import (
    FILE_BYTES_MOST,
    ScenarioRefusedError,
    load_story,
    read_story,
    shipped_names,
    shipped_story,
)
from twinlock.range.words import CheckName, Listing, Mark, Outcome, Person, Proof, Showing


def refused(data: bytes) -> str:
    with pytest.raises(ScenarioRefusedError) as caught:
        read_story(data, name="S99.yaml")
    return str(caught.value)


def test_a_story_reads_as_it_is_told() -> None:
    story = read_story(
        story_text(
            steps=[
                step("session.start", by="mallory", proof=["password", "sms_code"]),
                step("destination.add", id="x2", at="wait:x1+2h", needs=["x1"], reported="allow"),
            ],
            must=[{"id": "m1", "text": "so", "check": {"name": "no_value_leaves", "exits": "all"}}],
        ),
        name="S99.yaml",
    )

    first, second = story.steps
    assert first.by is Person.MALLORY
    assert first.showings == (Showing(Proof.PASSWORD), Showing(Proof.SMS_CODE))
    assert (second.when.wait, second.when.after.total_seconds()) == ("x1", 7200)
    assert second.reported is Outcome.ALLOW
    check = story.must[0].check
    assert check is not None
    assert isinstance(check, NoValueLeaves)
    assert (check.name, check.exits) == (CheckName.NO_VALUE_LEAVES, "all")


def test_a_demand_has_the_account_of_its_story_with_its_own_keys_over_it() -> None:
    story = read_story(
        story_text(
            must=[
                {
                    "id": "m1",
                    "text": "so",
                    "account": {"destinations": {"list": "required"}},
                    "steps": [step("freeze.set")],
                }
            ]
        ),
        name="S99.yaml",
    )

    account = story.must[0].account
    assert account.destinations.list is Listing.REQUIRED
    assert account.authenticators == story.account.authenticators


@pytest.mark.parametrize("name", shipped_names())
def test_every_story_that_comes_along_can_be_read(name: str) -> None:
    story = shipped_story(name)

    assert story.id == name
    assert story.benign_twin.steps


def test_the_stories_that_come_along_are_all_that_are_told() -> None:
    assert shipped_names() == (
        *("S01", "S02", "S03", "S04", "S07", "S08", "S09", "S10", "S12", "S13", "S15", "S16"),
    )


def test_a_story_that_does_not_come_along_is_refused() -> None:
    with pytest.raises(ScenarioRefusedError, match="S98: no file"):
        shipped_story("S98")


def test_a_file_is_loaded_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "story.yaml"
    path.write_bytes(story_text())

    assert load_story(path).id == "T01"


def test_a_file_that_is_not_there_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ScenarioRefusedError, match=r"absent\.yaml"):
        load_story(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("words", "place", "says"),
    [
        pytest.param({"schema": 2}, "", "schema 2", id="another schema"),
        pytest.param({"more": 1}, "", "`more`", id="an unknown key"),
        pytest.param({"account": {"colour": 1}}, "$.account", "`colour`", id="an unknown trait"),
        pytest.param({"capabilities": ["LUCK"]}, "$.capabilities[0]", "LUCK", id="a capability"),
        pytest.param({"title": ""}, "$.title", "length", id="an empty title"),
        pytest.param(
            {"evidence": {"grade": "Z", "note": ""}}, "$.evidence.grade", "Z", id="a grade"
        ),
        pytest.param({"account": {"authenticators": ["nose"]}}, "[0]", "nose", id="what is bound"),
        pytest.param({"account": {"value_usd": -1}}, "$.account.value_usd", "0", id="a loss"),
        pytest.param(
            {"account": {"api_keys": [{"ip_list": 1}]}}, "$.account", "ip_list", id="a key's list"
        ),
        pytest.param(
            {"account": {"api_keys": [{"age": "old"}]}}, "$.account", "'old'", id="a key's age"
        ),
        pytest.param({"benign_twin": None}, "$.benign_twin", "object", id="no twin"),
    ],
)
def test_what_schema_1_does_not_know_is_refused_with_its_place(
    words: dict[str, object], place: str, says: str
) -> None:
    message = refused(story_text(**words))

    assert message.startswith("S99.yaml: ")
    assert place in message
    assert says in message


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param({"do": "session.stat"}, "'session.stat' is not an action", id="a deed"),
        pytest.param({"proof": ["sms_cod"]}, "'sms_cod' is not a proof", id="a proof"),
        pytest.param({"proof": ["totp@stolen"]}, "'stolen' is not a mark", id="a mark"),
        pytest.param({"at": "soon"}, "'soon' is not a length", id="a time"),
        pytest.param({"at": "wait:"}, "'wait:' is not a time", id="a wait for nothing"),
        pytest.param({"at": "wait:x9"}, "x9, which is no earlier step", id="a later wait"),
        pytest.param({"needs": ["x1"]}, "x1, which is no earlier step", id="its own need"),
        pytest.param({"expect": []}, "length", id="no answer that passes"),
        pytest.param({"expect": ["maybe"]}, "maybe", id="an answer"),
        pytest.param({"by": "eve"}, "eve", id="a person"),
        pytest.param({"leaves": ["dust"]}, "dust", id="a trace"),
        pytest.param({"reported": "so"}, "so", id="what was reported"),
        pytest.param({"id": "a b"}, "matching regex", id="an id with a space"),
        pytest.param({"why": "because"}, "`why`", id="an unknown key"),
        pytest.param({"at": "999999d"}, "'999999d' is longer than 3650d", id="beyond all times"),
        pytest.param({"id": "x1\n"}, "matching regex", id="an id with a line end"),
    ],
)
def test_a_misspelt_step_is_refused(words: dict[str, object], says: str) -> None:
    message = refused(story_text(steps=[step("freeze.set") | words]))

    assert "$.steps[0]" in message or "no earlier step" in message
    assert says in message


@pytest.mark.parametrize(
    ("do", "given", "place"),
    [
        pytest.param("api_key.create", {"scopes": 5}, "$.scopes", id="scopes"),
        pytest.param("api_key.create", {"scopes": [["read"]]}, "$.scopes[0]", id="a scope"),
        pytest.param("api_key.create", {"destinations": 5}, "$.destinations", id="places"),
        pytest.param("withdrawal.crypto", {"amount": {"a": 1}}, "$.amount", id="an amount"),
        pytest.param("withdrawal.crypto", {"amount": True}, "$.amount", id="a true amount"),
        pytest.param("withdrawal.crypto", {"destination": ""}, "$.destination", id="no place"),
        pytest.param("withdrawal.crypto", {"authorization": 5}, "$.authorization", id="a number"),
        pytest.param("destination.add", {"same_first": True}, "$.same_first", id="a likeness"),
        pytest.param("destination.add", {"same_first": 21}, "$.same_first", id="too much of it"),
        pytest.param("destination.add", {"same_last": -1}, "$.same_last", id="less than none"),
        pytest.param("destination.add", {"same_last": "4"}, "$.same_last", id="a word for it"),
        pytest.param("event.other_method", {"asked": "totp"}, "`wanted`", id="no method"),
        pytest.param(
            "event.other_method", {"asked": "totp", "wanted": "banana"}, "banana", id="a fruit"
        ),
        pytest.param("event.veto", {"channel": "sms"}, "`of`", id="an objection to nothing"),
        pytest.param("event.dependency", {"which": 5, "state": "up"}, "$.which", id="a weather"),
    ],
)
def test_a_step_with_a_parameter_that_is_not_of_its_form_says_so_and_its_file_is_read(
    do: str, given: dict[str, object], place: str
) -> None:
    data = story_text(steps=[step(do, **{"with": given}), step("freeze.set", id="x2")])
    strange, other = read_story(data, name="S99.yaml").steps

    assert strange.misformed.startswith("with: ")
    assert place in strange.misformed
    assert not other.misformed


@pytest.mark.parametrize("when", [2024, "2024-06-09", "2024-06-03 (reported)"])
def test_a_year_alone_says_when_it_was_as_well_as_a_day(when: object) -> None:
    happened = {"when": when, "where": ["a platform"], "text": "so"}

    assert read_story(story_text(happened=happened), name="S99.yaml").happened.when == when


def test_a_key_is_a_word_whatever_it_looks_like() -> None:
    text = story_text(steps=[step("event.mail_flood", **{"with": {"channel": "email"}})])
    plain = text.replace(b'"channel": "email"', b"channel: email, on: email, 5: five, ~: none")

    [flood] = read_story(plain, name="x").steps
    assert flood.given == {"channel": "email", "on": "email", "5": "five", "~": "none"}


def test_a_veto_of_a_step_that_is_no_earlier_one_is_refused() -> None:
    veto = step("event.veto", **{"with": {"of": "x1"}})

    assert "step x1 refers to x1, which is no earlier step" in refused(story_text(steps=[veto]))


def test_a_list_whose_dates_go_back_is_refused() -> None:
    back = [step("freeze.set", at="5m"), step("freeze.set", id="x2", at="1m")]
    waits = [back[0], step("freeze.set", id="w", at="wait:x1"), back[1]]

    says = "step x2 is dated before x1, which stands above it"
    assert says in refused(story_text(steps=back))
    assert says in refused(story_text(steps=waits))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param({}, "neither steps nor a check", id="nothing is demanded"),
        pytest.param({"check": {"name": "luck"}}, "'luck' - at `$.must_not[0]", id="a check"),
        pytest.param({"check": {}}, "missing required field `name`", id="a check without a name"),
    ],
)
def test_a_demand_that_demands_nothing_known_is_refused(
    words: dict[str, object], says: str
) -> None:
    assert says in refused(story_text(must_not=[{"id": "n1", "text": "so", **words}]))


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        pytest.param({"age": "old"}, "'old' is not a length", id="an age"),
        pytest.param({"last_used": "once"}, "'once' is not a length", id="a use"),
        pytest.param({"budget": "huge"}, "'huge' is not a budget", id="a budget"),
        pytest.param({"budget": 0}, "0 is not a budget", id="no budget"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused(entry: dict[str, object], says: str) -> None:
    whole = {"name": "a", "signed": True, "age": "1d", **entry}
    account = {"destinations": {"list": "optional", "entries": [whole]}}

    assert says in refused(story_text(account=account))


def test_what_a_file_does_not_say_of_an_entry_is_as_it_stands_on_every_list() -> None:
    entries = [
        {"name": "old_addr"},
        {"name": "old_bank", "age": "2d"},
        {"name": "old_addr", "last_used": "never", "budget": 100},
        {"name": "mine"},
    ]
    account = {"destinations": {"entries": entries}}
    listed = read_story(story_text(account=account), name="x").account.destinations.entries

    days = [(one.signed, one.aged.days, one.used and one.used.days) for one in listed]
    assert days == [(True, 400, 5), (True, 2, None), (True, 400, None), (True, 400, None)]


def test_every_account_is_a_careful_owners_where_its_file_says_no_more() -> None:
    every = read_story(story_text(account={"any": True}), name="x").account
    told = {"any": True, "channels": ["sms"]}
    narrow = read_story(story_text(account=told), name="x").account

    assert (every.authenticators, len(every.channels)) == (("password", "passkey"), 3)
    assert (narrow.authenticators, narrow.channels) == (every.authenticators, ("sms",))


@pytest.mark.parametrize(("told", "count"), [(2, 2), (["bob"], 1), ([], 0)])
def test_trusted_contacts_are_counted_or_named(told: object, count: int) -> None:
    account = {"authenticators": ["password"], "trusted_contacts": told}

    assert read_story(story_text(account=account), name="x").account.contacts == count


def test_ids_that_stand_twice_are_refused() -> None:
    twice = [step("freeze.set"), step("freeze.set")]
    demand = {"id": "m1", "text": "so", "steps": [step("freeze.set")]}

    assert "x1 stands twice in one list" in refused(story_text(steps=twice))
    assert "m1 stands twice" in refused(story_text(must=[demand], must_not=[demand]))


def test_a_chain_without_an_end_is_refused() -> None:
    many = [step("freeze.set", id=f"x{n}") for n in range(201)]

    assert "at most 200 steps" in refused(story_text(steps=many))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"a: &x [1]\nb: *x", "anchors and aliases", id="an alias"),
        pytest.param(
            b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]", "aliases", id="a bomb"
        ),
        pytest.param(b"[" * 5_000, "nested deeper", id="a pit"),
        pytest.param(b"id: a\nid: b", "'id' stands twice", id="a doubled key"),
        pytest.param(b"? [a]\n: 1", "a key is a word", id="a list as a key"),
        pytest.param(b"<<: {a: 1}", "a key is a word", id="a merge key"),
        pytest.param(b"!!python/object/apply:os.system [ls]", "tags are not read", id="a program"),
        pytest.param(b"a: !!timestamp x", "tags are not read", id="a day that is none"),
        pytest.param(b'a: !!int ""', "tags are not read", id="a number that is none"),
        pytest.param(b'a: !!float ""', "tags are not read", id="a fraction that is none"),
        pytest.param(b"a: !!bool x", "tags are not read", id="a truth that is none"),
        pytest.param(b"a: !!set [b]", "tags are not read", id="a set that is a list"),
        pytest.param(b"a: !!map [x]", "tags are not read", id="a mapping that is a list"),
        pytest.param(b"a: !!binary aGk=", "tags are not read", id="bytes"),
        pytest.param(b"a: ! x", "tags are not read", id="a tag without a name"),
        pytest.param(b'a: "\\ud800"', "control characters", id="half a character"),
        pytest.param(b'a: "\\e[2J"', "control characters", id="an escape"),
        pytest.param(b"a: 1\n---\nb: 2", "another document", id="two documents"),
        pytest.param(b"\xff\xfe", "byte 0 is not UTF-8", id="not UTF-8"),
        pytest.param(b"a: [1", "expected", id="half a list"),
        pytest.param(b"a: 0x_", "0x_' is not", id="a number that never was"),
        pytest.param(b"", "a scenario is a mapping", id="nothing"),
        pytest.param(b"- 1", "a scenario is a mapping", id="a list"),
        pytest.param(b"#" * (FILE_BYTES_MOST + 1), "at most", id="too much"),
        pytest.param(b"account: 1\nschema: 1", "S99.yaml: ", id="an account that is a number"),
        pytest.param(b"account: {}\nmust: [1]", "S99.yaml: ", id="a demand that is a number"),
        pytest.param(b"account: {}\nmust: 1", "S99.yaml: ", id="demands that are a number"),
    ],
)
def test_hostile_yaml_is_refused_before_it_costs_anything(data: bytes, says: str) -> None:
    assert says in refused(data)


def test_a_file_at_the_limit_of_its_size_is_read() -> None:
    text = story_text()

    assert read_story(text + b"#" * (FILE_BYTES_MOST - len(text)), name="x").id == "T01"


def test_an_error_says_the_line_where_yaml_breaks() -> None:
    assert "at line 2, column 1" in refused(b"id: a\nid: b")
    assert "at line 2, column 5" in refused(b"id: a\nby: 0x_")


def test_marks_are_of_a_closed_list() -> None:
    assert {mark.value for mark in Mark} == {
        "new",
        "copied",
        "spent",
        "other_action",
        "other_account",
        "duress",
    }
