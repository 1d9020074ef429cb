// The agent on a far node: looked for, completed, started, and waited for. Doing it again changes nothing; what was interrupted is gone on with.
import { createHash } from "node:crypto";
import { arch } from "node:os";
import { TranshipError } from "../../base/errors.ts";
import type { Bundle } from "./bundle.ts";
import { makeBundle } from "./bundle.ts";
import type { FarNode } from "./far-node.ts";
import { type AgentWords, endScript, keepScript, runScript, unitText } from "./files.ts";
import {
  type FarFile,
  home,
  lookCommand,
  pushCommand,
  putCommand,
  startCommand,
  waitCommand,
} from "./scripts.ts";

export interface JoinRequest {
  /** "http://HOST:PORT" of the control plane, as the node reaches it. */
  url: string;
  token: string;
  /** Further words of `cluster join` and of `cluster leave` there. */
  join: readonly string[];
  leave: readonly string[];
  /** PEM of an authority of one's own. */
  authority?: string;
  /** As `tranship version` says it. */
  version: string;
  say: (text: string) => void;
}

export interface Found {
  uid: number;
  systemd: boolean;
  runs: boolean;
  /** Files were put there since it was started. */
  changed: boolean;
  home: boolean;
  /** Its own Node is new enough. */
  node: boolean;
  /** An installation of the same version, or undefined. */
  installed: string | undefined;
  programs: ReadonlySet<string>;
  versions: ReadonlySet<string>;
  /** SHA-256 by name of the file; "" where it cannot be told. */
  sums: ReadonlyMap<string, string>;
}

export async function look(node: FarNode, version: string): Promise<Found> {
  const said = await node.must("see what is there", lookCommand(node.far));
  return readLook(said, node.far.mark, version);
}

/** Exported for tests: what a node said of itself is text of somebody else's. */
export function readLook(said: string, mark: string, version: string): Found {
  const lines = said.split("\n").flatMap((line) => {
    const [, key = "", value = ""] = new RegExp(`^${mark}-([a-z.]+)=(.*)$`).exec(line.trim()) ?? [];
    return key === "" ? [] : [{ key, value: value.trim().slice(0, 300) }];
  });
  const all = (key: string): string[] => lines.filter((line) => line.key === key).map(({ value }) => value);
  const one = (key: string): string => all(key)[0] ?? "";
  const at = one("at");
  return {
    uid: /^\d+$/.test(one("uid")) ? Number(one("uid")) : -1,
    systemd: one("systemd") === "yes",
    runs: one("runs") === "yes",
    changed: one("changed") === "yes",
    home: one("home") === "yes",
    node: Number(/^v(\d+)\./.exec(one("node"))?.[1] ?? 0) >= 24,
    installed: one("tranship") === version && /^\/[\w./-]+$/.test(at) ? at : undefined,
    programs: new Set(all("has")),
    versions: new Set(all("version")),
    sums: new Map(
      ["run", "keep", "end", "token", "ca.pem", "unit"]
        .filter((name) => all(name).length > 0)
        .map((name) => [name, /^[0-9a-f]{64}/.exec(one(name))?.[0] ?? ""]),
    ),
  };
}

/** True where it was there and ran already. Throws where the control plane has not taken it in. */
export async function joinFar(node: FarNode, request: JoinRequest): Promise<boolean> {
  const found = await look(node, request.version);
  checkNode(node, found);
  const program = found.installed ?? (await bring(node, found, request));
  const words: AgentWords = { ...request, program, authority: request.authority !== undefined };
  const files: [FarFile, string][] = [
    ["token", `${request.token}\n`],
    ...(request.authority === undefined ? [] : [["ca.pem", request.authority] satisfies [FarFile, string]]),
    ["end", endScript(words)],
    ["run", runScript(words)],
    found.systemd ? ["unit", unitText(request.url)] : ["keep", keepScript()],
  ];
  let { changed } = found;
  for (const [file, text] of files) {
    if (found.sums.get(file) === sha256(text)) continue;
    changed = true;
    await node.must(`write ${file}`, putCommand(node.far, file, Buffer.byteLength(text)), text);
  }
  if (!changed && found.runs) return true;
  request.say(`${node.name}: the agent is started${found.systemd ? " by systemd" : ""}`);
  await node.must("start the agent", startCommand(node.far, found.systemd));
  const waited = await node.run("wait for the agent", waitCommand(node.far));
  if (!waited.out.includes(`${node.far.mark}-joined`)) throw notJoined(node, request.url, waited.out);
  if (!found.systemd)
    request.say(`${node.name}: there is no systemd: after a reboot of the node, join again`);
  return false;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function checkNode(node: FarNode, found: Found): void {
  if (found.uid !== 0)
    throw new TranshipError(
      "E_NEEDS_ROOT",
      `${node.name}: the agent runs as root, the user there has uid ${found.uid}`,
      {
        hint: "name root in the address, or give --sudo where sudo asks for no password",
      },
    );
  const missing = ["grep", ...(found.systemd ? [] : ["setsid"])].filter((name) => !found.programs.has(name));
  if (missing.length > 0) throw lacks(node, missing);
}

function lacks(node: FarNode, missing: readonly string[]): TranshipError {
  return new TranshipError("E_TOOL_MISSING", `${node.name} has no ${missing.join(", ")}`, {
    hint: "install it there, or install Tranship there and run `tranship cluster join` on the node itself",
  });
}

/** Brings the installation where it is not there; returns its program. */
async function bring(node: FarNode, found: Found, { say }: JoinRequest): Promise<string> {
  const runsOn = arch() === "x64" ? /^(x86_64|amd64)$/ : /^(aarch64|arm64)$/;
  if (node.system !== "Linux" || !runsOn.test(node.machine))
    throw new TranshipError(
      "E_TOOL_MISSING",
      `${node.name} is ${node.system} ${node.machine}; this installation is for Linux on ${arch()}`,
      { hint: "install Tranship there and run `tranship cluster join` on the node itself" },
    );
  const bundle = makeBundle(!found.node);
  const program = `${home}/versions/${bundle.digest}/bin/tranship`;
  if (found.versions.has(bundle.digest)) return program;
  const missing = ["tar", "gzip"].filter((name) => !found.programs.has(name));
  if (missing.length > 0) throw lacks(node, missing);
  say(`${node.name}: sending the installation${found.node ? "" : " and Node.js"}, ${mib(bundle)} MiB`);
  const sent = await node.send(
    "send the installation",
    pushCommand(node.far, bundle.digest),
    bundle.stream(),
  );
  if (sent.status !== 0) throw notSent(node, sent);
  return program;
}

const mib = ({ size }: Bundle): string => (size / 2 ** 20).toFixed(0);

function notSent(node: FarNode, sent: { status: number; out: string; err: string }): TranshipError {
  const what =
    sent.status === 63
      ? "run the installation there (Node.js needs glibc 2.28 or later)"
      : sent.status === 62
        ? "send the installation: it did not arrive whole (is there room?)"
        : "send the installation";
  return node.failed(what, sent);
}

function notJoined(node: FarNode, url: string, said: string): TranshipError {
  const words = said.trim().split("\n").slice(-3).join("; ").slice(0, 600);
  return new TranshipError(
    "E_CLUSTER_UNREACHABLE",
    `the agent on ${node.name} runs, and ${url} has not taken it in: ${words || "it has said nothing"}`,
    {
      hint: `it goes on trying; ${home}/agent.log there has its words, and \`tranship cluster leave ${node.name}\` removes it`,
    },
  );
}
