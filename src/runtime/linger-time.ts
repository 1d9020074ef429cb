const defaultSeconds = 2;

/** How long what the next `run` may use again, or may do for us, is left after a foreground instance. 0: not at all. */
export function lingerSeconds(): number {
  const seconds = Number(process.env.TRANSHIP_NETWORK_LINGER ?? defaultSeconds);
  return Number.isFinite(seconds) ? Math.max(seconds, 0) : 0;
}
