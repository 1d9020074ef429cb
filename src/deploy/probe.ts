// Asks a port inside a network namespace: is it open, does it speak HTTP, what does it answer to GET /.
import { extname, join } from "node:path";
import { joinCall } from "../host/enter.ts";
import { startEnter } from "../host/enter-process.ts";
import type { Probe } from "./parity.ts";

/** Beside this file: .ts in a checkout, .js where installed. */
const program = join(import.meta.dirname, `probe-inside${extname(import.meta.filename)}`);

/** pid: a process in the namespace. */
export async function probePort(pid: number, port: number): Promise<Probe> {
  const inside = startEnter(
    joinCall({
      pid,
      namespaces: ["net"],
      command: {
        argv: [process.execPath, "--disable-warning=ExperimentalWarning", program, String(port)],
        env: { NODE_EXTRA_CA_CERTS: "" },
      },
    }),
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  let text = "";
  inside.child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const status = await inside.exit;
  if (status !== 0) return { open: false, status: "", body: "" };
  return JSON.parse(text) as Probe;
}
