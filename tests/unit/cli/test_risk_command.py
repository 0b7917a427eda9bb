"""``twinlock risk eval``, as it is typed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from twinlock.cli.files import FileUnreadableError, open_file, read_file
from twinlock.cli.risk import NoSignInsError, app
from twinlock.cli.risk_rows import SignInFileError
from twinlock.services.risk import Model, Thief


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["eval", *words])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Made-up sign-ins, as the program prints them."""
    words = ["synthetic", "--customers", "40", "--each", "13", "--seed", "3"]
    path = tmp_path / "synthetic.csv"
    path.write_text(CliRunner().invoke(app, words).stdout)
    return path


def test_both_models_are_told_of_in_words(file: Path) -> None:
    told = run(str(file), "--rba-dataset")

    assert told.exit_code == 0, told.output
    assert "520 sign-ins of about 40 users" in told.stdout
    assert "scored: 480, of 100.0% of the users" in told.stdout
    assert "naive" in told.stdout
    assert "freeman" in told.stdout


def test_the_same_is_told_in_json_with_what_was_left_out(file: Path) -> None:
    with file.open("ab") as more:
        more.write(b"broken\n" * 25 + b",,,,,,,,True,False\n")
    told = run(str(file), "--rba-dataset", "--json")
    found = json.loads(told.stdout)

    assert found["broken"] == {"fields_missing": 25, "user_missing": 1}
    assert found["first"][0] == {"line": 522, "code": "fields_missing"}
    assert len(found["first"]) == 20
    assert "line 522: fields_missing" in told.stderr
    assert set(found["measured"]["models"]) == set(Model)
    against = found["measured"]["models"]["back_off"]
    assert set(against) == set(Thief)
    assert against["naive"]["area"] > 0.9


def test_where_values_had_to_be_forgotten_that_is_said(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "twinlock.services.risk.Measuring.__init__.__kwdefaults__",
        {"seed": 0, "users_most": 50_000, "nodes_most": 100, "own_most": 1_000},
    )
    told = run(str(file), "--rba-dataset").stdout

    assert "values that were seen least often were forgotten" in told


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", SignInFileError),
        ("a,b\n", SignInFileError),
        ("user,ip,user_agent\n", NoSignInsError),
        ("user,ip,user_agent\nalice,nowhere,x\n", NoSignInsError),
    ],
)
def test_a_file_without_sign_ins_is_an_error(
    tmp_path: Path, text: str, error: type[Exception]
) -> None:
    path = tmp_path / "file.csv"
    path.write_text(text)

    assert isinstance(run(str(path)).exception, error)


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    assert isinstance(run(str(tmp_path)).exception, FileUnreadableError)
    assert isinstance(run(str(tmp_path / "nothing")).exception, FileUnreadableError)
    with pytest.raises(FileUnreadableError, match="no regular file"):
        open_file(tmp_path)
    with pytest.raises(FileUnreadableError, match="no regular file"):
        read_file(tmp_path, 10)
