import type { RegistryContext } from '../../registry/context.ts';
import type { PullThrough } from '../../upstreams/cache/pull-through.ts';

/** What the handlers of /v2/ work with. */
export interface V2Context extends RegistryContext {
  through: PullThrough;
}
