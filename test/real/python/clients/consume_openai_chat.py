# openai, Chat Completions: its stream helper adds the chunks up. Of an answer that was cut short, and of one that calls custom tools, it
# gives no final completion, whoever wrote the stream: what was added up so far is then the answer.
import openai

from consume import MESSAGES, URL, consume_answers, message, parse

completions = openai.OpenAI(api_key="test-key", max_retries=0, base_url=f"{URL}/v1").chat.completions


def read_call(call):
    if call.type == "custom":
        custom = call.to_dict()["custom"]
        return custom["name"], custom["input"]
    return call.function.name, parse(call.function.arguments)


def read(completion):
    choice, usage = completion.choices[0], completion.usage
    answer = choice.message
    calls = [read_call(call) for call in answer.tool_calls or []]
    tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else (None, None)
    return message((answer.content or "") + (answer.refusal or ""), calls, choice.finish_reason, tokens)


def ask(model):
    return read(completions.create(model=model, messages=MESSAGES))


def stream(model):
    with completions.stream(model=model, messages=MESSAGES, stream_options={"include_usage": True}) as events:
        choice = events.until_done().current_completion_snapshot.choices[0]
        custom = any(call.type == "custom" for call in choice.message.tool_calls or [])
        is_final = choice.finish_reason in ("stop", "tool_calls") and not custom
        return read(events.get_final_completion() if is_final else events.current_completion_snapshot)


consume_answers(ask, stream)
