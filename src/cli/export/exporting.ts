// What all exports have in common: the package and its facts, what the image has inside, and where the artefacts go.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { Artefact, Exported } from "../../export/artefacts.ts";
import type { ExportWishes } from "../../export/facts.ts";
import { checkName } from "../../export/names.ts";
import { ioError, writeFileAtomic } from "../../host/files.ts";
import type { Descriptor } from "../../package/descriptor.ts";
import type { Context } from "../context.ts";
import { insideOf } from "../store/inside.ts";
import { packagedOf } from "../store/packaged.ts";
import { type Call, flag, list, text } from "../verb.ts";

export interface Package {
  reference: string;
  descriptor: Descriptor;
}

/** Platforms see the image, not the descriptor beside it: where that is another one, it is said. `alone`: the platform is none of ours. */
export async function packageFor(call: Call, context: Context, alone = true): Promise<Package> {
  const [reference = ""] = call.args;
  const packaged = packagedOf(context, reference);
  const { descriptor, changed } = await insideOf(packaged, packaged.text, reference);
  if (alone && changed)
    context.log.warn(
      `${reference} has another descriptor inside than beside it: make one that has it with \`tranship package bake -t NAME ${reference}\`, and export that`,
    );
  return { reference, descriptor };
}

export function wishesOf(call: Call, { reference, descriptor }: Package): ExportWishes {
  const name = text(call.options, "name");
  return {
    image: text(call.options, "image") ?? reference,
    hostPorts: hostPorts(list(call.options, "publish"), reference, descriptor),
    optionalSecrets: flag(call.options, "optionalSecrets"),
    ...(name === undefined ? {} : { name: checkName(name) }),
  };
}

function hostPorts(words: readonly string[], reference: string, { ports }: Descriptor): Map<number, number> {
  return new Map(
    words.map((word) => {
      const [, host, inside] = /^(\d{1,5}):(\d{1,5})$/.exec(word) ?? [];
      if (host === undefined || Number(host) < 1 || Number(host) > 65_535)
        throw new TranshipError("E_USAGE", `--publish ${word} is not HOSTPORT:PORT`, {
          hint: "write for example -p 8080:80",
        });
      if (!ports.some(({ port }) => port === Number(inside)))
        throw new TranshipError("E_USAGE", `${reference} names no port ${inside} to publish`, {
          hint: `it has ${ports.map(({ port }) => port).join(", ") || "none"}; \`tranship package edit\` adds others`,
        });
      return [Number(inside), Number(host)];
    }),
  );
}

/** Without -o the main artefact is printed. What is left out and what comes next is told on standard error. */
export function deliver(call: Call, context: Context, { artefacts, left, next }: Exported): void {
  const directory = text(call.options, "output");
  if (directory === undefined) {
    const [main, ...others] = artefacts;
    context.print(main.text);
    for (const { path } of others) context.log.warn(`${path} goes with it: -o DIR writes all files`);
  } else {
    write(resolve(directory), artefacts, flag(call.options, "force"));
    for (const { path } of artefacts) context.print(join(directory, path));
  }
  for (const one of left) context.log.warn(`not carried over: ${one}`);
  for (const one of next) context.say(`next: ${one}`);
}

/** All of them or none: what stands there and was changed by somebody is not lost. */
function write(directory: string, artefacts: readonly Artefact[], force: boolean): void {
  const changed = artefacts.filter(({ path, text: wanted }) => {
    const there = join(directory, path);
    return existsSync(there) && read(there) !== wanted;
  });
  if (!force && changed.length > 0)
    throw new TranshipError(
      "E_IO",
      `${join(directory, changed[0]?.path ?? "")} is there with other content`,
      {
        hint: "look at what was changed in it; --force writes over it",
      },
    );
  try {
    mkdirSync(directory, { recursive: true });
    for (const { path, text: wanted } of artefacts) writeFileAtomic(join(directory, path), wanted);
  } catch (cause) {
    throw ioError(`cannot write into ${directory}`, cause);
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw ioError(`cannot read ${path}`, cause);
  }
}
