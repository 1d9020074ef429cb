// Our standard streams without Node's stream objects: the first look at process.stdout loads sockets and terminals, which
// costs a short command some milliseconds.
import { writeSync } from "node:fs";
import { errnoOf, ioError } from "../host/files.ts";

/** What a reader of our result that went away means: by default there is nobody left to work for. */
export const readers = { goOnWithout: false };

/** Once a stream object has taken something it may still hold it: all that follows goes through it too. */
const streamed = new Set<number>();

/** Result text. */
export function printText(text: string, fd: 1 | 2 = 1): void {
  try {
    writeAll(fd, text);
  } catch (cause) {
    if (errnoOf(cause) !== "EPIPE") throw ioError("cannot write the result", cause);
    readerGone();
  }
}

/** Result of any bytes. */
export function printBytes(bytes: Uint8Array, fd: 1 | 2 = 1): void {
  try {
    writeAll(fd, bytes);
  } catch (cause) {
    if (errnoOf(cause) !== "EPIPE") throw ioError("cannot write the result", cause);
    readerGone();
  }
}

/** Talk on stderr, which is never worth ending the work for. */
export function tell(text: string): void {
  try {
    writeAll(2, text);
  } catch {} // nobody hears it
}

/** For what writes to Node's stream objects itself. */
export function watchStreams(): void {
  process.stdout.on("error", (cause: unknown) => {
    if (errnoOf(cause) === "EPIPE") readerGone();
  });
  process.stderr.on("error", () => {});
}

function readerGone(): void {
  if (!readers.goOnWithout) process.exit(0);
}

function writeAll(fd: 1 | 2, content: string | Uint8Array): void {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  let done = 0;
  try {
    while (done < bytes.length && !streamed.has(fd)) done += writeSync(fd, bytes, done);
  } catch (cause) {
    // Somebody made it non-blocking; a stream object can wait.
    if (errnoOf(cause) !== "EAGAIN") throw cause;
    if (streamed.size === 0) watchStreams();
    streamed.add(fd);
  }
  if (done < bytes.length) (fd === 1 ? process.stdout : process.stderr).write(bytes.subarray(done));
}
