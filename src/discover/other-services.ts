// Services that something other than systemd keeps: init scripts, upstart, inittab, inetd, xinetd, runit, supervisor.
import type { ByteString } from "../formats/entry.ts";
import { parseInitScript, parseInittab, parseRcLink, parseXinetd, type RcLink } from "../formats/sysv.ts";
import { parseUnit, UnitSettings } from "../formats/units.ts";
import { parseUpstart } from "../formats/upstart.ts";
import { splitWords } from "../formats/words.ts";
import type { ServiceFact, ServiceManager } from "./inventory.ts";
import { maskArguments, maskEnvironment } from "./mask.ts";
import { baseName, type Source } from "./source.ts";

const scriptDirectories = ["/etc/init.d", "/etc/rc.d/init.d"];
const noServices =
  /^(README|skeleton|functions|rcS?|halt|killall|single|reboot|\..*|.*\.(dpkg|rpm)[-\w]*|.*~)$/;
const maxScripts = 5000;

export async function readOtherServices(
  source: Source,
  systemd: readonly ServiceFact[],
): Promise<ServiceFact[]> {
  const native = new Set(systemd.flatMap((service) => [service.name, ...service.aliases]));
  return [
    ...(await readScripts(source, native)),
    ...(await readUpstart(source)),
    ...(await readInittab(source)),
    ...(await readInetd(source)),
    ...(await readXinetd(source)),
    ...(await readRunit(source)),
    ...(await readSupervisor(source)),
  ];
}

/** A service of which only the name, the manager and the files are known. */
export function plainService(name: ByteString, manager: ServiceManager, from: ByteString[]): ServiceFact {
  return {
    name,
    manager,
    from,
    description: "",
    type: "",
    state: "unknown",
    enabledBy: [],
    aliases: [],
    template: false,
    exec: { start: [], before: [], stop: [] },
    program: "",
    user: "",
    group: "",
    environment: {},
    environmentFiles: [],
    workingDirectory: "",
    pidFile: "",
    runtimeDirectories: [],
    dataDirectories: [],
    after: [],
    requires: [],
    pids: [],
    problems: [],
  };
}

/** An init script is a service unless a unit of the same name stands before it, as systemd's generator decides too. */
async function readScripts(source: Source, native: ReadonlySet<ByteString>): Promise<ServiceFact[]> {
  const links = await readRcLinks(source);
  const services = new Map<ByteString, ServiceFact>();
  for (const directory of scriptDirectories) {
    for (const path of (await source.filesIn(directory, /^[^.]/)).slice(0, maxScripts)) {
      const name = baseName(path);
      if (noServices.test(name) || native.has(name.replace(/\.sh$/, "")) || services.has(name)) continue;
      const text = await source.text(path);
      if (text?.startsWith("#!") !== true) continue;
      services.set(name, scriptService(path, text, links.get(name) ?? []));
    }
  }
  return [...services.values()];
}

function scriptService(path: ByteString, text: ByteString, links: readonly Link[]): ServiceFact {
  const script = parseInitScript(text);
  const service = plainService(baseName(path), "sysv", [path]);
  const starting = links.filter((link) => link.start && link.runlevel !== "0" && link.runlevel !== "6");
  service.description = script.description;
  service.type = "forking";
  service.state = starting.length > 0 ? "enabled" : "disabled";
  service.enabledBy = starting.map((link) => link.path);
  service.aliases = script.provides.filter((name) => name !== service.name && !name.startsWith("$"));
  service.exec = { start: [`${path} start`], before: [], stop: [`${path} stop`] };
  service.program = script.daemon ?? "";
  service.pidFile = script.pidFile ?? "";
  service.requires = script.requiredStart;
  service.after = script.shouldStart;
  if (!script.hasHeader) service.problems.push("the script has no LSB header");
  return service;
}

type Link = RcLink & { path: ByteString };

async function readRcLinks(source: Source): Promise<Map<ByteString, Link[]>> {
  const links = new Map<ByteString, Link[]>();
  for (const base of ["/etc", "/etc/rc.d"]) {
    for (const runlevel of "0123456S") {
      for (const entry of (await source.list(`${base}/rc${runlevel}.d`)).slice(0, maxScripts)) {
        const link = parseRcLink(runlevel, baseName(entry.path));
        if (link === undefined) continue;
        const script = entry.kind === "symlink" ? baseName(entry.target) : link.script;
        links.set(script, [...(links.get(script) ?? []), { ...link, path: entry.path }]);
      }
    }
  }
  return links;
}

async function readUpstart(source: Source): Promise<ServiceFact[]> {
  const services: ServiceFact[] = [];
  for (const path of (await source.filesIn("/etc/init", /\.conf$/)).slice(0, maxScripts)) {
    const text = (await source.text(path)) ?? "";
    const job = parseUpstart(text);
    const service = plainService(baseName(path).replace(/\.conf$/, ""), "upstart", [path]);
    service.state = job.startOn === "" ? "disabled" : "enabled";
    service.enabledBy = job.startOn === "" ? [] : [`start on ${job.startOn}`];
    service.description = job.description;
    service.template = job.instance;
    service.type = job.task ? "oneshot" : job.expect === "" ? "simple" : "forking";
    service.user = job.user;
    service.group = job.group;
    service.workingDirectory = job.directory;
    service.environment = maskEnvironment(job.environment);
    const exec = job.main?.kind === "exec" ? job.main.text : undefined;
    if (exec !== undefined) service.exec.start = [maskArguments(wordsOf(exec)).join(" ")];
    else if (job.main !== undefined) service.exec.start = ["(script)"];
    service.program = wordsOf(exec ?? "")[0] ?? "";
    if (job.others.length > 0) service.problems.push(`not carried over: ${job.others.join(", ")}`);
    services.push(service);
  }
  return services;
}

async function readInittab(source: Source): Promise<ServiceFact[]> {
  const path = "/etc/inittab";
  const entries = parseInittab((await source.text(path)) ?? "");
  return entries
    .filter(
      (entry) =>
        ["respawn", "once", "wait"].includes(entry.action) && !/getty|\/etc\/rc|telinit/.test(entry.process),
    )
    .map((entry) => {
      const service = plainService(entry.id, "inittab", [path]);
      const argv = wordsOf(entry.process.replace(/^[+@]/, ""));
      service.state = "enabled";
      service.type = entry.action === "respawn" ? "simple" : "oneshot";
      service.enabledBy = [`${path} run levels ${entry.runlevels}`];
      service.exec.start = [maskArguments(argv).join(" ")];
      service.program = argv[0] ?? "";
      return service;
    });
}

/** NAME TYPE PROTOCOL wait|nowait[.MAX] USER[.GROUP] SERVER ARGUMENTS; what Debian's update-inetd switched off begins with #<off>#. */
async function readInetd(source: Source): Promise<ServiceFact[]> {
  const path = "/etc/inetd.conf";
  const services: ServiceFact[] = [];
  for (const line of ((await source.text(path)) ?? "").split("\n").slice(0, 10_000)) {
    const off = line.startsWith("#<off>#");
    const [name = "", type, , , user = "", program = "", ...args] = line
      .replace(/^#<off>#\s*/, "")
      .trim()
      .split(/\s+/);
    if (name === "" || name.startsWith("#") || (!program.startsWith("/") && program !== "internal")) continue;
    if (type !== "stream" && type !== "dgram") continue;
    const service = plainService(name, "inetd", [path]);
    service.state = off ? "disabled" : "enabled";
    service.program = program;
    service.user = user.split(/[.:]/)[0] ?? "";
    // The first argument is its name.
    service.exec.start = [maskArguments([program, ...args.slice(1)]).join(" ")];
    services.push(service);
  }
  return services;
}

async function readXinetd(source: Source): Promise<ServiceFact[]> {
  const services: ServiceFact[] = [];
  for (const path of (await source.filesIn("/etc/xinetd.d", /^[^.]/)).slice(0, maxScripts)) {
    for (const found of parseXinetd((await source.text(path)) ?? "").slice(0, 100)) {
      const service = plainService(found.name, "xinetd", [path]);
      service.state = found.attributes.disable === "yes" ? "disabled" : "enabled";
      service.program = found.attributes.server ?? "";
      service.user = found.attributes.user ?? "";
      service.exec.start = [
        maskArguments(wordsOf(`${service.program} ${found.attributes.server_args ?? ""}`)).join(" "),
      ];
      services.push(service);
    }
  }
  return services;
}

async function readRunit(source: Source): Promise<ServiceFact[]> {
  const services: ServiceFact[] = [];
  for (const directory of ["/etc/service", "/service", "/etc/sv", "/etc/runit/runsvdir/default"]) {
    for (const entry of (await source.list(directory)).slice(0, maxScripts)) {
      const run = `${entry.path}/run`;
      const name = baseName(entry.path);
      if (!(await source.exists(run))) continue;
      const known = services.find((service) => service.name === name);
      if (known !== undefined) continue;
      const service = plainService(name, "runit", [run]);
      service.state = directory === "/etc/sv" ? "disabled" : "enabled";
      service.type = "simple";
      service.exec.start = [run];
      service.program = run;
      services.push(service);
    }
  }
  return services;
}

async function readSupervisor(source: Source): Promise<ServiceFact[]> {
  const services: ServiceFact[] = [];
  const paths = ["/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"];
  for (const directory of ["/etc/supervisor/conf.d", "/etc/supervisord.d"]) {
    paths.push(...(await source.filesIn(directory, /\.(conf|ini)$/)));
  }
  for (const path of paths.slice(0, maxScripts)) {
    const file = parseUnit((await source.text(path)) ?? "");
    const settings = new UnitSettings([file]);
    for (const section of new Set(file.settings.map((setting) => setting.section))) {
      const name = /^program:(.+)$/.exec(section)?.[1];
      if (name === undefined) continue;
      const service = plainService(name, "supervisor", [path]);
      const argv = wordsOf(settings.last(section, "command") ?? "");
      service.state = settings.last(section, "autostart") === "false" ? "disabled" : "enabled";
      service.type = "simple";
      service.user = settings.last(section, "user") ?? "";
      service.workingDirectory = settings.last(section, "directory") ?? "";
      service.exec.start = [maskArguments(argv).join(" ")];
      service.program = argv[0] ?? "";
      services.push(service);
    }
  }
  return services;
}

function wordsOf(text: ByteString): ByteString[] {
  return splitWords(text).map((word) => word.text);
}
