# google-genai: Gemini, or Vertex AI where SDK_PROVIDER says so.
import os

from google import genai
from google.genai import types

from scenarios import MODEL, TOOL, TOOL_RESULT, run_scenarios

client = genai.Client(api_key="test-key", vertexai=os.environ.get("SDK_PROVIDER") == "vertex")


def ask(prompt):
    return client.models.generate_content(model=MODEL, contents=prompt).text


def stream(prompt):
    for chunk in client.models.generate_content_stream(model=MODEL, contents=prompt):
        yield chunk.text or ""


def call_tool(prompt):
    declaration = {
        "name": TOOL["name"],
        "description": TOOL["description"],
        "parameters_json_schema": TOOL["parameters"],
    }
    request = {
        "model": MODEL,
        "contents": [types.UserContent(prompt)],
        "config": {"tools": [{"function_declarations": [declaration]}]},
    }
    answer = client.models.generate_content(**request)
    result = types.Part.from_function_response(name=TOOL["name"], response={"output": TOOL_RESULT})
    request["contents"] += [answer.candidates[0].content, types.UserContent(result)]
    called = answer.function_calls[0].model_dump(exclude_none=True)
    return called, client.models.generate_content(**request).text


run_scenarios(ask, stream, call_tool)
