import { BuiltFiles } from './built.ts';
import { EMBEDDED } from './embedded.ts';

/** The files of the page. Their names hold a hash of their content, but for `index.html`. */
export interface WebFiles {
  /** The gzipped bytes of a file, read when they are sent; undefined when the page has no such file. */
  find(name: string): Promise<Blob | undefined>;
}

/** Those inside the binary, or from a checkout those that are built of `src/web` when they are first asked for. */
export function openWebFiles(): WebFiles {
  const embedded = EMBEDDED;
  if (embedded === undefined) return new BuiltFiles();
  return {
    async find(name) {
      const path = Object.hasOwn(embedded, name) ? embedded[name] : undefined;
      return path === undefined ? undefined : Bun.file(path);
    },
  };
}
