/** The real uid; undefined where this process is no part of a user's own namespaces. */
export function rootlessUser(): number | undefined {
  const uid = process.env.TRANSHIP_ROOTLESS;
  return uid === undefined ? undefined : Number(uid);
}
