# google-genai: it leaves adding chunks up to the application.
from google import genai

from consume import PROMPT, URL, consume_answers, message

client = genai.Client(api_key="test-key", http_options={"base_url": URL})


def count(*counts):
    """The sum of what was counted; None where nothing was."""
    given = [each for each in counts if each is not None]
    return sum(given) if given else None


def read(chunks):
    candidates = [each for chunk in chunks for each in chunk.candidates or [] if not each.index]
    parts = [part for each in candidates if each.content for part in each.content.parts or []]
    # Not `chunk.text`: it is the first candidate's of each chunk, whichever that is.
    text = "".join(part.text or "" for part in parts if not part.thought)
    calls = [(part.function_call.name, part.function_call.args or {}) for part in parts if part.function_call]
    blocked = [chunk.prompt_feedback.block_reason for chunk in chunks if chunk.prompt_feedback]
    finish = (blocked + [each.finish_reason for each in candidates if each.finish_reason])[-1]
    usages = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    if not usages:
        return message(text, calls, finish.value, (None, None))
    usage = usages[-1]
    asked = count(usage.prompt_token_count, usage.tool_use_prompt_token_count)
    answered = count(usage.candidates_token_count, usage.thoughts_token_count)
    return message(text, calls, finish.value, (asked, answered))


def ask(model):
    return read([client.models.generate_content(model=model, contents=PROMPT)])


def stream(model):
    return read(list(client.models.generate_content_stream(model=model, contents=PROMPT)))


consume_answers(ask, stream)
