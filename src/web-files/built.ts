import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dir, '../..');
const CACHE = join(ROOT, 'node_modules/.cache/berth-page');
/** What the page is made of. */
const SOURCES = ['src/web', 'src/client', 'src/api', 'src/oci', 'scripts/page.ts', 'package-lock.json'];

/**
 * The page of a checkout: built by a process of its own, so that what the bundler needs goes with it, whenever `index.html` is asked for
 * and a source has changed; kept by a hash of the sources. A reload shows an edit.
 */
export class BuiltFiles {
  #folder: string | undefined;
  #building: { folder: string; done: Promise<void> } | undefined;

  /** @throws Error with the bundler's messages */
  async find(name: string): Promise<Blob | undefined> {
    if (!/^[\w.-]+$/.test(name)) return undefined;
    const known = name === 'index.html' || this.#folder === undefined ? undefined : await found(this.#folder, name);
    if (known !== undefined) return known;
    // Another worker may have answered with the document of a later build.
    this.#folder = await this.#built();
    return found(this.#folder, name);
  }

  async #built(): Promise<string> {
    const folder = join(CACHE, stampOf(SOURCES));
    if (existsSync(join(folder, 'files.json'))) return folder;
    if (this.#building?.folder !== folder) this.#building = { folder, done: build(folder) };
    try {
      await this.#building.done;
    } finally {
      this.#building = undefined;
    }
    return folder;
  }
}

async function found(folder: string, name: string): Promise<Blob | undefined> {
  const file = Bun.file(join(folder, `${name}.gz`));
  return (await file.exists()) ? file : undefined;
}

async function build(folder: string): Promise<void> {
  const child = Bun.spawn([process.execPath, '--no-env-file', join(ROOT, 'scripts/page.ts'), folder], {
    cwd: ROOT,
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
  });
  const [code, messages] = await Promise.all([child.exited, new Response(child.stderr).text()]);
  if (code !== 0) throw new Error(`the page could not be built: ${messages.slice(0, 4_000)}`);
}

/** Of the names, sizes and times of all files. */
function stampOf(sources: readonly string[]): string {
  const hash = createHash('sha256');
  const add = (path: string) => {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  };
  for (const source of sources) {
    const path = join(ROOT, source);
    if (!statSync(path).isDirectory()) {
      add(path);
      continue;
    }
    for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) add(join(entry.parentPath, entry.name));
    }
  }
  return hash.digest('hex').slice(0, 32);
}
