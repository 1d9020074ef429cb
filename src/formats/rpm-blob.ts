// What every reader of a database of rpm yields: one header after the other, or why one cannot be had.

export type RpmBlob = { key: number; bytes: Uint8Array } | { problem: string };

/** rpm itself allows 256 MiB. The largest known headers, of kernels and fonts, have a few. */
export const maxBlob: number = 64 << 20;
