# ollama.
import ollama

from scenarios import MODEL, TOOL, TOOL_RESULT, run_scenarios

client = ollama.Client()


def user(text):
    return {"role": "user", "content": text}


def ask(prompt):
    return client.chat(model=MODEL, messages=[user(prompt)]).message.content


def stream(prompt):
    for part in client.chat(model=MODEL, messages=[user(prompt)], stream=True):
        yield part.message.content


def call_tool(prompt):
    request = {"model": MODEL, "messages": [user(prompt)], "tools": [{"type": "function", "function": TOOL}]}
    message = client.chat(**request).message
    request["messages"] += [message, {"role": "tool", "tool_name": TOOL["name"], "content": TOOL_RESULT}]
    return message.tool_calls[0].function.model_dump(), client.chat(**request).message.content


run_scenarios(ask, stream, call_tool)
