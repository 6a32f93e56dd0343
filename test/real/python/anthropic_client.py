# A small application on the official `anthropic` package, run as a process of its own with nothing but environment variables.
import anthropic

from seen import catch_status, run

client = anthropic.Anthropic(api_key="test-key", max_retries=0)
TOOL = {
    "name": "get_weather",
    "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def ask(text):
    return [{"role": "user", "content": text}]


def read_message(message):
    # Anthropic states uncached and cached input apart; telemetry adds them up.
    usage = message.usage
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    seen = {
        "text": "".join(block.text for block in message.content if block.type == "text"),
        "responseId": message.id,
        "model": message.model,
        "inputTokens": usage.input_tokens + cached,
        "outputTokens": usage.output_tokens,
    }
    for block in message.content:
        if block.type == "tool_use":
            seen["tool"], seen["toolArguments"] = block.name, list(block.input)
    return seen


def create(headers, **body):
    return client.messages.create(**{"max_tokens": 300, **body}, extra_headers=headers)


def stream_whole(headers, **body):
    with client.messages.stream(**{"max_tokens": 300, **body}, extra_headers=headers) as events:
        return read_message(events.get_final_message())


def abort(headers):
    chunks = 0
    body = {"model": "claude-sonnet-4-5", "max_tokens": 8000, "messages": ask("A long story in 4000 words.")}
    with create(headers, stream=True, **body) as stream:
        for event in stream:
            chunks += 1 if event.type == "content_block_delta" else 0
            if chunks == 5:
                break
    return {"chunks": chunks}


with_tool = {"model": "claude-sonnet-4-5", "tools": [TOOL], "tool_choice": {"type": "any"}}
too_much = {"model": "sim-overloaded-claude-sonnet-4-5", "messages": ask("Too much?")}
half = {"model": "sim-error-event-claude-haiku-4-5", "messages": ask("Half?")}

run(
    {
        "plain": lambda h: read_message(create(h, model="claude-sonnet-4-5", messages=ask("Name three rivers."))),
        "stream": lambda h: stream_whole(h, model="claude-haiku-4-5", messages=ask("Tell me a story.")),
        "tools": lambda h: read_message(create(h, messages=ask("Weather in Nairobi?"), **with_tool)),
        "tools-stream": lambda h: stream_whole(h, messages=ask("Weather in Lagos?"), **with_tool),
        "count-tokens": lambda h: {
            "counted": client.messages.count_tokens(
                model="claude-sonnet-4-5", messages=ask("How long?"), extra_headers=h
            ).input_tokens
        },
        "error": lambda h: catch_status(anthropic.APIError, lambda: create(h, **too_much)),
        "error-stream": lambda h: catch_status(anthropic.APIError, lambda: stream_whole(h, **half)),
        "abort": abort,
    }
)
