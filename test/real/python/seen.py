# What both Python applications share: a trace context for each call, and one JSON line about what the application saw.
import json
import secrets


def run(calls):
    """Runs each call with headers of its own and prints its line (`SeenCall` of test/support/sdk-scenarios.ts)."""
    for name, call in calls.items():
        trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
        seen = call({"traceparent": f"00-{trace_id}-{span_id}-01"})
        print(json.dumps({"call": name, "traceId": trace_id, "spanId": span_id, **seen}), flush=True)


def catch_status(error_type, action):
    """Runs the action, which should fail; a failure inside a stream has the status 0."""
    try:
        action()
        return {}
    except error_type as error:
        return {"errorStatus": getattr(error, "status_code", 0), "errorName": type(error).__name__}
