# openai, Responses.
import openai

from scenarios import MODEL, TOOL, TOOL_RESULT, run_scenarios

client = openai.OpenAI(api_key="test-key", max_retries=0)
create = client.responses.create


def ask(prompt):
    return create(model=MODEL, input=prompt).output_text


def stream(prompt):
    with create(model=MODEL, input=prompt, stream=True) as events:
        for event in events:
            yield event.delta if event.type == "response.output_text.delta" else ""


def call_tool(prompt):
    request = {
        "model": MODEL,
        "input": [{"role": "user", "content": prompt}],
        "tools": [{"type": "function", "strict": False, **TOOL}],
    }
    output = create(**request).output
    call = next(item for item in output if item.type == "function_call")
    request["input"] += [*output, {"type": "function_call_output", "call_id": call.call_id, "output": TOOL_RESULT}]
    return call.to_dict(), create(**request).output_text


run_scenarios(ask, stream, call_tool)
