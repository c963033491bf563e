// The rows of images as people look at them.
import { isPlace } from './expected.ts';
import { type Call, found, type Row, read } from './row.ts';

const IMAGE = '/api/v1/repositories/:name{.+}/images/:reference';

const imageOf = ({ town, target }: Call) => town.image(isPlace(target) ? target : 'open');

export const IMAGE_ROWS: Readonly<Record<string, Row>> = {
  [`GET ${IMAGE}`]: read(),
  [`GET ${IMAGE}/usage`]: read(),
  [`GET ${IMAGE}/content`]: { ...read(), send: (call) => ({ query: `digest=${imageOf(call).layer}` }) },
  [`DELETE ${IMAGE}`]: {
    asks: 'delete',
    ok: found(204),
    send: (call) => ({ params: { reference: imageOf(call).digest } }),
  },
};
