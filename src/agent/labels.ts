/** On everything that the agent makes; it touches nothing without them. None changes from deployment to deployment. */
export const LABELS = {
  managed: 'io.berth.managed',
  stack: 'io.berth.stack',
  environment: 'io.berth.environment',
  service: 'io.berth.service',
  /** What the container was made from; see `definition-hash.ts`. */
  hash: 'io.berth.config-hash',
} as const;

export const COMPOSE_LABELS = {
  project: 'com.docker.compose.project',
  service: 'com.docker.compose.service',
  oneOff: 'com.docker.compose.oneoff',
} as const;

/** The environment of a stack that an agent looks after. */
export interface Place {
  /** `alice/shop` */
  stack: string;
  environment: string;
  /** The compose project: `shop-test`. */
  project: string;
}

/** @returns the labels of every container of the place, the service's own left out */
export function placeLabels({ stack, environment }: Place): Record<string, string> {
  return {
    [LABELS.managed]: 'true',
    [LABELS.stack]: stack,
    [LABELS.environment]: environment,
    // A Watchtower that is still there would take the containers for its own.
    'com.centurylinklabs.watchtower.enable': 'false',
  };
}
