"""Spans of calls and operations for OpenTelemetry, within the trace that the caller's W3C traceparent names."""

import os
from collections.abc import Mapping

import grpc
from opentelemetry import context as contexts
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation import set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from weaklabel_server._version import __version__
from weaklabel_server.telemetry.observers import CallResult, EndCall, EndOperation, Metadata, OperationKind

_NUMBERS: Mapping[str, int] = {code.name: code.value[0] for code in grpc.StatusCode}
# Those that are the server's fault and not the caller's, by OpenTelemetry's conventions.
_FAULTS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
_PROBES = "/grpc.health."
_PROPAGATED = ("traceparent", "tracestate")


class Tracing:
    """An observer that makes spans."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("weaklabel_server", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def call_begins(self, method: str, request_id: str, metadata: Metadata) -> EndCall:
        """See Observer. Probes of health make no spans."""
        if method.startswith(_PROBES):
            return _nothing
        service, _, name = method.removeprefix("/").rpartition("/")
        carrier = {key: value for key, value in metadata if key in _PROPAGATED and isinstance(value, str)}
        span = self._tracer.start_span(
            method.removeprefix("/"),
            context=self._propagator.extract(carrier, contexts.Context()),
            kind=SpanKind.SERVER,
            attributes={
                "rpc.system": "grpc",
                "rpc.service": service,
                "rpc.method": name,
                "weaklabel.request_id": request_id,
            },
        )
        # What the call begins, such as a fit, belongs to it. The task ends with the call, and with it the context.
        contexts.attach(set_span_in_context(span))

        def end(result: CallResult) -> None:
            span.set_attributes(
                {
                    "rpc.grpc.status_code": _NUMBERS.get(result.code, 2),
                    "weaklabel.bytes_in": result.bytes_in,
                    "weaklabel.bytes_out": result.bytes_out,
                }
            )
            _end(span, result.reason, failed=result.code in _FAULTS)

        return end

    def operation_begins(self, kind: OperationKind, operation_id: str) -> EndOperation:
        """See Observer. The span is within that of the call that asked for it, if this server took that call."""
        span = self._tracer.start_span(kind, attributes={"weaklabel.operation_id": operation_id})

        def end(outcome: str) -> None:
            span.set_attribute("weaklabel.outcome", outcome)
            reason = "" if outcome.islower() or outcome == "OPERATION_CANCELLED" else outcome
            _end(span, reason, failed=bool(reason))

        return end

    def close(self) -> None:
        """Sends what was not sent yet."""
        self._provider.shutdown()


def exporting() -> Tracing:
    """Sends spans by OTLP over gRPC to where the standard OTEL_ variables say; by default to localhost:4317.

    Raises:
        ModuleNotFoundError: The extra is not installed.
    """
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    service = {} if named else {"service.name": "weaklabel"}
    resource = Resource.create({**service, "service.version": __version__})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)


def _nothing(_: CallResult) -> None:
    pass


def _end(span: Span, reason: str, *, failed: bool) -> None:
    if reason:
        span.set_attribute("weaklabel.reason", reason)
    if failed:
        span.set_status(Status(StatusCode.ERROR, reason))
    span.end()
