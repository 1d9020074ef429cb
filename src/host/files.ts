// Files of the state: every write is exclusive creation or temporary file, fsync, rename (architecture.md, rule 6).
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { isTranshipError, TranshipError } from "../base/errors.ts";
import { randomHex } from "./random.ts";

export interface WriteOptions {
  /** Permission bits. Default 0600: state is the owner's. */
  mode?: number;
  /** Skip fsync for what can be made again (caches). */
  volatile?: boolean;
}

/** Replaces or creates a file so that a reader, or a crash at any moment, finds the old or the new content whole. */
export function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: WriteOptions = {},
): void {
  const temporary = join(dirname(path), temporaryName());
  try {
    writeNew(temporary, content, options);
    renameSync(temporary, path);
    if (options.volatile !== true) syncDirectory(dirname(path));
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw ioError(`cannot write ${path}`, cause);
  }
}

/** As writeFileAtomic(), for what nobody should fail for on a full disk. Whether it was written. */
export function writeIfRoom(path: string, content: string, options: WriteOptions = {}): boolean {
  try {
    writeFileAtomic(path, content, options);
    return true;
  } catch (error) {
    if (!isTranshipError(error, "E_NO_SPACE")) throw error;
    return false;
  }
}

/** Writes a file that nobody reads before its writer says so, and that is made again where its writer dies: no rename, no fsync. */
export function writeFilePlain(path: string, content: string | Uint8Array, mode = 0o600): void {
  try {
    const fd = openSync(
      path,
      constants.O_CREAT | constants.O_TRUNC | constants.O_WRONLY | constants.O_NOFOLLOW,
      mode,
    );
    try {
      const bytes = typeof content === "string" ? Buffer.from(content) : content;
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw ioError(`cannot write ${path}`, cause);
  }
}

/** Creates a file, whole or not at all, that must not exist yet; false where it does. */
export function createExclusive(
  path: string,
  content: string | Uint8Array,
  mode = 0o600,
  volatile = false,
): boolean {
  const temporary = join(dirname(path), temporaryName());
  try {
    // What is empty is whole as soon as it is there.
    if (content.length === 0) writeNew(path, content, { mode, volatile: true });
    else {
      writeNew(temporary, content, { mode, volatile });
      linkSync(temporary, path);
    }
    return true;
  } catch (cause) {
    if (errnoOf(cause) === "EEXIST") return false;
    throw ioError(`cannot create ${path}`, cause);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Names its process: what a killed one left behind is found by deadTemporary(). */
function temporaryName(): string {
  return `.${process.pid}-${randomHex(6)}.tmp`;
}

/** The process whose temporary file this is; undefined: it is none. */
function temporaryOf(name: string): string | undefined {
  return /^\.(\d+)-[0-9a-f]{12}\.tmp$/.exec(name)?.[1];
}

export const isTemporary = (name: string): boolean => temporaryOf(name) !== undefined;

/** Whether this is the temporary file of a process that has ended. */
export function deadTemporary(name: string): boolean {
  const pid = temporaryOf(name);
  return pid !== undefined && !existsSync(`/proc/${pid}`);
}

function writeNew(path: string, content: string | Uint8Array, options: WriteOptions): void {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
  const fd = openSync(path, flags, options.mode ?? 0o600);
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    if (options.volatile !== true) fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Content of a text file; undefined where it does not exist. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw ioError(`cannot read ${path}`, cause);
  }
}

/** A file that a person names, or standard input by "-": undefined where it is larger, as one without an end is. `what` is for the error: "the plan". */
export function readInput(path: string, what: string, maxBytes: number): Buffer | undefined {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    const fd = path === "-" ? 0 : openSync(path, "r");
    try {
      // Of a regular file all at once; of a pipe as it comes.
      const most = Math.min(Math.max(fstatSync(fd).size + 1, 64 << 10), maxBytes + 1);
      for (let count = -1; count !== 0 && size <= maxBytes; size += count) {
        const bytes = Buffer.allocUnsafe(most);
        count = readSync(fd, bytes, 0, most, null);
        if (count > 0) chunks.push(bytes.subarray(0, count));
      }
    } finally {
      if (fd !== 0) closeSync(fd);
    }
  } catch (cause) {
    throw ioError(`cannot read ${what} ${path}`, cause);
  }
  if (size > maxBytes) return undefined;
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}

/** A JSON file of our own state: undefined where absent, E_STATE_CORRUPT where it is not JSON. */
export function readJson(path: string): unknown {
  const text = readText(path);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TranshipError("E_STATE_CORRUPT", `${path} is not JSON`, {
      hint: "the file is a part of the state; `tranship doctor` names what can be repaired",
      cause,
    });
  }
}

export function makeDirectory(path: string, mode = 0o700): void {
  try {
    mkdirSync(path, { recursive: true, mode });
  } catch (cause) {
    throw ioError(`cannot create the directory ${path}`, cause);
  }
}

export function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

export function errnoOf(cause: unknown): string | undefined {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
}

/** Wraps what node:fs throws; a full disk gets its own code. */
export function ioError(what: string, cause: unknown): TranshipError {
  if (cause instanceof TranshipError) return cause;
  const errno = errnoOf(cause);
  if (errno === "ENOSPC" || errno === "EDQUOT") {
    return new TranshipError("E_NO_SPACE", `${what}: no space left`, {
      hint: "free space or choose another state root with --root", cause,
    }); // biome-ignore format: short
  }
  const reason =
    cause instanceof Error
      ? cause.message.replace(/^E[A-Z]+: /, "").replace(/, \w+ '.*$/, "")
      : String(cause);
  const hint =
    errno === "EACCES" || errno === "EPERM" ? "run as root, or as the owner of the state root" : undefined;
  return new TranshipError("E_IO", `${what}: ${reason}`, { cause, ...(hint === undefined ? {} : { hint }) });
}
