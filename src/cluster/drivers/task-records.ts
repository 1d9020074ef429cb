// Tasks that a driver holds, as files: what is needed to adopt them after a restart.
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makeDirectory, readJson, writeFileAtomic } from "../../host/files.ts";
import { acquireLock, type Lock } from "../../host/lock.ts";
import type { SeenTask, TaskSpec } from "./driver.ts";
import type { TaskState } from "./supervisor.ts";

export interface HeldTask {
  /** Set when it has ended and nobody asks for it any more: since when, in milliseconds since 1970. Its containers are kept for a while, for their logs. */
  forgotten?: number;
  /** It answers until it is told to stop, and is not found by name any more. */
  letGo?: boolean;
  spec: TaskSpec;
  state: TaskState;
  /** Shows the endpoint of the node which task asks. Absent in records of before there was one. */
  key?: string;
  /** Shows the endpoint whose credentials it asks for. Only of tasks with a role. */
  credentialsKey?: string;
  /** Seconds since 1970, as they were first seen. */
  times: Pick<SeenTask, "pullStartedAt" | "pullStoppedAt" | "startedAt" | "executionStoppedAt">;
}

/** Milliseconds that one which ends is waited for. */
const patience = 3000;

export class TaskRecords {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    makeDirectory(directory);
  }

  /** Whoever starts and ends these tasks has it; E_STATE_BUSY where another process does, and goes on doing it. */
  lock(): Promise<Lock> {
    return acquireLock(`${this.#directory}.lock`, "the tasks of this state root", patience);
  }

  all(): HeldTask[] {
    const names = readdirSync(this.#directory).filter((name) => /^[0-9a-f]{32}\.json$/.test(name));
    return names.map((name) => readJson(join(this.#directory, name)) as HeldTask);
  }

  write(task: HeldTask): void {
    // It has the secrets of the task in it.
    writeFileAtomic(this.#path(task.spec.id), `${JSON.stringify(task)}\n`, { mode: 0o600 });
  }

  remove(id: string): void {
    rmSync(this.#path(id), { force: true });
  }

  #path(id: string): string {
    return join(this.#directory, `${id}.json`);
  }
}
