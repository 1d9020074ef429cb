// IPv6 arithmetic, ports of both families, and the part of a hosts file that names instances.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withSection } from "../../src/runtime/network/hosts-section.ts";
import { describePorts, parsePublish } from "../../src/runtime/network/ports.ts";
import {
  addressLike,
  collision6,
  contains6,
  formatAddress6,
  formatSubnet6,
  parseAddress6,
  parseRoutes6,
  parseSubnet6,
} from "../../src/runtime/network/subnet6.ts";

describe("IPv6", () => {
  it("writes addresses in their shortest form", () => {
    for (const [text, short] of [
      ["::", "::"],
      ["::1", "::1"],
      ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
      ["fd00:0:0:1:0:0:0:2", "fd00:0:0:1::2"],
      ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
      ["::ffff:192.0.2.1", "::ffff:c000:201"],
      ["1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"],
    ] as const)
      assert.equal(formatAddress6(parseAddress6(text) ?? -1n), short);
    assert.equal(parseAddress6("1:2"), undefined);
  });

  it("reads subnets, and gives instances addresses like their IPv4 ones", () => {
    const subnet = parseSubnet6("fd12:3456:789a::/64");
    assert.equal(formatSubnet6(subnet), "fd12:3456:789a::/64");
    assert.ok(contains6(subnet, parseAddress6("fd12:3456:789a::ffff") ?? 0n));
    assert.ok(!contains6(subnet, parseAddress6("fd12:3456:789b::1") ?? 0n));
    assert.equal(formatAddress6(addressLike(subnet, 0x0ad50007)), "fd12:3456:789a::ad5:7");
    for (const text of ["fd00::1/64", "fd00::/15", "fd00::/113", "fd00::", "10.0.0.0/8"])
      assert.throws(() => parseSubnet6(text));
  });

  it("finds the route that a subnet would meet", () => {
    const line = (to: string, prefix: string, device: string) =>
      `${to} ${prefix} ${"0".repeat(32)} 00 ${"0".repeat(32)} 00000100 00000001 00000000 00000001 ${device}`;
    const text = [
      line("0".repeat(32), "00", "eth0"),
      line("fd000000000000010000000000000000", "40", "eth0"),
      line("fd000000000000020000000000000005", "80", "eth1"),
    ].join("\n");
    const routes = parseRoutes6(`${text}\n`);
    assert.equal(collision6(parseSubnet6("fd00:0:0:1::/64"), routes, "")?.device, "eth0");
    assert.equal(collision6(parseSubnet6("fd00::/48"), routes, "")?.device, "eth0");
    assert.equal(collision6(parseSubnet6("fd00:0:0:1::/64"), routes, "eth0"), undefined);
    assert.equal(collision6(parseSubnet6("fd00:0:0:2::/64"), routes, ""), undefined, "a single address");
  });

  it("publishes ports on its addresses", () => {
    assert.deepEqual(parsePublish("[::]:8080:80/udp"), [
      { hostAddress: "::", hostPort: 8080, containerPort: 80, protocol: "udp" },
    ]);
    const [port] = parsePublish("[2001:DB8::1]:8080:80");
    assert.equal(port === undefined ? "" : describePorts([port]), "[2001:db8::1]:8080->80/tcp");
    assert.equal(parsePublish("[::1]::80")[0]?.hostPort, 0);
  });
});

describe("names in a hosts file", () => {
  const file = "127.0.0.1\tlocalhost\n::1\tlocalhost\n10.0.0.2\tweb\n192.0.2.7 db.old DB\n";
  const entries = [{ address: "10.0.0.3", names: ["db", "database"] }];

  it("stand behind those of localhost, and put other addresses of the same name out of force", () => {
    const text = withSection(file, entries);
    assert.match(
      text,
      /::1\tlocalhost\n# networks.*\n10\.0\.0\.3\tdb database\n# end\n10\.0\.0\.2\tweb\n#aside 192\.0\.2\.7 db\.old DB\n$/,
    );
    assert.equal(withSection(text, entries), text, "once more changes nothing");
  });

  it("go as they came, with what the instance wrote meanwhile", () => {
    const text = withSection(`${withSection(file, entries)}192.0.2.9 mine\n`, []);
    assert.equal(text, `${file}192.0.2.9 mine\n`);
    assert.equal(withSection(file, []), file);
    assert.equal(withSection("no end of line", []), "no end of line");
  });
});
