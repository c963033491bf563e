import { describe, expect, test } from 'bun:test';
import type { DeploymentInfo } from '../../api/deployments.ts';
import { isCancellable, stateOf } from './deployment-state.ts';

const DEPLOYMENT: DeploymentInfo = {
  stack: 'alice/shop',
  environment: 'test',
  number: 3,
  release: 2,
  configVersion: 1,
  reason: 'manual',
  actor: 'alice',
  status: 'success',
  message: '',
  stable: false,
  restorable: false,
  restores: null,
  undoes: null,
  rolledBackBy: null,
  images: [],
  targets: [],
  createdAt: '2026-11-28T11:00:00Z',
  startedAt: '2026-11-28T11:00:01Z',
  finishedAt: null,
  stableAt: null,
};
const target = (phase: DeploymentInfo['targets'][number]['phase']) => ({
  target: 'web-1',
  phase,
  online: true,
  pull: null,
  error: null,
  warnings: [],
  log: null,
  updatedAt: null,
});

describe('a deployment', () => {
  test('that is healthy is watched while it is the current one, and was replaced once another is', () => {
    expect(stateOf(DEPLOYMENT, { current: 3 })).toBe('watched');
    expect(stateOf(DEPLOYMENT, { current: 4 })).toBe('replaced');
    expect(stateOf({ ...DEPLOYMENT, stable: true }, { current: 4 })).toBe('stable');
    expect(stateOf({ ...DEPLOYMENT, stable: true, rolledBackBy: 4 }, { current: 4 })).toBe('undone');
  });

  test('that failed is fine only when what undid it, or every target, is back', () => {
    const failed: DeploymentInfo = { ...DEPLOYMENT, status: 'failure' };
    expect(stateOf(failed)).toBe('failed');
    const undone: DeploymentInfo = { ...failed, rolledBackBy: 4 };
    expect(stateOf(undone, { rollback: { status: 'success' } })).toBe('rolled-back');
    expect(stateOf(undone, { rollback: { status: 'in_progress' } })).toBe('going-back');
    expect(stateOf(undone, { rollback: { status: 'failure' } })).toBe('failed');
    expect(stateOf({ ...failed, targets: [target('reverted')] })).toBe('rolled-back');
    expect(stateOf({ ...failed, targets: [target('reverted'), target('failed')] })).toBe('failed');
    expect(stateOf({ ...failed, targets: [target('reverted'), target('reverting')] })).toBe('going-back');
  });

  test('of which nobody speaks is unknown, never fine', () => {
    expect(stateOf({ ...DEPLOYMENT, status: 'error', stable: true }, { current: 3 })).toBe('unknown');
  });

  test('can be cancelled while it waits or works, but not while it brings something back', () => {
    expect(isCancellable({ status: 'queued', undoes: 2 })).toBe(true);
    expect(isCancellable({ status: 'in_progress', undoes: null })).toBe(true);
    expect(isCancellable({ status: 'in_progress', undoes: 2 })).toBe(false);
    expect(isCancellable({ status: 'success', undoes: null })).toBe(false);
  });
});
