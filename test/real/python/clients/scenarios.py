# The five calls that every client makes, in this order; one JSON line each with what the application saw.
# The upstream knows them by the word in brackets. The model and the tool's name are the recordings', from the environment.
# The clients for Node (test/contract/sdks/clients) do the same.
import json
import os
import time

MODEL = os.environ["SDK_MODEL"]

# The tool on offer: name, description and the JSON schema of its arguments.
TOOL = {
    "name": os.environ["SDK_TOOL"],
    "description": "Looks something up",
    "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
}

# What the tool says when it was called.
TOOL_RESULT = "It is sunny."


def run_scenarios(ask, stream, call_tool):
    """`ask(prompt)` gives the answer's text, `stream(prompt)` is a generator of its pieces, `call_tool(prompt)` lets the model call the
    tool, answers it and gives what was called and the text."""
    say("plain", text=ask("[plain] Say something."))
    say("stream", text="".join(stream("[stream] Say something.")))
    called, text = call_tool("[tools] Look something up.")
    say("tools", called=called, text=text)
    try:
        say("error", text=ask("[error] Fail."))
    except Exception as error:
        say("error", error=type(error).__name__, status=read_status(error))
    pieces = stream("[abort] Say something long.")
    next(piece for piece in pieces if piece)
    say("abort", abortedAtMs=time.time() * 1000)
    pieces.close()
    time.sleep(1)  # or the end of the process would hang up where the client does not


def read_status(error):
    status = getattr(error, "status_code", getattr(error, "code", None))
    return status or error.response["ResponseMetadata"]["HTTPStatusCode"]


def say(call, **seen):
    print(json.dumps({"call": call, **seen}), flush=True)
