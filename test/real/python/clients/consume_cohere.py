# cohere, v2: it leaves adding events up to the application.
import cohere

from consume import MESSAGES, URL, consume_answers, message, parse

client = cohere.ClientV2(api_key="test-key", base_url=URL, max_retries=0)


def read(texts, calls, finish, usage):
    called = [(name, parse(arguments)) for name, arguments in calls]
    tokens = usage and usage.tokens
    if not tokens:
        return message("".join(texts), called, finish, (None, None))
    # Images stand beside the text; the client passes on that count without a name of its own.
    asked = (tokens.input_tokens or 0) + (getattr(tokens, "image_tokens", None) or 0)
    return message("".join(texts), called, finish, (asked, tokens.output_tokens))


def ask(model):
    answer = client.chat(model=model, messages=MESSAGES)
    texts = [getattr(part, "text", "") for part in answer.message.content or []]
    calls = [(call.function.name, call.function.arguments) for call in answer.message.tool_calls or []]
    return read(texts, calls, answer.finish_reason, answer.usage)


def stream(model):
    texts, calls, end = [], [], None
    for event in client.chat_stream(model=model, messages=MESSAGES):
        if event.type == "content-delta":
            texts.append(event.delta.message.content.text or "")
        if event.type == "tool-call-start":
            function = event.delta.message.tool_calls.function
            calls.append([function.name, function.arguments or ""])
        if event.type == "tool-call-delta":
            calls[-1][1] += event.delta.message.tool_calls.function.arguments
        if event.type == "message-end":
            end = event.delta
    if end.finish_reason == "ERROR" and end.error:
        raise RuntimeError(end.error)
    return read(texts, calls, end.finish_reason, end.usage)


consume_answers(ask, stream)
