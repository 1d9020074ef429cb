// Questions on the terminal, and secrets that nobody sees.
import { readSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { TranshipError } from "../../base/errors.ts";

const maxSecret = 64 << 10;

export async function askFor(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await lines.question(question)).trim();
  } finally {
    lines.close();
  }
}

/** The answer is not shown. */
export async function askSecretly(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await lines.question("");
  } finally {
    lines.close();
    process.stderr.write("\n");
  }
}

/** All of standard input, without the line end that tools put behind it. */
export function readSecret(): string {
  const chunks: Buffer[] = [];
  let size = 0;
  for (;;) {
    const buffer = Buffer.alloc(4096);
    const count = readSync(0, buffer);
    if (count === 0) break;
    size += count;
    if (size > maxSecret) throw new TranshipError("E_LIMIT", `the password has more than ${maxSecret} bytes`);
    chunks.push(buffer.subarray(0, count));
  }
  return Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}
