# LangChain with the provider package that SDK_PROVIDER names.
import os

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI

from scenarios import MODEL, TOOL, TOOL_RESULT, run_scenarios

provider = {"openai": ChatOpenAI, "anthropic": ChatAnthropic}[os.environ["SDK_PROVIDER"]]
chat = provider(model=MODEL, api_key="test-key", max_retries=0, max_tokens=300)


def ask(prompt):
    return str(chat.invoke(prompt).text)


def stream(prompt):
    # At any base URL but OpenAI's own, ChatOpenAI leaves out the usage unless told.
    for chunk in chat.stream(prompt, stream_usage=True):
        yield str(chunk.text)


def call_tool(prompt):
    bound = chat.bind_tools([{"type": "function", "function": TOOL}])
    messages = [HumanMessage(prompt)]
    message = bound.invoke(messages)
    call = message.tool_calls[0]
    messages += [message, ToolMessage(TOOL_RESULT, tool_call_id=call["id"], name=call["name"])]
    return call["args"], str(bound.invoke(messages).text)


run_scenarios(ask, stream, call_tool)
