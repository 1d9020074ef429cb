// Names of files that are to sort in the order in which they were made, whatever the clock does.

/** Milliseconds since the epoch as fifteen digits; later than all that stand in `names`, also where the clock was set back. */
export function stampAfter(names: readonly string[]): string {
  const known = names.map((name) => Number(/(?:^|-)(\d{15})-/.exec(name)?.[1] ?? 0));
  return String(Math.max(Date.now(), ...known.map((one) => one + 1))).padStart(15, "0");
}
