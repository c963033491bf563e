import { SingleBar } from 'cli-progress';

export interface Progress {
  /** `done` of `total`; without a total, only a count. */
  update(label: string, done: number, total?: number): void;
  stop(): void;
}

const EVERY_MS = 100;

/** A bar on standard error when that is a terminal; nothing otherwise, so that logs and pipes stay clean. */
export function createProgress(): Progress {
  if (!process.stderr.isTTY) return { update() {}, stop() {} };
  const bar = new SingleBar({
    format: '{label} [{bar}] {percentage}% {value}/{total}',
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
    noTTYOutput: false,
    barsize: 30,
  });
  let shown = 0;
  let started = false;
  return {
    update(label, done, total) {
      const now = performance.now();
      if (now - shown < EVERY_MS && done !== total) return;
      shown = now;
      const most = Math.max(total ?? done, 1);
      if (!started) bar.start(most, done, { label: label.padEnd(12) });
      started = true;
      bar.setTotal(most);
      bar.update(done, { label: label.padEnd(12) });
    },
    stop() {
      if (started) bar.stop();
    },
  };
}
