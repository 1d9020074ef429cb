// The stream of a session against peers that say what they like: a session is theirs to lose, the control plane goes on.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import {
  CreateClusterCommand,
  ExecuteCommandCommand,
  ListClustersCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
} from "@aws-sdk/client-ecs";
import type { ExecRequest, Running } from "../../src/cluster/drivers/driver.ts";
import { NullDriver } from "../../src/cluster/drivers/null-driver.ts";
import { type TestCluster, testCluster } from "../support/cluster.ts";
import { until } from "./runtime-fixture.ts";

class ExecDriver extends NullDriver {
  readonly commands: { request: ExecRequest; input: string; ended: boolean; killed: boolean }[] = [];

  exec(request: ExecRequest): Running {
    const command = { request, input: "", ended: false, killed: false };
    this.commands.push(command);
    return {
      onOutput: () => {},
      onExit: () => {},
      write: (chunk) => (command.input += Buffer.from(chunk).toString()),
      end: () => (command.ended = true),
      kill: () => (command.killed = true),
      pause: () => {},
      resume: () => {},
    } as Running;
  }
}

describe("the stream of a session", { timeout: 60_000 }, () => {
  const driver = new ExecDriver();
  let cluster: TestCluster;
  let task = "";
  before(async () => {
    cluster = await testCluster({ driver });
    const { client } = cluster;
    await client.send(new CreateClusterCommand({}));
    const containerDefinitions = [{ name: "main", image: "any", memory: 64 }];
    await client.send(new RegisterTaskDefinitionCommand({ family: "f", containerDefinitions }));
    const { tasks } = await client.send(
      new RunTaskCommand({ taskDefinition: "f", enableExecuteCommand: true }),
    );
    task = tasks?.[0]?.taskArn ?? "";
    await until(() => driver.running().length === 1);
  });
  after(() => cluster.close());

  const session = async (): Promise<{ url: string; token: string }> => {
    const { session: made } = await cluster.client.send(
      new ExecuteCommandCommand({ task, command: "ls", interactive: true }),
    );
    return { url: made?.streamUrl ?? "", token: made?.tokenValue ?? "" };
  };
  /** What it sends once it is open, and the code with which it is closed. */
  const closedAfter = async (url: string, ...messages: (string | Uint8Array)[]): Promise<number> => {
    const socket = new WebSocket(url);
    const closed = new Promise<number>((resolve) => {
      socket.onclose = ({ code }) => resolve(code);
    });
    socket.onerror = () => {};
    socket.onopen = () => {
      for (const message of messages) socket.send(message as string);
    };
    return await closed;
  };
  const goesOn = async (): Promise<void> => {
    await cluster.client.send(new ListClustersCommand({}));
  };

  test("is opened by its token alone, whatever else is said", async () => {
    for (const said of [
      '{"token":5}',
      '{"token":{}}',
      '{"token":["a"]}',
      "{}",
      "null",
      "5",
      "nonsense",
      "[]",
    ]) {
      const { url } = await session();
      assert.equal(await closedAfter(url, said), 1008, said);
    }
    const { url, token } = await session();
    assert.equal(await closedAfter(url, Buffer.from(JSON.stringify({ token }))), 1008, "binary");
    assert.equal(driver.commands.length, 0);
    await goesOn();
  });

  test("takes input, and leaves what it does not understand", async () => {
    const { url, token } = await session();
    const socket = new WebSocket(url);
    await new Promise((resolve) => {
      socket.onopen = resolve;
    });
    for (const message of [JSON.stringify({ token }), "nonsense", '{"eof":1}', "null"]) socket.send(message);
    socket.send(Buffer.alloc(0));
    socket.send(Buffer.from([7, 65]));
    socket.send(Buffer.from("\0in"));
    await until(() => driver.commands.at(-1)?.input === "in");
    assert.equal(driver.commands.at(-1)?.ended, false);
    socket.send('{"eof":true}');
    await until(() => driver.commands.at(-1)?.ended === true);
    socket.close();
    await until(() => driver.commands.at(-1)?.killed === true);
    await goesOn();
  });

  test("ends with a message that is too large, before and after the token", async () => {
    const large = randomBytes(2 << 20);
    assert.notEqual(await closedAfter((await session()).url, large), 1000);
    const { url, token } = await session();
    assert.notEqual(await closedAfter(url, JSON.stringify({ token }), large), 1000);
    await until(() => driver.commands.at(-1)?.killed === true);
    await goesOn();
  });

  test("ends with frames that are none, and with a connection that is cut", async () => {
    for (const frames of [Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.from([0x81, 0x01, 0x41])]) {
      const { url } = await session();
      const { port, pathname } = new URL(url);
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), "127.0.0.1");
        const key = randomBytes(16).toString("base64");
        socket.write(
          `GET ${pathname} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
        );
        socket.once("data", () => socket.write(frames));
        socket.on("data", () => {});
        socket.on("error", () => {});
        socket.on("close", () => resolve());
        setTimeout(() => socket.resetAndDestroy(), 500);
      });
    }
    await goesOn();
  });
});
