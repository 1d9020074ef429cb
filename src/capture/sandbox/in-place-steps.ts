// What --in-place adds to --dry-run: every command that it would run there, and the script that runs the tracer.
import { nativePath } from "../../host/native.ts";
import type { RemoteStep } from "../../machine/ssh/dry-run.ts";
import { pushDirectories, putCommand, runCommand, startCommand } from "../../machine/ssh/scripts.ts";
import { inPlaceScript } from "./in-place-script.ts";

export interface InPlaceChoices {
  /** "services" of the machine, or the words of one command. */
  command: readonly string[];
  mode: string;
  exercise: string | undefined;
  sudo: boolean;
}

/** `name` stands for the random name of the collector's directory. */
export function inPlaceSteps(name: string, choices: InPlaceChoices): RemoteStep[] {
  const directory = pushDirectories[0] ?? "/tmp";
  const put = (file: string, what: string): RemoteStep => {
    return { what: `writes ${what} beside the collector`, command: putCommand(name, directory, file) };
  };
  const script = inPlaceScript({
    mark: name,
    tracer: ["$d/trace", "--mode", choices.mode === "auto" ? "seccomp" : choices.mode],
    command: ["$d/init", "--run", "$d/.", ...(choices.command.length > 0 ? ["@main"] : [])],
    environment: { PATH: "...", HOME: "/root" },
  });
  const what = choices.command.length > 0 ? choices.command.join(" ") : "the services";
  return [
    put("trace", `the tracer (${nativePath("trace")}, on its stdin)`),
    put("init", `the program that starts what is traced (${nativePath("init")}, on its stdin)`),
    put("init.bin", "its plan: what is started, as whom, with which variables"),
    put("try", "the script below, to try the tracer on `init --version`"),
    { what: "runs that", command: startCommand(name, directory, "try", choices.sudo) },
    put("watch", "the script below"),
    {
      what: `runs that: ${what}, traced, on the machine's own files`,
      command: startCommand(name, directory, "watch", choices.sudo),
    },
    { what: "that script, with further variables of the application", command: script.trimEnd() },
    ...(choices.exercise === undefined
      ? []
      : [
          put("exercise", `the exercise (${choices.exercise}, on its stdin)`),
          { what: "runs the exercise", command: runCommand(name, directory, "exercise", choices.sudo) },
        ]),
  ];
}
