import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { appliedRetention, retentionInfo, retentionPreview, retentionRemovalPage } from '../../api/retention.ts';
import { onEachDatabase } from '../../database/test-databases.ts';
import type { RegistryContext } from '../../registry/context.ts';
import { pushImage } from '../../registry/testing.ts';
import { code, openTestApi, type TestApi } from './testing.ts';

const LAST = { rules: [{ match: ['ci-*'], keepLast: 1 }] };

onEachDatabase('the API of retention', (newPlace) => {
  let api: TestApi;
  let ask: TestApi['ask'];
  let context: RegistryContext;
  beforeAll(async () => {
    api = await openTestApi(await newPlace());
    ({ ask, context } = api);
    await api.addUser('stella', { administrator: true });
    await api.addUser('alice');
    for (const tag of ['ci-1', 'ci-2', 'main']) {
      await pushImage(context, 'alice/app', tag, tag);
      await Bun.sleep(2);
    }
  });
  afterAll(() => api?.remove());

  const APP = '/api/v1/repositories/alice/app/retention';
  const ALICE = '/api/v1/namespaces/alice/retention';
  const INSTANCE = '/api/v1/instance/retention';

  test('says whose policy holds: the nearest', async () => {
    const holds = async (path: string, who = 'alice') => {
      const { own, holds, from, updatedBy } = retentionInfo.parse((await ask(who, 'GET', path)).body);
      return [own?.untagged?.after ?? null, holds?.untagged?.after ?? null, from, updatedBy];
    };
    const untagged = (after: string) => ({ untagged: { after } });
    expect(await holds(APP)).toEqual([null, null, null, null]);
    expect((await ask('stella', 'PUT', INSTANCE, untagged('3w'))).status).toBe(200);
    expect((await ask('alice', 'PUT', ALICE, untagged('2w'))).status).toBe(200);
    expect(await holds(APP)).toEqual([null, '2w', 'namespace', 'alice']);
    expect((await ask('alice', 'PUT', APP, untagged('1w'))).body).toMatchObject({
      own: untagged('1w'),
      from: 'repository',
    });
    expect(await holds(INSTANCE, 'stella')).toEqual(['3w', '3w', 'instance', 'stella']);
    for (const path of [APP, ALICE]) expect((await ask('alice', 'DELETE', path)).status).toBe(204);
    expect(await holds(APP)).toEqual([null, '3w', 'instance', 'stella']);
    expect(await code(ask('alice', 'DELETE', APP))).toBe('404 NOT_FOUND');
    expect(await code(ask('alice', 'PUT', INSTANCE, untagged('1d')))).toBe('403 DENIED');
    expect((await ask('stella', 'DELETE', INSTANCE)).status).toBe(204);
  });

  test('previews, applies and tells afterwards', async () => {
    const preview = (query = '', body: unknown = {}) => ask('alice', 'POST', `${APP}/preview${query}`, body);
    expect(await code(preview())).toBe('404 NOT_FOUND');
    const unsaved = retentionPreview.parse((await preview('', { policy: LAST })).body);
    expect(unsaved.counts).toEqual({ tags: 3, removed: 1, kept: 2, immutable: 0, inUse: 0 });
    expect(unsaved.tags.map(({ tag, decision, reason }) => [tag, decision, reason])).toEqual([
      ['main', 'keep', { kind: 'unmatched' }],
      ['ci-2', 'keep', { kind: 'rule', rule: 1, by: 'last' }],
      ['ci-1', 'remove', { kind: 'expired', rules: [1] }],
    ]);
    await ask('alice', 'PUT', APP, LAST);
    const page = retentionPreview.parse((await preview('?decision=keep&n=1')).body);
    expect([page.policy, page.tags.map(({ tag }) => tag)]).toEqual([LAST, ['main']]);
    const next = await preview(`?decision=keep&n=1&last=${page.next}`);
    expect(retentionPreview.parse(next.body)).toMatchObject({ tags: [{ tag: 'ci-2' }], next: null });
    expect(await code(preview('?decision=maybe'))).toBe('400 QUERY_INVALID');

    const applied = await ask('alice', 'POST', `${APP}/apply`);
    expect(appliedRetention.parse(applied.body)).toEqual({ tags: 3, removed: 1, more: false });
    const { removals } = retentionRemovalPage.parse((await ask('alice', 'GET', `${APP}/removals`)).body);
    expect(removals).toMatchObject([{ tag: 'ci-1', why: 'removed: rule 1 is about ci-*: not among the last 1' }]);
    const rollback = await ask('alice', 'POST', '/api/v1/repositories/alice/app/tags/ci-1/rollback', {});
    expect(rollback.body).toEqual({ digest: removals[0]?.digest, previous: null });
    const lines = await context.database.read
      .selectFrom('audit_log')
      .select(['actor', 'action', 'subject', 'detail'])
      .where('action', 'like', 'retention.%')
      .orderBy('id', 'desc')
      .limit(2)
      .execute();
    expect(lines.map(({ detail, ...line }) => ({ ...line, detail: JSON.parse(detail ?? '') }))).toEqual([
      { actor: 'alice', action: 'retention.apply', subject: 'alice/app', detail: { tags: 3, removed: 1 } },
      { actor: 'alice', action: 'retention.set', subject: 'alice/app', detail: { policy: LAST } },
    ]);
  });

  describe('refuses a policy', () => {
    const rule = (more: object) => ({ rules: [{ match: ['*'], ...more }] });
    test.each([
      ['of nothing', {}, 'body: an empty policy'],
      ['without a condition', rule({}), 'rules.0: keeps nothing: give keepLast, pushedWithin, pulledWithin or always'],
      ['with too many', rule({ always: true, keepLast: 1 }), 'rules.0: always: keeps all of them already'],
      ['that keeps none', rule({ keepLast: 0 }), 'rules.0.keepLast: less than 1'],
      ['with a part of a tag', rule({ keepLast: 1.5 }), 'rules.0.keepLast: not a whole number'],
      ['with a time that is none', rule({ pushedWithin: '30' }), 'rules.0.pushedWithin: not a duration such as 12h'],
      ['with no time', rule({ pulledWithin: '0d' }), 'rules.0.pulledWithin: not a duration'],
      ['about no tags', { rules: [{ match: [], keepLast: 1 }] }, 'rules.0.match: names no tags'],
      ['with a pattern that is none', { rules: [{ match: ['v/*'], keepLast: 1 }] }, 'rules.0.match.0: a pattern is'],
      ['with a word that is none', rule({ keepFirst: 1 }), 'rules.0: Unrecognized key: "keepFirst"'],
      ['that forgets at once', { untagged: { after: '0h' } }, 'untagged.after: not a duration'],
    ])('%s', async (_, policy, detail) => {
      const { status, body } = await ask('alice', 'PUT', APP, policy);
      expect([status, body.code, body.detail]).toEqual([400, 'BODY_INVALID', expect.stringContaining(detail)]);
    });
  });
});
