// Command lines of run conditions and scripts, as programs and hooks of a descriptor.

import { parseDuration } from "../../base/units.ts";
import type { EmpProgram } from "../../formats/emp/files.ts";
import {
  engineCall,
  enginePath,
  joinArguments,
  runConditionIn,
  runnerOf,
} from "../../formats/emp/run-conditions.ts";
import type { Hook, Program } from "../descriptor.ts";
import { empPath, packagePath } from "./paths.ts";

const fileArguments = "%FILEARGS%";

/** A name of a descriptor: other characters than it may have become _. */
export function plainName(text: string): string {
  const plain = text.replace(/[^A-Za-z0-9_.-]+/g, "_").slice(0, 128);
  return /^[A-Za-z0-9]/.test(plain) ? plain : `x${plain}`.slice(0, 128);
}

export function programOf(one: EmpProgram): Program {
  const directory = one.workingDirectory === undefined ? undefined : packagePath(one.workingDirectory);
  return {
    name: plainName(one.runCondition ?? ""),
    command: commandOf(one),
    ...(directory === undefined ? {} : { workingDirectory: directory }),
  };
}

/** What the engine starts; arguments that name files of the package name them as the package does. */
function commandOf(one: EmpProgram): string[] {
  const call = engineCall(one.path ?? "", one.arguments ?? "");
  const words = call.arguments.filter((word) => word.toUpperCase() !== fileArguments);
  return [call.program, ...words].map((word) => packagePath(word) ?? word);
}

export function empProgram({ name, command, workingDirectory }: Program): EmpProgram {
  return {
    runCondition: name,
    windowStyle: "Hidden",
    ...engineStart(command, [fileArguments]),
    ...(workingDirectory === undefined ? {} : { workingDirectory: empPath(workingDirectory) }),
    wait: "None",
    waitTimeout: "0",
  };
}

function engineStart(
  command: readonly string[],
  more: readonly string[] = [],
): Pick<EmpProgram, "path" | "arguments"> {
  const [program = "", ...rest] = command;
  const started = program.startsWith("/") ? empPath(program) : program;
  return { path: enginePath, arguments: joinArguments(["/f", started, ...rest, ...more]) };
}

/** A script of EMP runs on the host, unless it is the engine that starts it, or a file of the package. */
export function hookOf(one: EmpProgram): Hook {
  const condition = runConditionIn(`x ${one.arguments ?? ""}`);
  const seconds = Number(one.waitTimeout ?? "0");
  const timeout = Number.isInteger(seconds) && seconds > 0 ? { timeout: `${seconds}s` } : {};
  const path = one.path ?? "";
  if (condition !== undefined && path.toLowerCase() === runnerOf().path.toLowerCase())
    return { program: plainName(condition), where: "package", ...timeout };
  const isEngine = path.toLowerCase() === enginePath.toLowerCase();
  const inside = isEngine || packagePath(path) !== undefined;
  return { command: commandOf(one), where: inside ? "package" : "host", ...timeout };
}

export function empHook(hook: Hook, order: number, preInstall: boolean): EmpProgram {
  const [program = "", ...rest] = hook.command ?? [];
  const start =
    hook.program !== undefined
      ? { path: runnerOf().path, arguments: runnerOf().arguments(hook.program) }
      : hook.where === "package"
        ? engineStart(hook.command ?? [])
        : { path: program, arguments: joinArguments(rest) };
  return {
    order: String(order),
    ...(preInstall ? { preInstall: "true" } : {}),
    windowStyle: "Hidden",
    ...start,
    wait: "Exit",
    waitTimeout: hook.timeout === undefined ? "0" : String(Math.ceil(parseDuration(hook.timeout) / 1000)),
  };
}

/** Milliseconds as EMP writes them. */
export function millisecondsOf(duration: string): string {
  return String(parseDuration(duration));
}

export function durationOf(milliseconds: string | undefined): string | undefined {
  const value = Number(milliseconds ?? "");
  return milliseconds === undefined || !Number.isInteger(value) || value <= 0 || value > 0xffff_fffe
    ? undefined
    : value % 1000 === 0
      ? `${value / 1000}s`
      : `${value}ms`;
}
