// InitPlan <-> init.bin, as in docs/internals/init-bin.md. Decoding refuses all that encoding cannot have made.
import { TranshipError } from "../base/errors.ts";
import type { CronTimes } from "./cron.ts";
import { ByteReader, ByteWriter } from "./init-bytes.ts";
import type {
  InitPlan,
  PlannedProgram,
  PlannedReadiness,
  PlannedSchedule,
  PlannedService,
  PlannedSocket,
  Variables,
} from "./init-plan.ts";

const magic = [0x54, 0x52, 0x49, 0x4e, 0x49, 0x54, 0, 1];
const frame = {
  end: 0,
  log: 1,
  environment: 2,
  directory: 3,
  volume: 4,
  secret: 5,
  program: 6,
  service: 7,
  schedule: 8,
  socket: 9,
  empty: 10,
} as const;

// Positions are the numbers on disk: only ever append.
const initials = ["none", "copy", "sync"] as const;
const deliveries = ["mount", "env"] as const;
const startups = ["auto", "manual", "disabled"] as const;
const serviceTypes = ["simple", "forking", "oneshot"] as const;
const readinessKinds = ["none", "port", "file", "exec", "log"] as const;
const policies = ["no", "on-failure", "always"] as const;
const socketTypes = ["stream", "datagram", "seqpacket"] as const;
const waysToGive = ["listen", "input"] as const;

const noEnd = 0xffff_ffff;
const most = { services: 256, others: 4096, bytes: 4 * 1024 * 1024 };

/** E_LIMIT where the plan is larger than init accepts, E_DESCRIPTOR_INVALID for a text that no program can be given. */
export function encodeInitPlan(plan: InitPlan): Uint8Array {
  const w = new ByteWriter(most.bytes);
  w.raw(magic);
  w.frame(frame.log, () => {
    w.u64(BigInt(plan.log.maxSize));
    w.u32(plan.log.maxFiles);
  });
  for (const [name, value] of plan.environment) {
    w.frame(frame.environment, () => {
      w.text16(name);
      w.text32(value);
    });
  }
  for (const directory of plan.directories) {
    w.frame(frame.directory, () => {
      w.u32(directory.mode);
      w.u32(directory.uid);
      w.u32(directory.gid);
      w.text16(directory.path);
    });
    // A frame of its own, so that plans without it are read by every init.
    if (directory.empty) w.frame(frame.empty, () => w.text16(directory.path));
  }
  for (const volume of plan.volumes) {
    w.frame(frame.volume, () => {
      w.u8(initials.indexOf(volume.initial));
      w.bool(volume.promised);
      w.text16(volume.path);
    });
  }
  for (const secret of plan.secrets) {
    w.frame(frame.secret, () => {
      w.u8(deliveries.indexOf(secret.delivery));
      w.bool(secret.required);
      w.text16(secret.name);
      w.text16(secret.reason);
    });
  }
  for (const program of plan.programs) w.frame(frame.program, () => writeProgram(w, program));
  for (const service of plan.services) w.frame(frame.service, () => writeService(w, service));
  for (const schedule of plan.schedules) w.frame(frame.schedule, () => writeSchedule(w, schedule));
  for (const socket of plan.sockets) w.frame(frame.socket, () => writeSocket(w, socket));
  w.frame(frame.end, () => {});
  const counts = [
    plan.environment,
    plan.directories,
    plan.volumes,
    plan.secrets,
    plan.programs,
    plan.schedules,
    plan.sockets,
  ];
  if (plan.services.length > most.services || counts.some((list) => list.length > most.others)) {
    throw new TranshipError("E_LIMIT", `more than ${most.services} services or ${most.others} other entries`);
  }
  return w.finish();
}

function writeProgram(w: ByteWriter, program: PlannedProgram): void {
  w.text16(program.name);
  w.text16(program.workingDirectory);
  w.text16(program.user);
  w.texts(program.command);
  w.u16(program.environment.length);
  for (const [name, value] of program.environment) {
    w.text16(name);
    w.text32(value);
  }
}

function writeService(w: ByteWriter, service: PlannedService): void {
  const { readiness, restart, stop } = service;
  w.text16(service.name);
  w.u16(service.program);
  w.u8(startups.indexOf(service.startup));
  w.bool(service.essential);
  w.u8(serviceTypes.indexOf(service.type));
  w.text16(service.pidFile);
  w.u16(service.after.length);
  for (const index of service.after) w.u16(index);
  w.u8(readinessKinds.indexOf(readiness.kind));
  w.u32(readiness.timeout);
  w.u16(readiness.kind === "port" ? readiness.port : 0);
  w.text16(readiness.kind === "file" ? readiness.file : readiness.kind === "log" ? readiness.log : "");
  w.texts(readiness.kind === "exec" ? readiness.exec : []);
  w.u8(policies.indexOf(restart.policy));
  w.u32(restart.attempts ?? noEnd);
  w.u32(restart.backoff);
  w.u8(stop.signal);
  w.u32(stop.timeout);
  w.texts(stop.command);
}

function writeSchedule(w: ByteWriter, schedule: PlannedSchedule): void {
  const { times } = schedule;
  const bits = (list: readonly number[]): bigint => list.reduce((sum, n) => sum | (1n << BigInt(n)), 0n);
  w.text16(schedule.name);
  w.u16(schedule.program);
  w.text16(schedule.expression);
  w.u64(bits(times.minutes));
  w.u32(Number(bits(times.hours)));
  w.u32(Number(bits(times.days)));
  w.u16(Number(bits(times.months)));
  w.u8(Number(bits(times.weekdays)));
  const flags = [times.anyDay, times.anyWeekday, times.fixed, times.atStart];
  w.u8(flags.reduce((sum, flag, index) => sum | (flag ? 1 << index : 0), 0));
}

function writeSocket(w: ByteWriter, socket: PlannedSocket): void {
  w.u16(socket.service);
  w.u8(socketTypes.indexOf(socket.type));
  w.u8(waysToGive.indexOf(socket.given));
  w.text16(socket.name);
  w.text16(socket.address);
  w.u16(socket.port);
  w.u32(socket.mode);
  w.u32(socket.uid);
  w.u32(socket.gid);
  w.bool(socket.ipv6Only);
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

/** E_PROTOCOL for anything that is not a complete plan of this version. */
export function decodeInitPlan(bytes: Uint8Array): InitPlan {
  const r = new ByteReader(bytes);
  if (bytes.length > most.bytes) r.refuse(`${bytes.length} bytes, at most ${most.bytes}`);
  for (const byte of magic) if (r.u8() !== byte) r.refuse("wrong magic or another version");
  const plan: Mutable<InitPlan> = {
    log: { maxSize: 0, maxFiles: 0 },
    environment: [],
    directories: [],
    volumes: [],
    secrets: [],
    programs: [],
    services: [],
    schedules: [],
    sockets: [],
  };
  let logs = 0;
  for (;;) {
    const length = r.u32();
    const type = r.u8();
    const end = r.enter(length);
    if (type === frame.log) logs++;
    if (type === frame.end) break;
    readFrame(r, type, plan);
    r.leave(end);
  }
  if (logs !== 1) r.refuse("not exactly one log frame");
  if (!r.atEnd()) r.refuse("bytes after the end");
  return plan;
}

function readFrame(r: ByteReader, type: number, plan: Mutable<InitPlan>): void {
  if (type === frame.log) plan.log = { maxSize: r.size(), maxFiles: r.u32() };
  else if (type === frame.environment) plan.environment.push([r.variable(), r.text32()]);
  else if (type === frame.directory) {
    const [mode, uid, gid] = [r.u32(), r.u32(), r.u32()];
    if (mode > 0o7777) r.refuse(`mode ${mode.toString(8)}`);
    plan.directories.push({ path: r.path16(), mode, uid, gid, empty: false });
  } else if (type === frame.empty) {
    const [path, last] = [r.path16(), plan.directories.at(-1)];
    if (last === undefined || last.path !== path || last.empty)
      r.refuse(`${path} is not the directory before it`);
    else plan.directories.splice(-1, 1, { ...last, empty: true });
  } else if (type === frame.volume) {
    const [initial, promised] = [r.choice(initials), r.bool()];
    plan.volumes.push({ path: r.path16(), initial, promised });
  } else if (type === frame.secret) {
    const [delivery, required, name] = [r.choice(deliveries), r.bool(), r.name16()];
    plan.secrets.push({ delivery, name, required, reason: r.text16() });
  } else if (type === frame.program) plan.programs.push(readProgram(r));
  else if (type === frame.service) plan.services.push(readService(r, plan));
  else if (type === frame.schedule) plan.schedules.push(readSchedule(r, plan));
  else if (type === frame.socket) plan.sockets.push(readSocket(r, plan));
  else r.refuse(`unknown frame type ${type}`);
  const { environment, directories, volumes, secrets, programs, services, schedules, sockets } = plan;
  const largest = Math.max(
    ...[environment, directories, volumes, secrets, programs, schedules, sockets].map((list) => list.length),
  );
  if (services.length > most.services || largest > most.others) r.refuse("too many entries");
}

function readProgram(r: ByteReader): PlannedProgram {
  const [name, workingDirectory, user, command] = [r.name16(), r.text16(), r.text16(), r.texts()];
  if (command.length === 0) r.refuse(`program ${name} has no command`);
  return { name, command, workingDirectory, user, environment: readVariables(r) };
}

function readVariables(r: ByteReader): Variables {
  return Array.from({ length: r.u16() }, () => [r.variable(), r.text32()] as const);
}

function readService(r: ByteReader, plan: Mutable<InitPlan>): PlannedService {
  const [name, program] = [r.name16(), r.index(plan.programs.length)];
  const [startup, essential, type, pidFile] = [
    r.choice(startups),
    r.bool(),
    r.choice(serviceTypes),
    r.text16(),
  ];
  if (type === "forking" && pidFile === "") r.refuse(`service ${name} has no pid file`);
  const after = Array.from({ length: r.u16() }, () => r.index(plan.services.length));
  const readiness = readReadiness(r);
  const policy = r.choice(policies);
  const attempts = r.u32();
  const restart = { policy, attempts: attempts === noEnd ? null : attempts, backoff: r.u32() };
  const stop = { signal: r.u8(), timeout: r.u32(), command: r.texts() };
  if (stop.signal < 1 || stop.signal > 64) r.refuse(`signal ${stop.signal}`);
  return { name, program, startup, essential, type, pidFile, after, readiness, restart, stop };
}

function readReadiness(r: ByteReader): PlannedReadiness {
  const kind = r.choice(readinessKinds);
  const [timeout, port, text, exec] = [r.u32(), r.u16(), r.text16(), r.texts()];
  if ((kind === "port") !== port > 0) r.refuse("port without its readiness or the reverse");
  if ((kind === "exec") !== exec.length > 0) r.refuse("exec without its readiness or the reverse");
  if ((kind === "file" || kind === "log") !== text.length > 0)
    r.refuse("text without its readiness or the reverse");
  if (kind === "port") return { kind, port, timeout };
  if (kind === "file") return { kind, file: text, timeout };
  if (kind === "exec") return { kind, exec, timeout };
  return kind === "log" ? { kind, log: text, timeout } : { kind, timeout };
}

function readSchedule(r: ByteReader, plan: Mutable<InitPlan>): PlannedSchedule {
  const [name, program, expression] = [r.name16(), r.index(plan.programs.length), r.text16()];
  const minutes = r.bits(r.u64(), 0, 59);
  const hours = r.bits(BigInt(r.u32()), 0, 23);
  const days = r.bits(BigInt(r.u32()), 1, 31);
  const months = r.bits(BigInt(r.u16()), 1, 12);
  const weekdays = r.bits(BigInt(r.u8()), 0, 6);
  const flags = r.u8();
  if (flags > 15) r.refuse(`schedule flags ${flags}`);
  const times: CronTimes = {
    ...{ minutes, hours, days, months, weekdays },
    anyDay: (flags & 1) !== 0,
    anyWeekday: (flags & 2) !== 0,
    fixed: (flags & 4) !== 0,
    atStart: (flags & 8) !== 0,
  };
  return { name, expression, program, times };
}

function readSocket(r: ByteReader, plan: Mutable<InitPlan>): PlannedSocket {
  const service = r.index(plan.services.length);
  const [type, given, name] = [r.choice(socketTypes), r.choice(waysToGive), r.name16()];
  const [address, port, mode, uid, gid] = [r.text16(), r.u16(), r.u32(), r.u32(), r.u32()];
  const ipv6Only = r.bool();
  const unix = /^[/@]/.test(address);
  if (name.includes(":") || new TextEncoder().encode(name).length > 255) r.refuse(`socket ${name}`);
  if (unix === port > 0 || (type === "seqpacket" && !unix)) r.refuse(`socket ${address} contradicts itself`);
  if (mode > 0o777) r.refuse(`mode ${mode.toString(8)}`);
  return { service, type, given, name, address, port, mode, uid, gid, ipv6Only };
}
