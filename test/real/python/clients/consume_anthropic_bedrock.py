# anthropic, AnthropicBedrock (InvokeModel): its stream helper adds the events up.
import anthropic

from consume import MESSAGES, URL, consume_answers, message

messages = anthropic.AnthropicBedrock(
    aws_access_key="test-key-id",
    aws_secret_key="test-key",
    aws_region="eu-west-1",
    max_retries=0,
    base_url=URL,
).messages


def read(answer):
    usage = answer.usage
    text = "".join(block.text for block in answer.content if block.type == "text")
    calls = [(block.name, block.input) for block in answer.content if block.type == "tool_use"]
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return message(text, calls, answer.stop_reason, (usage.input_tokens + cached, usage.output_tokens))


def ask(model):
    return read(messages.create(model=model, max_tokens=300, messages=MESSAGES))


def stream(model):
    with messages.stream(model=model, max_tokens=300, messages=MESSAGES) as events:
        return read(events.get_final_message())


consume_answers(ask, stream)
