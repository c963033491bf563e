/** Well within what a supervisor waits for the figures of a worker. */
const SOON_MS = 1_000;

/** A figure that the database is asked for, so that one that hangs does not keep all other figures back. Rejects when it is late. */
export async function soon<T>(reading: Promise<T>): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), SOON_MS);
  });
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}
