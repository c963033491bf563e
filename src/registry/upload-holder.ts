import type { Digest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/names.ts';
import { isUploadId } from '../storage/blob-store.ts';
import type { RegistryContext } from './context.ts';

const HOLD_MS = 10_000;
const HEARTBEAT_MS = 500;
const WAIT_MS = HOLD_MS + 2_000;
/** As HOLD_MS while an upload is being made a blob: to pass over a holder that only stood still would then do harm. */
const KEEP_MS = 60_000;

/** An upload as a client names it. */
export interface UploadAddress {
  name: RepositoryName;
  id: string;
}

/** What is known of the bytes when nobody appends: the sha256 of the first `bytes`. */
export interface HashedPart {
  digest: Digest;
  bytes: number;
}

/** What the work knows of its upload, and may do with its hold. */
export interface HeldUpload {
  readonly repositoryId: number;
  /** From the row; what the work sets goes there for the next holder. */
  hashed: HashedPart | undefined;
  /** Set by the work when the upload is over and its row gone. */
  ended: boolean;
  /**
   * From here on the upload is passed to nobody: its bytes are about to become a blob, which nobody may append to.
   *
   * @throws OciError UNAVAILABLE when it was passed on already
   */
  keep(): Promise<void>;
}

/**
 * Runs `work` as the only writer of an upload, over all processes.
 *
 * A client whose connection broke comes back while the server may still wait for the first request's bytes. So a new
 * request asks the holder to yield: the holder sees that within `HEARTBEAT_MS`, aborts `signal` and lets go. A holder whose
 * process died stops renewing and is passed over after `HOLD_MS`.
 *
 * @throws OciError BLOB_UPLOAD_UNKNOWN when there is no such upload in the repository; UNAVAILABLE when the holder keeps it
 */
export async function holdUpload<T>(
  context: RegistryContext,
  upload: UploadAddress,
  work: (signal: AbortSignal, hold: HeldUpload) => Promise<T>,
): Promise<T> {
  const holder = `${context.process}:${context.newId()}`;
  const found = await acquire(context, upload, holder);
  const yielding = new AbortController();
  let kept = false;
  let validUntil = context.now() + HOLD_MS;
  let renewing = false;
  const heartbeat = setInterval(() => {
    // A database that is away for a moment is no reason to stop; a hold that can't be prolonged in time is.
    if (context.now() > validUntil) yielding.abort(takenOver());
    if (renewing) return;
    renewing = true;
    renew(context, upload.id, holder, kept)
      .then(
        (until) => {
          if (until === undefined) yielding.abort(takenOver());
          else validUntil = until;
        },
        () => {},
      )
      .finally(() => {
        renewing = false;
      });
  }, HEARTBEAT_MS);
  const hold: HeldUpload = {
    ...found,
    ended: false,
    async keep() {
      yielding.signal.throwIfAborted();
      if (!(await prolong(context, upload.id, holder, KEEP_MS))) throw takenOver();
      kept = true;
      validUntil = context.now() + KEEP_MS;
    },
  };
  try {
    return await work(yielding.signal, hold);
  } finally {
    clearInterval(heartbeat);
    if (!hold.ended) await release(context, upload.id, holder, hold.hashed);
  }
}

/** Lets go of whatever a process held that is known to have ended; '' is every process. */
export async function releaseHoldsOf(context: RegistryContext, process: string): Promise<void> {
  const held = process === '' ? '%' : `${process}:%`;
  await context.database.relaxedTransaction((tx) =>
    tx.updateTable('uploads').set({ holder: null, holder_until: 0 }).where('holder', 'like', held).execute(),
  );
}

/**
 * Forgets which hashes were known when chunks ended. Called at a start: a power cut may have kept the row and lost the bytes,
 * so what is on the disk is read again.
 */
export async function forgetHashes(context: RegistryContext): Promise<void> {
  await context.database.relaxedTransaction((tx) =>
    tx
      .updateTable('uploads')
      .set({ hashed_digest: null, hashed_bytes: 0 })
      .where('hashed_digest', 'is not', null)
      .execute(),
  );
}

async function acquire(
  context: RegistryContext,
  upload: UploadAddress,
  holder: string,
): Promise<Pick<HeldUpload, 'repositoryId' | 'hashed'>> {
  if (!isUploadId(upload.id)) throw unknownUpload(upload.id);
  const deadline = context.now() + WAIT_MS;
  for (;;) {
    const now = context.now();
    const outcome = await context.database.relaxedTransaction(async (tx) => {
      const addressed = tx
        .updateTable('uploads')
        .where('id', '=', upload.id)
        .where('repository_id', '=', (select) =>
          select.selectFrom('repositories as r').select('r.id').where('r.name', '=', upload.name),
        );
      const taken = await addressed
        .set({ holder, holder_until: now + HOLD_MS, asked_to_yield: 0, touched_at: now })
        .where((where) => where.or([where('holder', 'is', null), where('holder_until', '<', now)]))
        .returning(['repository_id', 'hashed_digest', 'hashed_bytes'])
        .executeTakeFirst();
      if (taken !== undefined) return taken;
      const asked = await addressed.set({ asked_to_yield: 1 }).returning('id').executeTakeFirst();
      return asked === undefined ? 'missing' : 'busy';
    });
    if (outcome === 'missing') throw unknownUpload(upload.id);
    if (outcome !== 'busy') {
      const { repository_id: repositoryId, hashed_digest: digest, hashed_bytes: bytes } = outcome;
      return { repositoryId, hashed: digest === null ? undefined : { digest, bytes } };
    }
    if (now > deadline) {
      throw new OciError('UNAVAILABLE', 'upload: another request is writing to it; try again', { upload: upload.id });
    }
    await Bun.sleep(40);
  }
}

/** Until when the hold is good; undefined when it is to be given up. */
async function renew(context: RegistryContext, id: string, holder: string, kept: boolean): Promise<number | undefined> {
  const row = await context.database.read
    .selectFrom('uploads')
    .select(['holder', 'holder_until', 'asked_to_yield'])
    .where('id', '=', id)
    .executeTakeFirst();
  if (row?.holder !== holder || (row.asked_to_yield !== 0 && !kept)) return undefined;
  const ms = kept ? KEEP_MS : HOLD_MS;
  if (row.holder_until - context.now() > ms / 2) return row.holder_until;
  const until = context.now() + ms;
  return (await prolong(context, id, holder, ms)) ? until : undefined;
}

async function prolong(context: RegistryContext, id: string, holder: string, ms: number): Promise<boolean> {
  const now = context.now();
  const renewed = await context.database.relaxedTransaction((tx) =>
    tx
      .updateTable('uploads')
      .set({ holder_until: now + ms, touched_at: now })
      .where('id', '=', id)
      .where('holder', '=', holder)
      .executeTakeFirst(),
  );
  return renewed.numUpdatedRows > 0n;
}

async function release(
  context: RegistryContext,
  id: string,
  holder: string,
  hashed: HashedPart | undefined,
): Promise<void> {
  await context.database.relaxedTransaction((tx) =>
    tx
      .updateTable('uploads')
      .set({
        holder: null,
        holder_until: 0,
        touched_at: context.now(),
        hashed_digest: hashed?.digest ?? null,
        hashed_bytes: hashed?.bytes ?? 0,
      })
      .where('id', '=', id)
      .where('holder', '=', holder)
      .execute(),
  );
}

function takenOver(): OciError {
  return new OciError('UNAVAILABLE', 'another request took this upload over');
}

export function unknownUpload(id: string): OciError {
  return new OciError(
    'BLOB_UPLOAD_UNKNOWN',
    'upload: no such upload in this repository; it may have been completed, cancelled or expired',
    {
      upload: id.slice(0, 100),
    },
  );
}
