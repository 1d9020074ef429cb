// How the bench of the in-process engine calls a program: natively, under the engine, under what else does such things. One directory of files
// is seen by each at a place of its own.
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodePolicy } from "../src/redirect/policy-codec.ts";
import { makeTable } from "../src/redirect/rules.ts";
import { aRule, enginePolicy } from "../test/support/engine-policy.ts";

export interface Way {
  name: string;
  words: readonly string[];
  /** Where the program finds the directory that is redirected. Natively and for what redirects nothing: where it is. */
  home: string;
  /** A tracer that stops the program at each call: takes part with smaller loads, or in fewer rounds. */
  slow: boolean;
}

const native = join(import.meta.dirname, "../native");

export const place = mkdtempSync(join(tmpdir(), "tranship-engine-bench-"));
process.on("exit", () => rmSync(place, { recursive: true, force: true, maxRetries: 5 }));
/** Signals are seen between two samples, which block: whoever measures waits for this before each. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(1));
// PostgreSQL is no root's.
chmodSync(place, 0o711);

export function make(program: string, ...words: string[]): void {
  const made = spawnSync(program, words, { encoding: "utf8" });
  if (made.status !== 0)
    throw new Error(`${program} ${words.join(" ")}: ${made.error?.message ?? made.stderr}`);
}

/** Its path: the engine looks nothing up in PATH. */
export const pathOf = (name: string): string =>
  spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim();

/** What is not on this host, and what of the bench falls away with it. */
export const leftOut = new Set<string>();
export function installed(name: string, there: boolean = pathOf(name) !== ""): boolean {
  if (!there) leftOut.add(name);
  return there;
}

make("make", "-s", "-C", native, "bin/engine");
export const engine = join(place, "engine");
copyFileSync(join(native, "bin/engine"), engine);

// The same depth on all sides, so that the kernel walks as far. The rule leads from a place that is not there, as it is mostly.
export const files = join(place, "files/srv/app");
const from = join(place, "legacy");
const bound = join(place, "bound/srv/app");
for (const path of [files, bound]) mkdirSync(path, { recursive: true });
const rule = aRule({ from, to: "/srv/app", mode: "full", match: "folder" }, 0);
const policy = join(place, "policy.bin");
writeFileSync(policy, encodePolicy(enginePolicy({ files: makeTable([rule]), node: "bench" })));
const told = [`--policy=${policy}`, `--package=${join(place, "files")}`, "--clock-offset=-315360000"];

export const nativeWay: Way = { name: "native", words: [], home: files, slow: false };
/** Files, host name and clock at once. */
export const engineWay: Way = { name: "engine", words: [engine, ...told], home: from, slow: false };
export const seccompWay: Way = {
  ...engineWay,
  name: "engine, trap by seccomp",
  words: [engine, "--trap=seccomp", ...told],
};

/** Calls are dispatched, and all pass: the kernel's part of what the engine costs a call. Nothing is redirected. */
export const dispatchWay: Way = {
  ...{ name: "dispatch alone", words: ["env", "COST_DISPATCH=1"], home: files, slow: false },
};

/** Those that redirect files, or see each call as one that did would. */
export function filePeers(): Way[] {
  // All of the host but the directory is left where it is.
  const kept = "/bin:/sbin:/lib:/lib64:/usr:/etc:/dev:/proc:/sys:/tmp:/var:/run:/root:/home";
  const inside = [`FAKECHROOT_BASE=${join(place, "files")}`, `FAKECHROOT_EXCLUDE_PATH=${kept}`];
  const peers = [
    {
      ...{ program: "bwrap", name: "bwrap", home: bound, slow: false },
      words: [..."bwrap --dev-bind / / --unshare-uts --hostname bench --bind".split(" "), files, bound],
    },
    {
      ...{ program: "fakechroot", name: "fakechroot", home: "/srv/app", slow: false },
      words: ["env", ...inside, "fakechroot"],
    },
    {
      ...{ program: "proot", name: "PRoot", home: from, slow: true },
      words: ["proot", "-b", `${files}:${from}`],
    },
    {
      ...{ program: "strace", name: "strace -f", home: files, slow: true },
      words: ["strace", "-f", "-qq", "-o", "/dev/null"],
    },
  ];
  return peers.filter(({ program }) => installed(program));
}

export function clockPeers(): Way[] {
  const words = ["faketime", "-f", "-10y"];
  return installed("faketime") ? [{ name: "libfaketime", words, home: files, slow: false }] : [];
}

const library = "/usr/lib/x86_64-linux-gnu/libsocket_wrapper.so";

export function socketPeers(): Way[] {
  if (!installed("socket_wrapper", existsSync(library))) return [];
  const directory = join(place, "sockets");
  mkdirSync(directory);
  const words = ["env", `LD_PRELOAD=${library}`, `SOCKET_WRAPPER_DIR=${directory}`];
  return [{ name: "socket_wrapper", words, home: files, slow: false }];
}
