# boto3, bedrock-runtime: InvokeModel with the bodies of Anthropic's models.
import json

import boto3
from botocore.config import Config

from scenarios import MODEL, TOOL, TOOL_RESULT, run_scenarios

client = boto3.client("bedrock-runtime", config=Config(retries={"total_max_attempts": 1}))


def request(prompt):
    message = {"role": "user", "content": prompt}
    return {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 300, "messages": [message]}


def invoke(body):
    return json.loads(client.invoke_model(modelId=MODEL, body=json.dumps(body))["body"].read())


def text_of(message):
    return "".join(block.get("text", "") for block in message["content"])


def ask(prompt):
    return text_of(invoke(request(prompt)))


def stream(prompt):
    answer = client.invoke_model_with_response_stream(modelId=MODEL, body=json.dumps(request(prompt)))
    try:
        for event in answer["body"]:
            yield json.loads(event["chunk"]["bytes"]).get("delta", {}).get("text", "")
    finally:
        answer["body"].close()


def call_tool(prompt):
    tool = {"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["parameters"]}
    body = {**request(prompt), "tools": [tool]}
    content = invoke(body)["content"]
    call = next(block for block in content if block["type"] == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": TOOL_RESULT}
    body["messages"] += [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    return call, text_of(invoke(body))


run_scenarios(ask, stream, call_tool)
