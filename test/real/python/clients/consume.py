# Reads translated answers through an official client: what every consume_*.py does with the list that it is told.
# OUTRIDER_URL is where the answers are, standard input the list: `[{ "model", "stream" }]`. An answer is asked for by its model.
# One JSON line for each: `{ model, text, calls, finish, inputTokens, outputTokens }` as the client ended up with it, or `{ model, error }`.
# The clients for Node (test/contract/sdks/clients) do the same.
import json
import os
import sys

# Where the answers are.
URL = os.environ["OUTRIDER_URL"]

# What is asked for does not matter, the answer is made already.
PROMPT = "Go on."
MESSAGES = [{"role": "user", "content": PROMPT}]


def consume_answers(ask, stream):
    """`ask(model)` and `stream(model)` give the client's final message; a client that throws is told of, and the next answer asked for."""
    for case in json.load(sys.stdin):
        model = case["model"]
        try:
            seen = (stream if case["stream"] else ask)(model)
        except Exception as error:
            seen = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"model": model, **seen}), flush=True)


def message(text, calls, finish, tokens):
    """The line of a final message; `calls` are names with arguments, `tokens` those of the input and the output."""
    called = [{"name": name, "arguments": given} for name, given in calls]
    return {"text": text, "calls": called, "finish": finish, "inputTokens": tokens[0], "outputTokens": tokens[1]}


def parse(text):
    """A call's arguments, where the client leaves parsing them to the application; what is no JSON, as an application has to take it."""
    try:
        return json.loads(text) if text else {}
    except ValueError:
        return text
