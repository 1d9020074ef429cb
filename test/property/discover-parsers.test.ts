import { test } from "node:test";
import fc from "fast-check";
import { isTranshipError } from "../../src/base/errors.ts";
import { discover } from "../../src/discover/discover.ts";
import { maskArguments } from "../../src/discover/mask.ts";
import { recipeOf } from "../../src/discover/recipe.ts";
import { renderInventory } from "../../src/discover/render.ts";
import { parseAnacrontab, parseCrontab } from "../../src/formats/cron.ts";
import { parseAssignments } from "../../src/formats/os-release.ts";
import { parseInetSockets, parseUnixSockets } from "../../src/formats/proc-net.ts";
import {
  parseCgroup,
  parseFstab,
  parseMaps,
  parseModules,
  parseProcStat,
  parseProcStatus,
} from "../../src/formats/procfs.ts";
import { parseInitScript, parseInittab, parseXinetd } from "../../src/formats/sysv.ts";
import { parseTmpfiles } from "../../src/formats/tmpfiles.ts";
import { expandSpecifiers, parseUnitName } from "../../src/formats/unit-names.ts";
import { parseExec, parseUnit } from "../../src/formats/units.ts";
import { memoryMachine } from "../support/memory-machine.ts";

const parsers: ((text: string) => unknown)[] = [
  (text) => parseCrontab(text, true),
  (text) => parseCrontab(text, false),
  parseAnacrontab,
  parseAssignments,
  parseInetSockets,
  parseUnixSockets,
  parseCgroup,
  parseFstab,
  parseMaps,
  parseModules,
  parseProcStat,
  parseProcStatus,
  parseInitScript,
  parseInittab,
  parseXinetd,
  parseTmpfiles,
  parseUnitName,
  parseUnit,
  parseExec,
  (text) => expandSpecifiers(text, text),
  (text) => maskArguments(text.split(" ")),
];
const garbage = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
const lines = fc
  .array(
    fc.constantFrom(
      "[Service]",
      "ExecStart=",
      "/bin/x",
      "\\",
      "\n",
      "=",
      " ",
      "* * * * *",
      "root",
      "${A}",
      "$A",
      "'",
      '"',
      "%i",
      "#",
      ";",
      "@-",
      "d /run/x",
      ":",
      "\0",
      "service x",
      "{",
    ),
  )
  .map((words) => words.join(""));

test("no parser of a machine's files crashes on any bytes", () => {
  fc.assert(
    fc.property(fc.oneof(garbage, lines), (text) => {
      for (const parse of parsers) parse(text);
    }),
    { numRuns: 300 },
  );
});

test("long repetitions of awkward pieces are read in linear time", () => {
  const pieces = [
    "\\",
    "\\\n",
    "#",
    " ",
    "\t",
    "/",
    "=",
    '"',
    "$",
    "%",
    "(",
    ")",
    "a=",
    "<IfModule ssl.c>",
    "<!--",
    "port ",
    "- ",
    "address ",
    "DAEMON=",
    "\n",
  ];
  for (const piece of pieces) {
    const text = piece.repeat(Math.ceil(300_000 / piece.length));
    for (const parse of parsers) parse(text);
  }
});

const hostilePaths = [
  "/etc/crontab",
  "/etc/passwd",
  "/etc/group",
  "/etc/fstab",
  "/etc/os-release",
  "/etc/inittab",
  "/etc/apache2/ports.conf",
  "/etc/init.d/x",
  "/lib/systemd/system/x.service",
  "/etc/systemd/system/x.service.d/1.conf",
  "/etc/network/interfaces",
  "/var/lib/dpkg/status",
  "/etc/mysql/my.cnf",
  "/etc/postgresql/13/main/postgresql.conf",
  "/lib/systemd/system/postgresql@.service",
  "/etc/tomcat9/server.xml",
  "/usr/lib/tmpfiles.d/x.conf",
];

test("a machine whose files are all garbage gives an inventory and recipes or a clear error", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(garbage, lines), async (text) => {
      const machine = memoryMachine(Object.fromEntries(hostilePaths.map((path) => [path, { text }])));
      const inventory = await discover(machine);
      renderInventory(inventory);
      for (const service of inventory.services) {
        await recipeOf(service, machine.files).catch((error) => {
          if (!isTranshipError(error)) throw error;
        });
      }
    }),
    { numRuns: 60 },
  );
});
