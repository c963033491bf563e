// packaging/kubernetes and docs/how-to/kubernetes.md: what Kubernetes' own tool makes of them, and whether they say what Berth and its image are.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { z } from 'zod';
import { USER } from '../../scripts/root-files.ts';
import { loadSettings } from '../../src/config/load.ts';
import { SETTINGS, type SettingName, variableOf } from '../../src/config/settings.ts';
import { newerTools, requireTools, run } from '../support/tools.ts';

const kubectl = join(newerTools, 'usr/bin/kubectl');
const canRun = requireTools('Kubernetes', [kubectl, 'openssl']);
const root = new URL('../../', import.meta.url).pathname;
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');
const page = read('docs/how-to/kubernetes.md');
const [settings = '', kustomization = '', backups = ''] = [...page.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map(
  ([, text]) => text,
);

const named = z.looseObject({ name: z.string() });
const probe = z.looseObject({
  httpGet: z.object({ path: z.string(), port: z.string() }),
  timeoutSeconds: z.number().default(1),
});
const container = z.looseObject({
  image: z.string(),
  env: z.array(z.object({ name: z.string(), value: z.string() })),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  startupProbe: probe,
  livenessProbe: probe,
  readinessProbe: probe,
  securityContext: z.record(z.string(), z.unknown()),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().optional() })),
});
const pod = z.looseObject({
  enableServiceLinks: z.boolean(),
  terminationGracePeriodSeconds: z.number(),
  securityContext: z.looseObject({ runAsUser: z.number(), runAsGroup: z.number(), fsGroup: z.number() }),
  containers: z.tuple([container]),
  volumes: z.array(named),
});
const statefulSet = z.looseObject({
  spec: z.looseObject({
    replicas: z.number(),
    template: z.looseObject({ spec: pod }),
    volumeClaimTemplates: z.array(z.looseObject({ metadata: named })),
  }),
});
const resource = z.looseObject({ apiVersion: z.string(), kind: z.string(), metadata: named });
type Resource = z.output<typeof resource>;

/** Paths of `wanted` that `known` has not, or has otherwise. */
function lost(wanted: unknown, known: unknown, path = ''): string[] {
  if (typeof wanted !== 'object' || wanted === null) return Object.is(wanted, known) ? [] : [path];
  if (typeof known !== 'object' || known === null) return [path];
  const there: ReadonlyMap<string, unknown> = new Map(Object.entries(known));
  return Object.entries(wanted).flatMap(([key, value]) => lost(value, there.get(key), `${path}/${key}`));
}

test('the page has the settings and the kustomization', () => {
  expect(kustomization).toContain('kind: Kustomization');
  expect(settings).not.toContain('kind:');
});

describe.if(canRun)('packaging/kubernetes', () => {
  let folder: string;
  let rendered: Resource[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'berth-kubernetes-'));
    cpSync(`${root}packaging/kubernetes`, join(folder, 'berth/packaging/kubernetes'), { recursive: true });
    writeFileSync(join(folder, 'berth.yaml'), settings);
    writeFileSync(join(folder, 'kustomization.yaml'), kustomization);
    const [, command = ''] = /^ {4}(openssl .*)$/m.exec(page) ?? [];
    await run(['sh', '-c', command], { cwd: folder });
    rendered = await documents(['kustomize', folder]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** No cluster, and nothing of the user's. */
  const ask = (args: string[], stdin?: string) =>
    run([kubectl, ...args], {
      env: { KUBECONFIG: '/dev/null', HOME: folder },
      ...(stdin === undefined ? {} : { stdin }),
    });
  async function documents(args: string[], stdin?: string): Promise<Resource[]> {
    return parseAllDocuments(await ask(args, stdin)).map((document) => resource.parse(document.toJS()));
  }
  const ofKind = (kind: string): Resource => {
    const [found, ...more] = rendered.filter((each) => each.kind === kind);
    if (found === undefined || more.length > 0) throw new Error(`${more.length} more of ${kind}`);
    return found;
  };
  /** As it is after a change by Kubernetes' own types: what they do not know is gone, what is of another type is refused. */
  async function typed(given: Resource): Promise<Resource | undefined> {
    const change =
      given.kind === 'StatefulSet' ? ['resources', '--limits=cpu=9'] : ['selector', 'app.kubernetes.io/name=berth'];
    const [known] = await documents(['set', ...change, '--local', '-f', '-', '-o', 'yaml'], stringify(given));
    return known;
  }

  test('gives, with what the page puts on top, one of each kind in one namespace', () => {
    expect(rendered.map(({ kind }) => kind).sort()).toEqual(['Ingress', 'Secret', 'Service', 'StatefulSet']);
    for (const { metadata } of rendered) expect(metadata).toMatchObject({ namespace: 'berth' });
    const { containers, volumes } = podOf(ofKind('StatefulSet'));
    expect(containers[0].image).toBe('registry.example.net/berth:0.1.0');
    const secret = ofKind('Secret').metadata.name;
    expect(secret).toStartWith('berth-');
    expect(volumes).toContainEqual(expect.objectContaining({ secret: { secretName: secret, defaultMode: 0o440 } }));
  });

  test('has no field that Kubernetes does not know, and none of another type', async () => {
    for (const kind of ['StatefulSet', 'Service']) expect(lost(ofKind(kind), await typed(ofKind(kind)))).toEqual([]);
    const wrong = { ...ofKind('Service'), spec: { ports: [{ port: 80, colour: 'red' }] } };
    expect(lost(wrong, await typed(wrong))).toEqual(['/spec/ports/0/colour']);
    const broken = typed({ ...ofKind('Service'), spec: { ports: [{ port: 'eighty' }] } });
    await expect(broken).rejects.toThrow('port');
  });

  test('has the Ingress that kubectl makes for this host, port and certificate', async () => {
    const { annotations } = z
      .looseObject({ annotations: z.record(z.string(), z.string()) })
      .parse(ofKind('Ingress').metadata);
    const [made] = await documents([
      ...['create', 'ingress', 'berth', '--namespace=berth', '--class=nginx', '--dry-run=client', '-o', 'yaml'],
      '--rule=registry.example.com/*=berth:http,tls=berth-tls',
      ...Object.entries(annotations).map(([name, value]) => `--annotation=${name}=${value}`),
    ]);
    expect(lost(ofKind('Ingress'), made)).toEqual([]);
    expect(annotations).toMatchObject({ 'nginx.ingress.kubernetes.io/proxy-body-size': '0' });
  });

  test('has a Service that leads to the port of the pod, by the labels of the pod', () => {
    const { selector, ports } = z
      .object({ selector: z.record(z.string(), z.string()), ports: z.array(z.looseObject({ targetPort: z.string() })) })
      .parse(ofKind('Service').spec);
    const labels = z.object({ template: z.looseObject({ metadata: z.looseObject({ labels: z.unknown() }) }) });
    expect(labels.parse(ofKind('StatefulSet').spec).template.metadata.labels).toMatchObject(selector);
    const { containers } = podOf(ofKind('StatefulSet'));
    expect(containers[0].ports.map(({ name }) => name)).toEqual(ports.map(({ targetPort }) => targetPort));
  });

  test('says of the container what the image and the settings are', () => {
    const { replicas, volumeClaimTemplates } = statefulSet.parse(ofKind('StatefulSet')).spec;
    expect(replicas).toBe(1);
    const spec = podOf(ofKind('StatefulSet'));
    const [{ env, ports, volumeMounts }] = spec.containers;
    const { runAsUser, runAsGroup, fsGroup } = spec.securityContext;
    expect([runAsUser, runAsGroup, fsGroup]).toEqual([USER, USER, USER]);
    expect(ports.map(({ containerPort }) => containerPort)).toEqual([SETTINGS.port.default]);
    const variables = new Set([...(Object.keys(SETTINGS) as SettingName[]).map(variableOf), 'BERTH_CONFIG']);
    expect(env.map(({ name }) => name).filter((name) => !variables.has(name))).toEqual([]);
    const mounted = new Map(volumeMounts.map(({ name, mountPath }) => [name, mountPath]));
    expect([...mounted.keys()].sort()).toEqual(
      [...spec.volumes, ...volumeClaimTemplates.map(({ metadata }) => metadata)].map(({ name }) => name).sort(),
    );
    expect(read('scripts/image.ts')).toContain(`'BERTH_DATA=${mounted.get('data')}'`);
    const files = z.record(z.string(), z.string()).parse(ofKind('Secret').data);
    expect(env.map(({ value }) => value).sort()).toEqual(
      Object.keys(files)
        .map((name) => `${mounted.get('settings')}/${name}`)
        .sort(),
    );
    expect(spec.terminationGracePeriodSeconds * 1000).toBeGreaterThanOrEqual(SETTINGS.shutdownTimeout.default + 5_000);
  });

  test('asks for addresses that there are, and is more patient than they are', () => {
    const [{ startupProbe, livenessProbe, readinessProbe }] = podOf(ofKind('StatefulSet')).containers;
    expect([startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet.path)).toEqual([
      '/livez',
      '/livez',
      '/readyz',
    ]);
    const routes = read('src/http/operations.ts');
    for (const path of ['/livez', '/readyz']) expect(routes).toContain(`path: '${path}', access: 'none'`);
    const [, each = ''] = /CHECK_WITHIN_MS = ([\d_]+)/.exec(routes) ?? [];
    expect(readinessProbe.timeoutSeconds * 1000).toBeGreaterThan(2 * Number(each.replace('_', '')));
  });

  test('keeps to the level "restricted" of Pod Security Standards, and out of the way of the settings', () => {
    const { enableServiceLinks, securityContext, containers, volumes } = podOf(ofKind('StatefulSet'));
    expect(enableServiceLinks).toBe(false);
    expect(variableOf('port')).toBe('BERTH_PORT');
    expect(securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(containers[0].securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    for (const { name, ...source } of volumes) expect(['emptyDir', 'secret']).toContain(Object.keys(source)[0] ?? name);
  });

  test('takes the settings of the page, and those with PostgreSQL and with backups', () => {
    const [, line = ''] = /`(database: postgres:[^`]*)`/.exec(page) ?? [];
    writeFileSync(join(folder, 'all.yaml'), `${settings}${line}\n${backups}`);
    const { publicUrl, database, backupTo } = loadSettings({}, {}, join(folder, 'all.yaml'));
    expect({ publicUrl, database, backupTo }).toEqual({
      publicUrl: z.object({ publicUrl: z.string() }).parse(parse(settings)).publicUrl,
      database: line.replace('database: ', ''),
      backupTo: z.object({ backupTo: z.string() }).parse(parse(backups)).backupTo,
    });
  });

  function podOf(given: Resource): z.output<typeof pod> {
    return statefulSet.parse(given).spec.template.spec;
  }
});
