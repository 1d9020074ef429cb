// --secret TARGET=FILE[,uid=N][,gid=N][,mode=OCTAL]: docker's words for whose file it is to be.
import { resolve } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import type { InstanceSecret } from "../../runtime/record.ts";

const hint = "write --secret PATH=FILE[,uid=N][,gid=N][,mode=0400] or --secret NAME=FILE";
/** Ids that the kernel knows: the last one means "leave it". */
const mostId = 0xffff_fffe;

export function secretOption(entry: string): InstanceSecret {
  const [, target = "", file = "", owned = ""] =
    /^([^=]+)=([^,].*?)((?:,(?:uid|gid|mode)=[^,]*)*)$/s.exec(entry) ?? [];
  if (file === "") throw new TranshipError("E_USAGE", `not a secret: ${JSON.stringify(entry)}`, { hint });
  const secret: { -readonly [Key in keyof InstanceSecret]: InstanceSecret[Key] } = {
    target,
    source: resolve(file),
  };
  for (const word of owned.split(",").slice(1)) {
    const [key, value = ""] = word.split("=") as ["uid" | "gid" | "mode", string?];
    const number = key === "mode" ? modeOf(value) : idOf(value);
    if (number === undefined || secret[key] !== undefined)
      throw new TranshipError("E_USAGE", `--secret ${target}: not to be understood: ${word}`, { hint });
    secret[key] = number;
  }
  if (owned !== "" && !target.startsWith("/"))
    throw new TranshipError("E_USAGE", `--secret ${target}: a variable has no owner and no mode`, { hint });
  return secret;
}

function idOf(word: string): number | undefined {
  return /^\d{1,10}$/.test(word) && Number(word) <= mostId ? Number(word) : undefined;
}

function modeOf(word: string): number | undefined {
  return /^0?[0-7]{3}$/.test(word) ? Number.parseInt(word, 8) : undefined;
}
