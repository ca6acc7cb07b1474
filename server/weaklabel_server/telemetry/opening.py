"""Which telemetry the settings ask for."""

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from weaklabel_server.config import ServerConfig

if TYPE_CHECKING:
    from weaklabel_server.telemetry.metrics import Metrics
    from weaklabel_server.telemetry.tracing import Tracing

log = logging.getLogger(__name__)


class NotInstalledError(Exception):
    """An extra is not installed; the message says which, and what for."""


def open_metrics(config: ServerConfig) -> "Metrics | None":
    """Metrics, where settings ask for them.

    Raises:
        NotInstalledError: The extra is not installed.
    """
    if config.metrics_listen is None:
        return None
    try:
        from weaklabel_server.telemetry.metrics import Metrics
    except ModuleNotFoundError as error:
        raise NotInstalledError(
            f'metrics_listen: metrics need {error.name}: pip install "weaklabel-server[metrics]"'
        ) from None
    return Metrics()


def open_tracing(config: ServerConfig) -> "Tracing | None":
    """Traces, where settings or OpenTelemetry's variables ask for them.

    Raises:
        NotInstalledError: Settings do, and the extra is not installed.
    """
    if not (config.tracing == "on" or (config.tracing == "auto" and _names_collector(os.environ))):
        return None
    try:
        from weaklabel_server.telemetry import tracing

        return tracing.exporting()
    except ModuleNotFoundError as error:
        message = f'traces need {error.name}: pip install "weaklabel-server[tracing]"'
        if config.tracing == "on":
            raise NotInstalledError(f"tracing: {message}") from None
        log.warning("OTEL_ variables ask for traces; %s", message)
        return None


def _names_collector(environment: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's standard variables say where traces go, and do not turn them off."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return exporter == "otlp" or (not exporter and any(environment.get(name) for name in endpoints))
