// Clients of UDP that go on sending from one port, whatever becomes of the instance: the kernel keeps where their first packet was led.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Fixture, makeFixture, makePackage, removeInstances, until, whyNot } from "./runtime-fixture.ts";

/** argv: address, words; sends them from one port, again and again. */
const client = `
  const [address, word] = process.argv.slice(1);
  const socket = require("node:dgram").createSocket(address.includes(":") ? "udp6" : "udp4");
  socket.on("error", () => {});
  socket.bind(0, () => setInterval(() => socket.send(word + "\\n", 5300, address, () => {}), 50));
`;

/** Answers each datagram with the port that it came from. */
const echo = `
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
int main(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(53) };
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	char text[16];
	if (bind(s, (struct sockaddr *)&at, sizeof(at)) < 0)
		return 1;
	for (;;) {
		struct sockaddr_in from;
		socklen_t n = sizeof(from);
		if (recvfrom(s, text, sizeof(text), 0, (struct sockaddr *)&from, &n) < 0)
			continue;
		sendto(s, text, sprintf(text, "%d", ntohs(from.sin_port)), 0, (struct sockaddr *)&from, n);
	}
}
`;

/** Many clients, each asks twice; prints how many got the same answer to both. A few at a time: more than a socket's buffer holds would be lost. */
const crowd = `
  const dgram = require("node:dgram");
  const ask = (socket) => new Promise((resolve) => {
    const again = setInterval(() => socket.send("?", 5400, "::1"), 500);
    socket.once("message", (text) => { clearInterval(again); resolve(text.toString()); });
    socket.send("?", 5400, "::1");
  });
  const all = async (sockets) => {
    const answers = [];
    for (let at = 0; at < sockets.length; at += 50)
      answers.push(...(await Promise.all(sockets.slice(at, at + 50).map(ask))));
    return answers;
  };
  (async () => {
    const sockets = Array.from({ length: 600 }, () => dgram.createSocket("udp6"));
    const first = await all(sockets);
    const second = await all(sockets);
    console.log(new Set(first).size, first.filter((port, index) => port === second[index]).length);
    process.exit();
  })();
`;

describe("flows of UDP to published ports", { skip: whyNot() ?? false, timeout: 300_000 }, () => {
  let fixture: Fixture;
  let far: ChildProcess;
  const clients: ChildProcess[] = [];
  const cli = (...args: string[]) => fixture.cli(args);

  before(async () => {
    fixture = await makeFixture();
    const at = { type: "datagram", given: "input" } as const;
    await makePackage(fixture.root, "udp:1", {
      descriptor: {
        programs: [{ name: "hear", command: ["/bin/cat"] }],
        services: [{ name: "hear", program: "hear", sockets: [{ listen: "[::]:53", ...at }] }],
      },
    });
    // Another machine, to which this one is 192.0.2.1 and 2001:db8::1.
    far = spawn("nsenter", [...fixture.enter.slice(1), "unshare", "-n", "sleep", "1000"]);
    const netns = readlinkSync("/proc/self/ns/net");
    const [, , holder] = fixture.enter;
    const own = (): string => {
      try {
        return readlinkSync(`/proc/${far.pid}/ns/net`);
      } catch {
        return netns;
      }
    };
    await until(() => own() !== netns && own() !== readlinkSync(`/proc/${holder}/ns/net`));
    const wired = await fixture.inside([
      "sh",
      "-ec",
      `ip link add out type veth peer name eth9
      ip addr add 192.0.2.1/24 dev out; ip addr add 2001:db8::1/64 dev out nodad; ip link set out up
      ip link set eth9 netns ${far.pid}
      nsenter -t ${far.pid} -n sh -ec 'ip addr add 192.0.2.2/24 dev eth9; ip addr add 2001:db8::2/64 dev eth9 nodad; ip link set eth9 up'`,
    ]);
    assert.equal(wired.status, 0, wired.stderr);
    assert.equal((await cli("network", "create", "--ipv6", "six")).status, 0);
  });
  after(async () => {
    await removeInstances(fixture);
    await cli("network", "rm", "six");
    const ended = [...clients, far].map((one) => new Promise((resolve) => one.once("exit", resolve)));
    for (const one of [...clients, far]) one.kill("SIGKILL");
    await Promise.all(ended);
    await fixture.clean();
    await fixture.remove();
  });

  const send = (enter: readonly string[], address: string, word: string): void => {
    const [program = "", ...args] = [...enter, process.execPath, "-e", client, address, word];
    clients.push(spawn(program, args, { stdio: "ignore" }));
  };
  const words = ["loop4", "loop6", "own4", "far4", "far6"];
  const allHeard = async (name: string): Promise<void> => {
    let heard = "";
    const missing = (): string[] => words.filter((word) => !heard.includes(`${word}\n`));
    await until(async () => {
      heard = (await cli("logs", name)).stdout;
      return missing().length === 0;
    }, 15).catch(() => assert.fail(`${name} heard nothing of ${missing().join(", ")}`));
  };
  const run = async (name: string): Promise<void> => {
    const ran = await cli("run", "-d", "--name", name, "--network", "six", "-p", "5300:53/udp", "udp:1");
    assert.equal(ran.status, 0, ran.stderr);
    assert.equal(ran.stderr, "");
  };

  it("reach an instance that starts after them, again after a stop, and the next one at another address", async () => {
    send(fixture.enter, "127.0.0.1", "loop4");
    send(fixture.enter, "::1", "loop6");
    send(fixture.enter, "192.0.2.1", "own4");
    send(["nsenter", "-t", String(far.pid), "-n"], "192.0.2.1", "far4");
    send(["nsenter", "-t", String(far.pid), "-n"], "2001:db8::1", "far6");
    // All have sent to a port that led nowhere.
    await run("first");
    await allHeard("first");
    assert.equal((await cli("stop", "-t", "2", "first")).status, 0);
    // Long enough for each to send while nothing is there.
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal((await cli("start", "first")).status, 0);
    const before = (await cli("logs", "first")).stdout.length;
    await until(async () => {
      const since = (await cli("logs", "first")).stdout.slice(before);
      return words.every((word) => since.includes(`${word}\n`));
    }, 15);
    const address = (await cli("inspect", "-f", "{{.NetworkSettings.Networks.six.IPAddress}}", "first"))
      .stdout;
    assert.match(address, /^\d/);
    assert.equal((await cli("port", "first")).stdout, "53/udp -> 0.0.0.0:5300\n53/udp -> [::]:5300\n");
    assert.equal((await cli("rm", "-f", "first")).status, 0);
    await run("second");
    assert.notEqual(
      (await cli("inspect", "-f", "{{.NetworkSettings.Networks.six.IPAddress}}", "second")).stdout,
      address,
    );
    await allHeard("second");
  });

  it("six hundred clients by [::1] are each themselves to an instance without IPv6", async () => {
    const prepare = (tree: string): void => {
      const words = ["-static", "-x", "c", "-", "-o", join(tree, "bin/port-echo")];
      const made = spawnSync("musl-gcc", words, { input: echo, encoding: "utf8" });
      assert.equal(made.status, 0, made.stderr);
    };
    await makePackage(fixture.root, "echo:1", { prepare });
    const ran = await cli(
      "run",
      "-d",
      "--name",
      "echo",
      "-p",
      "[::]:5400:53/udp",
      "echo:1",
      "/bin/port-echo",
    );
    assert.equal(ran.status, 0, ran.stderr);
    const seen = await fixture.inside([process.execPath, "-e", crowd]);
    assert.equal(seen.stdout, "600 600\n", seen.stderr);
    assert.equal((await cli("rm", "-f", "echo")).status, 0);
  });
});
