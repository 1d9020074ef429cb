// Secrets do not enter an inventory: names that look like one lose their value. One place decides what looks like one.
import type { ByteString } from "../formats/entry.ts";

export const masked = "***";

const secretName =
  /(pass(word|wd|phrase)?|pwd|secret|token|api[-_]?key|private[-_]?key|access[-_]?key|credential|auth(?!or)|dsn|cookie|salt)/i;

export function looksSecret(name: string): boolean {
  return secretName.test(name);
}

export function maskEnvironment(values: Readonly<Record<string, ByteString>>): Record<string, ByteString> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      value !== "" && looksSecret(name) ? masked : maskText(value),
    ]),
  );
}

/** Masks `--password=x`, `--password x`, `-pX` of the mysql clients and user:password@ in addresses. */
export function maskArguments(args: readonly ByteString[]): ByteString[] {
  return args.map((argument, index) => {
    const before = args[index - 1] ?? "";
    if (
      index > 0 &&
      /^--?[a-z]/i.test(before) &&
      !before.includes("=") &&
      looksSecret(before) &&
      !argument.startsWith("-")
    ) {
      return masked;
    }
    return maskText(argument);
  });
}

export function maskText(text: ByteString): ByteString {
  return text
    .replace(
      /((?:pass(?:word|wd)?|secret|token|api[-_]?key)[\w.-]{0,32}\s{0,4}[=:]\s{0,4})("[^"]*"|'[^']*'|[^\s;&,'"]+)/gi,
      `$1${masked}`,
    )
    .replace(/(--?(?:password|passwd|pass|secret|token|api-?key)\s+)([^\s-]\S*)/gi, `$1${masked}`)
    .replace(/(:\/\/[^\s/:@]{1,256}:)[^\s/@]{1,256}@/g, `$1${masked}@`)
    .replace(/(\bmysql(?:dump|admin)?\b[^\n]{0,400}? -p)[^\s-]\S*/g, `$1${masked}`);
}
