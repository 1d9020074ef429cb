// The collector, `native/tree`, on the far side: written over the connection into a directory of its own, checked, tried. A machine on
// which that does not work is read without it.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { cksum } from "../../formats/cksum.ts";
import { nativePath } from "../../host/native.ts";
import { step } from "../../host/steps.ts";
import type { SshConnection } from "./connection.ts";
import { isConnectionLost } from "./failure.ts";
import { dropCommand, pushCommand, pushDirectories } from "./scripts.ts";

/** Where the collector lies, or why there is none. */
export type Pushed = { directory: string } | { because: string };

/** uname -m of machines on which the collector of this build runs. */
const runsOn = /^(x86_64|amd64)$/;
/** tree's status when it is called without arguments. */
const usageStatus = 125;

export async function pushCollector(connection: SshConnection): Promise<Pushed> {
  const { system, machine } = connection.probe;
  if (system !== "Linux" || !runsOn.test(machine))
    return {
      because: `it is built for Linux on x86-64, the machine says ${system || "nothing"} ${machine}`.trim(),
    };
  const bytes = readFileSync(nativePath("tree"));
  const reasons: string[] = [];
  for (const directory of pushDirectories) {
    step("push the collector");
    const because = await pushInto(connection, directory, bytes);
    if (because === undefined) return { directory };
    reasons.push(`${directory}: ${because}`);
  }
  return { because: reasons.join("; ") };
}

/** undefined where it is there and runs. */
async function pushInto(
  connection: SshConnection,
  directory: string,
  bytes: Buffer,
): Promise<string | undefined> {
  const { mark } = connection;
  const { status, stdout, stderr } = await connection.run(pushCommand(mark, directory), { input: bytes });
  const text = Buffer.from(stdout).toString("latin1");
  const said = (stderr.trim().split("\n").at(-1) ?? "").slice(0, 200);
  if (status === 61 || status === 62) return said || "cannot be written to";
  const sum = new RegExp(`^${mark}-sum=(.*)$`, "m").exec(text)?.[1];
  const ran = Number(new RegExp(`^${mark}-run=(\\d+)$`, "m").exec(text)?.[1]);
  const wrong =
    sum === undefined || Number.isNaN(ran)
      ? `the copy was not confirmed (status ${status}) ${said}`.trim()
      : !isSumOf(sum, bytes)
        ? "the copy is not what was sent"
        : ran !== usageStatus
          ? `it does not run there (status ${ran})`
          : undefined;
  if (wrong !== undefined) await drop(connection, directory);
  return wrong;
}

/** An empty answer: neither sha256sum nor cksum is there, and the trial has to do. */
export function isSumOf(said: string, bytes: Uint8Array): boolean {
  const words = said.trim().split(/\s+/);
  if (words[0] === "") return true;
  if (words[0]?.length === 64) return words[0] === createHash("sha256").update(bytes).digest("hex");
  return words[0] === String(cksum(bytes)) && words[1] === String(bytes.length);
}

async function drop(connection: SshConnection, directory: string): Promise<void> {
  try {
    await connection.run(dropCommand(connection.mark, directory));
  } catch (error) {
    if (!isConnectionLost(error)) throw error; // the keeper removes it
  }
}
