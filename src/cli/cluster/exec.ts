// tranship cluster exec: a command in a container of a task; its status is the command's own.
import { TranshipError } from "../../base/errors.ts";
import { channel, type Word } from "../../cluster/api/exec-frames.ts";
import type { ExecuteCommandResponse } from "../../cluster/api/shapes.ts";
import { shellWords } from "../../formats/shell-words.ts";
import type { Context } from "../context.ts";
import { type Call, flag, text } from "../verb.ts";
import { clientOf } from "./client.ts";

export async function run(call: Call, context: Context): Promise<number> {
  const [task = "", ...command] = call.args;
  const interactive = flag(call.options, "tty");
  const container = text(call.options, "container");
  const opened = await clientOf(call, context).call<ExecuteCommandResponse>("ExecuteCommand", {
    cluster: text(call.options, "cluster") ?? "default",
    task,
    ...(container === undefined ? {} : { container }),
    command: shellWords(command),
    interactive,
  });
  const { streamUrl = "", tokenValue = "" } = opened.session ?? {};
  return await stream(streamUrl, tokenValue, interactive || flag(call.options, "interactive"), interactive);
}

function stream(url: string, token: string, input: boolean, raw: boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    let status: number | undefined;
    const say = (word: Word): void => socket.send(JSON.stringify(word));
    const forward = (chunk: Buffer): void => socket.send(Buffer.concat([Buffer.of(channel.stdin), chunk]));
    const stopInput = (): void => {
      process.stdin.off("data", forward);
      if (raw && process.stdin.isTTY) process.stdin.setRawMode(false);
      process.stdin.destroy();
    };
    socket.onopen = () => {
      say({ token });
      if (!input) return say({ eof: true });
      if (raw && process.stdin.isTTY) process.stdin.setRawMode(true);
      process.stdin.on("data", forward).on("end", () => say({ eof: true }));
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") status = (JSON.parse(data) as Word).exit ?? status;
      else {
        const chunk = Buffer.from(data as ArrayBuffer);
        (chunk[0] === channel.stderr ? process.stderr : process.stdout).write(chunk.subarray(1));
      }
    };
    socket.onclose = ({ reason }) => {
      stopInput();
      if (status !== undefined) resolve(status);
      else
        reject(
          new TranshipError(
            "E_CLUSTER_UNREACHABLE",
            `the session ended before the command did: ${reason || "connection lost"}`,
            { hint: "try again", exitStatus: 125 },
          ),
        );
    };
    socket.onerror = () => {}; // closing follows
  });
}
