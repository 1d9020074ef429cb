// What every verb gets: where state lives, where words go, and the signal that Ctrl-C raises.
import type { Log, Progress } from "../base/log.ts";
import type { StateRoot } from "../host/state-root.ts";

export interface Context {
  /** Opens or creates the state root on first use. */
  readonly root: StateRoot;
  readonly log: Log;
  readonly progress: Progress;
  /** Result text to stdout; a missing newline at the end is added. */
  print(text: string): void;
  /** Talk to stderr, outside of the log: shown unless --log-level is above info. */
  say(text: string): void;
  /** An error that is not the last one of its verb: told as that one is. */
  tellFailure(error: unknown): void;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  readonly noInput: boolean;
  readonly yes: boolean;
}
