import type { WebhookShape } from '../context.ts';
import { BERTH_SHAPE } from './berth.ts';
import { DISTRIBUTION_SHAPE } from './distribution.ts';
import { DOCKER_HUB_SHAPE } from './docker-hub.ts';
import type { Shape } from './shape.ts';

export const SHAPES: Readonly<Record<WebhookShape, Shape>> = {
  berth: BERTH_SHAPE,
  distribution: DISTRIBUTION_SHAPE,
  'docker-hub': DOCKER_HUB_SHAPE,
};
