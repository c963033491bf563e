import { describe, expect, test } from 'bun:test';
import { resolve } from 'node:path';
import { loadSettings } from '../config/load.ts';
import type { SettingName } from '../config/settings.ts';
import { backupPlan } from './backup-plan.ts';

const planOf = (flags: Partial<Record<SettingName, string>>, environment: Record<string, string> = {}) =>
  backupPlan(loadSettings(flags, {}, undefined), environment);
const KEYS = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };

describe('the backups that serve makes', () => {
  test('are none without a target, or with an interval of nothing', () => {
    expect(planOf({})).toBeUndefined();
    expect(planOf({ backupTo: '/backup', backupInterval: '0s' })).toBeUndefined();
  });

  test('go to a folder once a day, or as often, or at the time that is said', () => {
    const plan = { keepLast: undefined, keepWithin: undefined };
    expect(planOf({ backupTo: 'b' })).toEqual({
      ...plan,
      to: 'b',
      target: resolve('b'),
      schedule: { everyMs: 86_400_000 },
    });
    expect(planOf({ backupTo: '/b', backupInterval: '6h' })?.schedule).toEqual({ everyMs: 21_600_000 });
    expect(planOf({ backupTo: '/b', backupInterval: '6h', backupAt: '03:00' })?.schedule).toEqual({ at: '03:00' });
    const kept = planOf({ backupTo: '/b', backupKeepLast: '7', backupKeepWithin: '30d' });
    expect(kept).toMatchObject({ keepLast: 7, keepWithin: 30 * 86_400_000 });
  });

  test('go to a bucket, when the environment has its keys', () => {
    expect(planOf({ backupTo: 's3://bucket/berth' }, KEYS)?.target).toBe('s3://bucket/berth/');
    expect(() => planOf({ backupTo: 's3://bucket/berth' })).toThrow(
      's3://bucket/berth: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    );
  });

  test.each([
    ['backupAt', '03:00', '--backup-at (BERTH_BACKUP_AT)'],
    ['backupKeepLast', '7', '--backup-keep-last (BERTH_BACKUP_KEEP_LAST)'],
    ['backupKeepWithin', '30d', '--backup-keep-within (BERTH_BACKUP_KEEP_WITHIN)'],
  ] as const)('want a target when there is %s', (name, value, said) => {
    expect(() => planOf({ [name]: value })).toThrow(
      `${said} is for backups of serve: give --backup-to (BERTH_BACKUP_TO), a folder or s3://bucket/prefix, as well`,
    );
  });

  test('to what is neither are refused', () => {
    expect(() => planOf({ backupTo: 'ftp://host/berth' })).toThrow('is neither a folder nor s3://bucket/prefix');
  });
});
