// Ctrl-C while the source is read and judged: nothing was begun that would have to be undone, so nobody waits for the rest.
import { TranshipError } from "../base/errors.ts";

/** The work's own end, or E_INTERRUPTED at once; the rest of the work ends when its machine is closed. */
export async function orInterrupted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  throwIfInterrupted(signal);
  const interrupted = Promise.withResolvers<never>();
  const onAbort = (): void => {
    interrupted.reject(interruption());
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work(), interrupted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

export function throwIfInterrupted(signal: AbortSignal): void {
  if (signal.aborted) throw interruption();
}

function interruption(): TranshipError {
  return new TranshipError("E_INTERRUPTED", "stopped before it was done");
}
