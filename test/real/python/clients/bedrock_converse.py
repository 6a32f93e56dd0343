# boto3, bedrock-runtime: Converse.
import boto3
from botocore.config import Config

from scenarios import MODEL, TOOL, TOOL_RESULT, run_scenarios

client = boto3.client("bedrock-runtime", config=Config(retries={"total_max_attempts": 1}))


def user(*content):
    return {"role": "user", "content": list(content)}


def text_of(answer):
    return "".join(part.get("text", "") for part in answer["output"]["message"]["content"])


def ask(prompt):
    return text_of(client.converse(modelId=MODEL, messages=[user({"text": prompt})]))


def stream(prompt):
    events = client.converse_stream(modelId=MODEL, messages=[user({"text": prompt})])["stream"]
    try:
        for event in events:
            yield event.get("contentBlockDelta", {}).get("delta", {}).get("text", "")
    finally:
        events.close()


def call_tool(prompt):
    schema = {"inputSchema": {"json": TOOL["parameters"]}}
    tool = {"name": TOOL["name"], "description": TOOL["description"], **schema}
    request = {"modelId": MODEL, "messages": [user({"text": prompt})], "toolConfig": {"tools": [{"toolSpec": tool}]}}
    message = client.converse(**request)["output"]["message"]
    call = next(part["toolUse"] for part in message["content"] if "toolUse" in part)
    result = {"toolUseId": call["toolUseId"], "content": [{"text": TOOL_RESULT}]}
    request["messages"] += [message, user({"toolResult": result})]
    return call, text_of(client.converse(**request))


run_scenarios(ask, stream, call_tool)
