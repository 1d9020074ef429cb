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

/** Milliseconds. */
const patience = 5_000;

/** Rejects where nobody listens; of UDP that cannot be known. */
export async function openSyslog(address: SyslogAddress, form: SyslogForm): Promise<SyslogSender> {
  if (address.kind === "udp") return datagrams(address, form);
  if (address.kind === "tcp")
    return stream(await connected({ host: address.host, port: address.port }), form);
  try {
    return stream(await connected({ path: address.path }), form);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPROTOTYPE") throw error;
    return logger(address.path, form);
  }
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

function connected(to: { host: string; port: number } | { path: string }): Promise<Socket> {
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

function stream(socket: Socket, form: SyslogForm): SyslogSender {
  let broken: Error | undefined;
  socket.on("error", (error) => {
    broken = error;
  });
  socket.on("close", () => {
    broken ??= new Error("the connection was closed");
  });
  socket.resume();
  return {
    send: (line) =>
      new Promise((resolve, reject) => {
        if (broken !== undefined) reject(broken);
        else
          socket.write(`${syslogMessage(form, line)}\n`, (error) =>
            error == null ? resolve() : reject(error),
          );
      }),
    close: () => socket.end(),
  };
}

/** Node.js opens no sockets for datagrams such as /dev/log: the system's own program sends, with the time at which it does. */
async function logger(path: string, form: SyslogForm): Promise<SyslogSender> {
  const format = form.format?.startsWith("rfc5424") ? ["--rfc5424"] : [];
  const words = ["--socket", path, "--socket-errors=on", "--prio-prefix", "--tag", form.tag, ...format];
  const child = childProcess().spawn("logger", words, { stdio: ["pipe", "ignore", "ignore"] });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  child.stdin.on("error", () => {}); // its end follows
  return {
    send: (line) =>
      new Promise((resolve, reject) => {
        if (child.exitCode !== null) reject(new Error(`logger ended with status ${child.exitCode}`));
        else
          child.stdin.write(`${loggerLine(form, line)}\n`, (error) =>
            error == null ? resolve() : reject(error),
          );
      }),
    close: () => child.stdin.end(),
  };
}
