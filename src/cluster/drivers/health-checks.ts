// Health checks of containers: a command at intervals, unhealthy after so many failures in a row.
import type { HealthCheck } from "../api/shapes.ts";

type Probe = (name: string, command: readonly string[], timeout: number) => Promise<boolean>;

interface Watched {
  health: "HEALTHY" | "UNHEALTHY" | "UNKNOWN";
  failures: number;
  since: number;
  timer: NodeJS.Timeout | undefined;
}

export class HealthChecks {
  readonly #probe: Probe;
  readonly #watched = new Map<string, Watched>();

  constructor(probe: Probe) {
    this.#probe = probe;
  }

  of(name: string): Watched["health"] | undefined {
    return this.#watched.get(name)?.health;
  }

  start(name: string, check: HealthCheck): void {
    this.stop(name);
    const watched: Watched = { health: "UNKNOWN", failures: 0, since: Date.now(), timer: undefined };
    this.#watched.set(name, watched);
    this.#next(name, check, watched);
  }

  stop(name: string): void {
    clearTimeout(this.#watched.get(name)?.timer);
    this.#watched.delete(name);
  }

  close(): void {
    for (const name of [...this.#watched.keys()]) this.stop(name);
  }

  #next(name: string, check: HealthCheck, watched: Watched): void {
    watched.timer = setTimeout(() => void this.#check(name, check, watched), (check.interval ?? 30) * 1000);
  }

  async #check(name: string, check: HealthCheck, watched: Watched): Promise<void> {
    const right = await this.#probe(name, commandOf(check), (check.timeout ?? 5) * 1000).catch(() => false);
    if (this.#watched.get(name) !== watched) return;
    if (right) {
      watched.failures = 0;
      watched.health = "HEALTHY";
    } else if (
      watched.health === "HEALTHY" ||
      Date.now() - watched.since >= (check.startPeriod ?? 0) * 1000
    ) {
      watched.failures++;
      if (watched.failures >= (check.retries ?? 3)) watched.health = "UNHEALTHY";
    }
    this.#next(name, check, watched);
  }
}

/** ["CMD", ...], ["CMD-SHELL", "line"], or the words themselves. */
function commandOf({ command }: HealthCheck): readonly string[] {
  const [kind = "", ...rest] = command;
  if (kind === "CMD") return rest;
  if (kind === "CMD-SHELL") return ["/bin/sh", "-c", rest.join(" ")];
  return command.length === 1 ? ["/bin/sh", "-c", kind] : command;
}
