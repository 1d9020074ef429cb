// What starts of programs and whole programs cost.
import { chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Figures, type Row } from "./engine-figures.ts";
import {
  engineWay,
  filePeers,
  files,
  installed,
  nativeWay,
  pathOf,
  seccompWay,
  turn,
  type Way,
} from "./engine-ways.ts";
import { measure, type Sample } from "./measure.ts";
import { asPlain, plainUser, postgresBin } from "./throughput-servers.ts";

interface Work {
  row: Row;
  /** How often the command is run for one sample, which is for one of them. */
  times: number;
  command: (way: Way) => readonly string[];
  prepare?: () => void;
}

/** bash starts them: it is small, so that its forks cost all ways alike and little. */
function sample(work: Work, way: Way): Sample | undefined {
  work.prepare?.();
  const loop = `for ((n = 0; n < ${work.times}; n++)); do "$@" || exit; done`;
  const all = measure(["bash", "-c", loop, "bash", ...work.command(way)]);
  return all && { wall: all.wall / work.times, cpu: all.cpu / work.times };
}

/** Tracers take part in each fourth round. */
async function run(ways: readonly Way[], works: readonly Work[], rounds: number): Promise<string> {
  const rows = works.map(({ row }) => row);
  const figures = new Figures(
    rows,
    ways.map((way) => way.name),
  );
  // The round before the first fills caches and is not counted.
  for (let round = -1; round < rounds; round++)
    for (const work of works)
      for (const way of rotated(ways, round + 1)) {
        if (way.slow && round % 4 !== 0) continue;
        await turn();
        const one = sample(work, way);
        if (round >= 0) figures.note(work.row.name, way.name, one);
      }
  return figures.table();
}

/** Each round begins with another: what one has written goes to the disk while the next one works. */
function rotated(ways: readonly Way[], by: number): readonly Way[] {
  const at = by % ways.length;
  return [...ways.slice(at), ...ways.slice(0, at)];
}

export function startRows(rounds: number): Promise<string> {
  const way = engineWay.name;
  const ten = "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done";
  const works: Work[] = [
    {
      row: { name: "start of true", unit: "ms", aim: { way, kind: "more", value: 1 } },
      times: 100,
      command: ({ words }) => [...words, "/bin/true"],
    },
    {
      row: { name: "sh with ten of true", unit: "ms", aim: { way, kind: "ratio", value: 1.5 } },
      times: 20,
      command: ({ words }) => [...words, "/bin/sh", "-c", ten],
    },
  ];
  return run([nativeWay, engineWay, seccompWay, ...filePeers()], works, rounds);
}

const whole = (name: string): Row => ({
  name,
  unit: "ms",
  aim: { way: engineWay.name, kind: "ratio", value: 1.1 },
});

function gccBuild(): Work {
  const count = 15;
  mkdirSync(join(files, "build"));
  const names = Array.from({ length: count }, (_, n) => `f${n}`);
  for (const name of names)
    writeFileSync(
      join(files, `build/${name}.c`),
      `#include <stdio.h>\n#include <stdlib.h>\n#include "all.h"\nint ${name}(int a) { return printf("%d\\n", a); }\n`,
    );
  writeFileSync(join(files, "build/all.h"), names.map((name) => `int ${name}(int a);\n`).join(""));
  const script = `cd "$1" || exit
for f in ${names.join(" ")}; do gcc -O1 -c "$1/$f.c" -o "$1/$f.o" || exit; done
ar rc lib.a *.o && rm lib.a *.o\n`;
  writeFileSync(join(files, "build/build.sh"), script);
  return {
    row: whole(`gcc, ${count} files and their library`),
    times: 1,
    command: ({ words, home }) => [...words, "/bin/sh", join(home, "build/build.sh"), join(home, "build")],
  };
}

/** Not root, as initdb wants it: also bwrap and the rest then run without rights. */
function initdb(): Work {
  const data = join(files, "postgres/data");
  mkdirSync(join(files, "postgres"));
  chownSync(join(files, "postgres"), plainUser.uid, plainUser.gid);
  const flags = "-A trust -N --no-locale -E UTF8 -U bench -D".split(" ");
  return {
    row: whole("postgres initdb"),
    times: 1,
    prepare: () => rmSync(data, { recursive: true, force: true }),
    command: ({ words, home }) => [
      ...asPlain,
      ...words,
      join(postgresBin(), "initdb"),
      ...flags,
      join(home, "postgres/data"),
    ],
  };
}

/** After sqlite's own speed test: rows in one transaction, an index, look-ups, updates; and each row in a transaction with a journal of its own. */
const statements = `PRAGMA synchronous = OFF; PRAGMA cache_size = -2000;
CREATE TABLE t (a INTEGER PRIMARY KEY, b INTEGER, c TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
  INSERT INTO t SELECT i, (i * 7919) % 100003, printf('row %d of the speed test', i) FROM n;
CREATE INDEX tb ON t (b);
SELECT count(*), avg(a) FROM t WHERE c LIKE '%77%';
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
  SELECT sum(a) FROM n JOIN t ON t.b = (i * 31) % 100003;
UPDATE t SET b = b + 1 WHERE a % 3 = 0;
DELETE FROM t WHERE a % 7 = 0;
${Array.from({ length: 1500 }, (_, n) => `INSERT INTO t (b, c) VALUES (${n}, 'alone');`).join("\n")}
`;

function sqlite(): Work {
  const data = join(files, "sqlite/data");
  mkdirSync(join(files, "sqlite"));
  writeFileSync(join(files, "sqlite/statements"), statements);
  return {
    row: whole("sqlite speed test"),
    times: 1,
    prepare: () => rmSync(data, { force: true }),
    command: ({ words, home }) => [
      ...words,
      pathOf("sqlite3"),
      "-bail",
      join(home, "sqlite/data"),
      `.read ${join(home, "sqlite/statements")}`,
    ],
  };
}

function python(): Work {
  mkdirSync(join(files, "python"));
  writeFileSync(join(files, "python/own.py"), "import json, ssl, sqlite3\n");
  return {
    row: whole("python3 start, imports json ssl sqlite3"),
    times: 5,
    command: ({ words, home }) => [
      ...words,
      "/usr/bin/python3",
      "-c",
      `import sys; sys.path.insert(0, "${home}/python"); import own`,
    ],
  };
}

export async function programRows(rounds: number): Promise<string> {
  const works = [
    ...(installed("gcc") ? [gccBuild()] : []),
    ...(installed("postgres", existsSync("/usr/lib/postgresql")) ? [initdb()] : []),
    ...(installed("sqlite3") ? [sqlite()] : []),
    ...(installed("python3", existsSync("/usr/bin/python3")) ? [python()] : []),
  ];
  const table = await run([nativeWay, engineWay, ...filePeers()], works, rounds);
  return `${table}\n\nWhat the programs work on lies where it is redirected; the programs and what they load are the host's.`;
}
