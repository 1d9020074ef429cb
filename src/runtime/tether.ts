// run --tether: before each start a process is begun that holds the source and answers the tracer. It belongs to no namespace of the
// instance, for it has to reach the source, and ends with the tracer, or where the start comes to nothing.
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../base/errors.ts";
import { installRoot } from "../host/native.ts";
import { childProcess } from "../host/process.ts";
import type { Launching } from "./launch.ts";

/**
 * Returns when the tracer can connect. A source that cannot be reached is an error where a person starts the instance for the first
 * time (E_MACHINE_UNREACHABLE); else it is said, and tried again later.
 */
export async function startTether({ root, instance, launch, log }: Launching): Promise<void> {
  const { paths, record } = instance;
  // What it has to say goes where the instance's own start speaks.
  const words = launch.mode === "foreground" ? 2 : openSync(paths.monitorLog, "a", 0o600);
  const child = childProcess().spawn(
    join(installRoot, "bin/tranship"),
    ["--root", root.path, "internal", "tether", record.id],
    { cwd: "/", detached: true, stdio: ["ignore", "pipe", words] },
  );
  if (words !== 2) closeSync(words);
  const said = await firstLine(child);
  child.stdout?.destroy();
  child.unref();
  if (said === "ready") return;
  const unreachable = /^unreachable (.*)$/.exec(said)?.[1];
  if (unreachable === undefined)
    throw new TranshipError(
      "E_RUNTIME",
      `the fetcher of ${record.name} did not start${said === "" ? "" : `: ${said}`}`,
      {
        hint: launch.mode === "foreground" ? "its own words are above" : `see ${paths.monitorLog}`,
      },
    );
  if (!launch.created) {
    log.warn(`tether: ${unreachable}; the instance starts without its source`);
    return;
  }
  throw new TranshipError("E_MACHINE_UNREACHABLE", unreachable, {
    hint: "run it without --tether, or when the source can be reached",
  });
}

function firstLine(child: ReturnType<ReturnType<typeof childProcess>["spawn"]>): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    child.stdout?.on("data", (chunk: Uint8Array) => {
      text += new TextDecoder().decode(chunk);
      const end = text.indexOf("\n");
      if (end >= 0) resolve(text.slice(0, end));
    });
    child.on("error", (cause) => resolve(cause.message));
    child.on("close", () => resolve(text));
  });
}
