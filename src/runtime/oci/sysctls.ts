// Which settings of the kernel an instance may have of its own. Pure.

/** The runtime is started inside of the network, which is not its to change. */
export function isOfIpc(name: string): boolean {
  return /^(?:kernel\.(?:msg|shm)[a-z_]*|kernel\.sem|fs\.mqueue\.[a-z_]+)$/.test(name);
}
