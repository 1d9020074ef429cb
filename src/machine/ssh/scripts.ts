// Every command that runs on a far machine. A login shell of any kind reads them first: inside the single quotes stands no single quote,
// no exclamation mark, no backslash and no line end, which csh and fish would take for themselves.
//
// The keeper holds the connection open. When it is told to end, or its input ends because we died or lost the link, it removes what was
// pushed. In the second case sessions beside it may still write, as the far side hears of their ends in any order: it removes that too.

/** Directories that are tried for the collector, in order. */
export const pushDirectories: readonly string[] = ["/tmp", "/var/tmp", "/dev/shm"];

/** Programs that the probe looks for: what the way without a collector is chosen by. */
export const probedPrograms: readonly string[] = [
  "stat",
  "find",
  "ls",
  "cat",
  "dd",
  "tail",
  "head",
  "readlink",
  "tar",
];

function wrapped(script: string): string {
  return `sh -c '${script}'`;
}

/** What ends the keeper. */
export const keeperEnd = "end\n";

/** `name` is ours and random: "tranship-" and hexadecimal digits. Output: a line `name`, the probe, a line `name-end`. */
export function keeperCommand(name: string, pushes: boolean): string {
  const directories = pushDirectories.map((directory) => `${directory}/${name}`).join(" ");
  const remove = `for i in 1 2 3 4 5; do rm -rf ${directories} && break; sleep 1; done`;
  return wrapped(
    [
      ...(pushes ? [`trap "${remove}" 0`, `trap "exit 1" 1 2 13 15`] : []),
      `echo ${name}`,
      `echo system=$(uname -s 2>/dev/null)`,
      `echo machine=$(uname -m 2>/dev/null)`,
      `echo release=$(uname -r 2>/dev/null)`,
      `echo uid=$(id -u 2>/dev/null)`,
      `for c in ${probedPrograms.join(" ")}; do command -v $c >/dev/null 2>&1 && echo has=$c; done`,
      `echo ${name}-end`,
      "while read x; do exit; done",
      ...(pushes ? [remove, "sleep 2"] : []),
    ].join("; "),
  );
}

/** Takes the collector on its stdin. Output: `name-sum=...`, `name-run=STATUS` (125 where it runs: it was called without arguments). */
export function pushCommand(name: string, directory: string): string {
  const d = `${directory}/${name}`;
  return wrapped(
    [
      "umask 077",
      `mkdir -m 700 ${d} || exit 61`,
      `{ cat >${d}/tree && chmod 700 ${d}/tree; } || { rm -rf ${d}; exit 62; }`,
      `echo ${name}-sum=$(sha256sum ${d}/tree 2>/dev/null || cksum ${d}/tree 2>/dev/null)`,
      `${d}/tree >/dev/null 2>&1; echo ${name}-run=$?`,
    ].join("; "),
  );
}

/** Removes one pushed collector that turned out to be of no use. */
export function dropCommand(name: string, directory: string): string {
  return wrapped(`rm -rf ${directory}/${name}`);
}

/** Beside the collector: what --in-place puts there. */
export function inPlaceDirectory(name: string, directory: string): string {
  return `${directory}/${name}/in-place`;
}

/** Takes a file on its stdin. Output: `name-sum=...`. `file` is ours: letters, digits, dots and dashes. */
export function putCommand(name: string, directory: string, file: string): string {
  const at = inPlaceDirectory(name, directory);
  return wrapped(
    [
      "umask 077",
      `mkdir -p ${at}`,
      `cat >${at}/${file} && chmod 700 ${at}/${file} || exit 62`,
      `echo ${name}-sum=$(sha256sum ${at}/${file} 2>/dev/null || cksum ${at}/${file} 2>/dev/null)`,
    ].join("; "),
  );
}

/** Runs a file that was put there, with its directory for results. */
export function runCommand(name: string, directory: string, file: string, sudo: boolean): string {
  const at = inPlaceDirectory(name, directory);
  const variables = `TRANSHIP_RESULTS=${at}/results TRANSHIP_HOST=127.0.0.1`;
  return wrapped(
    `mkdir -p ${at}/results; cd /; exec ${sudo ? "sudo -n " : ""}env ${variables} ${at}/${file}`,
  );
}

export function startPreamble(name: string): string {
  return `${name}-start\n`;
}

/** Runs a script that was put there; output begins with startPreamble(). */
export function startCommand(name: string, directory: string, file: string, sudo: boolean): string {
  const at = inPlaceDirectory(name, directory);
  return wrapped(`echo ${name}-start; exec ${sudo ? "sudo -n " : ""}sh ${at}/${file} ${at}`);
}

export function servePreamble(name: string): string {
  return `${name}-serve\n`;
}

/** A shell that takes scripts on its input: shell-scripts.ts. */
export function shellCommand(sudo: boolean): string {
  return wrapped(`exec ${sudo ? "sudo -n " : ""}sh`);
}

/** Serves the whole machine; output begins with servePreamble(). */
export function serveCommand(name: string, directory: string, sudo: boolean): string {
  return wrapped(`echo ${name}-serve; exec ${sudo ? "sudo -n " : ""}${directory}/${name}/tree serve /`);
}
