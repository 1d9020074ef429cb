// How often a test repeats: sampled in `npm test`, in full under `npm run soak`.

export const soaking = process.env.TRANSHIP_SOAK === "1";

export function count(sampled: number, full: number): number {
  return soaking ? full : sampled;
}

/** Of 1..total: all of them when soaking, else `sampled` spread evenly, first and last included. */
export function spread(total: number, sampled: number): number[] {
  if (soaking || total <= sampled) return Array.from({ length: total }, (_, index) => index + 1);
  return [
    ...new Set(
      Array.from({ length: sampled }, (_, index) => 1 + Math.round((index * (total - 1)) / (sampled - 1))),
    ),
  ];
}
