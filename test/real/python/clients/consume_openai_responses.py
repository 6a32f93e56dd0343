# openai, Responses: its stream helper adds the events up; of an answer that was cut short, only in its last event.
import openai

from consume import PROMPT, URL, consume_answers, message, parse

responses = openai.OpenAI(api_key="test-key", max_retries=0, base_url=f"{URL}/v1").responses


def read(response):
    contents = [part for item in response.output if item.type == "message" for part in item.content]
    calls = [
        (item.name, parse(item.arguments) if item.type == "function_call" else item.input)
        for item in response.output
        if item.type in ("function_call", "custom_tool_call")
    ]
    details, usage = response.incomplete_details, response.usage
    text = "".join(part.text if part.type == "output_text" else part.refusal for part in contents)
    tokens = (usage.input_tokens, usage.output_tokens) if usage else (None, None)
    return message(text, calls, (details and details.reason) or response.status, tokens)


def ask(model):
    return read(responses.create(model=model, input=PROMPT))


def stream(model):
    with responses.stream(model=model, input=PROMPT) as events:
        last = list(events)[-1]
        if last.type in ("response.incomplete", "response.failed"):
            return read(last.response)
        return read(events.get_final_response())


consume_answers(ask, stream)
