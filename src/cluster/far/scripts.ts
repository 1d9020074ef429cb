// Every command that `cluster join` and `cluster leave` run on a far node. As in machine/ssh/scripts.ts a login shell of any kind reads them
// first: inside the single quotes stands no single quote, no exclamation mark, no backslash and no line end.
//
// What is there: one directory that only root can enter, with the installation by its digest, the token, the agent's start script and log; and
// a unit of systemd, or where there is none a script that starts the agent again when it ends. Each file is whole or absent.
import { completeMark } from "./bundle.ts";

export const home = "/var/lib/tranship-agent";
export const unitName = "tranship-agent.service";
const unitFile = `/etc/systemd/system/${unitName}`;
/** A fifth of a second, where sleep knows fractions. */
const pause = "sleep 0.2 2>/dev/null || sleep 1";
/** Pauses that the end and the start of an agent may take: half a minute at least. */
const tries = 150;

export interface Far {
  /** Marks our lines in what a session says. */
  mark: string;
  /** By `sudo -n`. */
  sudo: boolean;
}

function wrapped({ sudo }: Far, ...parts: readonly string[]): string {
  return `${sudo ? "sudo -n " : ""}sh -c '${parts.join("; ")}'`;
}

/** A shell function: whether the process of a pid file is ours, by a word of its command line. */
const isOurs = `ours() { p=$(cat ${home}/$1 2>/dev/null) && [ -n "$p" ] && grep -q "$2" /proc/$p/cmdline 2>/dev/null; }`;
const keeperRuns = "ours keep.pid tranship-agent/keep";
const agentRuns = "ours run.pid tranship-agent/token";
const hasSystemd = "[ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1";
const sumOf = (file: string): string => `$(sha256sum <${file} 2>/dev/null)`;

/** Lines `mark-KEY=VALUE`: what is there. Changes nothing. */
export function lookCommand(far: Far): string {
  const { mark } = far;
  return wrapped(
    far,
    isOurs,
    `echo ${mark}-uid=$(id -u)`,
    `${hasSystemd} && echo ${mark}-systemd=yes`,
    `for c in tar gzip sha256sum setsid grep; do command -v $c >/dev/null 2>&1 && echo ${mark}-has=$c; done`,
    `echo ${mark}-node=$(node --version 2>/dev/null)`,
    `echo ${mark}-tranship=$(tranship version 2>/dev/null | head -n 1)`,
    `echo ${mark}-at=$(command -v tranship 2>/dev/null)`,
    `for v in ${home}/versions/*; do [ -f $v/${completeMark} ] && echo ${mark}-version=\${v##*/}; done`,
    `for f in run keep end token ca.pem; do [ -f ${home}/$f ] && echo ${mark}-$f=${sumOf(`${home}/$f`)}; done`,
    `[ -f ${unitFile} ] && echo ${mark}-unit=${sumOf(unitFile)}`,
    `[ -d ${home} ] && echo ${mark}-home=yes`,
    `${agentRuns} && echo ${mark}-runs=yes`,
    `[ -f ${home}/changed ] && echo ${mark}-changed=yes`,
    "true",
  );
}

/** Takes the archive on its input. Status 61: cannot be written; 62: not whole; 63: does not run there. */
export function pushCommand(far: Far, digest: string): string {
  const versions = `${home}/versions`;
  const part = `${versions}/part-${far.mark}`;
  return wrapped(
    far,
    "umask 077",
    `rm -rf ${versions}/part-*`,
    `mkdir -p ${part} || exit 61`,
    `gzip -dc | tar -xf - -C ${part}`,
    `[ -f ${part}/${completeMark} ] || { rm -rf ${part}; exit 62; }`,
    `${part}/bin/tranship version >/dev/null || { rm -rf ${part}; exit 63; }`,
    `rm -rf ${versions}/${digest}`,
    `mv ${part} ${versions}/${digest} || exit 61`,
  );
}

export type FarFile = "run" | "keep" | "end" | "token" | "ca.pem" | "unit";

/** Takes the file on its input, of so many bytes: what a broken link leaves does not become the file. */
export function putCommand(far: Far, file: FarFile, size: number | "SIZE"): string {
  const target = file === "unit" ? unitFile : `${home}/${file}`;
  const mode = { run: 700, keep: 700, end: 700, token: 600, "ca.pem": 644, unit: 644 }[file];
  return wrapped(
    far,
    "umask 077",
    `mkdir -p ${home} && : >${home}/changed || exit 61`,
    `cat >${target}.new || exit 61`,
    `[ $(wc -c <${target}.new) -eq ${size} ] || exit 62`,
    `chmod ${mode} ${target}.new && mv ${target}.new ${target} || exit 61`,
  );
}

const stop = [
  `if ${hasSystemd} && [ -f ${unitFile} ]; then systemctl stop ${unitName}; fi`,
  `${keeperRuns} && kill $p && i=0 && while ${keeperRuns} && [ $i -lt ${tries} ]; do ${pause}; i=$((i+1)); done`,
  `${keeperRuns} && kill -9 $p`,
  // One whose keeper was killed.
  `${agentRuns} && kill $p && i=0 && while ${agentRuns} && [ $i -lt ${tries} ]; do ${pause}; i=$((i+1)); done`,
  `${agentRuns} && kill -9 $p`,
];

/** Ends an agent that runs there, and starts it as it is now. */
export function startCommand(far: Far, systemd: boolean): string {
  const begin = systemd
    ? [
        "systemctl daemon-reload",
        `systemctl enable --quiet ${unitName}`,
        `systemctl restart ${unitName} || exit 64`,
      ]
    : [`setsid ${home}/keep </dev/null >/dev/null 2>&1 & :`];
  // What it says now is looked for, not what one before it said.
  return wrapped(
    far,
    isOurs,
    ...stop,
    `mv -f ${home}/agent.log ${home}/agent.log.1 2>/dev/null`,
    ...begin,
    `rm -f ${home}/changed`,
  );
}

/** Says `mark-joined` when the control plane has taken the agent in; else what the agent said last. */
export function waitCommand(far: Far): string {
  return wrapped(
    far,
    "i=0",
    `while [ $i -lt ${tries} ]; do grep -q "has joined" ${home}/agent.log 2>/dev/null && echo ${far.mark}-joined && exit 0; ${pause}; i=$((i+1)); done`,
    `tail -n 5 ${home}/agent.log`,
    "exit 65",
  );
}

/** Ends the agent. */
export function stopCommand(far: Far): string {
  return wrapped(
    far,
    isOurs,
    ...stop,
    `if ${hasSystemd} && [ -f ${unitFile} ]; then systemctl disable --quiet ${unitName}; fi`,
  );
}

/** Ends the tasks that the node still runs. */
export function endTasksCommand(far: Far): string {
  return wrapped(far, `[ -f ${home}/end ] || exit 0`, `exec ${home}/end`);
}

/** Removes all that was put there. */
export function removeCommand(far: Far): string {
  return wrapped(
    far,
    `if [ -f ${unitFile} ]; then rm -f ${unitFile}; ${hasSystemd} && systemctl daemon-reload; fi`,
    `rm -rf ${home}`,
  );
}
