// Which mode of native/trace watches a capture. A mode counts as usable here when it has followed a real program.
import { spawnSync } from "node:child_process";
import { TranshipError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { encodeMagic, treeMagic } from "../../formats/frames.ts";
import { TraceDecoder } from "../../formats/trace-records.ts";
import { nativePath } from "../../host/native.ts";

export const tracerModes = ["seccomp", "notify", "plain"] as const;
/** See docs/internals/records.md, section 2. */
export type TracerMode = (typeof tracerModes)[number];
export const tracerChoices = ["auto", ...tracerModes] as const;
export type TracerChoice = (typeof tracerChoices)[number];

/**
 * auto: seccomp, or plain where the kernel or a sandbox around us has no filter for it. A mode that was asked for and does not
 * work here is E_USAGE.
 */
export function chooseTracer(choice: TracerChoice, log: Log): TracerMode {
  const first = choice === "auto" ? "seccomp" : choice;
  const problem = tryTracer(first);
  if (problem === undefined) return first;
  if (choice !== "auto") {
    throw new TranshipError("E_USAGE", `the tracer's mode ${first} does not work here: ${problem}`, {
      hint: "--tracer auto takes one that does",
    });
  }
  const fallback = tryTracer("plain");
  if (fallback !== undefined) {
    throw new TranshipError("E_CAPTURE_FAILED", `no program can be traced here: ${fallback}`, {
      hint: "inside a container ptrace needs CAP_SYS_PTRACE; `capture installed` and `capture machine` run nothing",
    });
  }
  log.warn(`tracing every call, which is slower: the mode seccomp does not work here (${problem})`);
  return "plain";
}

/** What is wrong with a mode on this host, by a real run; undefined where it works. */
export function tryTracer(mode: TracerMode): string | undefined {
  // It opens its root directory and ends with its input.
  const command = [nativePath("tree"), "serve", "/"];
  const ran = spawnSync(nativePath("trace"), ["--fd", "3", "--mode", mode, "--", ...command], {
    stdio: [null, "pipe", "pipe", "pipe"],
    input: encodeMagic(treeMagic),
    timeout: 10_000,
    killSignal: "SIGKILL",
  });
  if (ran.error !== undefined) return ran.error.message;
  if (ran.status !== 0) return ran.stderr.toString().trim().split("\n")[0] || `it ended with ${ran.status}`;
  try {
    const decoder = new TraceDecoder();
    const records = decoder.feed(ran.output[3] as unknown as Buffer);
    decoder.finish();
    const opened = records.some((one) => one.type === "path" && one.path === "/" && one.result >= 0);
    return opened ? undefined : "it did not see that a directory was opened";
  } catch (error) {
    return (error as Error).message;
  }
}
