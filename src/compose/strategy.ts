import { isYes, listOf, record } from './definition.ts';
import type { ComposeFile, ComposeService } from './file.ts';
import { mountsOf } from './mounts.ts';
import { portsOf } from './ports.ts';
import { type Probe, readDuration, readProbe } from './settings.ts';

/** How a running service is replaced; `why` is for people. */
export type Replacement = { order: 'start-first' | 'stop-first'; why: string };

/**
 * start-first: the new container is healthy before the old one is stopped. Only where two of them can live side by side; what the file asks for
 * under `deploy.update_config.order` decides where both ways are possible.
 */
export function replacementOf(service: ComposeService): Replacement {
  const { definition } = service;
  const asked = record(record(definition.deploy).update_config).order;
  const impossible = whyNotTwo(definition);
  if (impossible !== undefined) {
    return {
      order: 'stop-first',
      why:
        asked === 'start-first'
          ? `${impossible}, so the start-first that the file asks for is not possible`
          : impossible,
    };
  }
  if (asked === 'start-first' || asked === 'stop-first') {
    return { order: asked, why: 'the file asks for it (deploy.update_config.order)' };
  }
  const unsafe = whyNotSafe(definition);
  if (unsafe !== undefined) return { order: 'stop-first', why: unsafe };
  return { order: 'start-first', why: 'it publishes no fixed port and writes to no volume' };
}

/** Why a second container of the service can't even start. */
function whyNotTwo(definition: Record<string, unknown>): string | undefined {
  const port = portsOf(definition).find(({ published }) => published !== '' && published !== '0');
  if (port !== undefined) return `it publishes port ${port.published} of the host`;
  if (definition.container_name !== undefined)
    return `its container has the fixed name ${String(definition.container_name)}`;
  for (const [name, value] of Object.entries(record(definition.networks))) {
    const fixed = ['ipv4_address', 'ipv6_address', 'mac_address'].find((field) => record(value)[field] !== undefined);
    if (fixed !== undefined) return `it has a fixed ${fixed} in the network ${name}`;
  }
  return definition.mac_address === undefined ? undefined : 'it has a fixed mac_address';
}

/** Why two containers of the service could harm each other. */
function whyNotSafe(definition: Record<string, unknown>): string | undefined {
  const mode = definition.network_mode;
  if (typeof mode === 'string' && /^(?:host$|service:|container:)/.test(mode))
    return `its network is ${mode}, where ports can be taken only once`;
  const mount = mountsOf(definition).find(({ kind, readOnly }) => kind !== 'tmpfs' && !readOnly);
  if (mount !== undefined)
    return `it writes to ${mount.source === '' ? `the volume at ${mount.target}` : mount.source}`;
  const from = listOf(definition.volumes_from).find((entry) => !entry.endsWith(':ro'));
  return from === undefined ? undefined : `it writes to the volumes of ${from}`;
}

export type Health =
  | Probe
  | { kind: 'healthcheck'; line: string }
  /** The image's HEALTHCHECK; an image without one counts as healthy after `min_healthy_time` without a restart. */
  | { kind: 'image'; line: string }
  /** Nothing checks it: running for `min_healthy_time` without a restart is all that is known. */
  | { kind: 'running'; line: string };

/** What says that a service is healthy. @throws OciError BODY_INVALID when `x-berth` is malformed */
export function healthOf(file: ComposeFile, service: ComposeService): Health {
  const { definition } = service;
  const seconds = deadlinesOf(file, service).minHealthyTime / 1000;
  const running = `running for ${seconds} s without a restart`;
  const probe = record(definition['x-berth']).probe;
  if (probe !== undefined) return readProbe(probe, `services.${service.name}.x-berth.probe`);
  const check = definition.healthcheck;
  if (check !== undefined && check !== null) {
    const { disable, test } = record(check);
    if (isYes(disable) || (Array.isArray(test) && test[0] === 'NONE')) {
      return { kind: 'running', line: `${running}: its health check is switched off, so a broken release may pass` };
    }
    if (test !== undefined)
      return { kind: 'healthcheck', line: `its healthcheck: ${listOf(test).join(' ').slice(0, 200)}` };
  }
  return { kind: 'image', line: `the image's HEALTHCHECK; without one, ${running}, so a broken release may pass` };
}

/** Milliseconds each. */
export type Deadlines = {
  /** Healthy for so long counts as healthy. */
  minHealthyTime: number;
  /** From its start until a service must be healthy. */
  healthyDeadline: number;
  /** The longest time in which nothing gets on, pulling and migrations included. */
  progressDeadline: number;
  /** start-first: from the new container's health until the old one is stopped. */
  drain: number;
};

/** From `x-berth` of the service, else of the file, else Berth's own. @throws OciError BODY_INVALID for what is no duration */
export function deadlinesOf(file: ComposeFile, service: ComposeService): Deadlines {
  const all = record(file.definition['x-berth']);
  const own = record(service.definition['x-berth']);
  const read = (name: string, otherwise: number) => {
    if (own[name] !== undefined) return readDuration(own[name], `services.${service.name}.x-berth.${name}`);
    return all[name] === undefined ? otherwise : readDuration(all[name], `x-berth.${name}`);
  };
  return {
    minHealthyTime: read('min_healthy_time', 10_000),
    healthyDeadline: read('healthy_deadline', 300_000),
    progressDeadline: read('progress_deadline', 600_000),
    drain: read('drain', 3_000),
  };
}
