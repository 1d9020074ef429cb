// Sockets that services are given: from socket units into recipes, from descriptors into plans of init.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isTranshipError } from "../../src/base/errors.ts";
import { requireService } from "../../src/discover/machine-services.ts";
import { recipeOf, type ServiceRecipe } from "../../src/discover/recipe.ts";
import { inetAddress, listenAddress } from "../../src/discover/unit-sockets.ts";
import type { ServiceSocket } from "../../src/package/descriptor.ts";
import { compileInitPlan } from "../../src/package/init-plan.ts";
import { fullDescriptor } from "../support/init-descriptor.ts";
import { type MadeUpTree, memoryMachine } from "../support/memory-machine.ts";

const units = "/lib/systemd/system";
const wants = "/etc/systemd/system/sockets.target.wants";

async function recipe(tree: MadeUpTree): Promise<ServiceRecipe> {
  const machine = memoryMachine({ [`${units}/web.service`]: "[Service]\nExecStart=/usr/bin/web\n", ...tree });
  return recipeOf(await requireService(machine, "web"), machine.files);
}

test("socket units that are in force, in the order of their lines; an empty one clears", async () => {
  const found = await recipe({
    [`${units}/web.socket`]:
      "[Socket]\nListenStream=1\nListenStream=\nListenDatagram=/run/%p.log\nListenStream=127.0.0.1:8080\nListenSequentialPacket=@hidden\nSocketMode=0620\nSocketUser=keeper\nBindIPv6Only=ipv6-only\n",
    [`${units}/web-admin.socket`]:
      "[Socket]\nListenStream=192.0.2.9:81\nListenFIFO=/run/web.fifo\nService=web.service\nFileDescriptorName=admin\n",
    [`${units}/web-each.socket`]: "[Socket]\nListenStream=82\nService=web.service\nAccept=yes\n",
    [`${wants}/web.socket`]: `-> ${units}/web.socket`,
    [`${wants}/web-admin.socket`]: `-> ${units}/web-admin.socket`,
    [`${wants}/web-each.socket`]: `-> ${units}/web-each.socket`,
  });
  assert.deepEqual(
    found.sockets.map((one) => [
      one.name,
      one.type,
      one.listen,
      one.mode.toString(8),
      one.user,
      one.ipv6Only,
    ]),
    [
      ["admin", "stream", "0.0.0.0:81", "666", "root", false],
      ["web.socket", "datagram", "/run/web.log", "620", "keeper", true],
      ["web.socket", "stream", "127.0.0.1:8080", "620", "keeper", true],
      ["web.socket", "seqpacket", "@hidden", "620", "keeper", true],
    ],
  );
  const notes = found.notes.join("\n");
  assert.match(notes, /web-admin\.socket: the socket of 192\.0\.2\.9 port 81 is opened for all addresses/);
  assert.match(notes, /web-admin\.socket opens ListenFIFO=\/run\/web\.fifo, which an instance does not give/);
  assert.match(notes, /web-each\.socket starts a process for each connection/);
});

test("a socket unit that is not enabled counts only where the service asks for it", async () => {
  const socket = { [`${units}/web.socket`]: "[Socket]\nListenStream=80\n" };
  assert.deepEqual((await recipe(socket)).sockets, []);
  const asking = "[Unit]\nRequires=web.socket\n[Service]\nExecStart=/usr/bin/web\nStandardInput=socket\n";
  const asked = await recipe({ ...socket, [`${units}/web.service`]: asking });
  assert.deepEqual(
    asked.sockets.map((one) => [one.listen, one.given]),
    [["[::]:80", "input"]],
  );
  const masked = await recipe({
    "/etc/systemd/system/web.socket": "-> /dev/null",
    [`${units}/web.service`]: asking,
  });
  assert.deepEqual(masked.sockets, []);
});

test("addresses as units have them", () => {
  const listen = (value: string) => listenAddress(value)?.listen;
  assert.deepEqual(
    ["80", "[::1]:80", "0.0.0.0:80", "/run/x", "@x", "vsock:2:80", "[fe80::1]:9"].map(listen),
    ["[::]:80", "[::1]:80", "0.0.0.0:80", "/run/x", "@x", undefined, "[::]:9"],
  );
  assert.equal(inetAddress("::ffff:127.0.0.1", 80).note, undefined);
});

test("what init cannot open or give is refused", () => {
  const refuses = (sockets: ServiceSocket[], says: RegExp): void => {
    const services = [{ name: "web", program: "web", sockets }];
    assert.throws(
      () => compileInitPlan({ ...fullDescriptor, services }),
      (error) => isTranshipError(error, "E_DESCRIPTOR_INVALID") && says.test(error.message),
    );
  };
  refuses([{ listen: "80" }], /web: sockets: no address of a socket: "80"/);
  refuses([{ listen: "0.0.0.0:65536" }], /no address/);
  refuses([{ listen: "run/x" }], /no address/);
  refuses([{ listen: `/${"x".repeat(107)}` }], /at most 107 bytes/);
  refuses([{ listen: "[::]:80", type: "seqpacket" }], /cannot be of type seqpacket/);
  refuses([{ listen: "/run/x", mode: "1777" }], /not an octal mode/);
  refuses([{ listen: "/run/x", given: "input" }, { listen: "/run/y" }], /has to be the only one/);
});
