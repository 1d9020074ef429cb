// The clock of an application, as a descriptor writes it, in numbers.
import { TranshipError } from "../base/errors.ts";
import { parseDuration } from "../base/units.ts";
import type { ClockElement } from "../package/descriptor.ts";

/**
 * With s the moment at which the instance was started, t the machine's wall clock, and r = rate / 2^32:
 * offset: s + nanoseconds + (t - s) * r; at: nanoseconds + (t - s) * r; frozen: nanoseconds, always.
 */
export interface ClockRule {
  readonly mode: "offset" | "at" | "frozen";
  /** Signed, 64 bits: an offset, or a time since 1970 (UTC). */
  readonly nanoseconds: bigint;
  /** 32.32 fixed point: 1n << 32n is the pace of the machine. Above 0, below 2^42. */
  readonly rate: bigint;
}

export const normalRate = 1n << 32n;
export const maxRate = 1n << 42n;
export const maxNanoseconds = (1n << 63n) - 1n;

/** undefined where the clock is the machine's own. E_DESCRIPTOR_INVALID with the value; two of offset, at and frozen contradict each other. */
export function clockRule(given: ClockElement | null): ClockRule | undefined {
  if (given === null) return undefined;
  const { offset, at, frozen } = given;
  if ([offset, at, frozen].filter((one) => one !== undefined).length > 1)
    throw invalid(JSON.stringify({ offset, at, frozen }), "give one of `offset`, `at` and `frozen`");
  const rate = rateOf(given.rate ?? 1);
  if (frozen !== undefined) return { mode: "frozen", nanoseconds: timeOf(frozen), rate: normalRate };
  if (at !== undefined) return { mode: "at", nanoseconds: timeOf(at), rate };
  const nanoseconds = offset === undefined ? 0n : offsetOf(offset);
  return nanoseconds === 0n && rate === normalRate ? undefined : { mode: "offset", nanoseconds, rate };
}

function offsetOf(text: string): bigint {
  const [, sign, size = ""] = /^\s*([+-]?)(.*)$/s.exec(text) ?? [];
  const milliseconds = readDuration(text, size);
  return bounded(text, BigInt(Math.round(milliseconds)) * (sign === "-" ? -1_000_000n : 1_000_000n));
}

function readDuration(whole: string, size: string): number {
  try {
    return parseDuration(size);
  } catch (cause) {
    throw invalid(JSON.stringify(whole), "write a duration, also below zero: -3650d, 90m, 2s", cause);
  }
}

function timeOf(text: string): bigint {
  const shape = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?$/.exec(text);
  // Without a zone it is UTC, whatever the zone of this machine.
  const zoned = shape?.[1] !== undefined && shape[4] === undefined ? `${text}Z` : text;
  const milliseconds = shape === null ? Number.NaN : Date.parse(zoned.replace(" ", "T"));
  if (Number.isNaN(milliseconds))
    throw invalid(JSON.stringify(text), "write a time such as 2009-01-01T00:00:00Z");
  const fraction = BigInt((shape?.[3] ?? ".").slice(1).padEnd(9, "0"));
  return bounded(text, BigInt(Math.floor(milliseconds / 1000)) * 1_000_000_000n + fraction);
}

function rateOf(rate: number): bigint {
  const fixed = Number.isFinite(rate) && rate > 0 && rate < 1024 ? BigInt(Math.round(rate * 2 ** 32)) : 0n;
  if (fixed === 0n)
    throw invalid(String(rate), "a rate is above 0 and below 1024; 1 is the pace of the machine");
  return fixed;
}

function bounded(text: string, nanoseconds: bigint): bigint {
  if (nanoseconds > maxNanoseconds || nanoseconds < -maxNanoseconds)
    throw invalid(JSON.stringify(text), "the clock reaches from 1678 to 2262");
  return nanoseconds;
}

function invalid(value: string, hint: string, cause?: unknown): TranshipError {
  return new TranshipError("E_DESCRIPTOR_INVALID", `not a clock: ${value}`, { hint, cause });
}
