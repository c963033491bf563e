// How much memory and how many descriptors a process has, over time.
import { readdirSync, readFileSync } from 'node:fs';

export interface Figures {
  megabytes: number;
  descriptors: number;
}

export function figuresOf(pid: number): Figures {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kilobytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  return { megabytes: Math.round(kilobytes / 1024), descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

/** The medians of the first and of the last third. */
export function thirds(samples: readonly Figures[]): { first: Figures; last: Figures } {
  const third = Math.floor(samples.length / 3);
  return { first: medians(samples.slice(0, third)), last: medians(samples.slice(-third)) };
}

function medians(samples: readonly Figures[]): Figures {
  const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
  return {
    megabytes: median(samples.map(({ megabytes }) => megabytes)),
    descriptors: median(samples.map(({ descriptors }) => descriptors)),
  };
}
