import { TranshipError } from "../../base/errors.ts";
import { parseDuration } from "../../base/units.ts";
import { captureProcess } from "../../capture/capture-process.ts";
import type { Wanted } from "../../discover/running-program.ts";
import type { Context } from "../context.ts";
import { type Call, flag, type OptionValues, text } from "../verb.ts";
import { runCapture } from "./capture-verb.ts";
import { applicationOf, choicesOf, portNumber } from "./requests.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const { options } = call;
  await runCapture(
    call,
    context,
    (machine, reference, tools) => {
      const planOnly = flag(options, "planOnly") && !flag(options, "dryRun");
      return captureProcess(
        {
          machine,
          wanted: wantedOf(options),
          application: applicationOf({ ...options, service: [] }, [], reference),
          choices: choicesOf(options),
          planFile: planOnly ? text(options, "output") : undefined,
          data: text(options, "data") ?? "copy",
          restart: restartOf(options),
          time: parseDuration(text(options, "for") ?? (machine.kind === "local" ? "30s" : "0s")),
          printed: planOnly && text(options, "output") === undefined,
        },
        tools,
      );
    },
    () => void wantedOf(options),
  );
}

function wantedOf(options: OptionValues): Wanted {
  const [pid, service, listening] = [
    text(options, "pid"),
    text(options, "service"),
    text(options, "listening"),
  ];
  const given = [pid, service, listening].filter((one) => one !== undefined);
  if (given.length !== 1)
    throw new TranshipError(
      "E_USAGE",
      "name the running program by one of --pid, --service and --listening",
      {
        hint: "`tranship discover` lists processes, services and listening sockets",
      },
    );
  if (pid !== undefined) return { kind: "pid", pid: processNumber(pid) };
  if (service !== undefined) return { kind: "service", name: service };
  return { kind: "listening", port: portNumber(listening ?? "") };
}

function restartOf(options: OptionValues): { exercise: string | undefined } | undefined {
  const exercise = text(options, "exercise");
  if (flag(options, "restart")) return { exercise };
  if (exercise === undefined) return undefined;
  throw new TranshipError(
    "E_USAGE",
    "--exercise needs --restart: a running program is not asked anything by us",
    {
      hint: "give --restart, or use the program yourself while it is watched (--for)",
    },
  );
}

function processNumber(word: string): number {
  if (/^[1-9]\d{0,9}$/.test(word)) return Number(word);
  throw new TranshipError("E_USAGE", `${JSON.stringify(word)} is not the number of a process`, {
    hint: "a whole number above 0, as ps shows it",
  });
}
