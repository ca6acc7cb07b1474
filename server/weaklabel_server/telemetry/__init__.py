"""What the server tells those who run it, beside its log. Nothing here is loaded unless a setting asks for it.

observers   what is told of calls and operations, and to whom
opening     which of the following the settings ask for
metrics     numbers for Prometheus: the extra "metrics"
listener    where Prometheus reads them
tracing     spans for OpenTelemetry: the extra "tracing"
"""
