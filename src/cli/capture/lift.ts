// The main job in one line. Each stage prints the command that it stands for and can be had alone.
import { createInterface } from "node:readline/promises";
import { assess } from "../../assess/assess.ts";
import { renderAssessment } from "../../assess/report.ts";
import { readTarget } from "../../assess/target.ts";
import { exitStatus, TranshipError } from "../../base/errors.ts";
import { parseDuration } from "../../base/units.ts";
import { captureInstalled } from "../../capture/capture-installed.ts";
import { captureRun } from "../../capture/capture-run.ts";
import type { OwnCapture } from "../../capture/captured.ts";
import type { PackedImage } from "../../capture/pack/pack.ts";
import { describePlan } from "../../capture/plan/plan-summary.ts";
import { type ParityReport, testParity } from "../../deploy/parity.ts";
import { parityText } from "../../deploy/parity-report.ts";
import { discover } from "../../discover/discover.ts";
import { shellWords } from "../../formats/shell-words.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Verification, verificationText, verifyPackage } from "../store/verify.ts";
import { type Call, flag, list, type OptionValues, text } from "../verb.ts";
import { checkEarly } from "./check-early.ts";
import { formatOf, imageValue, joinPlans, packAndTell, showPlan, withAllowed } from "./finish.ts";
import { remoteDryRun } from "./remote-dry-run.ts";
import { applicationOf, captureTools, choicesOf, requiredTag, runRequestOf } from "./requests.ts";
import { writeReport } from "./test.ts";
import { withMachine } from "./with-machine.ts";

export async function run(call: Call, context: Context): Promise<number> {
  const [address = "", ...command] = call.args;
  const { options } = call;
  const reference = requiredTag(options);
  const installed = list(options, "installed").length > 0;
  if (installed && command.length > 0) {
    throw new TranshipError("E_USAGE", "give --installed or a command, not both", {
      hint: "a command of the installed package is given with --cmd",
    });
  }
  // Asked for now: an answer that nobody can give must not cost a capture.
  if (!flag(options, "dryRun") && !context.yes && context.noInput) {
    throw new TranshipError("E_USAGE", "the plan cannot be agreed to: there is nobody to ask", {
      hint: "give --yes; or --dry-run, which stops at the plan",
    });
  }
  if (remoteDryRun(address, "capture", options, context, command)) return exitStatus.done;
  return await withMachine(
    { address, options, context },
    async (machine) => await lift(machine, reference, { args: command, options }, context),
  );
}

async function lift(machine: Machine, reference: string, call: Call, context: Context): Promise<number> {
  const { options } = call;
  const tools = captureTools(context);
  stage(context, ["discover", machine.address]);
  const inventory = await discover(machine);
  context.say(
    `${inventory.os.name || inventory.os.id}; ${inventory.services.length} services, ${inventory.installed.packages.length} installed packages`,
  );
  stage(context, ["assess", machine.address]);
  const assessment = await assess(inventory, machine, readTarget(context.root.path));
  context.say(renderAssessment(assessment));
  if (assessment.verdict === "Blocked") return exitStatus.blocked;
  const source = ["-m", machine.address, "-t", reference];
  await checkEarly(machine, options, tools);
  const installed = list(options, "installed");
  const verb = ["capture", installed.length > 0 ? "installed" : "run", ...source];
  const command = call.args.length > 0 ? ["--", ...call.args] : installed;
  stage(context, [...verb, ...flagsOf(options, captureFlags), "--plan-only", "-o", "plan.yaml", ...command]);
  const alone: OwnCapture =
    installed.length > 0
      ? await captureInstalled(
          {
            machine,
            application: applicationOf(options, [], reference),
            names: installed,
            choices: choicesOf(options),
          },
          tools,
        )
      : await captureRun(runRequestOf(options, call.args, machine, reference), tools);
  const image = await packAgreed(
    alone.machine ?? machine,
    { ...call, verb, alone, reference },
    context,
  ).finally(async () => await alone.close?.());
  if (typeof image === "number") return image;
  stage(context, ["verify", reference]);
  const verified = await verifyPackage(reference, false, context);
  const parity = verified.errors > 0 ? undefined : await compare(machine, reference, options, context);
  tell({ image, verified, parity }, options, context);
  if (verified.errors > 0) return exitStatus.no;
  return parity === undefined || parity.verdict === "same" ? exitStatus.done : exitStatus.no;
}

interface Planned extends Call {
  /** The words of the capture's own verb. */
  verb: readonly string[];
  alone: OwnCapture;
  reference: string;
}

/** The image; or the exit status where nothing was packed, because that was asked for or nobody agreed. */
async function packAgreed(
  machine: Machine,
  { options, verb, alone, reference }: Planned,
  context: Context,
): Promise<PackedImage | number> {
  const tools = captureTools(context);
  const captured = { ...alone, ...(await joinPlans(machine, alone, options, tools)) };
  if (flag(options, "dryRun")) {
    showPlan(captured.plan, options, context);
    return exitStatus.done;
  }
  for (const line of describePlan(captured.plan)) context.say(line);
  if (!(await agreed(context))) return exitStatus.failed;
  stage(context, [...verb, "--plan", "plan.yaml"]);
  return await packAndTell(machine, withAllowed(captured, options), reference, context, tools);
}

interface Lifted {
  image: PackedImage;
  verified: Verification;
  /** undefined where nothing was compared. */
  parity: ParityReport | undefined;
}

function tell({ image, verified, parity }: Lifted, options: OptionValues, context: Context): void {
  if (parity !== undefined) writeReport(parity, options, context);
  const format = formatOf(options);
  if (format !== undefined) {
    context.print(printValue({ image: imageValue(image), verify: verified, test: parity ?? null }, format));
    return;
  }
  context.print(`${image.name}@${image.indexDigest}`);
  context.print(verificationText(verified));
  if (parity !== undefined) context.print(parityText(parity));
}

async function compare(
  machine: Machine,
  reference: string,
  options: OptionValues,
  context: Context,
): Promise<ParityReport | undefined> {
  const words = ["test", reference, "--against", machine.address];
  const exercise = text(options, "exercise");
  const ports = list(options, "untilPort").map(Number);
  // What an installed package starts is not known to be a whole application.
  if (exercise === undefined && ports.length === 0 && list(options, "installed").length > 0) {
    const hint = shellWords(["tranship", ...words]);
    context.say(`not compared with the original: give --exercise or --until-port, or run \`${hint}\``);
    return undefined;
  }
  stage(context, [...words, ...flagsOf(options, testFlags)]);
  return await testParity({
    root: context.root, reference, against: machine, exercise, ports, masks: [], secrets: {}, timeout: parseDuration(text(options, "timeout") ?? "120s"), log: context.log, signal: context.signal,
  }); // biome-ignore format: short
}

function stage(context: Context, words: readonly string[]): void {
  context.say(`\n$ ${shellWords(["tranship", ...words])}`);
}

const captureFlags = [
  "service", "untilPort", "exercise", "linger", "timeout", "for", "network", "tracer", "learnSyscalls", "data", "also", "filters", "volume", "keepSecret", "keepIdentity",
  "cmd", "env", "port", "user", "workdir",
]; // biome-ignore format: a list
const testFlags = ["exercise", "untilPort", "timeout", "report"];
const defaults: Readonly<Record<string, string>> = {
  linger: "2s",
  timeout: "120s",
  network: "own",
  tracer: "auto",
  data: "copy",
};

/** The flags of these names as they were given, without those that say what is so anyway. */
export function flagsOf(options: OptionValues, names: readonly string[]): string[] {
  const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (char) => `-${char.toLowerCase()}`)}`;
  const words = names.flatMap((name) => {
    // In the order in which they were given, whatever their names.
    if (name === "filters") return list(options, name).flatMap((one) => [flagOf(one.replace(/ .*/s, "")), one.replace(/^\S+ /, "")]); // biome-ignore format: short
    const word = flagOf(name);
    return list(options, name).filter((value) => value !== defaults[name]).flatMap((value) => [word, value]); // biome-ignore format: short
  });
  if (names !== captureFlags) return words;
  return [
    ...words,
    ...(options.inPlace === true ? ["--in-place"] : []),
    ...(options.witness === false ? ["--no-witness"] : []),
    ...(options.closure === false ? ["--no-closure"] : []),
  ];
}

/** The plan was shown; it is carried out when a person says so, or beforehand with --yes. */
async function agreed(context: Context): Promise<boolean> {
  if (context.yes) return true;
  // Not as a terminal: Ctrl-C has to reach the process as a signal.
  const terminal = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  try {
    const answer = await Promise.race([
      terminal.question("\nCapture according to this plan? [y/N] ", { signal: context.signal }),
      new Promise<string>((resolve) => terminal.once("close", () => resolve(""))),
    ]);
    if (/^y(es)?$/i.test(answer.trim())) return true;
    context.say("nothing was captured");
    return false;
  } finally {
    terminal.close();
  }
}
