// An application of test/apps that runs, captured by its process.
import { mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describeApplication } from "../../src/capture/application/application.ts";
import { captureProcess } from "../../src/capture/capture-process.ts";
import { startSandbox } from "../../src/capture/sandbox/sandbox.ts";
import { openMachine } from "../../src/machine/open.ts";
import type { CapturedBy, Given } from "./application-ways.ts";
import type { TriedApplication } from "./applications.ts";

/** The machine's service runs as a parity test runs it; it is looked at from outside, and left alone. */
export async function runningOne(
  application: TriedApplication,
  { choices, place, tools }: Given,
): Promise<CapturedBy> {
  const services = [application.service];
  const { name, command } = application;
  const plain = {
    name,
    services: [],
    command: command === undefined ? [] : ["/bin/sh", "-c", command],
    environment: {},
    ports: [],
  };
  const descriptor = await describeApplication(place.machine, { ...plain, services, command: [] });
  const work = join(place.work, "running");
  mkdirSync(work);
  const { machine } = place;
  const sandbox = await startSandbox({
    machine,
    work,
    descriptor,
    start: { kind: "services" },
    network: "own",
    tracer: undefined,
  });
  const local = await openMachine("local:");
  const end = async (): Promise<void> => {
    sandbox.stop();
    await Promise.race([sandbox.exit, sleep(20_000)]);
    sandbox.kill();
    await sandbox.exit.catch(() => {});
    await local.close();
  };
  try {
    for (let tries = 0; !sandbox.ready() || !sandbox.listening().has(application.port); tries++) {
      if (tries > 600) throw new Error(`it does not listen: ${sandbox.logTail()}`);
      await sleep(100);
    }
    const captured = await captureProcess(
      {
        machine: local,
        wanted: { kind: "pid", pid: listener(sandbox.pid, application.port) },
        application: plain,
        choices,
        planFile: undefined,
        printed: false,
        time: 1000,
        data: "copy",
        restart: undefined,
      },
      tools,
    );
    const close = async (): Promise<void> => {
      await captured.close();
      await end();
    };
    return { captured, machine: captured.machine, close };
  } catch (error) {
    await end();
    throw error;
  }
}

/** The first process below PID 1 of the sandbox that has the socket of the port. */
function listener(init: number, port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const inodes = new Set<string>();
  for (const table of ["tcp", "tcp6"])
    for (const line of readFileSync(`/proc/${init}/net/${table}`, "latin1").split("\n")) {
      const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
      if (state === "0A" && local.endsWith(`:${hex}`)) inodes.add(`socket:[${inode}]`);
    }
  const wanted = [...childrenOf(init)];
  for (let pid = wanted.shift(); pid !== undefined; pid = wanted.shift()) {
    const fds = readdirSync(`/proc/${pid}/fd`);
    if (fds.some((fd) => inodes.has(linkOf(`/proc/${pid}/fd/${fd}`)))) return pid;
    wanted.push(...childrenOf(pid));
  }
  throw new Error(`nobody below ${init} listens on ${port}`);
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // closed meanwhile
  }
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim();
  return text === "" ? [] : text.split(" ").map(Number);
}
