import { beforeEach, describe, expect, test } from 'bun:test';
import { onEachDatabase } from '../database/test-databases.ts';
import type { AccountsContext } from './context.ts';
import { createInvitation, listInvitations, revokeInvitation, useInvitation } from './invitations.ts';
import { beginLogin } from './login-limits.ts';
import { listMembers } from './members.ts';
import { createOrganization } from './organizations.ts';
import { Passwords } from './passwords.ts';
import { signUp } from './sign-up.ts';
import { codeOf, DAY, HOUR, MINUTE, ORIGIN, openTestAccounts, type TestAccounts } from './testing.ts';
import { getUser, insertUser } from './users.ts';

const NEWCOMER = { name: 'anonymous', source: '192.0.2.20' };
const PASSWORD = 'correct horse';

onEachDatabase('invitations', (newPlace) => {
  let accounts: TestAccounts;
  beforeEach(async () => {
    accounts = await openTestAccounts(await newPlace(), 'invitation');
    const alice = await accounts.addUser('alice');
    await createOrganization(accounts.context, { name: 'acme' }, alice.id, ORIGIN, { adopt: false });
  });
  const invite = (wanted: Partial<Parameters<typeof createInvitation>[1]> = {}) =>
    createInvitation(accounts.context, { expiresAt: accounts.context.now() + 7 * DAY, ...wanted }, ORIGIN);
  /** The transaction of a sign-up, without its password. */
  const use = (context: AccountsContext, secret: string, username: string) =>
    context.database.transaction(async (tx) => {
      const user = await insertUser(tx, context, { username }, NEWCOMER, { adopt: false });
      await useInvitation(tx, context, secret, user, NEWCOMER);
    });
  const refusalOf = (work: Promise<void>) =>
    work.then(
      () => 'done',
      (error) => `${error.code} ${error.message}`,
    );
  const members = async () =>
    (await listMembers(accounts.context, 'acme', { limit: 10 })).members.map(({ username, role }) => [username, role]);

  test('the secret is shown once and kept nowhere', async () => {
    const { invitation, secret } = await invite({ email: 'Bob@Example.com', organization: 'acme' });
    expect(secret).toMatch(/^berth_invite_[0-9A-Za-z]{32}$/);
    expect(invitation).toMatchObject({
      email: 'bob@example.com',
      organization: 'acme',
      role: 'member',
      createdBy: 'root',
      usedAt: null,
      usedBy: null,
    });
    const row = await accounts.context.database.read.selectFrom('invitations').selectAll().executeTakeFirstOrThrow();
    expect(JSON.stringify(row)).not.toContain(secret.slice(-32));
    expect(JSON.stringify(await accounts.audited(invitation.id))).not.toContain(secret.slice(-32));
    expect((await accounts.audited(invitation.id)).map(([action]) => action)).toEqual(['invitation.create']);
  });

  test('using one makes a member of the organization that it names, in the role that it names', async () => {
    const { secret, invitation } = await invite({ organization: 'acme', role: 'owner' });
    await use(accounts.context, secret, 'bob');
    expect(await members()).toEqual([
      ['alice', 'owner'],
      ['bob', 'owner'],
    ]);
    expect((await accounts.audited('acme')).at(-1)).toEqual([
      'member.set',
      { username: 'bob', role: 'owner', before: null, invitation: invitation.id },
    ]);
    const { invitations } = await listInvitations(accounts.context, {}, { limit: 10 });
    expect(invitations[0]).toMatchObject({ id: invitation.id, usedBy: 'bob' });
  });

  test('one that was used, has expired, was withdrawn or never was is refused alike, and no account is made', async () => {
    const { context } = accounts;
    const used = await invite();
    await use(context, used.secret, 'bob');
    const revoked = await invite();
    await revokeInvitation(context, revoked.invitation.id, ORIGIN);
    const expired = await invite({ expiresAt: context.now() + HOUR });
    accounts.advance(HOUR);
    const refusals = new Set<string>();
    for (const secret of [used.secret, revoked.secret, expired.secret, `berth_invite_${'a'.repeat(32)}`]) {
      refusals.add(await refusalOf(use(context, secret, 'carol')));
    }
    expect([...refusals]).toEqual(['DENIED invitation: was used, has expired or was withdrawn; ask for a new one']);
    expect(await codeOf(getUser(context, 'carol'))).toBe('NOT_FOUND');
  });

  test('of those who use one at once, in two processes, one gets in', async () => {
    const { context, another } = accounts;
    for (let i = 0; i < 3; i++) {
      const { secret } = await invite({ organization: 'acme' });
      const codes = await Promise.all(
        [context, another, context].map((one, n) => codeOf(use(one, secret, `user${i}-${n}`))),
      );
      expect(codes.toSorted()).toEqual(['DENIED', 'DENIED', 'done']);
    }
    expect(await members()).toHaveLength(4);
  });

  test('a role needs an organization, and an organization must exist', async () => {
    expect(await codeOf(invite({ role: 'owner' }))).toBe('BODY_INVALID');
    expect(await codeOf(invite({ organization: 'nobody' }))).toBe('NOT_FOUND');
    expect(await codeOf(invite({ organization: 'alice' }))).toBe('NOT_FOUND');
  });

  test('one that was used can not be withdrawn', async () => {
    const { context } = accounts;
    const { secret, invitation } = await invite();
    await use(context, secret, 'bob');
    expect(await codeOf(revokeInvitation(context, invitation.id, ORIGIN))).toBe('CONFLICT');
    expect(await codeOf(revokeInvitation(context, 'none', ORIGIN))).toBe('NOT_FOUND');
  });

  test('they are listed in pages, newest first, an organization’s by itself, and leave the list 30 days after their end', async () => {
    const { context } = accounts;
    const first = await invite({ organization: 'acme' });
    const second = await invite();
    const third = await invite({ organization: 'acme' });
    const ids = async (organization?: string, last?: string) => {
      const page = await listInvitations(context, { organization }, { last, limit: 2 });
      return [page.invitations.map((one) => one.id), page.more];
    };
    expect(await ids()).toEqual([[third.invitation.id, second.invitation.id], true]);
    expect(await ids(undefined, second.invitation.id)).toEqual([[first.invitation.id], false]);
    expect(await ids('acme')).toEqual([[third.invitation.id, first.invitation.id], false]);
    accounts.advance(38 * DAY);
    const later = await invite();
    expect(await ids()).toEqual([[later.invitation.id], false]);
  });
});

onEachDatabase('sign-up', (newPlace) => {
  const passwords = new Passwords();
  const open = async (mode: 'open' | 'invitation' | 'closed') => {
    const accounts = await openTestAccounts(await newPlace(), mode);
    const root = await accounts.addUser('first', { administrator: true });
    await createOrganization(accounts.context, { name: 'acme' }, root.id, ORIGIN, { adopt: false });
    const join = (username: string, invitation?: string, origin = NEWCOMER) =>
      signUp(accounts.context, passwords, { username, password: PASSWORD }, invitation, origin);
    const invite = async (email?: string) => {
      const expiresAt = accounts.context.now() + DAY;
      return (await createInvitation(accounts.context, { organization: 'acme', email, expiresAt }, ORIGIN)).secret;
    };
    return { ...accounts, join, invite };
  };

  describe('open', () => {
    test('makes an account for everyone, who is no administrator', async () => {
      const { context, join, audited } = await open('open');
      expect(await join('Bob')).toMatchObject({ username: 'bob', administrator: false, email: null });
      expect(await codeOf(join('bob'))).toBe('NAME_TAKEN');
      const { actor, source } = await context.database.read
        .selectFrom('audit_log')
        .selectAll()
        .where('subject', '=', 'bob')
        .executeTakeFirstOrThrow();
      expect([actor, source]).toEqual(['anonymous', NEWCOMER.source]);
      expect((await audited('bob')).map(([action]) => action)).toEqual(['user.create']);
    });

    test('takes an invitation too, and its address unless another is given; a bad one is refused', async () => {
      const { context, join, invite } = await open('open');
      expect((await join('bob', await invite('bob@example.com'))).email).toBe('bob@example.com');
      const carol = { username: 'carol', password: PASSWORD, email: 'carol@example.com' };
      const made = await signUp(context, passwords, carol, await invite('other@example.com'), NEWCOMER);
      expect(made.email).toBe('carol@example.com');
      expect(await codeOf(join('dave', 'berth_invite_no'))).toBe('DENIED');
    });

    test('refuses a bad name and a bad password without hashing it', async () => {
      const { context, join } = await open('open');
      const before = passwords.hashes;
      expect(await codeOf(join('api'))).toBe('BODY_INVALID');
      const short = { username: 'bob', password: 'short' };
      expect(await codeOf(signUp(context, passwords, short, undefined, NEWCOMER))).toBe('BODY_INVALID');
      expect(passwords.hashes).toBe(before);
    });

    test('waits until the instance has its administrator', async () => {
      const { context } = await openTestAccounts(await newPlace(), 'open');
      const bob = { username: 'bob', password: PASSWORD };
      expect(await codeOf(signUp(context, passwords, bob, undefined, NEWCOMER))).toBe('DENIED');
    });
  });

  test('by invitation wants a good one', async () => {
    const { join, invite } = await open('invitation');
    expect(await codeOf(join('bob'))).toBe('BODY_INVALID');
    expect(await codeOf(join('bob', 'berth_invite_no'))).toBe('DENIED');
    const secret = await invite();
    expect(await codeOf(join('bob', secret))).toBe('done');
    expect(await codeOf(join('carol', secret))).toBe('DENIED');
  });

  test('closed takes nobody, and nobody can be invited', async () => {
    const { join, invite } = await open('closed');
    expect(await codeOf(join('bob'))).toBe('DENIED');
    expect(await codeOf(join('bob', 'berth_invite_no'))).toBe('DENIED');
    expect(await codeOf(invite())).toBe('DENIED');
  });

  test('is limited to 20 an hour from one address; failed log-ins in between change nothing', async () => {
    const { context, join, advance } = await open('invitation');
    const from = (source: string) => join('bob', 'berth_invite_no', { name: 'anonymous', source });
    for (let i = 0; i < 20; i++) expect(await codeOf(from('192.0.2.30'))).toBe('DENIED');
    const before = passwords.hashes;
    const refusal = await from('192.0.2.30').catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'TOOMANYREQUESTS', detail: { retryAfter: expect.any(Number) } });
    expect(passwords.hashes).toBe(before);
    expect(await codeOf(from('192.0.2.31'))).toBe('DENIED');
    advance(59 * MINUTE);
    await beginLogin(context, 'eve', '192.0.2.30', undefined);
    expect(await codeOf(from('192.0.2.30'))).toBe('TOOMANYREQUESTS');
    advance(MINUTE);
    expect(await codeOf(from('192.0.2.30'))).toBe('DENIED');
  });
});
