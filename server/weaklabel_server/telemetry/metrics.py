"""Numbers for Prometheus. No label holds the name of a project, a token or anything else that callers choose."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from weaklabel_server._version import __version__
from weaklabel_server.telemetry.observers import CallResult, EndCall, EndOperation, Metadata, OperationKind

_CALL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_OPERATION_SECONDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3600.0, 10_000.0, 36_000.0)


@dataclass(frozen=True, kw_only=True)
class Readings:
    """What is asked for when Prometheus reads. Called from threads of the listener."""

    calls_in_flight: Callable[[], Mapping[str, int]]
    """By kind."""
    operations: Callable[[], Mapping[tuple[OperationKind, str], int]]
    """By kind and state, "waiting" or "running"."""
    worker_restarts: Callable[[], Mapping[str, int]]
    """By cause."""
    predicted_rows: Callable[[], int]
    cached_models: Callable[[], int]
    store_faults: Callable[[], Mapping[str, int]]
    """By reason."""
    store_answers: Callable[[], bool]
    database_bytes: Callable[[], int | None]
    """None where the database does not answer."""


class Metrics:
    """An observer that counts. It has a registry of its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # series that nobody asks for
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        registry = self.registry
        self._calls = Counter("weaklabel_calls", "Calls that ended.", ["method", "code"], registry=registry)
        self._call_seconds = Histogram(
            "weaklabel_call_seconds", "Length of calls.", ["method"], buckets=_CALL_SECONDS, registry=registry
        )
        self._refused = Counter(
            "weaklabel_calls_refused", "Calls that the server ended with an error.", ["reason"], registry=registry
        )
        self._bytes_in = Counter("weaklabel_received_bytes", "Messages of callers.", ["method"], registry=registry)
        self._bytes_out = Counter("weaklabel_sent_bytes", "Messages to callers.", ["method"], registry=registry)
        self._operations = Counter(
            "weaklabel_operations", "Operations that ran and ended here.", ["kind", "outcome"], registry=registry
        )
        self._operation_seconds = Histogram(
            "weaklabel_operation_seconds",
            "Length of operations, without their time in the queue.",
            ["kind"],
            buckets=_OPERATION_SECONDS,
            registry=registry,
        )

    def read_from(self, readings: Readings) -> None:
        """Has the rest of the metrics read from the parts of the server."""
        self.registry.register(_Collector(readings))

    def call_begins(self, method: str, request_id: str, metadata: Metadata) -> EndCall:  # noqa: ARG002
        """See Observer."""
        name = method.removeprefix("/")

        def end(result: CallResult) -> None:
            self._calls.labels(name, result.code).inc()
            self._call_seconds.labels(name).observe(result.seconds)
            if result.reason:
                self._refused.labels(result.reason).inc()
            self._bytes_in.labels(name).inc(result.bytes_in)
            self._bytes_out.labels(name).inc(result.bytes_out)

        return end

    def operation_begins(self, kind: OperationKind, operation_id: str) -> EndOperation:  # noqa: ARG002
        """See Observer."""
        start = time.perf_counter()

        def end(outcome: str) -> None:
            self._operations.labels(kind, outcome).inc()
            self._operation_seconds.labels(kind).observe(time.perf_counter() - start)

        return end


class _Collector(Collector):
    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def describe(self) -> list[Metric]:
        """Nothing: what is registered must not be asked for before the server runs."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        read = self._readings
        yield _gauge("weaklabel_build_info", "Always 1.", {(__version__,): 1}, "version")
        yield _gauge("weaklabel_calls_in_flight", "Calls that have begun.", _keys(read.calls_in_flight()), "kind")
        open_: dict[tuple[str, ...], int] = {(*key,): value for key, value in read.operations().items()}
        yield _gauge("weaklabel_operations_open", "Operations taken on.", open_, "kind", "state")
        yield _counter("weaklabel_worker_restarts", "Workers ended.", _keys(read.worker_restarts()), "cause")
        yield _counter("weaklabel_predicted_rows", "Rows labeled by predictions.", {(): read.predicted_rows()})
        yield _gauge("weaklabel_cached_models", "Models ready in memory.", {(): read.cached_models()})
        yield _counter("weaklabel_store_faults", "Faults of the database.", _keys(read.store_faults()), "reason")
        yield _gauge("weaklabel_store_answers", "1 if the database answers, else 0.", {(): int(read.store_answers())})
        size = read.database_bytes()
        yield _gauge("weaklabel_database_bytes", "Size of the database.", {} if size is None else {(): size})


def _keys(values: Mapping[str, int]) -> dict[tuple[str, ...], int]:
    return {(name,): value for name, value in values.items()}


def _gauge(name: str, text: str, values: Mapping[tuple[str, ...], int], *labels: str) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _counter(name: str, text: str, values: Mapping[tuple[str, ...], int], *labels: str) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
