// An exit status in words.

/** As a shell and our init report it: 128 + n for signal n. Signals end at 64; above 192 it is a status of the program's own (perl dies with 255). */
export function howItEnded(status: number): string {
  return status > 128 && status <= 192
    ? `was killed by signal ${status - 128}`
    : `ended with status ${status}`;
}
