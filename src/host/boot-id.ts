import { readFileSync } from "node:fs";

let known: string | undefined;

/** Tells this boot of the host from every other one. */
export function bootId(): string {
  known ??= readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  return known;
}
