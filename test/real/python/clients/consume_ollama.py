# ollama: it leaves adding parts up to the application.
import ollama

from consume import MESSAGES, URL, consume_answers, message

client = ollama.Client(host=URL)


def read(parts):
    calls = [call.function for part in parts for call in part.message.tool_calls or []]
    last = parts[-1]
    if not last.done:
        raise RuntimeError("the stream has no end")
    text = "".join(part.message.content or "" for part in parts)
    called = [(call.name, dict(call.arguments)) for call in calls]
    return message(text, called, last.done_reason, (last.prompt_eval_count, last.eval_count))


def ask(model):
    return read([client.chat(model=model, messages=MESSAGES)])


def stream(model):
    return read(list(client.chat(model=model, messages=MESSAGES, stream=True)))


consume_answers(ask, stream)
