"""The policies of a credential's pipeline, and how our requests become azure-core's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional, cast
from urllib.parse import urlencode

from azure.core.pipeline.policies import (
    AsyncRetryPolicy,
    CustomHookPolicy,
    DistributedTracingPolicy,
    HeadersPolicy,
    HttpLoggingPolicy,
    ProxyPolicy,
    RequestIdPolicy,
    RetryPolicy,
    UserAgentPolicy,
)
from azure.core.rest import HttpRequest

from .no_answer import certificate_refused
from .trace import RedactedTracePolicy
from .user_agent import USER_AGENT

if TYPE_CHECKING:
    from ..._values.messages import Request

LONGEST_PAUSE = 30
"""Default of `retry_backoff_max`, seconds: a `Retry-After` above it is not slept through."""


class _PatientButBounded:
    """What the sync and the async retry policy add to azure-core's."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("retry_backoff_max", LONGEST_PAUSE)
        super().__init__(**options)
        self._method_whitelist = frozenset(self._method_whitelist | {"POST"})  # type: ignore[has-type]

    def configure_retries(self, options: dict[str, Any]) -> dict[str, Any]:
        # azure-core before 1.36 takes its own 120 seconds for this, whatever the constructor was given.
        options.setdefault("retry_backoff_max", self.backoff_max)  # type: ignore[attr-defined]
        return cast("dict[str, Any]", super().configure_retries(options))  # type: ignore[misc]

    def increment(self, settings: Any, response: Any = None, error: Optional[Exception] = None) -> bool:
        if error is not None and certificate_refused(error):
            return False
        return bool(super().increment(settings, response, error))  # type: ignore[misc]

    def is_retry(self, settings: Any, response: Any) -> bool:
        wait = self.get_retry_after(response)  # type: ignore[attr-defined]
        if wait is not None and wait > settings["max_backoff"]:
            return False
        return bool(super().is_retry(settings, response))  # type: ignore[misc]


class BoundedRetryPolicy(_PatientButBounded, RetryPolicy):  # type: ignore[misc,type-arg]
    """azure-core's retry policy with rule 6 of this module."""


class AsyncBoundedRetryPolicy(_PatientButBounded, AsyncRetryPolicy):  # type: ignore[misc,type-arg]
    """azure-core's async retry policy with rule 6 of this module."""


def build_policies(options: Mapping[str, Any], retry: type) -> list[Any]:
    """The policies of a pipeline, in the order azure-core documents for its clients.

    There is no redirect policy unless `permit_redirects=True` asks for one: a token request must not follow a redirect
    to somebody else. There is no decoding policy: answers are parsed where their meaning is known.
    """
    before, after = _listed(options, "per_call_policies"), _listed(options, "per_retry_policies")
    if options.get("policies") is not None:
        policies = [*before, *options["policies"]]
        if after:
            places = [i for i, policy in enumerate(policies) if isinstance(policy, (RetryPolicy, AsyncRetryPolicy))]
            if not places:
                raise ValueError("per_retry_policies needs a retry policy in 'policies', and there is none.")
            policies[places[-1] + 1 : places[-1] + 1] = after
        return policies
    given = dict(options)
    policies = [
        given.get("request_id_policy") or _request_id_policy(given),
        given.get("headers_policy") or HeadersPolicy(**given),
        given.get("user_agent_policy") or UserAgentPolicy(**{"base_user_agent": USER_AGENT, **given}),
        given.get("proxy_policy") or ProxyPolicy(**given),
        *before,
    ]
    if given.get("redirect_policy") or given.get("permit_redirects"):
        policies.append(given.get("redirect_policy") or _redirect_policy(retry)(**given))
    policies.append(given.get("retry_policy") or (given.get("retry_policy_class") or retry)(**given))
    if given.get("authentication_policy"):
        policies.append(given["authentication_policy"])
    policies += [
        given.get("custom_hook_policy") or CustomHookPolicy(**given),
        *after,
        given.get("logging_policy") or RedactedTracePolicy(**given),
        DistributedTracingPolicy(**given),
        given.get("http_logging_policy") or HttpLoggingPolicy(**given),
    ]
    return policies


class CorrelationIdPolicy(RequestIdPolicy):
    """Sends the correlation id a flow made as the request id too: azure-core would make one more, from the clock and
    the network card. Only where the user says nothing about request ids."""


def _request_id_policy(given: dict[str, Any]) -> Any:
    silent = "request_id" not in given and given.get("auto_request_id", True)
    return (CorrelationIdPolicy if silent else RequestIdPolicy)(**given)


def _redirect_policy(retry: type) -> Any:
    from azure.core.pipeline.policies import AsyncRedirectPolicy, RedirectPolicy

    return RedirectPolicy if issubclass(retry, RetryPolicy) else AsyncRedirectPolicy


def _listed(options: Mapping[str, Any], name: str) -> list[Any]:
    value = options.get(name)
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def build_request(request: Request) -> HttpRequest:
    """azure-core's request for ours."""
    content: Optional[bytes] = None
    headers = dict(request.headers)
    if request.form is not None:
        content = urlencode(request.form).encode("ascii")
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    return HttpRequest(request.method, request.url, headers=headers, content=content)


def run_options(request: Request, policies: list[Any]) -> dict[str, Any]:
    """Options for one run of the pipeline. Only those that a policy takes: others would reach the transport."""
    options: dict[str, Any] = {}
    if request.timeout is not None:
        options["connection_timeout"] = options["read_timeout"] = request.timeout
    if not request.retry and any(isinstance(policy, (RetryPolicy, AsyncRetryPolicy)) for policy in policies):
        options["retry_total"] = 0
    correlation_id = request.headers.get("client-request-id")
    if correlation_id and any(isinstance(policy, CorrelationIdPolicy) for policy in policies):
        options["request_id"] = correlation_id
    return options
