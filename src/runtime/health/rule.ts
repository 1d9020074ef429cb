// How it is found out whether an instance is well: docker's HEALTHCHECK, carried out by init. Pure.
import { TranshipError } from "../../base/errors.ts";
import type { Healthcheck } from "../../formats/oci.ts";

/** What init does when it has become unhealthy: podman's words. */
export type HealthAction = "none" | "kill" | "stop";

/** Times in milliseconds. */
export interface HealthRule {
  readonly command: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  /** So many failures in a row. */
  readonly retries: number;
  /** Failures do not count so long. */
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly onFailure: HealthAction;
}

/** What was asked for; what is undefined is as the package has it. */
export interface HealthRequest {
  /** "none": no check, whatever the package says. */
  readonly command?: readonly string[] | "none";
  readonly interval?: number;
  readonly timeout?: number;
  readonly retries?: number;
  readonly startPeriod?: number;
  readonly startInterval?: number;
  readonly onFailure?: HealthAction;
}

/** The kernel's and init's limits of what a rule may hold. */
const mostBytes = 60_000;
const mostWords = 1000;

/** undefined: nobody looks. E_USAGE. */
export function healthRule(asked: HealthRequest, image: Healthcheck | undefined): HealthRule | undefined {
  const command = asked.command ?? testOf(image?.Test);
  if (command === "none" || command === undefined) {
    const { command: _, ...times } = asked;
    if (asked.command === undefined && Object.keys(times).length > 0)
      throw new TranshipError("E_USAGE", "there is no health check that this could be said of", {
        hint: "give one with --health-cmd",
      });
    return undefined;
  }
  if (command.length > mostWords || new TextEncoder().encode(command.join("\0")).length > mostBytes)
    throw new TranshipError("E_USAGE", "the health check has too many words", {
      hint: "put it into a script of the package, or into a file that is mounted",
    });
  const given = (value: number | undefined, ofImage: unknown, otherwise: number): number =>
    value ?? (isPositive(ofImage) ? Math.max(1, Math.round(ofImage / 1e6)) : otherwise);
  return {
    command,
    interval: given(asked.interval, image?.Interval, 30_000),
    timeout: given(asked.timeout, image?.Timeout, 30_000),
    retries: asked.retries ?? (isPositive(image?.Retries) ? Math.ceil(image.Retries) : 3),
    startPeriod: given(asked.startPeriod, image?.StartPeriod, 0),
    startInterval: given(asked.startInterval, image?.StartInterval, 5000),
    onFailure: asked.onFailure ?? "none",
  };
}

/** ["NONE"], ["CMD", PROGRAM, ...] or ["CMD-SHELL", COMMAND LINE]; undefined for anything else, which comes from an image. */
function testOf(test: unknown): readonly string[] | "none" | undefined {
  if (!Array.isArray(test) || !test.every((word) => typeof word === "string" && !word.includes("\0")))
    return undefined;
  const [how, ...words] = test as string[];
  if (how === "NONE") return "none";
  if (how === "CMD" && words.length > 0) return words;
  return how === "CMD-SHELL" && words[0] !== undefined ? shellCommand(words[0]) : undefined;
}

/** As far as an image has a number there, and one that stays one in the file for init. */
function isPositive(value: unknown): value is number {
  return typeof value === "number" && value > 0 && value <= Number.MAX_SAFE_INTEGER;
}

export function shellCommand(line: string): string[] {
  return ["/bin/sh", "-c", line];
}

/** As native/init/health.h has it. */
export function healthFile(rule: HealthRule): string {
  const { interval, timeout, retries, startPeriod, startInterval, onFailure, command } = rule;
  const words = [interval, timeout, retries, startPeriod, startInterval, onFailure, ...command];
  return words.map((word) => `${word}\0`).join("");
}
