"""OpenTelemetry, where the project has set it up."""

from __future__ import annotations

import sys
from typing import Any


def tracing() -> Any:
    """Return the module ``opentelemetry.trace`` if the project has set up a tracer provider.

    It is not imported here: where nobody has, nobody traces.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None or isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return None
    return trace


def trace_metadata() -> dict[str, str]:
    """Return the ids of the current span as an event's metadata; nothing if there is none."""
    trace = tracing()
    if trace is None:
        return {}
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
    }


def span_context(trace: Any, trace_id: str, span_id: str) -> Any:
    """Return the context that an event's ids name; None where they are none."""
    try:
        context = trace.SpanContext(
            int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=trace.TraceFlags(1)
        )
    except ValueError:
        return None
    return context if context.is_valid else None
