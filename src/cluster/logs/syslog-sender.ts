// Sends messages to a syslog server: UDP, TCP with a newline behind each, or a socket of this machine.
import { createSocket } from "node:dgram";
import { connect, isIPv6, type Socket } from "node:net";
import { childProcess } from "../../host/process.ts";
import type { SyslogAddress } from "./log-options.ts";
import { loggerLine, type SyslogForm, type SyslogLine, syslogMessage } from "./syslog.ts";

export interface SyslogSender {
  /** Resolves when the line has been given away; rejects where that cannot be done now. */
  send(line: SyslogLine): Promise<void>;
  close(): void;
}

/** Rejects where nobody listens; of UDP that cannot be known. `patience`: milliseconds that a server may take for the connection, and for a line. */
export async function openSyslog(
  address: SyslogAddress,
  form: SyslogForm,
  patience = 5_000,
): Promise<SyslogSender> {
  if (address.kind === "udp") return datagrams(address, form);
  if (address.kind === "tcp")
    return stream(await connected({ host: address.host, port: address.port }, patience), form, patience);
  try {
    return stream(await connected({ path: address.path }, patience), form, patience);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPROTOTYPE") throw error;
    return logger(address.path, form, patience);
  }
}

/** Who takes nothing any more, but stays, must not hold up who waits for the last lines. */
function within(
  patience: number,
  write: (done: (error?: Error | null) => void) => void,
  giveUp: () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`no line was taken within ${patience / 1000} s`));
      giveUp();
    }, patience);
    write((error) => {
      clearTimeout(timer);
      if (error == null) resolve();
      else reject(error);
    });
  });
}

function datagrams({ host, port }: Extract<SyslogAddress, { kind: "udp" }>, form: SyslogForm): SyslogSender {
  const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
  socket.on("error", () => {}); // told to who sends
  socket.unref();
  return {
    send: (line) =>
      new Promise((resolve, reject) => {
        socket.send(syslogMessage(form, line), port, host, (error) =>
          error === null ? resolve() : reject(error),
        );
      }),
    close: () => socket.close(),
  };
}

function connected(to: { host: string; port: number } | { path: string }, patience: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(to);
    socket.setTimeout(patience, () => socket.destroy(new Error(`no answer within ${patience / 1000} s`)));
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.setTimeout(0);
      socket.unref();
      resolve(socket);
    });
  });
}

function stream(socket: Socket, form: SyslogForm, patience: number): SyslogSender {
  let broken: Error | undefined;
  socket.on("error", (error) => {
    broken = error;
  });
  socket.on("close", () => {
    broken ??= new Error("the connection was closed");
  });
  socket.resume();
  return {
    send: async (line) => {
      if (broken !== undefined) throw broken;
      await within(
        patience,
        (done) => socket.write(`${syslogMessage(form, line)}\n`, done),
        () => socket.destroy(),
      );
    },
    close: () => socket.end(),
  };
}

/** Node.js opens no sockets for datagrams such as /dev/log: the system's own program sends, with the time at which it does. */
async function logger(path: string, form: SyslogForm, patience: number): Promise<SyslogSender> {
  const format = form.format?.startsWith("rfc5424") ? ["--rfc5424"] : [];
  const words = ["--socket", path, "--socket-errors=on", "--prio-prefix", "--tag", form.tag, ...format];
  const child = childProcess().spawn("logger", words, { stdio: ["pipe", "ignore", "ignore"] });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  child.stdin.on("error", () => {}); // its end follows
  return {
    send: async (line) => {
      if (child.exitCode !== null) throw new Error(`logger ended with status ${child.exitCode}`);
      await within(
        patience,
        (done) => child.stdin.write(`${loggerLine(form, line)}\n`, done),
        () => child.kill("SIGKILL"),
      );
    },
    close: () => child.stdin.end(),
  };
}
