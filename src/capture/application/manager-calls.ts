// Calls of a service manager in scripts that a package runs, such as `invoke-rc.d nginx rotate` after a rotation of logs. A package has no
// service manager: what its own services would have been told is told by a program of the same name, which stands first in PATH while
// the scripts run. It knows what was found in the scripts, and nothing else.
//
// Theory. `reload` is what the unit's ExecReload says: a signal to the main process, or a command. Any other verb is one of the init
// script, which works with pid files and signals and needs no manager. The main process is the child of PID 1 that runs the service's
// program.
import type { Seed } from "../../closure/expand.ts";
import type { ServiceFact } from "../../discover/inventory.ts";
import { findService } from "../../discover/services.ts";
import { signalName } from "../../discover/signal-name.ts";
import { baseName, type Source } from "../../discover/source.ts";
import { UnitReader } from "../../discover/systemd-services.ts";
import { loadUnit } from "../../discover/unit-tree.ts";
import type { ByteString } from "../../formats/entry.ts";
import { encodeText } from "../../formats/escape.ts";
import { shellWord, shellWords } from "../../formats/shell-words.ts";
import { expandCommand, parseExec } from "../../formats/units.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import { commandSeeds } from "../seeds/command-seeds.ts";
import { plainName } from "./application.ts";

export interface ManagerCall {
  /** As it is called: "invoke-rc.d". */
  manager: string;
  /** Without ".service". */
  service: string;
  /** "reload", "rotate", "status"; "kill SIGHUP". */
  verb: string;
}

/** A call in force, wherever in a line it stands: not a test whether the manager is there. */
const call =
  /(?:^|[\n;&|(`{]|\b(?:then|else|do|if|elif|while|until|!)\s)\s*((?:\/(?:usr\/)?s?bin\/)?(?:invoke-rc\.d|service|systemctl|initctl|rc-service))((?:[ \t]+[^\s;&|<>()`]+)*)/g;

const manager = /\b(?:invoke-rc\.d|systemctl|initctl|rc-service)\b|\bservice(?=[ \t]+\S+[ \t]+\w)/g;
/** Whether it is there is asked, not it. */
const asks = /^\s*#.*$|(?:-[exf]|\b(?:command -v|which|type))\s+\S+/gm;

/** Every call in the text of scripts; undefined for one that is not understood. */
export function findManagerCalls(scripts: string): (ManagerCall | undefined)[] {
  const found: (ManagerCall | undefined)[] = [];
  const text = scripts.replaceAll("\\\n", " ").replace(asks, " ");
  for (const [, program = "", rest = ""] of text.matchAll(call)) {
    const words = rest.trim().split(/\s+/).map((word) => word.replace(/^["'](.*)["']$/, "$1")).filter((word) => !/^\d?$/.test(word)); // biome-ignore format: short
    // By its path it is no program of ours.
    found.push(program.startsWith("/") ? undefined : callOf(program, words));
  }
  // In quotes, in a variable: called in a way that nobody sees through.
  if ([...text.matchAll(manager)].length > found.length) found.push(undefined);
  return found;
}

function callOf(manager: string, words: readonly string[]): ManagerCall | undefined {
  const plain: string[] = [];
  let signal = "SIGTERM";
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const told = /^(?:-s|--signal)(?:=(.*))?$/.exec(word) ?? /^-s(\w+)$/.exec(word);
    if (told !== null) signal = signalName(told[1] ?? words[++at] ?? "") ?? "";
    else if (!word.startsWith("-")) plain.push(word);
  }
  const [first = "", second = "", ...more] = plain;
  if (more.length > 0 || second === "" || plain.some((word) => !/^[\w.@:-]+$/.test(word))) return undefined;
  if (manager === "invoke-rc.d" || manager === "service") return { manager, service: first, verb: second };
  if (manager !== "systemctl") return undefined;
  const service = second.replace(/\.service$/, "");
  if (first === "kill") return signal === "" ? undefined : { manager, service, verb: `kill ${signal}` };
  if (/^(try-)?reload(-or-restart)?$|^reload-or-try-restart$/.test(first))
    return { manager, service, verb: "reload" };
  return /^(is-active|status)$/.test(first) ? { manager, service, verb: "status" } : undefined;
}

export interface ToldServices {
  /** Lines of a case over "NAME:VERB", for the program that stands for the managers. */
  cases: Map<string, string>;
  seeds: Seed[];
}

export interface ManagerSurroundings {
  machine: Machine;
  source: Source;
  descriptor: Descriptor;
  services: readonly ServiceFact[];
}

/** What the calls do to services of the package; undefined where one of them cannot be told so. */
export async function translateCalls(
  calls: readonly (ManagerCall | undefined)[],
  around: ManagerSurroundings,
): Promise<ToldServices | undefined> {
  const told: ToldServices = { cases: new Map(), seeds: [] };
  for (const one of calls) {
    const action = one === undefined ? undefined : await actionOf(one, around);
    if (one === undefined || action === undefined) return undefined;
    const asked = one.manager === "systemctl" && one.verb.startsWith("kill") ? "kill" : one.verb;
    const key = `${one.service}:${asked}`;
    if ((told.cases.get(key) ?? action) !== action) return undefined;
    told.cases.set(key, action);
    const program = { name: "told", command: ["/bin/sh", "-c", `${action}\n${standInNeeds}`] };
    told.seeds.push(
      ...(await commandSeeds(around.machine, { ...around.descriptor, programs: [program] })).seeds,
    );
  }
  return told;
}

async function actionOf(
  { service, verb }: ManagerCall,
  around: ManagerSurroundings,
): Promise<string | undefined> {
  const { source, descriptor, services } = around;
  const fact = findService(services, encodeText(service));
  if (fact === undefined) return undefined;
  const program = await mainProgram(around, fact);
  const signal = /^kill (SIG\w+)$/.exec(verb)?.[1];
  if (program !== undefined && verb === "status") return `main ${shellWord(program)} >/dev/null`;
  if (program !== undefined && signal !== undefined) return `tell ${signal.slice(3)} ${shellWord(program)}`;
  if (!descriptor.services.some((one) => one.name === plainName(fact.name))) return undefined;
  const reload = verb === "reload" || verb === "force-reload" ? await reloadOf(source, fact) : undefined;
  if (reload?.signal !== undefined)
    return program === undefined ? undefined : `tell ${reload.signal.slice(3)} ${shellWord(program)}`;
  if (reload?.command !== undefined) return shellWords(reload.command);
  const script = `/etc/init.d/${service}`;
  // These would end it, or start a second one beside init's own.
  if (/^(start|stop|restart|try-restart|force-stop|upgrade)$/.test(verb)) return undefined;
  const text = await source.text(script);
  if (text === undefined || !new RegExp(`^[^#\\n]*["'|(\\s]${verb}["'|)\\s]`, "m").test(text))
    return undefined;
  return `${script} ${verb}`;
}

async function reloadOf(
  source: Source,
  fact: ServiceFact,
): Promise<{ signal?: string; command?: ByteString[] } | undefined> {
  if (fact.manager !== "systemd") return undefined;
  const unit = new UnitReader(await loadUnit(source, `${fact.name}.service`, fact.from), {});
  const commands = unit.services("ExecReload").flatMap(parseExec);
  const [only] = commands;
  if (only === undefined || commands.length > 1) return undefined;
  const argv = expandCommand(only, { MAINPID: "$MAINPID" });
  if (!argv.some((word) => word.includes("$MAINPID")))
    return argv[0]?.startsWith("/") ? { command: argv } : undefined;
  const signal = baseName(argv[0] ?? "") === "kill" ? signalName(argv.join(" ")) : undefined;
  return signal === undefined ? undefined : { signal };
}

/** By what /proc/PID/exe says of it. undefined: not of the package, or a script, whose interpreter others have too. */
async function mainProgram(
  { machine, descriptor }: ManagerSurroundings,
  fact: ServiceFact,
): Promise<ByteString | undefined> {
  const service = descriptor.services.find((one) => one.name === plainName(fact.name));
  const program = descriptor.programs.find((one) => one.name === service?.program);
  if (program === undefined) return undefined;
  const { entry } = await machine.files.resolve(encodeText(startedProgram(program.command)));
  if (entry?.kind !== "file") return undefined;
  const head = await machine.files.readRange(entry.path, 0, 4);
  return Buffer.from(head ?? []).toString("latin1") === "\x7fELF" ? entry.path : undefined;
}

/** Behind a line for the shell that sets something first and ends with exec. */
function startedProgram(command: readonly string[]): string {
  const [program = "", option, line = ""] = command;
  if (!/(^|\/)(ba|da)?sh$/.test(program) || option !== "-c") return program;
  if (/exec "\$@"$/.test(line)) return command[4] ?? "";
  return /\bexec (\/\S+)/.exec(line)?.[1] ?? "";
}

/** What it calls itself. */
const standInNeeds = "mkdir chmod ln readlink";

/** The program that stands for the managers, as text of a script. */
function standIn(cases: ReadonlyMap<string, string>): string {
  const lines = [...cases].map(([key, action]) => `${shellWord(key)}) ${action} ;;`);
  return [
    "#!/bin/sh",
    "# Stands for the service manager of the old machine: tells the services of this package what its scripts tell theirs.",
    'main() { for d in /proc/[0-9]*; do p=; while read -r k v _; do [ "$k" = PPid: ] && p=$v; done 2>/dev/null <$d/status',
    '  [ "$p" = 1 ] && [ "$(readlink $d/exe)" = "$1" ] && echo ${d#/proc/} && return; done; return 3; }',
    'tell() { p=$(main "$2") && kill -$1 $p; }',
    'w=; s=; for a; do case $s in 1) s=; continue;; esac; case $a in -s|--signal) s=1;; -*) ;; *) w="$w ${a%.service}";; esac; done; set -- $w',
    "case ${0##*/} in systemctl) v=$1; n=$2; case $v in *reload*) v=reload;; is-active) v=status;; esac;; *) n=$1; v=$2;; esac",
    "case $n:$v in",
    ...lines,
    '*) echo "${0##*/}: $n has no $v in a package" >&2; exit 1;;',
    "esac",
    "",
  ].join("\n");
}

/** Starts the program with the stand-in before all others; `name`: of its directory below /run. */
export function withStandIn(
  name: string,
  command: readonly string[],
  cases: ReadonlyMap<string, string>,
): string[] {
  const line = [
    `d=/run/tranship-${name}; mkdir -p $d && printf %s "$1" >$d/tell && chmod 755 $d/tell || exit 1`,
    "for n in invoke-rc.d service systemctl; do ln -sf tell $d/$n; done",
    `shift; PATH=$d:$PATH exec "$@"`,
  ].join("\n");
  return ["/bin/sh", "-c", line, name, standIn(cases), ...command];
}
