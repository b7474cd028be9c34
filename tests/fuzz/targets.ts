/**
 * All fuzz targets, in the order in which they run.
 *
 * @module
 */

import { commandTargets } from "./command.ts";
import { decoderTargets } from "./decoder.ts";
import { headerTargets } from "./header.ts";
import { listingTargets } from "./listing.ts";
import { nameTargets } from "./name.ts";
import { resolveTargets } from "./resolve.ts";
import { sealedTargets } from "./sealed.ts";
import { secretTargets } from "./secret.ts";
import { tandemTargets } from "./tandem.ts";
import type { Target } from "./target.ts";

/** Every target; each name is there once. */
export const targets: readonly Target[] = [
  ...headerTargets,
  ...decoderTargets,
  ...commandTargets,
  ...nameTargets,
  ...resolveTargets,
  ...listingTargets,
  ...sealedTargets,
  ...tandemTargets,
  ...secretTargets,
];
