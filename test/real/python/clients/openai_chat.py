# openai, Chat Completions: at OpenAI, or at Azure where SDK_PROVIDER says so.
import os

import openai

from scenarios import MODEL, TOOL, TOOL_RESULT, run_scenarios

Client = openai.AzureOpenAI if os.environ.get("SDK_PROVIDER") == "azure" else openai.OpenAI
client = Client(api_key="test-key", max_retries=0)
create = client.chat.completions.create


def user(text):
    return {"role": "user", "content": text}


def ask(prompt):
    return create(model=MODEL, messages=[user(prompt)]).choices[0].message.content


def stream(prompt):
    options = {"stream": True, "stream_options": {"include_usage": True}}
    with create(model=MODEL, messages=[user(prompt)], **options) as chunks:
        for chunk in chunks:
            yield chunk.choices[0].delta.content or "" if chunk.choices else ""


def call_tool(prompt):
    request = {"model": MODEL, "messages": [user(prompt)], "tools": [{"type": "function", "function": TOOL}]}
    message = create(**request).choices[0].message
    call = message.tool_calls[0]
    request["messages"] += [message, {"role": "tool", "tool_call_id": call.id, "content": TOOL_RESULT}]
    return call.function.to_dict(), create(**request).choices[0].message.content


run_scenarios(ask, stream, call_tool)
