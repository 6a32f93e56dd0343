// `outrider translate`: the body on stdout, the losses on stderr, and exit codes that a script can go by.
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";

interface Printed {
  code: number | null;
  body: unknown;
  said: string;
}

function translate(input: unknown, ...args: string[]): Printed {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["dist/outrider.mjs", "translate", ...args], {
    input: typeof input === "string" ? input : JSON.stringify(input),
    encoding: "utf8",
  });
  return { code: status, body: stdout === "" ? undefined : (JSON.parse(stdout) as unknown), said: stderr };
}

const question = { role: "user", content: "hi" };

describe("outrider translate", () => {
  it("prints a request in another dialect's words, and each loss with its place", () => {
    const body = { model: "m", max_tokens: 10, top_k: 5, system: "Be brief.", messages: [question] };
    const printed = translate(body, "--from", "anthropic", "--to", "openai", "--model", "gpt-4o");
    expect(printed.code).toBe(0);
    expect(printed.body).toEqual({
      model: "gpt-4o",
      max_completion_tokens: 10,
      messages: [{ role: "system", content: "Be brief." }, question],
    });
    expect(printed.said).toMatch(/^\/top_k: unsupported, tuning: /);
    expect(printed.said.trim().split("\n")).toHaveLength(1);
  });

  it("says so when nothing is lost", () => {
    const printed = translate({ model: "m", messages: [question] }, "--from", "cohere", "--to", "ollama");
    expect(printed).toMatchObject({ code: 0, said: "nothing is lost\n" });
  });

  it("prints an answer as a client of another dialect reads it", () => {
    const answer = {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude-x",
      content: [{ type: "text", text: "hello" }],
      stop_reason: "end_turn",
      usage: { input_tokens: 3, output_tokens: 2 },
    };
    const printed = translate(answer, "--from", "anthropic", "--to", "gemini", "--response");
    expect(printed.code).toBe(0);
    expect(printed.body).toMatchObject({
      candidates: [{ content: { role: "model", parts: [{ text: "hello" }] }, finishReason: "STOP" }],
      usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2 },
    });
  });

  it("ends with 1 when a conversation cannot be put in the target's words", () => {
    const result = { role: "tool", tool_call_id: "call_9", content: "7" };
    const printed = translate({ model: "m", messages: [question, result] }, "--from", "openai", "--to", "anthropic");
    expect(printed).toMatchObject({ code: 1, body: undefined });
    expect(printed.said).toMatch(/^request_lossy: .*\/messages\/1/);
  });

  it.each([
    ["a dialect that nobody has", { model: "m" }, "antropic", /did you mean "anthropic"\?/],
    ["half a body", "{", "anthropic", /expected a JSON object on the standard input/],
    ["a list", "[]", "anthropic", /expected a JSON object on the standard input/],
  ])("ends with 2 for %s", (_what, input, target, said) => {
    const printed = translate(input, "--from", "openai", "--to", target);
    expect(printed).toMatchObject({ code: 2, body: undefined });
    expect(printed.said).toMatch(said);
  });
});
