// Which settings of the kernel an instance may have of its own. Pure.

export type Sysctls = Readonly<Record<string, string>>;

/** Messages, semaphores and shared memory: the OCI runtime sets them. */
export function isOfIpc(name: string): boolean {
  return /^(?:kernel\.(?:msg|shm)[a-z_]*|kernel\.sem|fs\.mqueue\.[a-z_]+)$/.test(name);
}

/** Set where the network is made: the OCI runtime is started inside of it, and may not know that it is the instance's own. */
export function isOfNetwork(name: string): boolean {
  return /^net(?:\.[A-Za-z0-9_-]+)+$/.test(name);
}

export function settingsOfNetwork(sysctls: Sysctls = {}): Record<string, string> {
  return chosen(sysctls, isOfNetwork);
}

export function settingsOfIpc(sysctls: Sysctls = {}): Record<string, string> {
  return chosen(sysctls, isOfIpc);
}

function chosen(sysctls: Sysctls, belongs: (name: string) => boolean): Record<string, string> {
  return Object.fromEntries(Object.entries(sysctls).filter(([name]) => belongs(name)));
}
