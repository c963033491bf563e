// The recipes of docs/how-to that other programs read: their YAML is valid, and says what the shell script takes.
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { run } from '../support/tools.ts';

const folder = new URL('../../docs/how-to/', import.meta.url).pathname;
const read = (name: string) => readFileSync(`${folder}${name}`, 'utf8');

function yamlOf(page: string): unknown {
  const [, block = ''] = /^```yaml\n([\s\S]*?)^```/m.exec(read(page)) ?? [];
  expect(block).not.toBe('');
  const value: unknown = parse(block);
  return value;
}

/** The variables without which `ci.sh` does not begin. */
const required = [...(/^: .*$/m.exec(read('ci.sh'))?.[0] ?? '').matchAll(/\{(\w+):\?\}/g)].map(([, name = '']) => name);

test('the script names what it needs at its top', () => {
  expect(required).toEqual(['REGISTRY', 'IMAGE', 'GIT_SHA', 'BERTH_TOKEN', 'BERTH_STACK', 'BERTH_ENVIRONMENT']);
});

test('the script is one that a POSIX shell reads', async () => {
  await run(['sh', '-n', `${folder}ci.sh`]);
});

test('the page of the script lists every variable that it reads', () => {
  const used = [...read('ci.sh').matchAll(/\$\{?(BERTH_\w+|REGISTRY|IMAGE|GIT_SHA)/g)].map(([, name = '']) => name);
  const page = read('ci-shell.md');
  expect([...new Set(used)].filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

const variables = z.record(z.string(), z.string());

test('the workflow for GitHub Actions is valid YAML and gives the script all that it needs', () => {
  const step = z.looseObject({ run: z.string().optional(), env: variables.optional() });
  const workflow = z.looseObject({ jobs: z.record(z.string(), z.looseObject({ steps: z.array(step) })) });
  const steps = Object.values(workflow.parse(yamlOf('ci-github-actions.md')).jobs).flatMap((job) => job.steps);
  const env = steps.find(({ run: command }) => command === 'sh ci.sh')?.env ?? {};
  expect(required.filter((name) => env[name] === undefined)).toEqual([]);
});

test('the pipeline for GitLab is valid YAML and gives the script all but the secret', () => {
  const pipeline = z.looseObject({ ship: z.looseObject({ variables, script: z.array(z.string()) }) });
  const { ship } = pipeline.parse(yamlOf('ci-gitlab.md'));
  expect(ship.script).toContain('sh ci.sh');
  expect(required.filter((name) => ship.variables[name] === undefined)).toEqual(['BERTH_TOKEN']);
});

test('the pipeline for Jenkins gives the script all that it needs', () => {
  const page = read('ci-jenkins.md');
  expect(required.filter((name) => !new RegExp(`\\b${name}\\s*=`).test(page))).toEqual([]);
});
