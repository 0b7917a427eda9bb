"""What a refused call means: a no of the service's own, or a failure that shows nothing.

Always true (tests/unit/range/test_refusals.py): a no has a code of ours and says that a call was
understood. A failure of the service, a rate, a key of the platform's or a letter that never came is
no answer, and whatever met it has failed.
"""

import httpx

from twinlock.client import ProblemError
from twinlock.range.mailbox import LetterMissingError

MALFORMED = 400
# A call that was understood and refused; never a failure, a rate, or a key of the platform's.
REFUSALS = (MALFORMED, 404, 409, 413, 422)
UNAVAILABLE = 503
UNCODED = "http_error"  # The framework's or a proxy's no, in no words of ours.
# What a replay meets when the service, and not the story, went wrong.
FAILURES = (ProblemError, LetterMissingError, httpx.HTTPError)


def refusal(problem: ProblemError) -> str:
    """Return why the service said no: a fault or a code. Raises the problem if it is a failure."""
    if problem.status not in REFUSALS or problem.code == UNCODED:
        raise problem
    return problem.fault or problem.code
