// AWS Signature Version 4, verified. Source of the algorithm: the AWS General Reference, "Create a signed AWS API request".
import { hash as digestOf, randomUUID, timingSafeEqual } from "node:crypto";
import { EcsError } from "./ecs-error.ts";
import { HmacKey } from "./hmac.ts";

export interface SignedRequest {
  method: string;
  /** As on the wire: path and query, undecoded. */
  url: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Uint8Array;
}

export interface Caller {
  accessKeyId: string;
  region: string;
}

/** Clocks may differ by so much; a request is good for as long, and no signature is taken twice within it. */
const tolerance = 5 * 60_000;
const service = "ecs";

/** The header by which an SDK tells calls apart that are equal otherwise; the AWS command line does not sign it. */
const callNumber = "amz-sdk-invocation-id";
/** Operations that change nothing. */
const readers = /\.(Describe|List|Get)[A-Za-z]+$/;
/** Two equal calls of a program that does not number them have one signature in the same second; they may arrive so far apart. */
const sameCall = 2_000;

/** A signature, and what it is for. */
export interface Taken {
  signature: string;
  /** Another call has another one, however equal it is. */
  numbered: boolean;
  reads: boolean;
}

/** The secret of an access key, with the session token that came with it; undefined: no such key. May throw what is to be answered. */
export type SecretOf = (accessKeyId: string, token: string | undefined) => string | undefined;

/**
 * Throws the error that the real service gives, each with status 400 or 403, or tells who calls.
 * Not kept here: which signatures were seen (see ReplayGuard).
 */
export function verifySignature(request: SignedRequest, secretOf: SecretOf, now: number): Caller & Taken {
  const header = one(request, "authorization");
  if (header === undefined)
    throw new EcsError("MissingAuthenticationTokenException", "Missing Authentication Token", {
      status: 400,
    });
  const parts =
    /^AWS4-HMAC-SHA256\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  const [, credential = "", signedHeaders = "", signature = ""] = parts ?? [];
  const [accessKeyId = "", date = "", region = "", named = "", end = ""] = credential.split("/");
  if (parts === null || named !== service || end !== "aws4_request")
    throw new EcsError(
      "IncompleteSignatureException",
      "The request's Authorization header is not of the form that Signature Version 4 has.",
    );
  const token = one(request, "x-amz-security-token");
  const secret = secretOf(accessKeyId, token);
  if (secret === undefined)
    throw new EcsError(
      "UnrecognizedClientException",
      "The security token included in the request is invalid.",
      { status: 403 },
    );
  const stamp = one(request, "x-amz-date") ?? "";
  checkTime(stamp, date, now);
  const names = signedHeaders.split(";");
  const signed = [
    "host",
    "x-amz-date",
    "x-amz-target",
    ...(token === undefined ? [] : ["x-amz-security-token"]),
  ];
  for (const needed of signed)
    if (!names.includes(needed)) throw invalid(`the header ${needed} is not signed`);
  const hash = sha256(request.body);
  const claimed = one(request, "x-amz-content-sha256");
  if (claimed !== undefined && claimed !== hash)
    throw invalid("the body is not the one whose digest was signed");
  const expected = signatureOf(request, names, hash, { date, stamp, region }, secret);
  if (!timingSafeEqual(expected, Buffer.from(signature, "hex")))
    throw invalid(
      "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
    );
  return {
    accessKeyId,
    region,
    signature,
    numbered: names.includes(callNumber),
    reads: readers.test(one(request, "x-amz-target") ?? ""),
  };
}

function checkTime(stamp: string, date: string, now: number): void {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(stamp) ?? [];
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(at) || !stamp.startsWith(date))
    throw invalid("x-amz-date is missing or not that of the credential");
  if (Math.abs(now - at) > tolerance)
    throw invalid(`Signature expired: ${stamp} is more than 5 minutes from ${new Date(now).toISOString()}`);
}

function canonical(request: SignedRequest, names: readonly string[], hash: string): string {
  const [path = "/", query = ""] = request.url.split("?", 2);
  const lines = names.map((name) => `${name}:${(one(request, name) ?? "").trim().replace(/\s+/g, " ")}`);
  const sorted = query.split("&").filter(Boolean).sort().join("&");
  return [request.method, path, sorted, ...lines, "", names.join(";"), hash].join("\n");
}

function one(request: SignedRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(",") : value;
}

const sha256 = (data: string | Uint8Array): string => digestOf("sha256", data);
const invalid = (message: string): EcsError =>
  new EcsError("InvalidSignatureException", message, { status: 403 });

/** Remembers signatures for as long as they would be good, so that nobody sends one twice. Bounded by what can be sent in that time. */
export class ReplayGuard {
  readonly #seen = new Map<string, number>();

  /** Throws when the signature was taken before, but for two equal questions at once. */
  take(taken: Taken, now: number): void {
    // Half of it is as good, and a text of its own: a part of the header would keep all of the header.
    const signature = Buffer.from(taken.signature.slice(0, 32), "hex").toString("latin1");
    for (const [old, until] of this.#seen) {
      if (until > now) break;
      this.#seen.delete(old);
    }
    const until = this.#seen.get(signature);
    if (until === undefined) {
      this.#seen.set(signature, now + 2 * tolerance);
      return;
    }
    const again = "this signed request has been received before";
    if (taken.numbered || now > until - 2 * tolerance + sameCall) throw invalid(again);
    // Clients sign it anew and try again by themselves.
    if (!taken.reads)
      throw new EcsError(
        "ThrottlingException",
        `${again}: an equal call within the same second is to be signed anew`,
      );
  }
}

/** The headers that make a request to this API a signed one; for our own verbs. `now` in milliseconds. */
export function signedHeaders(
  request: { url: URL; target: string; body: string },
  key: { accessKeyId: string; secretAccessKey: string; sessionToken?: string },
  region: string,
  now: number,
): Record<string, string> {
  const stamp = new Date(now).toISOString().replace(/[-:]|\.\d+/g, "");
  const headers: Record<string, string> = {
    // Two equal calls in one second are two calls.
    [callNumber]: randomUUID(),
    "content-type": "application/x-amz-json-1.1",
    host: request.url.host,
    "x-amz-content-sha256": sha256(request.body),
    "x-amz-date": stamp,
    ...(key.sessionToken === undefined ? {} : { "x-amz-security-token": key.sessionToken }),
    "x-amz-target": request.target,
  };
  const names = Object.keys(headers).sort();
  const date = stamp.slice(0, 8);
  const whole = { method: "POST", url: request.url.pathname, headers, body: new Uint8Array() };
  const signature = signatureOf(
    whole,
    names,
    sha256(request.body),
    { date, stamp, region },
    key.secretAccessKey,
  );
  const credential = `${key.accessKeyId}/${date}/${region}/${service}/aws4_request`;
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names.join(";")}, Signature=${signature.toString("hex")}`;
  return headers;
}

function signatureOf(
  request: SignedRequest,
  names: readonly string[],
  hash: string,
  scope: { date: string; stamp: string; region: string },
  secret: string,
): Buffer {
  const where = `${scope.date}/${scope.region}/${service}/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", scope.stamp, where, sha256(canonical(request, names, hash))].join("\n");
  return keyOf(secret, scope.date, scope.region).sign(toSign);
}

/** Keys of a day and a region, made once: callers ask thousands of times with the same. */
const signingKeys = new Map<string, HmacKey>();

function keyOf(secret: string, date: string, region: string): HmacKey {
  const name = JSON.stringify([secret, date, region]);
  const known = signingKeys.get(name);
  if (known !== undefined) return known;
  const key = [date, region, service, "aws4_request"].reduce(
    (under, word) => new HmacKey(under.sign(word)),
    new HmacKey(Buffer.from(`AWS4${secret}`)),
  );
  // A caller chooses date and region: what he may keep here is bounded.
  if (signingKeys.size >= 64) signingKeys.clear();
  signingKeys.set(name, key);
  return key;
}
