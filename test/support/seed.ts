// What the tests of `init --seed` share: a tree with all that there can be, and the call.
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { nativePath } from "../../src/host/native.ts";
import { fingerprint } from "./images.ts";
import { judge } from "./tree.ts";

export const program = nativePath("init");

export interface Volume {
  readonly top: string;
  readonly source: string;
  readonly target: string;
}

/** An empty source and an empty target; rm removes them, as it knows no longest path. */
export function volume(t: TestContext): Volume {
  const top = mkdtempSync(join(tmpdir(), "tranship-seed-"));
  t.after(() => spawnSync("rm", ["-rf", top]));
  chmodSync(top, 0o755);
  const [source, target] = [join(top, "source"), join(top, "target")];
  mkdirSync(source);
  mkdirSync(target);
  return { top, source, target };
}

/** Every kind of object, and all that one can have. Owners come before modes: chown drops set-id bits. */
export function fill(source: string): void {
  const script = `
mkdir -p dir/below empty readonly owned inherits
echo one > first; ln first second; ln first dir/below/third
echo set > dir/setuid; chown 1234:5678 dir/setuid owned; chmod 6755 dir/setuid; chmod 3751 owned
echo capable > dir/capable; setcap cap_net_raw,cap_net_bind_service+ep dir/capable
echo listed > listed; setfacl -m u:33:rw,g:34:r listed
setfacl -d -m u:35:rwx inherits; echo below > inherits/below; chmod 600 inherits/below
setfattr -n user.word -v value listed; setfattr -n user.word -v directory dir; setfattr -n trusted.word -v x dir
ln -s /etc/passwd absolute; ln -s ../../.. upwards; ln -s dir link; ln -s nowhere dangling
ln -s first linked; ln linked linked-too; chown -h 77:88 absolute; setfattr -h -n trusted.of -v link absolute
mkfifo -m 640 fifo; mknod -m 660 null c 1 3; mknod block b 7 99; ln null null-too
truncate -s 9M sparse; printf middle | dd of=sparse bs=1 seek=4194304 conv=notrunc status=none
truncate -s 1M hole; head -c 300000 /dev/urandom > large; : > nothing
printf x > "$(printf 'odd\\377\\001\\nname')"; mkdir "$(printf 'odd\\376dir')"; printf y > "$(printf 'odd\\376dir/- *')"
echo locked > readonly/file; chmod 400 readonly/file
touch -h -d '2001-02-03 04:05:06.123456789' absolute first dir/below large fifo
touch -a -d '2002-03-04 05:06:07.987654321' large
touch -d '2003-04-05 06:07:08.135792468' empty dir; chmod 555 readonly; chmod 700 empty
chown 55:66 .; chmod 2750 .; setfattr -n user.root -v yes .; touch -d '2004-05-06 07:08:09.111111111' .`;
  judge(source, "sh", ["-ec", script]);
}

export function seed(source: string, target: string, before: string[] = []): SpawnSyncReturns<string> {
  const [command = program, ...args] = [...before, program, "--seed", source, target];
  return spawnSync(command, args, { encoding: "latin1" });
}

/** A line for each object, that of the directory itself first. */
export function tree(directory: string): string[] {
  return fingerprint(directory)
    .split("\n")
    .filter((line) => line !== "");
}
