// Who may call the API of this state root: access keys, and where the control plane listens. Only the owner of the state root can read them.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import { makeDirectory, readJson, writeFileAtomic } from "../host/files.ts";

export interface AccessKey {
  accessKeyId: string;
  secretAccessKey: string;
}

/** Where a control plane listens, for the verbs that ask it. */
export interface Endpoint {
  url: string;
  region: string;
  account: string;
}

export function clusterDirectory(root: string): string {
  return join(root, "cluster");
}

/** The keys of a state root; one is made where there is none. */
export function accessKeys(root: string): AccessKey[] {
  const file = join(clusterDirectory(root), "keys.json");
  const known = readJson(file);
  if (known === undefined) {
    const made = [
      {
        accessKeyId: `AKIA${randomBytes(10).toString("hex").toUpperCase().slice(0, 16)}`,
        secretAccessKey: randomBytes(30).toString("base64"),
      },
    ];
    makeDirectory(clusterDirectory(root));
    writeFileAtomic(file, `${JSON.stringify(made)}\n`, { mode: 0o600 });
    return made;
  }
  if (!Array.isArray(known) || !known.every(isKey))
    throw new TranshipError("E_STATE_CORRUPT", `${file} holds no access keys`, {
      hint: "remove the file: a new key is made when the control plane starts",
    });
  return known;
}

function isKey(value: unknown): value is AccessKey {
  const { accessKeyId, secretAccessKey } = (value ?? {}) as Partial<AccessKey>;
  return typeof accessKeyId === "string" && typeof secretAccessKey === "string";
}

/** In the form of the AWS command line's own file, for AWS_SHARED_CREDENTIALS_FILE. Returns its path. */
export function writeCredentials(root: string, key: AccessKey): string {
  const file = join(clusterDirectory(root), "credentials");
  const lines = [
    "[default]",
    `aws_access_key_id = ${key.accessKeyId}`,
    `aws_secret_access_key = ${key.secretAccessKey}`,
  ];
  writeFileAtomic(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  return file;
}

export function writeEndpoint(root: string, endpoint: Endpoint): void {
  writeFileAtomic(join(clusterDirectory(root), "endpoint.json"), `${JSON.stringify(endpoint)}\n`, {
    mode: 0o600,
  });
}

export function readEndpoint(root: string): Endpoint {
  const known = readJson(join(clusterDirectory(root), "endpoint.json")) as Partial<Endpoint> | undefined;
  if (typeof known?.url !== "string" || typeof known.region !== "string" || typeof known.account !== "string")
    throw new TranshipError(
      "E_CLUSTER_UNREACHABLE",
      `no control plane has been started with the state root ${root}`,
      {
        hint: "start one with `tranship cluster serve`, or give its URL with --endpoint-url",
      },
    );
  return known as Endpoint;
}

/** What the credentials of task roles are made from; one is made where there is none. */
export function sessionKey(root: string): Uint8Array {
  const file = join(clusterDirectory(root), "session-key.json");
  const known = readJson(file) as { key?: unknown } | undefined;
  if (typeof known?.key === "string" && known.key.length >= 43) return Buffer.from(known.key, "base64url");
  const key = randomBytes(32);
  makeDirectory(clusterDirectory(root));
  writeFileAtomic(file, `${JSON.stringify({ key: key.toString("base64url") })}\n`, { mode: 0o600 });
  return key;
}

/** What a node must know to join; one is made where there is none, or where a new one is asked for. */
export function joinToken(root: string, rotate = false): string {
  const file = join(clusterDirectory(root), "join-token.json");
  const known = rotate ? undefined : (readJson(file) as { token?: unknown } | undefined);
  if (typeof known?.token === "string" && known.token.length >= 32) return known.token;
  const token = randomBytes(32).toString("base64url");
  makeDirectory(clusterDirectory(root));
  writeFileAtomic(file, `${JSON.stringify({ token })}\n`, { mode: 0o600 });
  return token;
}
