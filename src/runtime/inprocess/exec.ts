// exec in an instance of the in-process engine: a further command under the instance's own engine, with its rules and the clock that runs.
import { rmSync, writeFileSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { processAlive } from "../../host/lock.ts";
import { nativePath } from "../../host/native.ts";
import { childProcess } from "../../host/process.ts";
import { randomHex } from "../../host/random.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { clockWords } from "../elements.ts";
import { mergeEnvironment } from "../environment.ts";
import type { ExecOptions } from "../exec.ts";
import type { Instance } from "../find.ts";
import { planEnvironment } from "../plan-environment.ts";
import { engineMain, type LiveProcess } from "../processes.ts";
import type { InstanceRecord } from "../record.ts";
import { secretVariables } from "../secrets.ts";
import { ended, forwardSignals, stdioFor } from "../stdio.ts";
import { confineWords } from "./confine.ts";
import { placeOf } from "./policy.ts";
import { clockPageWords, engineWords, logWords, userOf } from "./start.ts";
import { becomeWords, idWords } from "./users.ts";
import { onHost } from "./volumes.ts";

/** How long an instance may have ended before its commands do. */
const look = 200;

/** The command's own status; 126 and 127 where it cannot be executed or found. `startedAt`: of the instance. */
export async function execInProcess(
  root: StateRoot,
  instance: Instance,
  startedAt: string,
  options: ExecOptions,
): Promise<number> {
  checkExec(options, instance.record);
  const { paths } = instance;
  const main = engineMain(paths);
  const record = onHost(root, instance.record);
  const user = userOf(paths.tree, options.user ?? record.user, record.users === "view");
  const file = `${paths.bundle}/exec-${randomHex(6)}.environment`;
  const variables = mergeEnvironment(
    planEnvironment([paths.tree], paths.plan),
    [
      `HOME=${user.home}`,
      `HOSTNAME=${record.hostname}`,
      ...(options.terminal === true ? ["TERM=xterm"] : []),
    ],
    record.environment,
    // As PID 1 has them.
    secretVariables(record),
    options.environment ?? [],
  );
  const start = placeOf(record, paths.tree, options.workingDirectory ?? record.workingDirectory);
  const words = [
    ...["--become", "--bound", "--directory", ...start, "--environment-file", file],
    ...becomeWords(record, user),
    ...confineWords(paths, record),
    ...["--", ...engineWords(paths, record), ...clockWords(record.elements, startedAt)],
    ...clockPageWords(paths),
    ...[...logWords(paths, record), ...idWords(record, user), "--search", "--", ...options.command],
  ];
  // Variables may be secret, and command lines are not.
  writeFileSync(file, variables.map((one) => `${one}\0`).join(""), { mode: 0o600 });
  try {
    return await runIn(main, words, options);
  } finally {
    rmSync(file, { force: true });
  }
}

function checkExec({ detached, user }: ExecOptions, { users }: InstanceRecord): void {
  const usage = (message: string, hint: string): TranshipError =>
    new TranshipError("E_USAGE", message, { hint, exitStatus: 125 });
  if (detached === true) {
    const reason = "nothing would end the command with the instance";
    throw usage(`exec -d does not reach into an instance in process: ${reason}`, "leave -d out");
  }
  if (user !== undefined && process.getuid?.() !== 0 && users !== "view")
    throw usage(
      "--user needs root: only root becomes another user",
      "leave it out, or run the instance with --users view",
    );
}

async function runIn(
  main: LiveProcess | undefined,
  words: readonly string[],
  { interactive, terminal }: ExecOptions,
): Promise<number> {
  const program = nativePath("supervise");
  const streams = [0, 1, 2].map((fd) => stdioFor(fd, interactive === true || terminal === true));
  const child = childProcess().spawn(program, words, { stdio: streams.map((stream) => stream.stdio) });
  for (const stream of streams) stream.close();
  const stop = forwardSignals(child);
  // No namespace of processes ends it with init. What it has started is ended with the rest of the instance, by settle(): there may be another start of it meanwhile.
  const watch = setInterval(() => {
    if (main === undefined || !processAlive(main.pid, main.startTime)) child.kill("SIGKILL");
  }, look);
  try {
    return await ended(child, program);
  } finally {
    clearInterval(watch);
    stop();
  }
}
