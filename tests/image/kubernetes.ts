// The pod of packaging/kubernetes in a container engine, started with what a kubelet makes of the manifest: user and groups, a volume and a Secret
// that belong to `fsGroup`, a root that nobody writes to. No cluster runs here.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { eventually } from '../support/processes.ts';
import type { ServerEngine } from '../support/server-engine.ts';
import { run } from '../support/tools.ts';
import { type Place, testImage } from './place.ts';

const path = new URL('../../packaging/kubernetes/statefulset.yaml', import.meta.url).pathname;
const probe = z.looseObject({ httpGet: z.object({ path: z.string(), port: z.string() }) });
const container = z.looseObject({
  image: z.string(),
  env: z.array(z.object({ name: z.string(), value: z.string() })),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  startupProbe: probe,
  readinessProbe: probe,
  securityContext: z.object({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    capabilities: z.object({ drop: z.array(z.string()) }),
  }),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().default(false) })),
});
const pod = z.looseObject({
  terminationGracePeriodSeconds: z.number(),
  securityContext: z.looseObject({ runAsUser: z.number(), runAsGroup: z.number(), fsGroup: z.number() }),
  containers: z.tuple([container]),
  volumes: z.array(
    z.object({ name: z.string(), emptyDir: z.object({}).optional(), secret: z.looseObject({}).optional() }),
  ),
});

export function podOfKubernetes(place: Place): void {
  describe('the pod of packaging/kubernetes', () => {
    const manifest: unknown = parse(readFileSync(path, 'utf8'));
    const { spec } = z.object({ spec: z.looseObject({ template: z.looseObject({ spec: pod }) }) }).parse(manifest);
    const { containers, securityContext, volumes, terminationGracePeriodSeconds } = spec.template.spec;
    const [{ image, env, ports, startupProbe, readinessProbe, securityContext: own, volumeMounts }] = containers;
    const { runAsUser, runAsGroup, fsGroup } = securityContext;
    const port = ports[0]?.containerPort;
    let folder: string;
    const docker: ServerEngine['docker'] = (args, options) => place.engine.docker(args, options);

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'berth-pod-'));
      await docker(['rm', '--force', 'registry']);
      const make = (name: string, mode: number) => {
        mkdirSync(join(folder, name));
        chownSync(join(folder, name), 0, fsGroup);
        chmodSync(join(folder, name), mode);
      };
      make('data', 0o2775);
      make('settings', 0o2755);
      const key = await run(['openssl', 'rand', '-base64', '32']);
      for (const [name, content] of Object.entries({ 'berth.yaml': 'anonymous: push\n', 'secret.key': `${key}\n` })) {
        writeFileSync(join(folder, 'settings', name), content);
        chownSync(join(folder, 'settings', name), 0, fsGroup);
        chmodSync(join(folder, 'settings', name), 0o440);
      }
    });
    afterAll(async () => {
      await docker(['rm', '--force', 'pod']);
      rmSync(folder, { recursive: true, force: true });
    });

    const flags = () => [
      ...['--user', `${runAsUser}:${runAsGroup}`, '--group-add', String(fsGroup)],
      ...['--read-only', '--security-opt', 'no-new-privileges:true'],
      ...own.capabilities.drop.flatMap((name) => ['--cap-drop', name]),
      ...env.flatMap(({ name, value }) => ['--env', `${name}=${value}`]),
      ...volumeMounts.flatMap(({ name, mountPath, readOnly }) =>
        volumes.some((volume) => volume.name === name && volume.emptyDir !== undefined)
          ? ['--tmpfs', mountPath]
          : ['--volume', `${join(folder, name)}:${mountPath}${readOnly ? ':ro' : ''}`],
      ),
    ];
    const answers = (path: string) =>
      eventually(`200 of ${path}`, 90_000, async () => {
        const url = `http://${place.engine.address}:${port}${path}`;
        return (await fetch(url).catch(() => undefined))?.status === 200;
      });

    test('gets ready as the probes ask, and takes a push', async () => {
      await docker(['run', '--detach', '--name', 'pod', '--publish', `${port}:${port}`, ...flags(), image]);
      await answers(startupProbe.httpGet.path);
      await answers(readinessProbe.httpGet.path);
      await docker(['push', testImage]);
      await docker(['rmi', '--force', testImage]);
      expect(await docker(['run', '--rm', '--network', 'none', testImage])).toBe(place.prints);
      expect(await docker(['logs', 'pod'])).not.toMatch(/"level":"(warn|error)"/);
    });

    test('ends in the time that it is given, with exit code 0', async () => {
      await docker(['stop', '--time', String(terminationGracePeriodSeconds), 'pod']);
      expect(await docker(['inspect', '--format', '{{.State.ExitCode}}', 'pod'])).toBe('0');
    });

    test('would not begin with the variables of a Service named berth, which the manifest keeps away', async () => {
      const link = ['--env', `BERTH_PORT=tcp://10.96.0.10:80`];
      const { code, stderr } = await place.engine.tryDocker(['run', '--rm', ...flags(), ...link, image]);
      expect(code).toBe(2);
      expect(stderr).toStartWith('berth: BERTH_PORT: ');
      expect(spec.template.spec.enableServiceLinks).toBe(false);
    });
  });
}
