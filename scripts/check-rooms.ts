// Holds every import in src/ against scripts/rooms.json: a room imports only from the rooms listed for it, and
// from node: modules or dependencies only where it is not pure.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

interface Allow {
  pure: string[];
  rooms: Record<string, string[]>;
}

const top = resolve(import.meta.dirname, "..");
const allow: Allow = JSON.parse(readFileSync(join(top, "scripts/rooms.json"), "utf8"));
const source = join(top, "src");
const importPattern =
  /^(?:import|export)\b[^;"']*?\bfrom\s+["']([^"']+)["']|^import\s+["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/gm;

const problems: string[] = [];
let imports = 0;
for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
  const file = join(entry.parentPath, entry.name);
  const room = relative(source, file).split("/")[0] ?? "";
  const allowed = allow.rooms[room];
  if (allowed === undefined) {
    problems.push(`${relative(top, file)}: src/${room} is no room of scripts/rooms.json`);
    continue;
  }
  for (const match of readFileSync(file, "utf8").matchAll(importPattern)) {
    const specifier = match[1] ?? match[2] ?? match[3] ?? "";
    imports++;
    const problem = judge(room, allowed, file, specifier);
    if (problem !== undefined) problems.push(`${relative(top, file)}: ${problem}`);
  }
}

function judge(room: string, allowed: string[], file: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) {
    return allow.pure.includes(room) ? `room ${room} is pure and may not import ${specifier}` : undefined;
  }
  const target = relative(source, resolve(dirname(file), specifier)).split("/")[0] ?? "";
  if (target === room || allowed.includes(target)) return undefined;
  return `room ${room} may not import ${target} (${specifier})`;
}

for (const problem of problems) console.error(problem);
console.log(
  `${imports} imports held against ${Object.keys(allow.rooms).length} rooms, ${problems.length} problems`,
);
process.exitCode = problems.length === 0 && imports > 0 ? 0 : 1;
