// AWS Signature Version 4 of a request as it arrived, computed apart from the code under test.
import { createHash, createHmac } from "node:crypto";
import type { UpstreamRequest } from "./scripted-upstream.ts";

/** The signature that AWS would compute for what arrived, by the steps of its documentation. */
export function expectedSignature(seen: UpstreamRequest, region: string, secretKey: string): string {
  const signed = /SignedHeaders=([^,]+)/.exec(seen.header("authorization") ?? "")?.[1] ?? "";
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
  const hash = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");
  const [path = "", query = ""] = seen.path.split("?");
  const canonical = [
    seen.method,
    path.split("/").map(encodeURIComponent).join("/"),
    query,
    ...signed.split(";").map((name) => `${name}:${seen.header(name)}`),
    "",
    signed,
    hash(seen.body),
  ].join("\n");
  const time = seen.header("x-amz-date") ?? "";
  const scope = `${time.slice(0, 8)}/${region}/bedrock/aws4_request`;
  const key = [time.slice(0, 8), region, "bedrock", "aws4_request"].reduce<string | Buffer>(hmac, `AWS4${secretKey}`);
  return hmac(key, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash(canonical)}`).toString("hex");
}
