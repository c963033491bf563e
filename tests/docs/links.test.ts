// What the documentation names must be there: the files that its links lead to, the commands and flags, the scripts, the files in its text.
import { beforeAll, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Glob } from 'bun';
import { Command } from 'commander';
import pkg from '../../package.json' with { type: 'json' };
import { API_ROUTES } from '../../src/http/api/routes.ts';
import { berth } from '../support/berth.ts';

const root = new URL('../..', import.meta.url).pathname;
const pages = ['*.md', 'docs/**/*.md', 'bench/*.md', 'src/**/*.md']
  .flatMap((pattern) => [...new Glob(pattern).scanSync(root)])
  .sort();

/** Flags by command, `tag list` as well as `tag`; '' for those of all commands together. */
const flags = new Map<string, Set<string>>();
/** Commands that have subcommands and do something without one too. */
const alone = new Set<string>();

beforeAll(async () => {
  const { stdout } = await berth(['--help']);
  const program = new Command('berth');
  for (const [, name] of stdout.matchAll(/^ {2}([a-z]+) {2,}/gm)) {
    if (name === 'help') continue;
    const module: { register: (program: Command, finish: () => void) => void } = await import(
      `../../src/cli/${name}.ts`
    );
    module.register(program, () => {});
  }
  const all = new Set(['--version', '--help']);
  const add = (path: string, command: Command) => {
    const own = new Set(['--help', ...command.options.flatMap(({ long }) => long ?? [])]);
    flags.set(path, own);
    for (const flag of own) all.add(flag);
    if (command.commands.length > 0 && command.registeredArguments.length > 0) alone.add(path);
    for (const child of command.commands) add(`${path} ${child.name()}`, child);
  };
  for (const command of program.commands) add(command.name(), command);
  flags.set('', all);
}, 60_000);

interface Page {
  path: string;
  /** Without code, so that a shell's brackets are no links. */
  prose: string;
  /** Lines of code blocks, fenced or indented; a line that ends in `\` with the next. */
  code: string[];
  /** What stands between backticks. */
  spans: string[];
}

function read(path: string): Page {
  const text = readFileSync(join(root, path), 'utf8');
  const fenced = [...text.matchAll(/^```[^\n]*\n([\s\S]*?)^```/gm)].map((match) => match[1] ?? '');
  const rest = text.replace(/^```[\s\S]*?^```/gm, '');
  const indented = rest.match(/^ {4}.*$/gm) ?? [];
  const plain = rest.replace(/^ {4}.*$/gm, '');
  const code = [...fenced, indented.join('\n')]
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n');
  const spans = [...plain.matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '');
  return { path, prose: plain.replace(/`[^`\n]+`/g, 'code'), code, spans };
}

/** As GitHub makes it of a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replace(/ /g, '-');
}

/** `… berth tag list ubuntu --server URL` as its command and its flags; undefined for a line that has no command of ours. */
function invocation(line: string): { command: string; flags: string[] } | undefined {
  const match = /(?:^|\s)(?:\S*\/)?berth ([a-z]+)(?: ([a-z-]+))?(.*)$/.exec(line.replace(/\s#.*$/, ''));
  if (match === null) return undefined;
  const [, first = '', second, rest = ''] = match;
  // A command that has subcommands is named with one of them.
  const group = [...flags.keys()].some((known) => known.startsWith(`${first} `));
  const named = `${first} ${second}`;
  if (alone.has(first) && !flags.has(named)) return { command: first, flags: flagsIn(` ${second ?? ''}${rest}`) };
  const command = group && second !== undefined ? named : first;
  return { command, flags: flagsIn(rest) };
}

function flagsIn(text: string): string[] {
  return text.match(/(?<=\s)--[a-z][a-z0-9-]*/g) ?? [];
}

test('there are pages to look at', () => {
  expect(pages).toContain('README.md');
  expect(pages).toContain('docs/tutorial.md');
});

for (const path of pages) {
  const page = read(path);

  test(`${path}: every link leads somewhere`, () => {
    const broken: string[] = [];
    for (const [, target = ''] of page.prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file = '', fragment] = target.split('#');
      const full = file === '' ? join(root, path) : join(root, dirname(path), file);
      if (!existsSync(full)) broken.push(target);
      else if (fragment !== undefined && full.endsWith('.md')) {
        const headings = [...readFileSync(full, 'utf8').matchAll(/^#+ (.+)$/gm)].map((match) => anchor(match[1] ?? ''));
        if (!headings.includes(fragment)) broken.push(target);
      }
    }
    expect(broken).toEqual([]);
  });

  test(`${path}: every command and flag of Berth that it names is in --help`, () => {
    const wrong: string[] = [];
    for (const line of [...page.code, ...page.spans]) {
      const found = invocation(line);
      if (found === undefined) continue;
      const known = flags.get(found.command);
      // Anywhere but at the beginning it may be a user or a database of that name.
      if (known === undefined && /^\s*(bin\/|dist\/)?berth /.test(line)) wrong.push(line);
      for (const flag of found.flags)
        if (known !== undefined && !known.has(flag)) wrong.push(`${found.command} ${flag}`);
    }
    for (const span of page.spans) {
      const flag = /^--[a-z][a-z0-9-]*/.exec(span)?.[0];
      if (flag !== undefined && path !== 'bench/README.md' && !flags.get('')?.has(flag)) wrong.push(span);
    }
    expect(wrong).toEqual([]);
  });

  test(`${path}: every npm script and every file of the repository that it names is there`, () => {
    const wrong: string[] = [];
    for (const text of [...page.code, ...page.spans]) {
      const script = /^\s*npm (?:run )?([a-z]+)/.exec(text)?.[1];
      if (script !== undefined && script !== 'ci' && !Object.hasOwn(pkg.scripts, script)) wrong.push(text);
    }
    for (const span of page.spans) {
      if (
        /^(src|tests|bench|scripts|docs)\/[\w./-]+$/.test(span) &&
        !/results/.test(span) &&
        !existsSync(join(root, span))
      )
        wrong.push(span);
    }
    expect(wrong).toEqual([]);
  });
}

/** `/api/v1/users/:username` as what a page may write for it. */
const apiPaths = API_ROUTES.map(
  ({ path }) => new RegExp(`^${path.replace(/:\w+(\{\.\+\})?/g, (_, many) => (many === undefined ? '[^/]+' : '.+'))}$`),
);

test('every path of the API that the pages name is there', () => {
  const wrong = pages.map(read).flatMap(({ path, code, spans }) =>
    [...code, ...spans].flatMap((text) =>
      [...text.matchAll(/\/api\/v1\/[^\s'"`?#|)]*/g)]
        .map(([found]) => found)
        .filter((found) => !/\$|…|\/$/.test(found) && !apiPaths.some((known) => known.test(found)))
        .map((found) => `${path}: ${found}`),
    ),
  );
  expect(wrong).toEqual([]);
});
