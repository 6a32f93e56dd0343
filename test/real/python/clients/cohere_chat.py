# cohere, v2.
import cohere

from scenarios import MODEL, TOOL, TOOL_RESULT, run_scenarios

client = cohere.ClientV2(api_key="test-key", max_retries=0)


def user(text):
    return {"role": "user", "content": text}


def text_of(answer):
    return "".join(part.text for part in answer.message.content if part.type == "text")


def ask(prompt):
    return text_of(client.chat(model=MODEL, messages=[user(prompt)]))


def stream(prompt):
    for event in client.chat_stream(model=MODEL, messages=[user(prompt)]):
        yield event.delta.message.content.text if event.type == "content-delta" else ""


def call_tool(prompt):
    request = {"model": MODEL, "messages": [user(prompt)], "tools": [{"type": "function", "function": TOOL}]}
    message = client.chat(**request).message
    call = message.tool_calls[0]
    request["messages"] += [message, {"role": "tool", "tool_call_id": call.id, "content": TOOL_RESULT}]
    return call.function.model_dump(), text_of(client.chat(**request))


run_scenarios(ask, stream, call_tool)
