import assert from "node:assert/strict";
import { test } from "node:test";
import { isTranshipError } from "../../src/base/errors.ts";
import { callArguments, capabilityMask, joinCall, launchCall, sandboxCall } from "../../src/host/enter.ts";
import { parseEnterStatus } from "../../src/host/enter-process.ts";

test("a sandbox as words: mounts in order, lower layers before their overlay", () => {
  const call = sandboxCall({
    mounts: [
      {
        kind: "overlay",
        target: "/",
        lowers: ["/l1", "/l2"],
        upper: { dir: "/u", work: "/w" },
        volatile: true,
      },
      { kind: "overlay", target: "/srv", lowers: ["/l3"], upper: "scratch", nodev: true },
      { kind: "bind", source: "/s", target: "/t", readOnly: true },
      { kind: "proc", target: "/proc" },
      { kind: "tmpfs", target: "/tmp", mode: 0o1777 },
    ],
    network: { pid: 7 },
    joinIpc: 8,
    command: { argv: ["--", "-x"], env: { A: "b=c" }, user: { uid: 1, gid: 2 }, cwd: "/d" },
  });
  assert.equal(
    callArguments(call, ["--parent", "9"]).join(" "),
    "sandbox --parent 9 --lower /l1 --lower /l2 --upper /u --work /w --volatile --overlay / " +
      "--lower /l3 --scratch --nodev --overlay /srv --bind /s /t ro --proc /proc --tmpfs /tmp 1777 " +
      "--join-net 7 --join-ipc 8 --setenv A b=c --chdir /d --user 1:2 -- -- -x",
  );
});

test("join and launch as words", () => {
  const join = joinCall({ pid: 5, namespaces: ["net", "pid"], command: { argv: ["a"], keepFds: [6, 7] } });
  assert.equal(callArguments(join).join(" "), "join 5 --namespaces net,pid --keep-fd 6 --keep-fd 7 -- a");
  const veth = { name: "v", bridge: "b", addresses: ["10.0.0.2/24"], gateways: ["10.0.0.1"] };
  const launch = launchCall({ network: { veths: [veth] }, hideCgroup2: true, command: { argv: ["crun"] } });
  assert.equal(
    callArguments(launch).join(" "),
    "launch --hide-cgroup2 --veth v b --address 10.0.0.2/24 --gateway 10.0.0.1 -- crun",
  );
});

test("capabilities as the kernel numbers them", () => {
  assert.equal(capabilityMask([]), "0");
  assert.equal(capabilityMask(["CHOWN", "KILL"]), "21");
  assert.equal(capabilityMask(["CHECKPOINT_RESTORE"]), (2n ** 40n).toString(16));
});

test("status lines", () => {
  assert.deepEqual(parseEnterStatus('{"pid":12,"overlay":"mount"}'), { pid: 12, overlay: "mount" });
  assert.deepEqual(parseEnterStatus('{"pid":12,"overlay":null}'), { pid: 12, overlay: undefined });
  assert.deepEqual(parseEnterStatus('{"error":"no \\u00e9","errno":2}'), { message: "no \xe9", errno: 2 });
  for (const line of ["", "null", "{}", '{"pid":"1"}', "{"]) {
    assert.throws(
      () => parseEnterStatus(line),
      (error) => isTranshipError(error, "E_PROTOCOL"),
    );
  }
});
