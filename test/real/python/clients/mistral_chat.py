# mistralai; it reads no variable for its base URL.
import os

from mistralai.client import Mistral

from scenarios import MODEL, TOOL, TOOL_RESULT, run_scenarios

client = Mistral(api_key="test-key", server_url=f"{os.environ['OUTRIDER_URL']}/mistral")


def user(text):
    return {"role": "user", "content": text}


def ask(prompt):
    return client.chat.complete(model=MODEL, messages=[user(prompt)]).choices[0].message.content


def stream(prompt):
    with client.chat.stream(model=MODEL, messages=[user(prompt)]) as events:
        for event in events:
            yield event.data.choices[0].delta.content or ""


def call_tool(prompt):
    request = {"model": MODEL, "messages": [user(prompt)], "tools": [{"type": "function", "function": TOOL}]}
    message = client.chat.complete(**request).choices[0].message
    call = message.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "name": TOOL["name"], "content": TOOL_RESULT}
    request["messages"] += [message, result]
    return call.function.model_dump(), client.chat.complete(**request).choices[0].message.content


run_scenarios(ask, stream, call_tool)
