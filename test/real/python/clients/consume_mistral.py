# mistralai, which checks every answer against its schema; it leaves adding chunks up to the application.
from mistralai.client import Mistral

from consume import MESSAGES, URL, consume_answers, message, parse

chat = Mistral(api_key="test-key", server_url=URL).chat


def text_of(content):
    return "".join(part.text for part in content if part.type == "text") if isinstance(content, list) else content or ""


def read(text, calls, finish, usage):
    called = [(name, parse(given) if isinstance(given, str) else given) for name, given in calls]
    tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else (None, None)
    return message(text, called, finish, tokens)


def ask(model):
    answer = chat.complete(model=model, messages=MESSAGES)
    choice = answer.choices[0]
    calls = [(call.function.name, call.function.arguments) for call in choice.message.tool_calls or []]
    return read(text_of(choice.message.content), calls, choice.finish_reason, answer.usage)


def stream(model):
    text, calls, finish, usage = "", {}, None, None
    with chat.stream(model=model, messages=MESSAGES) as events:
        for event in events:
            usage = event.data.usage or usage
            for choice in event.data.choices:
                if choice.index != 0:
                    continue
                finish = choice.finish_reason or finish
                text += text_of(choice.delta.content)
                for call in choice.delta.tool_calls or []:
                    name, given = calls.get(call.index, ("", ""))
                    calls[call.index] = (name + call.function.name, given + call.function.arguments)
    return read(text, calls.values(), finish, usage)


consume_answers(ask, stream)
