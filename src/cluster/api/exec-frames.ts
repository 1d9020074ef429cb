// What travels on the stream of an ExecuteCommand session; docs/reference/exec-stream.md is its page.

/** The first byte of a binary message. */
export const channel = { stdin: 0, stdout: 1, stderr: 2 } as const;

/** What a text message says. */
export interface Word {
  /** First of all, from the client. */
  token?: string;
  /** No more input. */
  eof?: boolean;
  /** Last of all, to the client: the command's status. */
  exit?: number;
  error?: string;
}
