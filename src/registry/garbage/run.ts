import type { Digest } from '../../oci/digest.ts';
import type { RegistryContext } from '../context.ts';

/** Something that goes (or would go), for `--dry-run` and verbose output. */
export interface GarbageItem {
  kind: 'tag' | 'upload' | 'manifest' | 'link' | 'blob' | 'orphan';
  repository?: string;
  digest?: Digest;
  upload?: string;
  size?: number;
  why: string;
}

/** What the steps share. */
export interface GarbageRun {
  context: RegistryContext;
  dryRun: boolean;
  item: (item: GarbageItem) => void;
  progress: (step: string, done: number, total?: number) => void;
  /** Called between batches: keeps the lease, lets pushes in. */
  breathe: () => Promise<void>;
  /** Throws GarbageBusyError when another process has taken over. */
  keepLease: () => Promise<void>;
}
