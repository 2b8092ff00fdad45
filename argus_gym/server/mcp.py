"""The JSON-RPC surface that OpenEnv shows to agents. It offers no tool.

An agent's problems and chains reach the environment through whoever trains it. Were reset, step or
state a tool, the trained agent could end a round that goes badly.
"""

from typing import Any

from openenv.core.env_server.mcp_types import JsonRpcErrorCode, JsonRpcRequest, JsonRpcResponse
from pydantic import ValidationError

__all__ = ["answer", "answer_text"]


def answer_text(body: bytes) -> dict[str, Any]:
    """Return the JSON-RPC answer to a request's body."""
    try:
        return _call(JsonRpcRequest.model_validate_json(body))
    except ValidationError as error:
        malformed = error.errors()[0]["type"] == "json_invalid"
        code = JsonRpcErrorCode.PARSE_ERROR if malformed else JsonRpcErrorCode.INVALID_REQUEST
        return _error(code, "expected a JSON-RPC 2.0 request")


def answer(data: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON-RPC answer to a request."""
    try:
        return _call(JsonRpcRequest.model_validate(data))
    except ValidationError:
        return _error(JsonRpcErrorCode.INVALID_REQUEST, "expected a JSON-RPC 2.0 request")


def _call(request: JsonRpcRequest) -> dict[str, Any]:
    if request.method == "tools/list":
        dumped: dict[str, Any] = JsonRpcResponse.success({"tools": []}, request.id).model_dump()
        return dumped
    return _error(JsonRpcErrorCode.METHOD_NOT_FOUND, "there are no tools here", request.id)


def _error(code: JsonRpcErrorCode, message: str, request_id: Any = None) -> dict[str, Any]:
    dumped: dict[str, Any] = JsonRpcResponse.error_response(code, message, request_id).model_dump()
    return dumped
