"""What the OpenAPI document says of whatever acts, and of questions."""

from dataclasses import dataclass

from litestar.openapi.spec import OpenAPIType, Operation, Parameter, Schema

from twinlock.api.request import KEY_LENGTH_LEAST, KEY_LENGTH_MOST, REQUEST_ID_LENGTH_MOST

_KEY = Parameter(
    name="Idempotency-Key",
    param_in="header",
    required=True,
    description="The caller's own name for this request: repeated under it, it acts once.",
    schema=Schema(type=OpenAPIType.STRING, min_length=KEY_LENGTH_LEAST, max_length=KEY_LENGTH_MOST),
)

_NAME = Parameter(
    name="X-Request-ID",
    param_in="header",
    required=False,
    description="The caller's own name for this request: the answer tells it again.",
    schema=Schema(type=OpenAPIType.STRING, min_length=1, max_length=REQUEST_ID_LENGTH_MOST),
)


@dataclass
class ActingOperation(Operation):
    """An operation that acts, and takes an idempotency key."""

    def __post_init__(self) -> None:
        """Add the key to the parameters that follow from the code."""
        self.parameters = [*(self.parameters or []), _KEY]


@dataclass
class AskingOperation(Operation):
    """A question (AuthZEN), which may have a name."""

    def __post_init__(self) -> None:
        """Add the name to the parameters that follow from the code."""
        self.parameters = [*(self.parameters or []), _NAME]
