// The stream of an ExecuteCommand session: a WebSocket, framed as docs/reference/exec-stream.md says.
import type { FastifyInstance } from "fastify";
import type { WebSocket } from "ws";
import type { Control } from "../control/control.ts";
import type { Running } from "../drivers/driver.ts";
import { channel, type Word } from "./exec-frames.ts";

/** Bytes that may wait for a slow client before the command is held up. */
const highWater = 1 << 20;

export function serveExecStreams(server: FastifyInstance, control: Control): void {
  server.get<{ Params: { id: string } }>("/v1/exec/:id", { websocket: true }, (socket, request) => {
    const patience = setTimeout(() => socket.close(1008, "no token"), 10_000);
    socket.once("message", (data: Buffer, binary: boolean) => {
      clearTimeout(patience);
      const session = binary
        ? undefined
        : control.sessions.open(request.params.id, readWord(data).token ?? "");
      const running = session === undefined ? undefined : control.driver.exec?.(session);
      if (running === undefined) socket.close(1008, "no such session");
      else join(socket, running);
    });
    socket.once("close", () => clearTimeout(patience));
  });
}

function join(socket: WebSocket, running: Running): void {
  const send = (stream: number) => (chunk: Uint8Array) => {
    socket.send(Buffer.concat([Buffer.of(stream), chunk]), () => {
      if (socket.bufferedAmount < highWater) running.resume();
    });
    if (socket.bufferedAmount >= highWater) running.pause();
  };
  running.onOutput(send(channel.stdout), send(channel.stderr));
  running.onExit((status) => {
    socket.send(JSON.stringify({ exit: status } satisfies Word), () => socket.close(1000));
  });
  socket.on("message", (data: Buffer, binary: boolean) => {
    if (binary && data[0] === channel.stdin) running.write(data.subarray(1));
    else if (!binary && readWord(data).eof) running.end();
  });
  socket.on("close", () => running.kill());
  socket.on("error", () => running.kill());
}

/** What a client may say; whatever else it says is nothing. */
function readWord(data: Buffer): Pick<Word, "token" | "eof"> {
  try {
    const word = JSON.parse(data.toString()) as Partial<Record<keyof Word, unknown>> | null;
    const { token, eof } = word ?? {};
    return { ...(typeof token === "string" ? { token } : {}), eof: eof === true };
  } catch {
    return {};
  }
}
