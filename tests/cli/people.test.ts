// Users, organizations, teams, grants, robots and invitations by command, and the audit log that tells of it.
import { beforeAll, describe, expect, test } from 'bun:test';
import { auditLine } from '../../src/api/audit.ts';
import { grantInfo } from '../../src/api/grants.ts';
import { invitationInfo } from '../../src/api/invitations.ts';
import { memberInfo, organizationInfo, teamInfo, teamMemberInfo } from '../../src/api/organizations.ts';
import { robotInfo } from '../../src/api/robots.ts';
import { userInfo } from '../../src/api/users.ts';
import { Connection } from '../../src/client/connection.ts';
import { InvitationsClient } from '../../src/client/invitations.ts';
import { type Person, serveAccounts } from './person.ts';

const place = serveAccounts();
let alice: Person;
const PASSWORD = "bob's password";

beforeAll(async () => {
  alice = place.person();
  await alice.logIn();
}, 60_000);

async function makeUser(name: string): Promise<Person> {
  await alice.run(`user create ${name} --password-stdin`, { stdin: PASSWORD });
  const person = place.person();
  await person.logIn({ name, password: PASSWORD });
  return person;
}

describe('a user', () => {
  test.concurrent('is made, shown, changed, disabled, enabled and deleted', async () => {
    const line = 'user create bob --password-stdin --email bob@example.com --admin';
    expect(await alice.run(line, { stdin: PASSWORD })).toBe('made bob, an administrator\n');
    expect(await alice.run('user list')).toMatch(/bob +bob +bob@example\.com +administrator +active/);
    expect(userInfo.parse(await alice.json('user show bob'))).toMatchObject({ email: 'bob@example.com' });
    const changed = userInfo.parse(await alice.json('user edit bob --no-admin --name Robert'));
    expect(changed).toMatchObject({ administrator: false, name: 'Robert' });
    const bob = place.person();
    await bob.logIn({ name: 'bob', password: PASSWORD });
    expect(await bob.refused(1, 'user list')).toContain('only administrators');
    await alice.run('user disable bob');
    expect(await bob.refused(1, 'token list')).toContain('log in with berth login');
    await alice.run('user enable bob');
    await bob.run('token list');
    expect(await alice.run('user delete bob --yes')).toBe('deleted bob\n');
    expect(await alice.refused(1, 'user show bob')).toContain('no user bob');
    const names = userInfo.array().parse(await alice.json('user list'));
    expect(names.map(({ username }) => username)).not.toContain('bob');
  });

  test.concurrent('gets a new password, and the old one is over', async () => {
    await makeUser('carol');
    await alice.run('user reset-password carol --password-stdin', { stdin: 'another password' });
    const carol = place.person();
    expect(await carol.refused(1, 'login -u carol --password-stdin', { stdin: PASSWORD })).toContain(
      'password is wrong',
    );
    await carol.logIn({ name: 'carol', password: 'another password' });
    expect(await alice.run('user reset-two-factor carol')).toContain('without a second factor');
  });

  test.concurrent('is refused for a name that cannot be, is taken, or a password that is too short', async () => {
    await alice.refusesAll(2, { 'user create Bob! --password-stdin': 'NAME: ' }, { stdin: PASSWORD });
    await alice.refusesAll(1, { 'user create alice --password-stdin': 'alice' }, { stdin: PASSWORD });
    await alice.refusesAll(1, { 'user create dan --password-stdin': 'password' }, { stdin: 'short' });
    await alice.refusesAll(2, { 'user create dan': '--password-stdin', 'user edit alice': '--name' });
  });

  test.concurrent('that owns repositories is deleted only once it is said what becomes of them', async () => {
    const erin = await makeUser('erin');
    await erin.run('repository create erin/app');
    await erin.run('robot create erin+ci --role read');
    const refused = await alice.refused(1, 'user delete erin --yes');
    expect(refused).toContain('repository erin/app: in the way');
    expect(refused).toContain('robot erin+ci: deleted');
    expect(refused).toContain('--transfer-to NAMESPACE or --delete-repositories');
    await alice.refusesAll(2, {
      'user delete erin --transfer-to alice --delete-repositories': 'give one of them',
      'user delete erin --transfer-to alice': '--yes',
    });
    const { code, stderr } = await alice.try(['user', 'delete', 'erin', '--transfer-to', 'alice', '--yes']);
    expect([code, stderr]).toEqual([0, expect.stringContaining('erin/app: given to alice')]);
    expect(await alice.run('repository list --namespace alice')).toContain('alice/app');
    expect(await alice.refused(1, 'user show erin')).toContain('no user erin');
  });

  test.concurrent('that is the only owner of an organization stays', async () => {
    const frank = await makeUser('frank');
    await frank.run('organization create franks');
    expect(await alice.refused(1, 'user delete frank --yes')).toContain('only owner of franks');
    await alice.run('user show frank');
  });
});

describe('an organization', () => {
  test.concurrent('has members, and teams to which roles are granted', async () => {
    const gina = await makeUser('gina');
    const made = organizationInfo.parse(await alice.json('organization create acme --display-name Acme'));
    expect(made).toMatchObject({ name: 'acme', displayName: 'Acme', role: 'owner' });
    await alice.run('repository create acme/app');
    expect(await gina.refused(1, 'repository show acme/app')).toContain('acme/app');

    expect(await alice.run('member set acme gina')).toBe('gina is a member of acme\n');
    const members = memberInfo.array().parse(await alice.json('member list acme'));
    expect(members.map(({ username, role }) => [username, role])).toEqual([
      ['alice', 'owner'],
      ['gina', 'member'],
    ]);

    expect(await alice.run('team create acme developers')).toContain('made team developers');
    await alice.run('team add acme developers gina');
    const [team] = teamInfo.array().parse(await gina.json('team list acme'));
    expect(team).toMatchObject({ name: 'developers', members: 1 });
    const inTeam = teamMemberInfo.array().parse(await gina.json('team list acme developers'));
    expect(inTeam.map(({ username }) => username)).toEqual(['gina']);

    await alice.run('grant set acme/app --team developers --role read');
    await alice.run('grant set acme --user gina --role write');
    expect(grantInfo.array().parse(await alice.json('grant list acme/app'))).toMatchObject([
      { team: 'developers', user: null, role: 'read' },
    ]);
    expect(await alice.run('grant list acme')).toMatch(/user +gina +write/);
    expect(await gina.run('repository show acme/app')).toMatch(/you may: +write/);
    await alice.run('grant remove acme --user gina');
    expect(await gina.run('repository show acme/app')).toMatch(/you may: +read/);
    await alice.run('team remove acme developers gina');
    expect(await gina.refused(1, 'repository show acme/app')).toContain('acme/app');
    await alice.run('team delete acme developers --yes');
    expect(await alice.json('team list acme')).toEqual([]);
  });

  test.concurrent('has robots, that are disabled, enabled and deleted', async () => {
    await alice.run('organization create works');
    await alice.run('repository create works/app');
    const robot = robotInfo.parse(await alice.json('robot create works+ci --role write --repository works/app'));
    expect(robot).toMatchObject({ username: 'works+ci', role: 'write', repository: 'works/app' });
    expect(await alice.run('robot disable works+ci')).toBe('works+ci is disabled\n');
    expect(robotInfo.array().parse(await alice.json('robot list works'))[0]?.disabledAt).toBeString();
    expect(await alice.run('robot enable works+ci')).toBe('works+ci is enabled\n');
    expect(await alice.refused(2, 'robot delete works+ci')).toContain('--yes');
    await alice.run('robot delete works+ci --yes');
    expect(await alice.json('robot list works')).toEqual([]);
  });

  test.concurrent('is changed and deleted by its owner, once its repositories are gone', async () => {
    const ida = await makeUser('ida');
    await alice.run('organization create brief');
    await alice.run('repository create brief/app');
    await alice.run('member set brief ida');
    expect(await alice.run('organization edit brief --description Tools')).toMatch(/description: +Tools/);
    expect(await ida.refused(1, 'organization delete brief --yes')).toContain('brief');
    expect(await alice.refused(1, 'organization delete brief --yes')).toContain('--transfer-to NAMESPACE');
    await ida.run('member remove brief ida');
    expect(await ida.json('organization list')).toEqual([]);
    await alice.run('repository delete brief/app --yes');
    expect(await alice.run('organization delete brief --yes')).toBe('deleted brief\n');
    expect(await alice.refused(1, 'organization show brief')).toContain('brief');
  });

  test.concurrent('takes only roles that there are, for one subject', async () => {
    await alice.refusesAll(2, {
      'member set acme gina --role king': '--role: "king"',
      'grant set acme --role read': '--user or --team',
      'grant set acme --user gina --role owner': '--role: "owner"',
      'grant set acme --user gina': '--role',
    });
  });
});

describe('an invitation', () => {
  test.concurrent('is a link that makes one account, and can be withdrawn', async () => {
    await alice.run('organization create club');
    const { stdout, stderr } = await alice.try('invitation create --organization club --expires 3d'.split(' '));
    expect(stderr).toContain('only time');
    const secret = stdout.trim().split('invitation=')[1] ?? '';
    expect(stdout).toStartWith(`${place.server.url}/signup#invitation=`);
    const client = new InvitationsClient(new Connection(place.server.url));
    await client.signUp({ username: 'hanna', password: PASSWORD, invitation: secret });
    expect(await alice.run('member list club')).toMatch(/hanna +hanna +member/);
    const second = await alice.json('invitation create --email ian@example.com');
    expect(second).toMatchObject({ invitation: { email: 'ian@example.com', organization: null } });
    const [newest, used] = invitationInfo.array().parse(await alice.json('invitation list'));
    expect(used?.usedBy).toBe('hanna');
    await alice.run(`invitation revoke ${newest?.id}`);
    const left = invitationInfo.array().parse(await alice.json('invitation list'));
    expect(left.map(({ id }) => id)).not.toContain(newest?.id ?? '');
    expect(await alice.refused(2, 'invitation create --role owner')).toContain('--organization');
    expect(await alice.refused(2, 'invitation create --expires 12h')).toContain('--expires: "12h"');
  });
});

describe('the audit log', () => {
  test.concurrent('tells who did what, filtered, as text and as JSON lines', async () => {
    const jack = await makeUser('jack');
    await jack.run('repository create jack/app');
    const text = await alice.run('audit --actor jack --action repository.* --since 1h');
    expect(text).toMatch(/^\S+Z +repository\.create +jack\/app +by jack from 127\.0\.0\.1/);
    const lines = await alice.run('audit --since 1h --limit all --output json');
    const parsed = lines
      .trimEnd()
      .split('\n')
      .map((line) => auditLine.parse(JSON.parse(line)));
    expect(parsed.map(({ action, subject }) => `${action} ${subject}`)).toContain('user.create jack');
    expect((await alice.run('audit --limit 2')).trimEnd().split('\n')).toHaveLength(2);
    expect(await alice.run('audit --until 2020-01-01T00:00:00Z')).toBe('');
    expect(await jack.refused(1, 'audit')).toContain('only administrators');
    expect(await jack.run('audit --namespace jack')).toContain('jack/app');
  });

  test.concurrent('refuses filters that are none, naming the flag', async () => {
    await alice.refusesAll(2, {
      'audit --since yesterday': '--since: "yesterday"',
      'audit --outcome maybe': '--outcome: "maybe"',
      'audit --limit 0': '--limit: "0"',
    });
  });
});
