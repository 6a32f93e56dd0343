// The URL of a policy endpoint: what is asked for, and what is told of it.
import { afterEach, beforeEach, expect, it } from "vitest";
import { optionsSchema } from "../../../src/options.ts";
import { createHttpSource } from "../../../src/policy/source-http.ts";
import type { PolicySource } from "../../../src/policy/source.ts";
import { type PolicyEndpoint, startPolicyEndpoint } from "../../support/policy-endpoint.ts";

let endpoint: PolicyEndpoint;
beforeEach(async () => {
  endpoint = await startPolicyEndpoint();
  endpoint.serve("version: 1");
});
afterEach(() => endpoint.close());

function createSource(target: string, instanceId: string): PolicySource {
  const url = new URL(endpoint.url).origin + target;
  expect(optionsSchema.safeParse({ policy: { url } }).success).toBe(true);
  return createHttpSource({ url, instanceId, pollMs: 1000, readToken: undefined, random: () => 0.5 });
}

it("asks for the instance's id in place of {instance}, percent-encoded, and leaves other braces", async () => {
  const source = createSource("/{instance}/p?instance={instance}&at={instance}&x={x}", "pod 1/ü?$&#&a=b");
  expect(await source.fetch()).toMatchObject({ type: "document" });
  const id = "pod%201%2F%C3%BC%3F%24%26%23%26a%3Db";
  expect(endpoint.requests.map(({ target }) => target)).toEqual([`/${id}/p?instance=${id}&at=${id}&x={x}`]);
});

it("names its place without the query, and alike for each instance, since a copy on disk outlives one", () => {
  const places = ["a", "b"].map((id) => createSource("/{instance}/p?instance={instance}", id).place);
  expect(places[0]).toBe(`${new URL(endpoint.url).origin}/%7Binstance%7D/p`);
  expect(places[1]).toBe(places[0]);
});

it("is not led to a host by the instance's id", () => {
  for (const url of ["https://{instance}.example/p", "https://example:{instance}/p", "https://{instance}@example/p"]) {
    expect(optionsSchema.safeParse({ policy: { url } }).success, url).toBe(false);
  }
});
