/** Milliseconds that no setting of the clock changes, the same in all processes of a boot. */
export function monotonicNow(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
