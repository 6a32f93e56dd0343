# A small application on the official `openai` package, run as a process of its own with nothing but environment variables.
import json

import openai

from seen import catch_status, run

client = openai.OpenAI(api_key="test-key", max_retries=0)
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def ask(text):
    return [{"role": "user", "content": text}]


def plain(headers):
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=ask("Name three rivers."), extra_headers=headers
    )
    return {
        "text": answer.choices[0].message.content,
        "responseId": answer.id,
        "model": answer.model,
        "inputTokens": answer.usage.prompt_tokens,
        "outputTokens": answer.usage.completion_tokens,
    }


def stream(headers):
    seen = {"text": ""}
    chunks = client.chat.completions.create(
        model="gpt-4o",
        stream=True,
        stream_options={"include_usage": True},
        messages=ask("Tell me a story."),
        extra_headers=headers,
    )
    for chunk in chunks:
        if chunk.choices:
            seen["text"] += chunk.choices[0].delta.content or ""
        seen["responseId"], seen["model"] = chunk.id, chunk.model
        if chunk.usage:
            seen["inputTokens"], seen["outputTokens"] = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
    return seen


def stream_without_usage(headers):
    # Asks for no usage, so it must see none, although Outrider does.
    text, usage_frames = "", 0
    for chunk in client.chat.completions.create(
        model="gpt-4o", stream=True, messages=ask("And another."), extra_headers=headers
    ):
        text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        usage_frames += 1 if chunk.usage else 0
    return {"text": text, "usageFrames": usage_frames}


def tools(headers):
    answer = client.chat.completions.create(
        model="gpt-4.1",
        messages=ask("Weather in Nairobi?"),
        tools=[TOOL],
        tool_choice="required",
        extra_headers=headers,
    )
    call = answer.choices[0].message.tool_calls[0].function
    return {"tool": call.name, "toolArguments": list(json.loads(call.arguments))}


def tools_stream(headers):
    with client.chat.completions.stream(
        model="gpt-4.1", messages=ask("Weather in Lagos?"), tools=[TOOL], tool_choice="required", extra_headers=headers
    ) as events:
        for _ in events:
            pass
        call = events.get_final_completion().choices[0].message.tool_calls[0].function
    return {"tool": call.name, "toolArguments": list(json.loads(call.arguments))}


def embeddings(headers):
    answer = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"], extra_headers=headers)
    return {"vectors": len(answer.data), "model": answer.model, "inputTokens": answer.usage.prompt_tokens}


def error(headers):
    return catch_status(
        openai.APIError,
        lambda: client.chat.completions.create(
            model="sim-429-gpt-4o-mini", messages=ask("Too much?"), extra_headers=headers
        ),
    )


def error_stream(headers):
    def consume():
        for _ in client.chat.completions.create(
            model="sim-error-event-gpt-4o-mini", stream=True, messages=ask("Half?"), extra_headers=headers
        ):
            pass

    return catch_status(openai.APIError, consume)


def abort(headers):
    chunks = 0
    with client.chat.completions.create(
        model="gpt-4o", stream=True, messages=ask("A long story in 4000 words."), extra_headers=headers
    ) as stream_:
        for _ in stream_:
            chunks += 1
            if chunks == 5:
                break
    return {"chunks": chunks}


run(
    {
        "plain": plain,
        "stream": stream,
        "stream-without-usage": stream_without_usage,
        "tools": tools,
        "tools-stream": tools_stream,
        "embeddings": embeddings,
        "error": error,
        "error-stream": error_stream,
        "abort": abort,
    }
)
