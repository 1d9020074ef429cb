// policy.bin: a policy as one read-only table that the in-process engine maps. docs/internals/policy-bin.md has every field.
import { TranshipError } from "../base/errors.ts";
import { dmiName } from "../package/identity.ts";
import { type ClockRule, maxNanoseconds, maxRate, normalRate } from "./clock.ts";
import type { Endpoint, NetworkRule } from "./endpoints.ts";
import { most, type Policy, type PolicyIdentity } from "./policy.ts";
import {
  joined,
  noIndex,
  RecordWriter,
  readSections,
  refuse,
  type SectionReader,
  TextPool,
  writeSections,
} from "./policy-bytes.ts";
import { cleanPath, type FileRule, makeTable, maxRules, type RuleTable } from "./rules.ts";

// Positions are the numbers on disk: only ever append.
const matches = ["folder", "exact"] as const;
const modes = ["full", "write-copy", "merged", "hide", "read-only", "host"] as const;
const kinds = ["connect", "name", "bind"] as const;
const clockModes = ["offset", "at", "frozen"] as const;
const vsyscalls = ["auto", "on", "off"] as const;
const loopbacks = ["kernel", "fast"] as const;
const unameKeys = ["release", "version", "machine"] as const;
const tags = ["RULE", "NETW", "CLCK", "UNAM", "ELEM", "IDEN", "DMI ", "LINK", "EXCL"] as const;

const filterSize = 32;
const size = { rule: 24, network: 56, clock: 24, uname: 24, elements: 8, identity: 40, pair: 16, text: 8 };

/** E_DESCRIPTOR_INVALID for a text that cannot be passed on, E_LIMIT where there is too much. */
export function encodePolicy(policy: Policy): Uint8Array {
  const texts = new TextPool();
  const record = (bytes: number, fill: (w: RecordWriter) => void): Uint8Array => {
    const w = new RecordWriter(bytes, texts);
    fill(w);
    return w.bytes;
  };
  const list = (items: readonly string[]): Uint8Array =>
    joined(items.map((item) => record(size.text, (w) => w.text(0, item))));
  const { files, network, clock, uname, identity } = policy;
  const rules = files.map((rule) => record(size.rule, (w) => writeRule(w, rule)));
  return writeSections(
    [
      ["RULE", files.length === 0 ? new Uint8Array() : joined([firstBytes(files), ...rules])],
      ["NETW", joined(network.map((rule) => record(size.network, (w) => writeNetwork(w, rule))))],
      ["CLCK", clock === undefined ? new Uint8Array() : record(size.clock, (w) => writeClock(w, clock))],
      [
        "UNAM",
        record(size.uname, (w) =>
          unameKeys.forEach((key, i) => {
            w.text(8 * i, limited(uname[key]));
          }),
        ),
      ],
      [
        "ELEM",
        record(size.elements, (w) => {
          w.u8(0, vsyscalls.indexOf(policy.vsyscall));
          w.u8(1, loopbacks.indexOf(policy.loopback));
        }),
      ],
      ["IDEN", record(size.identity, (w) => writeIdentity(w, identity))],
      [
        "DMI ",
        joined(
          identity.dmi.map(([name, value]) =>
            record(size.pair, (w) => {
              w.text(0, name);
              w.text(8, value);
            }),
          ),
        ),
      ],
      ["LINK", list(policy.links)],
      ["EXCL", list(policy.excludes)],
    ],
    texts,
  );
}

/** What fits into struct utsname, with its NUL. */
const maxUname = 64;

function limited(text: string | undefined): string | undefined {
  if (text !== undefined && new TextEncoder().encode(text).length > maxUname)
    throw new TranshipError("E_DESCRIPTOR_INVALID", `too long for uname: ${JSON.stringify(text)}`, {
      hint: `at most ${maxUname} bytes`,
    });
  return text;
}

/** Bit b is set where a rule's path has the byte b behind its first slash: NUL for that of "/" itself, and all for the folder "/". */
function firstBytes(table: RuleTable): Uint8Array {
  const bits = new Uint8Array(filterSize);
  for (const { from, match } of table) {
    const byte = new TextEncoder().encode(from)[1] ?? 0;
    if (from === "/" && match === "folder") bits.fill(0xff);
    else bits[byte >> 3] = (bits[byte >> 3] ?? 0) | (1 << (byte & 7));
  }
  return bits;
}

function writeRule(w: RecordWriter, rule: RuleTable[number]): void {
  w.shortText(0, 8, rule.from);
  w.shortText(4, 10, rule.to);
  w.u8(12, matches.indexOf(rule.match));
  w.u8(13, modes.indexOf(rule.mode));
  w.u16(14, rule.root);
  w.u32(16, rule.outer ?? noIndex);
  w.u32(20, rule.declared);
}

function writeNetwork(w: RecordWriter, rule: NetworkRule): void {
  w.u8(0, kinds.indexOf(rule.kind));
  w.u32(52, rule.declared);
  if (rule.kind === "name") {
    w.shortText(40, 48, rule.from);
    w.shortText(44, 50, rule.to);
    return;
  }
  w.u8(1, rule.from.address.length);
  w.u8(2, rule.to.address.length);
  w.u16(4, rule.from.port);
  w.u16(6, rule.to.port);
  w.bytes.set(rule.from.address, 8);
  w.bytes.set(rule.to.address, 24);
}

function writeClock(w: RecordWriter, clock: ClockRule): void {
  w.u8(0, clockModes.indexOf(clock.mode));
  w.view.setBigInt64(8, clock.nanoseconds, true);
  w.view.setBigUint64(16, clock.rate, true);
}

function writeIdentity(w: RecordWriter, identity: PolicyIdentity): void {
  w.text(0, identity.hostname);
  w.text(8, identity.domain);
  w.text(16, identity.machineId);
  if (identity.macAddress !== null) {
    w.bytes.set(
      identity.macAddress.split(":").map((byte) => Number.parseInt(byte, 16)),
      24,
    );
    w.u8(30, 1);
  }
  if (identity.hostId !== null) {
    w.u8(31, 1);
    w.u32(32, Number.parseInt(identity.hostId, 16));
  }
}

/** E_PROTOCOL for anything that is not a whole policy of this version. */
export function decodePolicy(file: Uint8Array): Policy {
  const sections = readSections(file, tags);
  const [elements, identity] = [sections.get("ELEM"), sections.get("IDEN")];
  if (elements?.bytes.length !== size.elements || identity?.bytes.length !== size.identity)
    return refuse("no section of elements or identity of the right size");
  elements.zero(2, 6);
  const links = readTexts(sections.get("LINK"), most.links);
  return {
    files: readRules(sections.get("RULE"), links.length),
    network: readNetwork(sections.get("NETW")),
    clock: readClock(sections.get("CLCK")),
    uname: readUname(sections.get("UNAM")),
    vsyscall: elements.choice(0, vsyscalls),
    loopback: elements.choice(1, loopbacks),
    identity: { ...readIdentity(identity), dmi: readPairs(sections.get("DMI ")) },
    links,
    excludes: readTexts(sections.get("EXCL"), most.excludes),
  };
}

function readRules(r: SectionReader | undefined, links: number): RuleTable {
  if (r === undefined) return [];
  const read = r.records(filterSize, size.rule, maxRules).map((at) => {
    const [from, to] = [r.shortText(at, at + 8), r.shortText(at + 4, at + 10)];
    const [match, mode, root] = [r.choice(at + 12, matches), r.choice(at + 13, modes), r.u16(at + 14)];
    const leads = mode !== "hide" && mode !== "host";
    if (!isClean(from) || (leads ? !isClean(to) : to !== "")) refuse(`a rule from ${JSON.stringify(from)}`);
    if (root > links) refuse(`link ${root} of ${links}`);
    const outer = r.u32(at + 16);
    const rule: FileRule = { from, to, match, mode, root, declared: r.u32(at + 20) };
    return { ...rule, outer: outer === noIndex ? null : outer };
  });
  // One order and one way outwards: what searches by halves and by `outer` relies on both.
  const again = makeTable(read);
  const same = again.every(
    (rule, i) =>
      rule.from === read[i]?.from && rule.match === read[i]?.match && rule.outer === read[i]?.outer,
  );
  if (!same || again.length !== read.length) refuse("rules out of order");
  if (firstBytes(again).some((byte, i) => byte !== r.bytes[i]))
    refuse("first bytes that are not those of the rules");
  return read;
}

function isClean(path: string): boolean {
  try {
    return cleanPath(path) === path;
  } catch {
    return false;
  }
}

function readNetwork(r: SectionReader | undefined): NetworkRule[] {
  return (r?.records(0, size.network, most.network) ?? []).map((at) =>
    readNetworkRule(r as SectionReader, at),
  );
}

function readNetworkRule(r: SectionReader, at: number): NetworkRule {
  const kind = r.choice(at, kinds);
  const declared = r.u32(at + 52);
  r.zero(at + 3, 1);
  if (kind === "name") {
    r.zero(at + 1, 39);
    const [from, to] = [r.shortText(at + 40, at + 48), r.shortText(at + 44, at + 50)];
    if (from === "" || to === "") refuse("a redirected name without a name");
    return { kind, from, to, declared };
  }
  r.zero(at + 40, 12);
  const from = readEndpoint(r, { length: at + 1, port: at + 4, address: at + 8 });
  const to = readEndpoint(r, { length: at + 2, port: at + 6, address: at + 24 });
  if (from.address.length > 0 && to.address.length > 0 && from.address.length !== to.address.length)
    refuse("addresses of two IP versions");
  return { kind, from, to, declared };
}

function readEndpoint(r: SectionReader, at: { length: number; port: number; address: number }): Endpoint {
  const length = r.view.getUint8(at.length);
  if (length !== 0 && length !== 4 && length !== 16) refuse(`an address of ${length} bytes`);
  r.zero(at.address + length, 16 - length);
  return { address: [...r.bytes.subarray(at.address, at.address + length)], port: r.u16(at.port) };
}

function readClock(r: SectionReader | undefined): ClockRule | undefined {
  if (r === undefined) return undefined;
  if (r.bytes.length !== size.clock) refuse("the size of the clock");
  r.zero(1, 7);
  const clock = {
    mode: r.choice(0, clockModes),
    nanoseconds: r.view.getBigInt64(8, true),
    rate: r.view.getBigUint64(16, true),
  };
  if (clock.nanoseconds < -maxNanoseconds || clock.rate === 0n || clock.rate >= maxRate)
    refuse("a clock out of range");
  if (clock.mode === "frozen" && clock.rate !== normalRate) refuse("a frozen clock with a rate");
  return clock;
}

function readUname(r: SectionReader | undefined): Policy["uname"] {
  if (r?.bytes.length !== size.uname) return refuse("no section uname of the right size");
  const set = unameKeys.flatMap((key, i) => {
    const text = r.text(8 * i);
    if (text !== null && new TextEncoder().encode(text).length > maxUname)
      refuse(`${key} is too long for uname`);
    return text === null ? [] : [[key, text] as const];
  });
  return Object.fromEntries(set);
}

function readIdentity(r: SectionReader): Omit<PolicyIdentity, "dmi"> {
  const [hasMac, hasHostId] = [r.choice(30, [false, true]), r.choice(31, [false, true])];
  const machineId = r.text(16);
  if (!hasMac) r.zero(24, 6);
  if (!hasHostId) r.zero(32, 4);
  r.zero(36, 4);
  if (machineId !== null && !/^[0-9a-f]{32}$/.test(machineId)) refuse("a machine id that is none");
  const mac = [...r.bytes.subarray(24, 30)].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
  return {
    hostname: r.text(0),
    domain: r.text(8),
    machineId,
    macAddress: hasMac ? mac : null,
    hostId: hasHostId ? r.u32(32).toString(16).padStart(8, "0") : null,
  };
}

function readPairs(r: SectionReader | undefined): Array<readonly [string, string]> {
  let before = "";
  return (r?.records(0, size.pair, most.dmi) ?? []).map((at) => {
    const [name, value] = [r?.text(at) ?? "", r?.text(at + 8) ?? ""];
    if (!dmiName.test(name) || name <= before) refuse(`the DMI field ${JSON.stringify(name)}`);
    before = name;
    return [name, value] as const;
  });
}

function readTexts(r: SectionReader | undefined, limit: number): string[] {
  return (r?.records(0, size.text, limit) ?? []).map(
    (at) => r?.text(at) ?? refuse("a text that is not there"),
  );
}
