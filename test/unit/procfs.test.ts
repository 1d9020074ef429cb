import assert from "node:assert/strict";
import { test } from "node:test";
import { parseInetSockets, parseUnixSockets, tcpListen } from "../../src/formats/proc-net.ts";
import {
  parseCgroup,
  parseFstab,
  parseMaps,
  parseNulList,
  parseProcStat,
  parseProcStatus,
  serviceOfCgroup,
} from "../../src/formats/procfs.ts";

test("stat: the last parenthesis closes the name", () => {
  const stat = parseProcStat(`42 (a) b (c)) S 1 42 42 0 -1 4194304 ${"0 ".repeat(12)}777 0`);
  assert.deepEqual(
    [stat?.pid, stat?.name, stat?.state, stat?.ppid, stat?.startTime, stat?.kernelThread],
    [42, "a) b (c)", "S", 1, "777", false],
  );
  assert.equal(parseProcStat(""), undefined);
  assert.equal(parseProcStat("x (y"), undefined);
});

test("status, NUL lists, cgroups", () => {
  const status = parseProcStatus("Name:\tx\nUid:\t1\t2\t3\t4\nGroups:\t5 6 \nVmRSS:\t  12 kB\nThreads:\t3\n");
  assert.deepEqual(
    [status.uids, status.groups, status.residentKib, status.threads],
    [[1, 2, 3, 4], [5, 6], 12, 3],
  );
  assert.deepEqual(parseNulList("a\0\0b\0"), ["a", "", "b"]);
  assert.equal(
    serviceOfCgroup(parseCgroup("2:cpu:/\n1:name=systemd:/system.slice/apache2.service\n")),
    "apache2.service",
  );
  assert.equal(serviceOfCgroup(parseCgroup("0::/user.slice\n")), undefined);
});

test("maps: each file once, deleted ones, vsyscall", () => {
  const maps = parseMaps(
    "00400000-0040b000 r--p 00000000 fd:00 1   /bin/a\n0040b000-0040c000 r-xp 0000b000 fd:00 1   /bin/a\n" +
      "7f00-7f01 r-xp 00000000 fd:00 2 /lib/x y.so (deleted)\nffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n",
  );
  assert.deepEqual(maps.files, [
    { path: "/bin/a", executable: true, deleted: false },
    { path: "/lib/x y.so", executable: true, deleted: true },
  ]);
  assert.equal(maps.vsyscall, "--xp");
});

test("fstab with an escaped blank", () => {
  assert.deepEqual(parseFstab("# c\nserver:/x /mnt/a\\040b nfs rw,hard 0 0\nbroken\n"), [
    { source: "server:/x", mountPoint: "/mnt/a b", type: "nfs", options: ["rw", "hard"] },
  ]);
});

test("inet sockets: both families and both byte orders", () => {
  const head =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
  const rest = "00000000:00000000 00:00000000 00000000    33        0 4711 1 0 100 0 0 10 0";
  const [v4] = parseInetSockets(`${head}   0: 0100007F:1F90 00000000:0000 0A ${rest}\n`);
  assert.deepEqual(
    [v4?.address, v4?.port, v4?.state, v4?.uid, v4?.inode],
    ["127.0.0.1", 8080, tcpListen, 33, "4711"],
  );
  assert.equal(
    parseInetSockets(`   0: 7F000001:1F90 00000000:0000 0A ${rest}\n`, true)[0]?.address,
    "127.0.0.1",
  );
  const six = (hex: string): string | undefined =>
    parseInetSockets(`   0: ${hex}:0050 00000000000000000000000000000000:0000 0A ${rest}\n`)[0]?.address;
  assert.equal(six("00000000000000000000000001000000"), "::1");
  assert.equal(six("00000000000000000000000000000000"), "::");
  assert.equal(six("B80D0120000000000000000001000000"), "2001:db8::1");
  assert.equal(six("0000000000000000FFFF00000100007F"), "::ffff:127.0.0.1");
});

test("unix sockets", () => {
  const sockets = parseUnixSockets(
    "Num       RefCount Protocol Flags    Type St Inode Path\n0000000000000000: 00000002 00000000 00010000 0001 01 99 /run/x y.sock\n0000000000000000: 00000002 00000000 00000000 0002 01 98\n",
  );
  assert.deepEqual(sockets, [
    { inode: "99", type: "stream", listening: true, connected: false, path: "/run/x y.sock" },
    { inode: "98", type: "dgram", listening: false, connected: false, path: "" },
  ]);
});
