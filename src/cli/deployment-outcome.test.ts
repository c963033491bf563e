import { describe, expect, test } from 'bun:test';
import type { DeploymentInfo, TargetPhase } from '../api/deployments.ts';
import { outcomeOf, type Surroundings, type WaitFor } from './deployment-outcome.ts';

const NOW = '2027-01-01T00:00:00.000Z';

const deployment = (change: Partial<DeploymentInfo>): DeploymentInfo => ({
  stack: 'alice/shop',
  environment: 'test',
  number: 7,
  release: 3,
  configVersion: 1,
  reason: 'manual',
  actor: 'alice',
  status: 'in_progress',
  message: '',
  stable: false,
  restorable: true,
  restores: null,
  undoes: null,
  rolledBackBy: null,
  images: [],
  targets: [],
  createdAt: NOW,
  startedAt: NOW,
  finishedAt: null,
  stableAt: null,
  ...change,
});

const on = (...phases: TargetPhase[]): DeploymentInfo['targets'] =>
  phases.map((phase, i) => ({
    target: `target-${i}`,
    phase,
    online: true,
    pull: null,
    error: null,
    warnings: [],
    log: null,
    updatedAt: NOW,
  }));

const codeOf = (change: Partial<DeploymentInfo>, until: WaitFor = 'healthy', around: Partial<Surroundings> = {}) =>
  outcomeOf(deployment(change), until, { rollback: undefined, current: undefined, ...around })?.code;

describe('a deployment that is waited for', () => {
  test('is under way until its status is an end', () => {
    for (const status of ['queued', 'in_progress', 'rolling_back'] as const) expect(codeOf({ status })).toBe(undefined);
  });

  test('is done when it is healthy, or when it is stable where that is asked for', () => {
    expect(codeOf({ status: 'success' })).toBe(0);
    expect(codeOf({ status: 'success' }, 'stable', { current: 7 })).toBe(undefined);
    expect(codeOf({ status: 'success', stable: true }, 'stable')).toBe(0);
  });

  test('never gets stable when another takes its place, and that is an error', () => {
    expect(codeOf({ status: 'success' }, 'stable', { current: 8 })).toBe(1);
    expect(codeOf({ status: 'success' }, 'stable', { current: undefined })).toBe(undefined);
    expect(codeOf({ status: 'superseded', finishedAt: NOW })).toBe(1);
    expect(codeOf({ status: 'cancelled', finishedAt: NOW })).toBe(1);
  });

  test('that failed is 3 when what ran before runs again', () => {
    expect(codeOf({ status: 'rolled_back', finishedAt: NOW })).toBe(3);
    expect(codeOf({ status: 'failure', finishedAt: NOW, targets: on('reverted', 'reverted') })).toBe(3);
    const rollback = deployment({ number: 8, status: 'success', finishedAt: NOW });
    expect(codeOf({ status: 'failure', finishedAt: NOW, rolledBackBy: 8 }, 'healthy', { rollback })).toBe(3);
  });

  test('that failed is 4 when it does not', () => {
    expect(codeOf({ status: 'failure', finishedAt: NOW, targets: on('failed') })).toBe(4);
    expect(codeOf({ status: 'failure', finishedAt: NOW, targets: on('reverted', 'revert-failed') })).toBe(4);
    expect(codeOf({ status: 'error', finishedAt: NOW })).toBe(4);
    const rollback = deployment({ number: 8, status: 'failure', finishedAt: NOW });
    expect(codeOf({ status: 'failure', finishedAt: NOW, rolledBackBy: 8 }, 'healthy', { rollback })).toBe(4);
  });

  test('that failed is waited for while it is being undone', () => {
    expect(codeOf({ status: 'failure' })).toBe(undefined);
    expect(codeOf({ status: 'failure', finishedAt: NOW, targets: on('reverting') })).toBe(undefined);
    expect(codeOf({ status: 'failure', finishedAt: NOW, rolledBackBy: 8 })).toBe(undefined);
    const rollback = deployment({ number: 8 });
    expect(codeOf({ status: 'failure', finishedAt: NOW, rolledBackBy: 8 }, 'healthy', { rollback })).toBe(undefined);
  });

  test('that failed is not waited for once what undoes it has ended, whatever a target said of it last', () => {
    const failed = { status: 'failure', finishedAt: NOW, rolledBackBy: 8, targets: on('reverting') } as const;
    const ended = (status: 'success' | 'failure') => deployment({ number: 8, status, finishedAt: NOW });
    expect(codeOf(failed, 'healthy', { rollback: ended('failure') })).toBe(4);
    expect(codeOf(failed, 'healthy', { rollback: ended('success') })).toBe(3);
  });
});
