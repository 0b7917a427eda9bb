"""AuthZEN 1.0: questions of the platform's own gateways, answered without acting.

Always true (tests/integration/test_api_authzen.py): nothing that is asked here is kept, told or
begun. A decision is always an answer with status 200; other statuses say that the platform is not
known here, or that its request as a whole makes no sense.

Source: OpenID Authorization API 1.0, 6, 7, 9 (metadata) and 10 (HTTPS binding).
"""

import msgspec
from litestar import get, post
from litestar.params import JSONBody

from twinlock.api.operations import AskingOperation
from twinlock.api.request import StrictRequest, check_request_id
from twinlock.api.serving import Api, api_of
from twinlock.api.throttling import RateLimitedError
from twinlock.domain.errors import MalformedError, TwinlockError
from twinlock.domain.evaluation import (
    Evaluated,
    EvaluatedAll,
    Evaluation,
    Evaluations,
    is_last,
    only,
    questions,
    unanswered,
)
from twinlock.domain.step_up import acr_values_supported
from twinlock.services.platform_keys import Scope

EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
SERVER_ERROR = 500


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """Where questions are asked, and which names a step-up may hold."""

    policy_decision_point: str
    access_evaluation_endpoint: str
    access_evaluations_endpoint: str
    acr_values_supported: tuple[str, ...]


@post(
    EVALUATION,
    status_code=200,
    summary="Ask without acting",
    operation_class=AskingOperation,
)
async def evaluate(request: StrictRequest, data: JSONBody[Evaluation]) -> Evaluated:
    """Return what the gate would say right now. Nothing is proposed; a yes cannot be spent."""
    api, actor = await _asking(request)
    return await _evaluated(api, data, by=actor)


@post(
    EVALUATIONS,
    status_code=200,
    summary="Ask several things without acting",
    operation_class=AskingOperation,
)
async def evaluate_all(request: StrictRequest, data: JSONBody[Evaluations]) -> EvaluatedAll:
    """Return what the gate would say right now to each question, as far as was asked for."""
    api, actor = await _asking(request)
    if not data.evaluations:
        one = await _evaluated(api, only(data), by=actor)
        return EvaluatedAll(decision=one.decision, context=one.context)
    answers: list[Evaluated] = []
    for question in questions(data):
        answers.append(await _evaluated(api, question, by=actor))
        if is_last(data.options.evaluations_semantic, decision=answers[-1].decision):
            break
    return EvaluatedAll(evaluations=tuple(answers))


async def _asking(request: StrictRequest) -> tuple[Api, str]:
    """Return who asks: a key that may propose, and may read what an answer shows."""
    api = api_of(request)
    check_request_id(request)
    return api, await api.caller(request, Scope.PROPOSE, Scope.READ)


async def _evaluated(api: Api, question: Evaluation | MalformedError, *, by: str) -> Evaluated:
    """Return the answer to one question, which is no where it makes no sense."""
    if isinstance(question, MalformedError):
        return unanswered(question)
    try:
        named = api.account(question.subject.id, by=by)
        return await api.use.actions.evaluate(question, named=named)
    except RateLimitedError:
        raise
    except TwinlockError as error:
        if error.status >= SERVER_ERROR:
            raise
        return unanswered(error)


@get("/.well-known/authzen-configuration", include_in_schema=False)
async def configuration(request: StrictRequest) -> Configuration:
    """Return where questions are asked."""
    api = api_of(request)
    api.rates.log.take(api.caller_address(request))
    return Configuration(
        policy_decision_point=api.origin,
        access_evaluation_endpoint=f"{api.origin}{EVALUATION}",
        access_evaluations_endpoint=f"{api.origin}{EVALUATIONS}",
        acr_values_supported=acr_values_supported(),
    )
