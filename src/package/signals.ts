// Names of signals, with the numbers of Linux on amd64 and arm64.

const names =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(
    " ",
  );

/** "SIGTERM", "term", "RTMIN+3" or "15"; undefined where it is no signal. */
export function signalOf(text: string): number | undefined {
  const name = text.toUpperCase().replace(/^SIG/, "");
  const realTime = /^RTMIN(?:\+(\d{1,2}))?$/.exec(name);
  const number = realTime
    ? 34 + Number(realTime[1] ?? 0)
    : /^\d{1,2}$/.test(name)
      ? Number(name)
      : names.indexOf(name) + 1;
  return number < 1 || number > 64 ? undefined : number;
}

export const signalNames: readonly string[] = names.map((name) => `SIG${name}`);
