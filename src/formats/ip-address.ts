// Whether an address belongs to the internet, or to a machine, a site or a cloud's own services.

/** IPv4 networks that are not for the public (IANA special-purpose registry): first address and prefix length. */
const special4: readonly (readonly [network: number, prefix: number])[] = [
  [0x00000000, 8],
  [0x0a000000, 8],
  [0x64400000, 10],
  [0x7f000000, 8],
  [0xa9fe0000, 16],
  [0xac100000, 12],
  [0xc0000000, 24],
  [0xc0000200, 24],
  [0xc0a80000, 16],
  [0xc6120000, 15],
  [0xc6336400, 24],
  [0xcb007100, 24],
  [0xe0000000, 3],
];

/** True for loopback, private, link-local, multicast and reserved addresses, and for what is no address. */
export function isPrivateAddress(address: string): boolean {
  const bare = address.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  const four = parse4(bare);
  if (four !== undefined) return isPrivate4(four);
  const six = parse6(bare);
  return six === undefined || isPrivate6(six);
}

/** True where the text is an address and not a name. */
export function isAddress(text: string): boolean {
  const bare = text.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  return parse4(bare) !== undefined || parse6(bare) !== undefined;
}

function isPrivate4(address: number): boolean {
  return special4.some(([network, prefix]) => (address ^ network) >>> (32 - prefix) === 0);
}

function isPrivate6(words: readonly number[]): boolean {
  const [a = 0, b = 0, , , , , g = 0, h = 0] = words;
  const last4 = ((g << 16) | h) >>> 0;
  const zeroUpTo = (count: number): boolean => words.slice(0, count).every((word) => word === 0);
  // An IPv4 address inside: mapped, compatible, translated (64:ff9b::/96) or 6to4.
  if (zeroUpTo(5) && (words[5] === 0xffff || words[5] === 0)) return isPrivate4(last4);
  if (a === 0x64 && b === 0xff9b) return isPrivate4(last4);
  if (a === 0x2002) return isPrivate4(((b << 16) | (words[2] ?? 0)) >>> 0);
  // Global unicast is 2000::/3; 2001:db8::/32 is for examples.
  return a >>> 13 !== 1 || (a === 0x2001 && b === 0xdb8);
}

function parse4(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

/** Eight words of 16 bits; undefined for what is no IPv6 address. */
export function parse6(text: string): number[] | undefined {
  const embedded = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const four = embedded === null ? undefined : parse4(embedded[2] ?? "");
  if (embedded !== null && four === undefined) return undefined;
  const plain =
    four === undefined
      ? text
      : `${embedded?.[1] ?? ""}${(four >>> 16).toString(16)}:${(four & 0xffff).toString(16)}`;
  const halves = plain.split("::");
  if (!plain.includes(":") || halves.length > 2) return undefined;
  const words = (half: string): string[] => (half === "" ? [] : half.split(":"));
  const [front = [], back = []] = halves.map(words);
  const missing = 8 - front.length - back.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = [...front, ...new Array<string>(halves.length === 1 ? 0 : missing).fill("0"), ...back];
  if (!all.every((word) => /^[0-9a-fA-F]{1,4}$/.test(word))) return undefined;
  return all.map((word) => Number.parseInt(word, 16));
}
