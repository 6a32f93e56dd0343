# openai, legacy Completions: it has no helper for streams, and no tools.
import openai

from consume import PROMPT, URL, consume_answers, message

create = openai.OpenAI(api_key="test-key", max_retries=0, base_url=f"{URL}/v1").completions.create


def read(chunks):
    choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == 0]
    finish = [choice.finish_reason for choice in choices if choice.finish_reason][-1]
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    tokens = (usages[-1].prompt_tokens, usages[-1].completion_tokens) if usages else (None, None)
    return message("".join(choice.text or "" for choice in choices), [], finish, tokens)


def ask(model):
    return read([create(model=model, prompt=PROMPT)])


def stream(model):
    return read(list(create(model=model, prompt=PROMPT, stream=True, stream_options={"include_usage": True})))


consume_answers(ask, stream)
