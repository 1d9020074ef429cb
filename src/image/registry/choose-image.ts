// Which of an index's images is meant.
import { TranshipError } from "../../base/errors.ts";
import {
  type Descriptor,
  type ImageConfig,
  type ImageIndex,
  isManifestType,
  mediaType,
  type Platform,
} from "../../formats/oci.ts";

export interface Chosen {
  image: Descriptor;
  /** Of packages: the manifest of the package descriptor. */
  descriptor: Descriptor | undefined;
}

/** "linux/amd64", "linux/arm64/v8". */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.split("/");
  if (!os || !architecture || rest.length > 0) {
    throw new TranshipError("E_USAGE", `not a platform: ${JSON.stringify(text)}`, {
      hint: "write OS/ARCHITECTURE, for example linux/amd64",
    });
  }
  return variant === undefined ? { os, architecture } : { os, architecture, variant };
}

export function hostPlatform(): Platform {
  return { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch };
}

/** E_IMAGE_UNSUPPORTED names what there is. */
export function chooseImage(index: ImageIndex, platform: Platform, what: string): Chosen {
  const images = index.manifests.filter(
    (entry) =>
      isManifestType(entry.mediaType) && entry.platform?.os !== "unknown" && entry.artifactType === undefined,
  );
  const fitting = images.filter(({ platform: has }) => has !== undefined && fits(has, platform));
  // An image that says no variant runs on all of them.
  const image = fitting.find((entry) => entry.platform?.variant === undefined) ?? fitting[0];
  // One image without a word on its platform is what there is.
  const only = images.length === 1 && images[0]?.platform === undefined ? images[0] : undefined;
  const chosen = image ?? only;
  if (chosen !== undefined)
    return {
      image: chosen,
      descriptor: index.manifests.find((one) => one.artifactType === mediaType.descriptor),
    };
  const there = images.map((entry) => nameOf(entry.platform)).slice(0, 12);
  throw new TranshipError("E_IMAGE_UNSUPPORTED", `${what} has no image for ${nameOf(platform)}`, {
    hint:
      there.length === 0
        ? "it holds no image at all"
        : `there are ${there.join(", ")}: choose with --platform`,
  });
}

/** Where there is one image alone: what its config says it is for, if that is not what is wanted. */
export function otherPlatform(
  { os, architecture, variant }: ImageConfig,
  wanted: Platform,
): string | undefined {
  const has = variant === undefined ? { os, architecture } : { os, architecture, variant };
  return fits(has, wanted) ? undefined : nameOf(has);
}

/** The only image is not for what was asked for by --platform. */
export function wrongPlatform(what: string, platform: Platform, has: string): TranshipError {
  return new TranshipError("E_IMAGE_UNSUPPORTED", `${what} has no image for ${nameOf(platform)}`, {
    hint: `it is for ${has}: leave --platform out, or name that`,
  });
}

function fits(has: Platform, wanted: Platform): boolean {
  if (has.os !== wanted.os || has.architecture !== wanted.architecture) return false;
  return wanted.variant === undefined || has.variant === undefined || has.variant === wanted.variant;
}

function nameOf(platform: Platform | undefined): string {
  if (platform === undefined) return "an unnamed platform";
  const { os, architecture, variant } = platform;
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}
