// A whole machine as a package: everything above its kernel, which always works, and the trim of it to what another capture saw.
import { TranshipError } from "../base/errors.ts";
import { formatSize } from "../base/units.ts";
import { loadInstalled } from "../closure/installed.ts";
import { escapeBytes, unescapeBytes } from "../formats/escape.ts";
import type { Machine } from "../machine/machine.ts";
import type { Volume } from "../package/descriptor.ts";
import { type ApplicationOptions, describeApplication } from "./application/application.ts";
import type { Captured, CaptureTools, Choices } from "./captured.ts";
import { dataReason, knownDataDirectories } from "./data/data-directories.ts";
import type { EvidenceDocument } from "./evidence/evidence-document.ts";
import { orInterrupted } from "./interrupt.ts";
import { type LeftBehind, type Trim, wholeMachine } from "./plan/whole-machine.ts";
import { plan } from "./plan-capture.ts";
import { checkCommand } from "./sandbox/check-command.ts";

const shownPlaces = 20;

export interface MachineRequest {
  machine: Machine;
  application: ApplicationOptions;
  choices: Choices;
  /** Keep only what this evidence names. */
  trim?: { reference: string; evidence: EvidenceDocument } | undefined;
}

export interface CapturedMachine extends Captured {
  left: readonly LeftBehind[];
}

export async function captureMachine(request: MachineRequest, tools: CaptureTools): Promise<CapturedMachine> {
  const { machine, application } = request;
  if (application.services.length > 0 && application.command.length > 0) {
    throw new TranshipError("E_USAGE", "give --service or a command, not both", {
      hint: "what a service's program is called with stands in its unit",
    });
  }
  const trim = trimOf(request);
  const { descriptor, installed } = await orInterrupted(tools.signal, async () => {
    const command = await checkCommand(machine, application.command, application.workingDirectory);
    const described = await describeApplication(machine, { ...application, command }, (note) =>
      tools.log.warn(note),
    );
    const volumes = [...described.volumes, ...(await dataVolumes(machine, trim))];
    return { descriptor: { ...described, volumes }, installed: await loadInstalled(machine.files) };
  });
  let left: readonly LeftBehind[] = [];
  const captured = await plan(
    machine,
    descriptor,
    {
      evidence: undefined,
      schedules: application.services.length > 0,
      exercised: [],
      choices: {
        ...request.choices,
        closure: true,
        expansion: async (system) => {
          const whole = await wholeMachine({ machine, installed, system, trim, notOurs: [tools.root.path] });
          left = whole.left;
          return whole;
        },
      },
    },
    tools,
  );
  return { ...captured, left };
}

async function dataVolumes(machine: Machine, trim: Trim | undefined): Promise<Volume[]> {
  const known = await knownDataDirectories(machine);
  const kept = known.filter(({ path }) => trim === undefined || trim.paths.has(path));
  return kept.map((one) => ({
    path: escapeBytes(one.path),
    initial: "copy",
    reason: dataReason(one),
    size: formatSize(one.size).replace(" ", ""),
  }));
}

function trimOf(request: MachineRequest): Trim | undefined {
  if (request.trim === undefined) return undefined;
  const { reference, evidence } = request.trim;
  // A secret that it kept out was needed all the same: it has to be asked for again.
  const secrets = Object.entries(evidence.excluded).filter(([, why]) => why.startsWith("secret"));
  const named = [...Object.keys(evidence.paths), ...secrets.map(([path]) => path)];
  return { reference, paths: new Set(named.map(unescapeBytes)) };
}

/** What a trim took away, in a few lines, largest first. */
export function describeTrim(left: readonly LeftBehind[]): string[] {
  const away = left.filter((one) => one.trimmed).sort((a, b) => b.bytes - a.bytes);
  if (away.length === 0) return [];
  const bytes = away.reduce((sum, one) => sum + one.bytes, 0);
  const shown = away
    .slice(0, shownPlaces)
    .map((one) => `  ${formatSize(one.bytes).padStart(9)}  ${escapeBytes(one.path)}`);
  const rest = away.length - shown.length;
  return [
    `falls away: ${formatSize(bytes)} in ${away.length} places`,
    ...shown,
    ...(rest > 0 ? [`  and ${rest} more; the plan names all`] : []),
  ];
}
