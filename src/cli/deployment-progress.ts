import type { DeploymentInfo, TargetResult } from '../api/deployments.ts';
import { formatBytes } from './bytes.ts';
import { note, safe } from './terminal.ts';

/** Shows on standard error how far a deployment is. */
export interface DeploymentProgress {
  /** @param deployments the one that is waited for, and what undoes it */
  show(...deployments: DeploymentInfo[]): void;
  /** A line between. */
  say(line: string): void;
  stop(): void;
}

/** One line for each target that is written over on a terminal; elsewhere a line for what changed. */
export function deploymentProgress(): DeploymentProgress {
  return process.stderr.isTTY ? new Screen() : new Lines();
}

/** What a pull is reported in, so that a log has at most four lines of it. */
const STEP_PERCENT = 25;

class Lines implements DeploymentProgress {
  readonly #said = new Map<string, string>();

  show(...deployments: DeploymentInfo[]): void {
    for (const deployment of deployments) {
      const { number, targets } = deployment;
      this.#change(`v${number}`, statusLine(deployment));
      for (const target of targets) {
        this.#change(`v${number} ${target.target}`, `  ${targetLine(target, STEP_PERCENT)}`);
        for (const line of warningLines(target)) this.#change(line, line);
      }
    }
  }

  say(line: string): void {
    note(line);
  }

  stop(): void {}

  #change(key: string, line: string): void {
    if (this.#said.get(key) === line) return;
    this.#said.set(key, line);
    note(line);
  }
}

class Screen implements DeploymentProgress {
  readonly #warned = new Set<string>();
  #lines: string[] = [];

  show(...deployments: DeploymentInfo[]): void {
    for (const line of deployments.flatMap(({ targets }) => targets.flatMap(warningLines))) {
      if (this.#warned.has(line)) continue;
      this.#warned.add(line);
      this.say(line);
    }
    this.#draw(
      deployments.flatMap((deployment) => [
        statusLine(deployment),
        ...deployment.targets.map((target) => `  ${targetLine(target, 1)}`),
      ]),
    );
  }

  say(line: string): void {
    const lines = this.#lines;
    this.#clear();
    note(line);
    this.#draw(lines);
  }

  /** What is shown stays. */
  stop(): void {
    this.#lines = [];
  }

  #draw(lines: string[]): void {
    if (lines.join('\n') === this.#lines.join('\n')) return;
    this.#clear();
    // A line that is wrapped could not be counted, nor one above the first of the screen.
    const columns = (process.stderr.columns || 80) - 1;
    const most = Math.max((process.stderr.rows || 24) - 1, 1);
    const left = lines.length - most;
    this.#lines = left <= 0 ? lines : [...lines.slice(0, most - 1), `  and ${left + 1} more`];
    for (const line of this.#lines) note(cut(line, columns));
  }

  #clear(): void {
    if (this.#lines.length > 0) process.stderr.write(`\u001b[${this.#lines.length}A\r\u001b[J`);
    this.#lines = [];
  }
}

function statusLine({ number, release, status, message }: DeploymentInfo): string {
  const why = message === '' ? '' : `: ${safe(message)}`;
  return `v${number} (release ${release}) ${status}${why}`;
}

function targetLine(target: TargetResult, step: number): string {
  const { phase, pull, error, online } = target;
  const arrived = phase === 'pulling' && pull !== null && pull.total > 0 ? ` ${pullText(pull, step)}` : '';
  const away = online ? '' : ' (offline)';
  return `${safe(target.target)}: ${phase}${arrived}${away}${error === null ? '' : `: ${safe(error)}`}`;
}

function pullText({ bytes, total }: { bytes: number; total: number }, step: number): string {
  const percent = Math.floor((Math.min(bytes / total, 1) * 100) / step) * step;
  // In steps the bytes would differ at each look.
  return step > 1
    ? `${percent}% of ${formatBytes(total)}`
    : `${formatBytes(bytes)} of ${formatBytes(total)}, ${percent}%`;
}

function warningLines({ target, warnings }: TargetResult): string[] {
  return warnings.map((warning) => `warning: ${safe(target)}: ${safe(warning)}`);
}

function cut(line: string, columns: number): string {
  return Bun.stringWidth(line) <= columns ? line : `${line.slice(0, Math.max(columns - 1, 1))}…`;
}
