// Services that systemd keeps.
import type { ByteString } from "../formats/entry.ts";
import { expandSpecifiers, parseUnitName, type SpecifierFacts } from "../formats/unit-names.ts";
import { parseEnvironment, parseExec } from "../formats/units.ts";
import type { ServiceFact } from "./inventory.ts";
import { maskArguments, maskEnvironment, maskText } from "./mask.ts";
import { postgresClusters } from "./postgres.ts";
import type { Source } from "./source.ts";
import type { LoadedUnit, UnitTree } from "./unit-tree.ts";

/** A setting of a unit with its specifiers expanded. */
export class UnitReader {
  readonly unit: LoadedUnit;
  readonly #facts: SpecifierFacts;

  constructor(unit: LoadedUnit, facts: SpecifierFacts) {
    this.unit = unit;
    this.#facts = facts;
  }

  expand(value: ByteString): ByteString {
    return expandSpecifiers(value, this.unit.name, this.#facts);
  }

  service(key: string): ByteString {
    return this.expand(this.unit.settings.last("Service", key) ?? "");
  }

  services(key: string): ByteString[] {
    return this.unit.settings.all("Service", key).map((value) => this.expand(value));
  }

  list(section: string, key: string): ByteString[] {
    return this.unit.settings.list(section, key).map((value) => this.expand(value));
  }
}

export async function readSystemdServices(source: Source, tree: UnitTree): Promise<ServiceFact[]> {
  const facts = await specifierFacts(source);
  const clusters = (await postgresClusters(source)).map((cluster) => `postgresql@${cluster.name}.service`);
  const started = new Set(tree.has("postgresql@.service") ? clusters : []);
  const names = tree.names("service", [...started]);
  const aliases = new Map<ByteString, ByteString[]>();
  for (const name of names) {
    const real = tree.realName(name);
    if (real !== name) aliases.set(real, [...(aliases.get(real) ?? []), stemOf(name)]);
  }
  const services: ServiceFact[] = [];
  for (const name of names) {
    if (tree.realName(name) !== name) continue;
    const unit = await tree.load(name);
    if (unit === undefined) continue;
    const service = serviceOf(new UnitReader(unit, facts));
    service.aliases = aliases.get(name) ?? [];
    service.enabledBy = [name, ...service.aliases.map((alias) => `${alias}.service`)].flatMap((each) =>
      tree.enabledBy(each),
    );
    if (started.has(name)) service.enabledBy.push("/etc/postgresql");
    service.state = stateOf(tree.masked(name), service, unit);
    services.push(service);
  }
  return services;
}

function stateOf(masked: boolean, service: ServiceFact, unit: LoadedUnit): ServiceFact["state"] {
  if (masked) return "masked";
  if (service.enabledBy.length > 0) return "enabled";
  return unit.hasInstall ? "disabled" : "static";
}

export async function specifierFacts(source: Source): Promise<SpecifierFacts> {
  const hostname = await source.line("/etc/hostname");
  const machineId = await source.line("/etc/machine-id");
  return {
    ...(hostname === undefined ? {} : { hostname }),
    ...(machineId === undefined ? {} : { machineId }),
  };
}

export function stemOf(name: ByteString): ByteString {
  return name.replace(/\.service$/, "");
}

function serviceOf(reader: UnitReader): ServiceFact {
  const { unit } = reader;
  const commands = (key: string): ByteString[] =>
    reader
      .services(key)
      .flatMap((value) => parseExec(value).map((command) => maskArguments(command.argv).join(" ")));
  const type = reader.service("Type");
  return {
    name: stemOf(unit.name),
    manager: "systemd",
    from: unit.from,
    description: maskText(reader.expand(unit.settings.last("Unit", "Description") ?? "")),
    type: type || (reader.service("BusName") === "" ? "simple" : "dbus"),
    state: "unknown",
    enabledBy: [],
    aliases: [],
    template: parseUnitName(unit.name)?.instance === "",
    exec: {
      start: commands("ExecStart"),
      before: commands("ExecStartPre"),
      stop: commands("ExecStop"),
    },
    program: reader.services("ExecStart").flatMap(parseExec).at(-1)?.argv[0] ?? "",
    user: reader.service("User"),
    group: reader.service("Group"),
    environment: maskEnvironment(parseEnvironment(reader.services("Environment"))),
    environmentFiles: reader.services("EnvironmentFile"),
    workingDirectory: reader.service("WorkingDirectory"),
    pidFile: underRun(reader.service("PIDFile")),
    runtimeDirectories: reader
      .list("Service", "RuntimeDirectory")
      .map((name) => `/run/${name.split(":")[0]}`),
    dataDirectories: [
      ...reader.list("Service", "StateDirectory").map((name) => `/var/lib/${name.split(":")[0]}`),
      ...reader.list("Service", "CacheDirectory").map((name) => `/var/cache/${name.split(":")[0]}`),
      ...reader.list("Service", "LogsDirectory").map((name) => `/var/log/${name.split(":")[0]}`),
    ],
    after: reader.list("Unit", "After"),
    requires: [...reader.list("Unit", "Requires"), ...reader.list("Unit", "BindsTo")],
    pids: [],
    problems: unit.problems,
  };
}

/** A relative PIDFile= is below /run. */
export function underRun(path: ByteString): ByteString {
  return path === "" || path.startsWith("/") ? path : `/run/${path}`;
}
