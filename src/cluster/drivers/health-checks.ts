// Health checks of containers. What runs a container carries them out: init of an instance, or the engine. Where it says nothing (a package whose init is
// older than health checks, a container made by an agent of before this), a command from outside does, which costs far more.
import type { Log } from "../../base/log.ts";
import type { HealthCheck } from "../api/shapes.ts";

export type Health = "HEALTHY" | "UNHEALTHY" | "UNKNOWN";

/** Times in milliseconds. */
export interface CheckRule {
  command: readonly string[];
  interval: number;
  timeout: number;
  /** So many failures in a row. */
  retries: number;
  /** Failures before the first success do not count so long. */
  startPeriod: number;
}

/** With the real service's defaults. */
export function checkRule(check: HealthCheck): CheckRule {
  const { interval = 30, timeout = 5, retries = 3, startPeriod = 0 } = check;
  return {
    command: commandOf(check),
    interval: interval * 1000,
    timeout: timeout * 1000,
    retries,
    startPeriod: startPeriod * 1000,
  };
}

/** ["CMD", ...], ["CMD-SHELL", "line"], or the words themselves. */
function commandOf({ command }: HealthCheck): readonly string[] {
  const [kind = "", ...rest] = command;
  if (kind === "CMD") return rest;
  if (kind === "CMD-SHELL") return ["/bin/sh", "-c", rest.join(" ")];
  return command.length === 1 ? ["/bin/sh", "-c", kind] : command;
}

type Probe = (name: string, command: readonly string[], timeout: number) => Promise<boolean>;

interface Watched {
  rule: CheckRule;
  health: Health;
  failures: number;
  since: number;
  /** When what runs it last said anything, in milliseconds since 1970. */
  heard: number;
  outside: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** Milliseconds that what runs a container may take to say anything. */
const patience = 10_000;

export class HealthChecks {
  readonly #probe: Probe;
  readonly #log: Log;
  readonly #watched = new Map<string, Watched>();

  constructor(probe: Probe, log: Log) {
    this.#probe = probe;
    this.#log = log;
  }

  /** Of one that runs. `told`: by what runs it. undefined: nobody is to check it. */
  of(name: string, told: Health | undefined): Health | undefined {
    const watched = this.#watched.get(name);
    if (watched === undefined) return undefined;
    if (told !== undefined) {
      clearTimeout(watched.timer);
      watched.outside = false;
      watched.heard = Date.now();
      watched.health = told;
    } else if (!watched.outside && Date.now() - watched.heard >= patience) {
      this.#log.warn(
        `${name}: nothing inside checks its health (an init of before there were checks?): checked by commands from outside`,
      );
      watched.outside = true;
      this.#next(name, watched);
    }
    return watched.health;
  }

  start(name: string, check: HealthCheck): void {
    this.stop(name);
    const now = Date.now();
    this.#watched.set(name, {
      rule: checkRule(check),
      health: "UNKNOWN",
      failures: 0,
      since: now,
      heard: now,
      outside: false,
      timer: undefined,
    });
  }

  stop(name: string): void {
    clearTimeout(this.#watched.get(name)?.timer);
    this.#watched.delete(name);
  }

  close(): void {
    for (const name of [...this.#watched.keys()]) this.stop(name);
  }

  #next(name: string, watched: Watched): void {
    watched.timer = setTimeout(() => void this.#check(name, watched), watched.rule.interval);
  }

  async #check(name: string, watched: Watched): Promise<void> {
    const { command, timeout, retries, startPeriod } = watched.rule;
    const { heard } = watched;
    const right = await this.#probe(name, command, timeout).catch(() => false);
    // What runs it has spoken meanwhile: should it be silent again, others have begun.
    if (this.#watched.get(name) !== watched || watched.heard !== heard) return;
    if (right) {
      watched.failures = 0;
      watched.health = "HEALTHY";
    } else if (watched.health === "HEALTHY" || Date.now() - watched.since >= startPeriod) {
      watched.failures++;
      if (watched.failures >= retries) watched.health = "UNHEALTHY";
    }
    this.#next(name, watched);
  }
}
