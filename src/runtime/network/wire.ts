// The network of an instance at its start: what enter has to make, after bridges, rules and ports have been made on the host.
import type { Log } from "../../base/log.ts";
import type { InnerNetwork, LaunchNetwork, VethOptions } from "../../host/enter-network.ts";
import { writeFilePlain } from "../../host/files.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { step } from "../../host/steps.ts";
import type { Instance } from "../find.ts";
import { nothingTaken, type TakenIdentity, takenAt } from "../identity/identity.ts";
import type { LaunchRecord } from "../launch-record.ts";
import { ratesOfNetwork } from "../limits/limits.ts";
import type { Attachment, InstanceRecord } from "../record.ts";
import { settingsOfNetwork } from "../sysctls.ts";
import { attachmentsOf, networksOf } from "./attachments.ts";
import { deviceName, macOf } from "./devices.ts";
import { innerRules } from "./inner-rules.ts";
import { leasePorts } from "./port-leases.ts";
import { isSix, type PortRequest } from "./ports.ts";
import { publish } from "./publish.ts";
import { joinOwner, keptNamespace } from "./share.ts";
import { ensureNetworks, lockNetwork, type Up } from "./up.ts";

export interface Wiring {
  readonly root: StateRoot;
  readonly instance: Instance;
  readonly launch: LaunchRecord;
  readonly log: Log;
}

/** `note`: writes the launch record down, with the ports that were taken. */
export async function prepareNetwork(
  { root, instance, launch, log }: Wiring,
  note: () => void,
): Promise<LaunchNetwork> {
  const { record } = instance;
  const { mode, ports } = record.network;
  if (mode === "host") return "host";
  if (mode === "container") return { join: joinOwner(root, instance) };
  const attachments = attachmentsOf(record);
  const kept = keptNamespace(root, instance);
  if (attachments.length === 0) {
    const inner = innerNetwork(instance, []);
    if (kept !== undefined) return { join: kept };
    return inner === undefined ? "own" : { veths: [], inner };
  }
  const up = await ensureNetworks(root, networksOf(record), log);
  if (ports.length > 0) {
    const lock = await lockNetwork(root);
    try {
      const front = frontOf(up, attachments);
      launch.ports = await leasePorts(root, record.id, bothFamilies(ports, front));
      // Written before the rules are, so that whoever repairs knows of them.
      note();
      await publish({ root, id: record.id, front, starter: launch.starter.pid, log }, launch.ports);
    } finally {
      lock.release();
    }
  }
  if (kept !== undefined) return { join: kept };
  const inner = innerNetwork(instance, gatewaysOf(up, attachments));
  const veths = vethsOf(up, record, takenAt(record, launch));
  return inner === undefined ? { veths } : { veths, inner };
}

/** The redirections of its package, as rules in a file, and its settings of the kernel. */
function innerNetwork({ paths, record }: Instance, gateways: readonly string[]): InnerNetwork | undefined {
  const declared = record.network.redirections ?? [];
  const rules = declared.length === 0 ? undefined : innerRules(declared, gateways);
  const settings = settingsOfNetwork(record.sysctls);
  if (rules === undefined)
    return Object.keys(settings).length === 0 ? undefined : { addresses: [], routeLocalnet: false, settings };
  const file = `${paths.bundle}/network.nft`;
  step("network rules");
  writeFilePlain(file, rules.text);
  return { rules: file, addresses: rules.addresses, routeLocalnet: rules.routeLocalnet, settings };
}

/** What is asked for without an address is published in each family that the instance has. */
function bothFamilies(ports: readonly PortRequest[], front: Attachment | undefined): PortRequest[] {
  if (front === undefined || front.address6 === null) return [...ports];
  return ports.flatMap((port) => {
    const given = ports.some(
      (one) => isSix(one) && one.containerPort === port.containerPort && one.protocol === port.protocol,
    );
    return port.hostAddress === "" && !given ? [port, { ...port, hostAddress: "::" }] : [port];
  });
}

/** Where its published ports lead: the first network that leads outside. */
export function frontOf(up: Up, attachments: readonly Attachment[]): Attachment | undefined {
  return attachments.find(({ network }) => up.networks[network]?.internal === false);
}

/** One for each of its networks that is up, in their order. The first that leads outside has the default route. */
export function vethsOf(up: Up, record: InstanceRecord, taken: TakenIdentity = nothingTaken): VethOptions[] {
  const attachments = attachmentsOf(record);
  const routes = gatewaysOf(up, attachments);
  return attachments.flatMap((attachment, position) => {
    const network = up.networks[attachment.network];
    if (network === undefined) return [];
    const { subnet, subnet6, gateway, gateway6 } = network;
    const { address, address6 } = attachment;
    // The first is what SIOCGIFADDR tells. What goes out is sent from the one that shares the gateway's subnet.
    const foreign = position === 0 ? taken.addresses : [];
    return [
      {
        name: deviceName(record.id, attachment.index),
        bridge: network.device,
        addresses: [
          ...foreign.map((one) => `${one}/${one.includes(":") ? 128 : 32}`),
          `${address}/${prefixOf(subnet)}`,
          ...(address6 === null || subnet6 === null ? [] : [`${address6}/${prefixOf(subnet6)}`]),
        ],
        gateways: [gateway, gateway6].filter((one) => one !== null && routes.includes(one)) as string[],
        ...ratesOfNetwork(record.limits),
        ...(record.network.ports.length > 0 ? { hairpin: true } : {}),
        mac: position === 0 ? (taken.mac ?? macOf(record.id, attachment.index)) : attachment.mac,
      },
    ];
  });
}

/** Default routes: one for each family. */
export function gatewaysOf(up: Up, attachments: readonly Attachment[]): string[] {
  const outward = attachments.flatMap(({ network }) => {
    const found = up.networks[network];
    return found === undefined || found.internal ? [] : [found];
  });
  const first6 = outward.find(({ gateway6 }) => gateway6 !== null)?.gateway6 ?? null;
  const first = outward[0]?.gateway;
  return [...(first === undefined ? [] : [first]), ...(first6 === null ? [] : [first6])];
}

function prefixOf(subnet: string): string {
  return subnet.split("/")[1] ?? "";
}
