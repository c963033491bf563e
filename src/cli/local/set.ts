import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { CommandError, UsageError } from '../usage.ts';

const imageOfSet = z.object({
  service: z.string(),
  reference: z.string(),
  tag: z.string().nullable(),
  digest: z.string(),
  migration: z.boolean(),
});
export type ImageOfSet = z.infer<typeof imageOfSet>;

/** What `berth up` started here, as it stands in `set.json`. */
const localSet = z.object({
  /** The name of the compose project. */
  project: z.string(),
  /** What stands after the stack in it: an environment, a release, or what --name says. */
  name: z.string(),
  /** `alice/shop` */
  stack: z.string(),
  environment: z.string().nullable(),
  release: z.number().int().nullable(),
  images: z.array(imageOfSet),
  /** By service, address, own port and protocol: the port of this machine. */
  ports: z.record(z.string(), z.number().int()),
  /** References that were not here before, and may go with the set. */
  pulled: z.array(z.string()),
  startedAt: z.iso.datetime(),
});
export type LocalSet = z.infer<typeof localSet>;

/**
 * The sets of this user:
 *
 *     sets/<project>/set.json        what it is
 *     sets/<project>/compose.yaml    what runs; for docker compose
 *     sets/<project>/variables.json  what it gets from outside, secrets too; mode 0600
 */
export class Sets {
  readonly folder: string;

  constructor(env: Record<string, string | undefined>) {
    const { XDG_STATE_HOME: given } = env;
    const state = given && isAbsolute(given) ? given : join(env.HOME || homedir(), '.local', 'state');
    this.folder = join(state, 'berth', 'sets');
  }

  /** By the name of their projects. */
  list(): LocalSet[] {
    if (!existsSync(this.folder)) return [];
    return readdirSync(this.folder)
      .sort()
      .flatMap((project) => this.find(project) ?? []);
  }

  find(project: string): LocalSet | undefined {
    return localSet.safeParse(this.#json(join(this.place(project), 'set.json'))).data;
  }

  /** The set of `shop-test-alice`, `test`, `shop@test`, `alice/shop@test` or `alice/shop`. @throws UsageError, CommandError */
  choose(text: string | undefined): LocalSet {
    const all = this.list();
    const found = text === undefined ? all : all.filter((set) => namesOf(set).includes(text));
    const exact = found.find(({ project }) => project === text);
    const [only] = found;
    if (exact !== undefined) return exact;
    if (only !== undefined && found.length === 1) return only;
    if (only === undefined) {
      throw new CommandError(
        text === undefined
          ? 'nothing runs here that berth up started'
          : `SET: there is no ${JSON.stringify(text)} here; berth down --list shows those that there are`,
      );
    }
    throw new UsageError(`SET: say which: ${found.map(({ project }) => project).join(', ')}`);
  }

  place(project: string): string {
    return join(this.folder, project);
  }

  composeFile(project: string): string {
    return join(this.place(project), 'compose.yaml');
  }

  variables(project: string): Record<string, string> {
    const found = z.record(z.string(), z.string()).safeParse(this.#json(join(this.place(project), 'variables.json')));
    return found.data ?? {};
  }

  save(set: LocalSet, compose?: { file: string; variables: Record<string, string> }): void {
    const place = this.place(set.project);
    try {
      mkdirSync(place, { recursive: true, mode: 0o700 });
      chmodSync(place, 0o700);
      if (compose !== undefined) {
        replaceFile(join(place, 'variables.json'), `${JSON.stringify(compose.variables, null, 2)}\n`, 0o600);
        replaceFile(join(place, 'compose.yaml'), compose.file, 0o600);
      }
      replaceFile(join(place, 'set.json'), `${JSON.stringify(set, null, 2)}\n`, 0o600);
    } catch (error) {
      throw new CommandError(`${place}: cannot be written: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  remove(project: string): void {
    rmSync(this.place(project), { recursive: true, force: true });
  }

  #json(path: string): unknown {
    try {
      return JSON.parse(readFileSync(path, 'utf8'));
    } catch {
      return undefined;
    }
  }
}

/** All by which a person may call a set. */
function namesOf({ project, name, stack }: LocalSet): string[] {
  const short = stack.split('/').at(-1) ?? stack;
  return [project, name, stack, short, `${stack}@${name}`, `${short}@${name}`];
}

/** A crash leaves the old file or the new one. */
export function replaceFile(path: string, text: string, mode: number): void {
  const temporary = `${path}.${process.pid}.new`;
  try {
    writeFileSync(temporary, text, { mode });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** `shop-test-alice`: two people's sets, and one person's two, are projects of their own. */
export function projectName(stack: string, name: string): string {
  return [stack.split('/').at(-1) ?? stack, name, userName()].map(slug).join('-');
}

function userName(): string {
  const otherwise = `user${process.getuid?.() ?? ''}`;
  try {
    const { username } = userInfo();
    return username === 'unknown' ? otherwise : username;
  } catch {
    return otherwise;
  }
}

/** What compose takes in the name of a project. */
function slug(text: string): string {
  return (
    text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '') || 'x'
  );
}
