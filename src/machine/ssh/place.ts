// The directory for --in-place: below the collector's own, so that the keeper removes both whatever happens to us.
import type { ChildProcess } from "node:child_process";
import { TranshipError } from "../../base/errors.ts";
import type { ByteString } from "../../formats/entry.ts";
import type { RunOptions } from "../../host/process.ts";
import { statusOf } from "../../host/process.ts";
import { step } from "../../host/steps.ts";
import type { FarPlace, FarSession } from "../in-place.ts";
import type { SshConnection } from "./connection.ts";
import { connectionLost } from "./failure.ts";
import { isSumOf } from "./push.ts";
import { inPlaceDirectory, putCommand, runCommand, startCommand, startPreamble } from "./scripts.ts";

/** Of what a login shell says before it runs what it is told. */
const maxTalk = 64 << 10;

export interface PlaceRequest {
  /** For messages: the machine. */
  name: string;
  connection: SshConnection;
  /** Where the collector was pushed: /tmp or another. */
  pushed: string;
  sudo: boolean;
}

export function farPlace({ name, connection, pushed, sudo }: PlaceRequest): FarPlace {
  const { mark } = connection;
  return {
    directory: inPlaceDirectory(mark, pushed),
    async put(file, bytes) {
      step("push for a trace in place");
      const { status, stdout, stderr } = await connection.run(putCommand(mark, pushed, file), {
        input: bytes,
      });
      if (connection.lost) throw connectionLost(name, mark, stderr);
      const sum = new RegExp(`^${mark}-sum=(.*)$`, "m").exec(Buffer.from(stdout).toString("latin1"))?.[1];
      if (status === 0 && sum !== undefined && isSumOf(sum, bytes)) return;
      throw new TranshipError(
        "E_IO",
        `cannot write ${file} to ${name}: ${stderr.trim().slice(0, 200) || `status ${status}`}`,
        {
          hint: `is there room in ${pushed}?`,
        },
      );
    },
    run: (file, options: RunOptions) =>
      connection.run(runCommand(mark, pushed, file, sudo), { timeout: 0, ...options }),
    start(file) {
      step("start in place");
      return sessionOf(connection.start(startCommand(mark, pushed, file, sudo)), startPreamble(mark));
    },
    lost: () => connection.lost,
  };
}

function sessionOf(child: ChildProcess, preamble: ByteString): FarSession {
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null)
    throw new TranshipError("E_INTERNAL", "a far session was started without pipes");
  stdin.on("error", () => {}); // told by the exit status
  const closed = new Promise<number>((resolve) => {
    child.on("error", () => resolve(255));
    child.on("close", (code, signal) => resolve(statusOf(code, signal)));
  });
  return { input: stdin, output: behind(preamble, stdout), errors: stderr, closed };
}

/** Nothing where the preamble never comes. */
async function* behind(preamble: ByteString, stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let before: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of stream) {
    if (before === undefined) {
      yield chunk;
      continue;
    }
    before = Buffer.concat([before, chunk]);
    const at = before.indexOf(preamble, 0, "latin1");
    if (at >= 0) {
      yield before.subarray(at + preamble.length);
      before = undefined;
    } else if (before.length > maxTalk) return;
  }
}
