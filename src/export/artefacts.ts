// What an export gives: files, and what is to be done with them.

export interface Artefact {
  /** Relative, without directories of its own. */
  readonly path: string;
  readonly text: string;
}

export interface Exported {
  /** The first one is the main one: what is printed where no directory was asked for. */
  readonly artefacts: readonly [Artefact, ...Artefact[]];
  /** What is not carried over to this platform, one sentence each. */
  readonly left: readonly string[];
  /** Commands that bring it there, in order. */
  readonly next: readonly string[];
}

/** The first lines of an artefact: what it is and what has to be there. `comment`: what begins a line of them. */
export function heading(comment: string, lines: readonly string[]): string {
  return lines.map((line) => `${comment} ${line}`.trimEnd()).join("\n");
}
