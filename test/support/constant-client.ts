// Run inside a network namespace: asks one of the ports in a file, again and again, until the file is empty. stdout: {"asked":N,"failures":["..."]}.
import { readFileSync } from "node:fs";
import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const [file = "", path = "/", every = "100"] = process.argv.slice(2);
const failures: string[] = [];
const pending: Promise<void>[] = [];
let asked = 0;

function ask(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get({ host: "127.0.0.1", port, path, agent: false, timeout: 20_000 }, (response) => {
      response.on("error", reject).resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    request.on("error", reject).on("timeout", () => request.destroy(new Error("no answer within 20 s")));
  });
}

async function one(port: number | undefined): Promise<void> {
  try {
    if (port === undefined) throw new Error("no target");
    const status = await ask(port);
    if (status !== 200) throw new Error(`status ${status}`);
  } catch (error) {
    failures.push(`${new Date().toISOString()} ${port}: ${error instanceof Error ? error.message : error}`);
  }
}

for (;;) {
  // Read for each request: whoever sends them knows the targets of this moment.
  const text = readFileSync(file, "utf8");
  if (text === "") break;
  const ports = JSON.parse(text) as number[];
  pending.push(one(ports[asked++ % Math.max(1, ports.length)]));
  await sleep(Number(every));
}
await Promise.all(pending);
process.stdout.write(JSON.stringify({ asked, failures }));
