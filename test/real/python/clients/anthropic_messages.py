# anthropic: at Anthropic, or at Bedrock where SDK_PROVIDER says so.
import os

import anthropic

from scenarios import MODEL, TOOL, TOOL_RESULT, run_scenarios

if os.environ.get("SDK_PROVIDER") == "bedrock":
    client = anthropic.AnthropicBedrock(max_retries=0)
else:
    client = anthropic.Anthropic(api_key="test-key", max_retries=0)
create = client.messages.create


def request(prompt):
    return {"model": MODEL, "max_tokens": 300, "messages": [{"role": "user", "content": prompt}]}


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def ask(prompt):
    return text_of(create(**request(prompt)))


def stream(prompt):
    with client.messages.stream(**request(prompt)) as events:
        yield from events.text_stream


def call_tool(prompt):
    tool = {"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["parameters"]}
    body = {**request(prompt), "tools": [tool]}
    content = create(**body).content
    call = next(block for block in content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": TOOL_RESULT}
    body["messages"] += [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    return call.to_dict(), text_of(create(**body))


run_scenarios(ask, stream, call_tool)
