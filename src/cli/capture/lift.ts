// The main job in one line. Each stage prints the command that it stands for and can be had alone.
import { createInterface } from "node:readline/promises";
import { assess } from "../../assess/assess.ts";
import { renderAssessment } from "../../assess/report.ts";
import { readTarget } from "../../assess/target.ts";
import { exitStatus, TranshipError } from "../../base/errors.ts";
import { parseDuration } from "../../base/units.ts";
import { type Captured, captureInstalled, captureRun } from "../../capture/capture.ts";
import { describePlan } from "../../capture/plan-summary.ts";
import { testParity } from "../../deploy/parity.ts";
import { discover } from "../../discover/discover.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Context } from "../context.ts";
import { run as runVerify } from "../store/verify.ts";
import { type Call, list, text } from "../verb.ts";
import { packAndTell, withMachine } from "./finish.ts";
import { applicationOf, captureTools, choicesOf, requiredTag, runRequestOf } from "./requests.ts";
import { tellReport } from "./test.ts";

export async function run(call: Call, context: Context): Promise<number> {
  const [address = "", ...command] = call.args;
  const reference = requiredTag(call.options);
  return await withMachine(
    address,
    async (machine) => await lift(machine, reference, { args: command, options: call.options }, context),
  );
}

async function lift(machine: Machine, reference: string, call: Call, context: Context): Promise<number> {
  const { options } = call;
  const tools = captureTools(context);
  const what = wordsOf(call);
  stage(context, `tranship discover ${machine.address}`);
  const inventory = await discover(machine);
  context.say(
    `${inventory.os.name || inventory.os.id}; ${inventory.services.length} services, ${inventory.installed.packages.length} installed packages`,
  );
  stage(context, `tranship assess ${machine.address}`);
  const assessment = await assess(inventory, machine, readTarget(context.root.path));
  context.say(renderAssessment(assessment));
  if (assessment.verdict === "Blocked") return exitStatus.blocked;
  const verb = list(options, "installed").length > 0 ? "installed" : "run";
  stage(context, `tranship capture ${verb} -m ${machine.address} -t ${reference} --plan-only ${what}`);
  const captured: Captured =
    verb === "installed"
      ? await captureInstalled(
          {
            machine,
            application: applicationOf(options, [], reference),
            names: list(options, "installed"),
            choices: choicesOf(options),
          },
          tools,
        )
      : await captureRun(runRequestOf(options, call.args, machine, reference), tools);
  for (const line of describePlan(captured.plan)) context.say(line);
  if (!(await agreed(context))) return exitStatus.failed;
  stage(context, `tranship capture ${verb} -m ${machine.address} -t ${reference} --plan plan.yaml`);
  await packAndTell(machine, captured, reference, context, tools);
  stage(context, `tranship verify ${reference}`);
  const verified = await runVerify({ args: [reference], options: {} }, context);
  if (verified !== exitStatus.done) return verified;
  return await compare(machine, reference, call, context);
}

async function compare(machine: Machine, reference: string, call: Call, context: Context): Promise<number> {
  const { options } = call;
  // A command that ends by itself leaves nothing to compare beside its output; services and servers are exercised.
  const exercise = text(options, "exercise");
  const ports = list(options, "untilPort").map(Number);
  if (exercise === undefined && ports.length === 0) {
    context.say(
      `not compared with the original: give --exercise or --until-port, or run \`tranship test ${reference} --against ${machine.address}\``,
    );
    return exitStatus.done;
  }
  stage(
    context,
    `tranship test ${reference} --against ${machine.address}${exercise === undefined ? "" : ` --exercise ${exercise}`}`,
  );
  const report = await testParity({
    root: context.root, reference, against: machine, exercise, ports, masks: [], secrets: {}, timeout: parseDuration(text(options, "timeout") ?? "120s"), log: context.log, signal: context.signal,
  }); // biome-ignore format: short
  tellReport(report, options, context);
  return report.verdict === "same" ? exitStatus.done : exitStatus.no;
}

function stage(context: Context, command: string): void {
  context.say(`\n$ ${command.trim()}`);
}

function wordsOf(call: Call): string {
  const named = list(call.options, "service").map((name) => `--service ${name}`);
  const ports = list(call.options, "untilPort").map((port) => `--until-port ${port}`);
  return [
    ...named,
    ...ports,
    ...list(call.options, "installed"),
    ...(call.args.length > 0 ? ["--", ...call.args] : []),
  ].join(" ");
}

/** The plan was shown; it is carried out when a person says so, or beforehand with --yes. */
async function agreed(context: Context): Promise<boolean> {
  if (context.yes) return true;
  if (context.noInput) {
    throw new TranshipError("E_USAGE", "the plan was not agreed to: there is nobody to ask", {
      hint: "give --yes, or use --plan-only and --plan",
    });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question("\nCapture according to this plan? [y/N] ", {
      signal: context.signal,
    });
    if (/^y(es)?$/i.test(answer.trim())) return true;
    context.say("nothing was captured");
    return false;
  } finally {
    terminal.close();
  }
}
