// Credentials of task roles: made when a task asks, good for a while and as long as the task lives.
//
// Theory. Nothing of them is kept. The session token says for which task, role and time it is and carries a MAC by a key of the state root;
// the secret is derived from that key and the token. So a control plane that was killed knows them all again, and none can be read in its state.
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { EcsError } from "../api/ecs-error.ts";
import type { TaskCredentials } from "../drivers/driver.ts";

export interface Session {
  accessKeyId: string;
  secretAccessKey: string;
  task: string;
  role: string;
}

interface Claims {
  key: string;
  task: string;
  role: string;
  /** Milliseconds since 1970. */
  until: number;
}

/** So that they can be told from keys of people, as the vendor's. */
const prefix = "ASIA";
const longestToken = 4096;

export class Sessions {
  readonly #key: Uint8Array;
  /** Milliseconds for which they are good. */
  readonly #lifetime: number;

  constructor(key: Uint8Array, lifetime: number) {
    this.#key = key;
    this.#lifetime = lifetime;
  }

  /** For a task with a role; `now` in milliseconds. */
  issue(task: string, role: string, now: number): TaskCredentials {
    const key = prefix + base32(randomBytes(10));
    const claims: Claims = { key, task, role, until: now + this.#lifetime };
    const body = Buffer.from(JSON.stringify(claims)).toString("base64url");
    const token = `${body}.${this.#mac("token", body).toString("base64url")}`;
    return {
      AccessKeyId: key,
      SecretAccessKey: this.#mac("secret", token).toString("base64"),
      Token: token,
      Expiration: new Date(claims.until).toISOString().replace(/\.\d+Z$/, "Z"),
      RoleArn: role,
    };
  }

  /** Whose a key is; throws what the real service answers. Whether the task lives is not asked here. */
  open(accessKeyId: string, token: string, now: number): Session {
    const [body = "", mac = ""] = token.length > longestToken ? [] : token.split(".");
    const given = Buffer.from(mac, "base64url");
    const wanted = this.#mac("token", body);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw unknownToken();
    const { key, task, role, until } = JSON.parse(Buffer.from(body, "base64url").toString()) as Claims;
    if (key !== accessKeyId) throw unknownToken();
    if (until <= now)
      throw new EcsError("ExpiredTokenException", "The security token included in the request is expired", {
        status: 403,
      });
    return { accessKeyId, secretAccessKey: this.#mac("secret", token).toString("base64"), task, role };
  }

  #mac(use: string, text: string): Buffer {
    return createHmac("sha256", this.#key).update(`${use}\n${text}`).digest();
  }
}

export const isSessionKey = (accessKeyId: string): boolean => accessKeyId.startsWith(prefix);

export function unknownToken(): EcsError {
  return new EcsError(
    "UnrecognizedClientException",
    "The security token included in the request is invalid.",
    { status: 403 },
  );
}

function base32(bytes: Uint8Array): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  let text = "";
  for (let at = 0; at < (bytes.length * 8) / 5; at++, bits >>= 5n) text += letters[Number(bits & 31n)];
  return text;
}
