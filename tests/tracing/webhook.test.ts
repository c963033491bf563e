// A delivery to a webhook is a trace of its own, and carries it on.
import { afterAll, expect, test } from 'bun:test';
import { eventually } from '../support/processes.ts';
import { Place } from '../webhooks/place.ts';
import { Receiver } from '../webhooks/receiver.ts';
import { CLIENT, Collector } from './collector.ts';

const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends.reverse()) await end();
}, 60_000);

test('a receiver can go on with the trace of a delivery, and its path is not told', async () => {
  const collector = new Collector();
  ends.push(() => collector.stop());
  const receiver = await Receiver.start();
  ends.push(() => receiver.down());
  const place = await Place.start(['--workers', '1', '--traces-to', collector.url]);
  ends.push(() => place.stop());
  await place.client.webhooks.create({ namespace: 'alice', url: receiver.url, events: ['tag.push'] });
  await place.push('alice/app', 'v1');
  await eventually('the delivery', 30_000, () => receiver.received.length > 0);
  // What waits is sent at the end.
  expect(await place.server.stop()).toBe(0);
  const delivery = collector.spans.find(
    ({ kind, attributes }) => kind === CLIENT && attributes['server.port'] === receiver.port,
  );
  expect(delivery).toMatchObject({ name: 'POST', attributes: { 'http.response.status_code': 204 } });
  expect(receiver.received[0]?.headers.traceparent).toBe(`00-${delivery?.traceId}-${delivery?.spanId}-01`);
  expect(JSON.stringify(delivery?.attributes)).not.toContain('hook');
});
