// The small formats of registries: challenges and addresses.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseChallenges } from "../../../src/formats/auth-challenge.ts";
import { isAddress, isPrivateAddress } from "../../../src/formats/ip-address.ts";

test("challenges of WWW-Authenticate", () => {
  const table: [string, ReturnType<typeof parseChallenges>][] = [
    ["Basic", [{ scheme: "basic", parameters: {} }]],
    [
      'Bearer realm="https://a/token",service="a b",scope="repository:x:pull,push"',
      [
        {
          scheme: "bearer",
          parameters: { realm: "https://a/token", service: "a b", scope: "repository:x:pull,push" },
        },
      ],
    ],
    [
      'Negotiate, BASIC realm="a \\"b\\"", Bearer realm=x , error = "e"',
      [
        { scheme: "negotiate", parameters: {} },
        { scheme: "basic", parameters: { realm: 'a "b"' } },
        { scheme: "bearer", parameters: { realm: "x", error: "e" } },
      ],
    ],
    ['Bearer realm="open', [{ scheme: "bearer", parameters: { realm: '"open' } }]],
    ["", []],
    ['=,"', []],
  ];
  for (const [header, wanted] of table) assert.deepEqual(parseChallenges(header), wanted, header);
});

test("which addresses are the public's", () => {
  const table: [boolean, string][] = [
    [false, "1.1.1.1 172.32.0.1 172.15.255.255 11.0.0.1 100.128.0.1 192.169.0.1 2606:4700::1111 2a00::1"],
    [
      true,
      "127.0.0.1 127.255.255.255 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 198.18.0.1 192.0.2.1",
    ],
    [
      true,
      "::1 :: fe80::1 fe80::1%eth0 fc00::1 fdff::1 ff02::1 ::ffff:127.0.0.1 ::ffff:a00:1 [::ffff:10.0.0.1] 64:ff9b::10.0.0.1 2002:a00:1::1 2001:db8::1 ::127.0.0.1",
    ],
    [false, "::ffff:1.1.1.1 64:ff9b::1.1.1.1"],
    [true, "localhost 256.1.1.1 1.1.1 1::2::3 12345::1 example.com"],
  ];
  for (const [wanted, list] of table)
    for (const address of list.split(" ")) assert.equal(isPrivateAddress(address), wanted, address);
  assert.ok(isAddress("1.2.3.4") && isAddress("[::1]") && !isAddress("a.b") && !isAddress("1.2.3"));
});
