// What an instance may be shown of its host by redirections, when the person who runs it names a path. Pure.
//
// Some places are never shown, because whoever reads them has the host or other instances; some files are shown only where they are named themselves, not by a
// folder that holds them.
import { isWithin } from "./rules.ts";

const never = ["/proc", "/sys", "/dev"];

/** Known by name. Below a folder that is shown they are left out. */
const secrets = [
  "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/sudoers.d", "/etc/ssl/private",
  "/etc/pki/tls/private", "/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_dsa_key", "/etc/ssh/ssh_host_ecdsa_key",
  "/etc/ssh/ssh_host_ed25519_key", "/etc/krb5.keytab", "/etc/ipsec.secrets", "/etc/wireguard", "/etc/letsencrypt",
  "/etc/kubernetes", "/etc/docker", "/etc/containers/auth.json", "/etc/NetworkManager/system-connections",
  "/root", "/run", "/var/run", "/var/lib/docker", "/var/lib/containers", "/var/lib/kubelet", "/var/lib/tranship",
  "/var/lib/private", "/var/spool/cron", "/boot",
]; // biome-ignore format: a table

/** Why a path cannot be allowed at all; undefined: it can. */
export function hostPathRefused(path: string, stateRoot: string): string | undefined {
  if (path === "/") return "the whole host cannot be shown";
  const place = [...never, stateRoot].find((one) => isWithin(path, one) || isWithin(one, path));
  if (place === undefined) return undefined;
  return place === stateRoot
    ? `${path} and the state root ${place} lie in each other`
    : `${path} belongs to the kernel`;
}

/** Whether the host's own path may be seen: one of `allowed` holds it, and where it is or lies in a secret place, that place or something in it was named. */
export function hostAllows(path: string, allowed: readonly string[]): boolean {
  const around = secrets.filter((secret) => isWithin(path, secret));
  return allowed.some((one) => isWithin(path, one) && around.every((secret) => isWithin(one, secret)));
}

/** Secret places below a folder of the host, which stay out of sight unless they are named themselves. */
export function secretsBelow(folder: string, allowed: readonly string[]): string[] {
  return secrets.filter((path) => path !== folder && isWithin(path, folder) && !allowed.includes(path));
}
