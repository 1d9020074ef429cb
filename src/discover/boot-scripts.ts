// What a machine's administrator starts at each boot by a script of his own: /etc/rc.local and its kin. No unit and no init script
// names what they start, so without them a daemon would have no service that anybody could see.
import type { ByteString } from "../formats/entry.ts";
import { splitWords } from "../formats/words.ts";
import type { ServiceFact } from "./inventory.ts";
import { maskArguments, maskText } from "./mask.ts";
import type { Source } from "./source.ts";

export interface BootScript {
  path: ByteString;
  /** Its lines that start something, as written. */
  commands: ByteString[];
}

/** Debian's, Red Hat's (of which the first is a link to it) and SUSE's. */
const places: readonly ByteString[] = ["/etc/rc.local", "/etc/rc.d/rc.local", "/etc/init.d/boot.local"];
const maxCommands = 100;
const maxScript = 256 << 10;
/** Words of the shell and what only sets or says something. */
const startsNothing =
  /^(exit|return|set|export|unset|umask|ulimit|cd|shift|trap|local|readonly|echo|printf|sleep|true|false|:|touch|then|else|fi|do|done|esac|\{|\}|;;)(\s|;|$)|^(if|elif|while|until|for|case)\s|^\w+\(\)|^[A-Za-z_]\w*=\S*$|^\S+\)$/;

/** Those that are executable: the others are not started. Those that start nothing have no commands. */
export async function readBootScripts(source: Source): Promise<BootScript[]> {
  const found = new Map<ByteString, BootScript>();
  for (const path of places) {
    const canonical = await source.canonical(path);
    const entry = canonical === undefined ? undefined : await source.stat(canonical);
    if (canonical === undefined || entry?.kind !== "file" || (entry.mode & 0o111) === 0) continue;
    if (found.has(canonical)) continue;
    found.set(canonical, { path, commands: commandsOf((await source.text(path, maxScript)) ?? "") });
  }
  return [...found.values()];
}

function commandsOf(text: ByteString): ByteString[] {
  const lines = text.replace(/\\\n/g, " ").split("\n");
  const commands = lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
  return commands.filter((line) => !startsNothing.test(line)).slice(0, maxCommands);
}

const names: ReadonlySet<ByteString> = new Set(["rc-local", "rc.local", "boot.local"]);

export function isBootScript(service: ServiceFact): boolean {
  return names.has(service.name) || service.aliases.some((alias) => names.has(alias));
}

/**
 * Adds what the scripts start to the service that starts them, or makes one where none is known: an init that goes through links of
 * run levels. systemd's generator enables rc-local.service where the script is executable; without that unit it starts none.
 */
export async function addBootScripts(
  source: Source,
  services: ServiceFact[],
  make: (name: ByteString, path: ByteString) => ServiceFact,
): Promise<void> {
  for (const { path, commands } of await readBootScripts(source)) {
    const known = services.find(isBootScript);
    if (known === undefined && commands.length === 0) continue;
    const service = known ?? make("rc.local", path);
    if (known === undefined) {
      const systemd =
        (await source.exists("/lib/systemd/systemd")) || (await source.exists("/usr/lib/systemd/systemd"));
      service.state = systemd ? "disabled" : "enabled";
      service.type = "forking";
      service.exec.start = [`${path} start`];
      if (systemd) service.problems.push(`systemd starts ${path} by rc-local.service, which is not there`);
      else service.enabledBy.push(path);
      services.push(service);
    } else if (known.state !== "masked" && (known.manager === "systemd" || known.from.includes(path))) {
      known.state = "enabled";
      if (!known.enabledBy.includes(path)) known.enabledBy.push(path);
    }
    service.exec.start.push(...commands.map(shown));
  }
}

function shown(line: ByteString): ByteString {
  const words = splitWords(line).map((word) => word.text);
  const hidden = maskArguments(words);
  // Only what has a secret loses its quotes.
  return hidden.every((word, index) => word === words[index]) ? maskText(line) : hidden.join(" ");
}
