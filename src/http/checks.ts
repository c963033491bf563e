/** What must work, by name: each throws when it does not, and says why. */
export type Checks = Readonly<Record<string, () => Promise<void>>>;

/** `ok`, or why not. */
export async function outcomeOf(check: () => Promise<void>, withinMs: number): Promise<string> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), withinMs);
  });
  try {
    await Promise.race([check(), late]);
    return 'ok';
  } catch (error) {
    return error instanceof Error ? error.message : 'failed';
  } finally {
    clearTimeout(timer);
  }
}
