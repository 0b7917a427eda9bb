"""Errors that carry more than their text say it in their text too."""

from twinlock.domain.errors import BundleRefusedError, SignerRefusedError, WitnessSilentError


def test_a_refused_bundle_says_which_step_failed() -> None:
    error = BundleRefusedError("not so", fault="leaf_wrong", step=3, name="leaf")

    assert str(error) == "step 3, leaf: not so"
    assert (error.says, error.fault, error.step, error.name) == ("not so", "leaf_wrong", 3, "leaf")


def test_one_that_cannot_be_read_failed_before_any_step() -> None:
    error = BundleRefusedError("no JSON", fault="malformed")

    assert str(error) == "no JSON"
    assert (error.step, error.name, error.passed) == (0, "", ())


def test_a_signer_says_why_and_a_witness_in_one_word() -> None:
    refused, silent = (
        SignerRefusedError("spent", fault="spent_twice"),
        WitnessSilentError("timeout"),
    )

    assert (str(refused), refused.fault) == ("spent", "spent_twice")
    assert (str(silent), silent.fault) == ("a witness was not heard: timeout", "timeout")
