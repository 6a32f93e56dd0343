# boto3, bedrock-runtime, Converse: it leaves adding events up to the application.
import boto3
from botocore.config import Config

from consume import PROMPT, URL, consume_answers, message, parse

client = boto3.client(
    "bedrock-runtime",
    endpoint_url=URL,
    region_name="eu-west-1",
    aws_access_key_id="test-key-id",
    aws_secret_access_key="test-key",
    config=Config(retries={"total_max_attempts": 1}),
)
asked = [{"role": "user", "content": [{"text": PROMPT}]}]


def read(content, finish, usage):
    text = "".join(block.get("text", "") for block in content)
    calls = [(block["toolUse"]["name"], block["toolUse"]["input"]) for block in content if "toolUse" in block]
    if not usage:
        return message(text, calls, finish, (None, None))
    cached = usage.get("cacheReadInputTokens", 0) + usage.get("cacheWriteInputTokens", 0)
    return message(text, calls, finish, (usage["inputTokens"] + cached, usage["outputTokens"]))


def add_up(events):
    """The content blocks that the events amount to, in order."""
    blocks = {}
    for event in events:
        start, part = event.get("contentBlockStart", {}), event.get("contentBlockDelta", {})
        if "toolUse" in start.get("start", {}):
            blocks[start["contentBlockIndex"]] = {"toolUse": {"name": start["start"]["toolUse"]["name"], "input": ""}}
        block, delta = blocks.setdefault(part.get("contentBlockIndex"), {}), part.get("delta", {})
        if "text" in delta:
            block["text"] = block.get("text", "") + delta["text"]
        if "toolUse" in delta:
            block["toolUse"]["input"] += delta["toolUse"]["input"]
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = parse(block["toolUse"]["input"])
    return list(blocks.values())


def ask(model):
    answer = client.converse(modelId=model, messages=asked)
    return read(answer["output"]["message"]["content"], answer["stopReason"], answer.get("usage"))


def stream(model):
    events = list(client.converse_stream(modelId=model, messages=asked)["stream"])
    finish = next(event["messageStop"]["stopReason"] for event in events if "messageStop" in event)
    usage = next((event["metadata"].get("usage") for event in events if "metadata" in event), None)
    return read(add_up(events), finish, usage)


consume_answers(ask, stream)
