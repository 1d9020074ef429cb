// One sh on the far side, which is told one script after the other on its input. Each answer begins with a random mark, so that a script
// that did not run (no /dev/null, say) is not taken for one that found nothing, and ends with it and the status.
import { Socket } from "node:net";
import { TranshipError } from "../../base/errors.ts";
import type { ByteString } from "../../formats/entry.ts";
import { randomHex } from "../../host/random.ts";
import type { TreeChild } from "../../host/tree-spawn.ts";

export interface ShellAnswer {
  status: number;
  output: Buffer;
}

interface Asked {
  begin: Buffer;
  mark: Buffer;
  maxBytes: number;
  resolve: (answer: ShellAnswer) => void;
  reject: (error: TranshipError) => void;
}

export class ShellSession {
  readonly #child: TreeChild;
  readonly #closed: Promise<void>;
  readonly #lost: (words: string) => TranshipError;
  #asked: Asked[] = [];
  #chunks: Buffer[] = [];
  #size = 0;
  #failed: TranshipError | undefined;
  #words = "";

  /** `lost` makes the error for a session that ended unasked. */
  constructor(child: TreeChild, lost: (words: string) => TranshipError) {
    this.#child = child;
    this.#lost = lost;
    const { stdin, stdout, stderr } = child;
    this.#idle(true);
    stdin.on("error", () => {}); // told by its end
    stdin.write("LC_ALL=C; export LC_ALL\n");
    stderr.on("data", (chunk: Buffer) => {
      if (this.#words.length < 4096) this.#words += chunk.toString("latin1");
    });
    stdout.on("data", (chunk: Buffer) => this.#received(chunk));
    this.#closed = new Promise((resolve) => {
      const over = (): void => {
        this.#fail(lost(this.#words));
        resolve();
      };
      child.on("error", over);
      child.on("close", over);
    });
  }

  /** Runs the script in a shell of its own, without input. E_LIMIT ends the session. */
  ask(script: (mark: string) => ByteString, maxBytes: number): Promise<ShellAnswer> {
    const mark = randomHex(16);
    return new Promise((resolve, reject) => {
      if (this.#failed !== undefined) {
        reject(this.#failed);
        return;
      }
      if (this.#asked.length === 0) this.#idle(false);
      const begin = Buffer.from(`${mark}+\n`);
      this.#asked.push({ begin, mark: Buffer.from(`\n${mark}-`), maxBytes, resolve, reject });
      const text = `( echo ${mark}+; ${script(mark)}\n) </dev/null 2>/dev/null; s=$?; echo; echo ${mark}-$s\n`;
      this.#child.stdin.write(Buffer.from(text, "latin1"));
    });
  }

  async close(): Promise<void> {
    this.#idle(false);
    this.#child.stdin.end();
    if (this.#asked.length > 0) this.#child.kill("SIGKILL");
    await this.#closed;
  }

  #received(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    for (;;) {
      const asked = this.#asked[0];
      if (asked === undefined || this.#failed !== undefined) return;
      // The mark stands near the end of what came: only there it is looked for, with what a chunk may have cut.
      const joined =
        this.#chunks.length > 1 && this.#tailHolds(asked.mark, chunk)
          ? Buffer.concat(this.#chunks)
          : undefined;
      const all = joined ?? (this.#chunks.length === 1 ? this.#chunks[0] : undefined);
      const at = all?.indexOf(asked.mark) ?? -1;
      const end = at < 0 || all === undefined ? -1 : all.indexOf(10, at + asked.mark.length);
      if (all === undefined || end < 0) {
        if (this.#size > asked.maxBytes + 4096) this.#tooMuch(asked);
        return;
      }
      this.#chunks = [all.subarray(end + 1)];
      this.#size = all.length - end - 1;
      this.#asked.shift();
      if (this.#asked.length === 0) this.#idle(true);
      this.#answer(asked, Number(all.toString("latin1", at + asked.mark.length, end)), all.subarray(0, at));
    }
  }

  /** 126 and 127: a program cannot be started; above, it was killed. */
  #answer(asked: Asked, status: number, told: Buffer): void {
    const from = told.indexOf(asked.begin);
    if (from < 0 || status >= 126) asked.reject(this.broken(`its shell runs no programs (status ${status})`));
    else asked.resolve({ status, output: told.subarray(from + asked.begin.length) });
  }

  /** What the far side says cannot be true: nothing more is asked of this session. The error to throw. */
  broken(why: string): TranshipError {
    this.#fail(this.#lost([this.#words.trim(), why].filter((one) => one !== "").join("; ")));
    this.#child.kill("SIGKILL");
    return this.#failed ?? this.#lost(why);
  }

  #tailHolds(mark: Buffer, chunk: Buffer): boolean {
    let tail = chunk;
    for (let i = this.#chunks.length - 2; i >= 0 && tail.length < chunk.length + mark.length + 8; i--)
      tail = Buffer.concat([this.#chunks[i] ?? Buffer.alloc(0), tail]);
    return tail.includes(mark);
  }

  #tooMuch(asked: Asked): void {
    this.#fail(new TranshipError("E_LIMIT", `the far side answers with more than ${asked.maxBytes} bytes`));
    this.#child.kill("SIGKILL");
  }

  #fail(error: TranshipError): void {
    this.#failed ??= error;
    const asked = this.#asked;
    this.#asked = [];
    for (const one of asked) one.reject(this.#failed);
  }

  #idle(idle: boolean): void {
    const { stdin, stdout, stderr } = this.#child;
    if (idle) this.#child.unref();
    else this.#child.ref();
    for (const stream of [stdin, stdout, stderr])
      if (stream instanceof Socket) {
        if (idle) stream.unref();
        else stream.ref();
      }
  }
}
