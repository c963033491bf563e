// Organizations: members, teams, robots and their tokens, roles, invitations, audit, settings; and a user's own place.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { ManagementClient } from '../../src/client/management.ts';
import { canBrowse, PageRig, type Person, type Visit } from './rig.ts';

const HOSTILE = '<img src=x onerror="window.pwned=1">';

describe.skipIf(!canBrowse)('organizations', () => {
  let rig: PageRig;
  let alice: Person;
  let bob: Person;
  beforeAll(async () => {
    rig = await PageRig.start();
    alice = await rig.join('alice');
    bob = await rig.join('bob');
  }, 60_000);
  afterAll(() => rig?.stop(), 30_000);

  const row = ({ page }: Visit, name: string) => page.getByRole('row').filter({ hasText: name });
  const tab = ({ page }: Visit, name: string) =>
    page.getByRole('navigation', { name: 'acme' }).getByRole('link', { name });

  test('one is made, gets a member and a team, and a role for the team', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open('/organizations');
    await page.getByText('You are in no organization').waitFor();
    expect(await visit.audit()).toEqual([]);
    await page.getByRole('button', { name: 'New organization' }).click();
    const made = page.getByRole('dialog', { name: 'New organization' });
    await made.getByLabel('Name (required)').fill('acme');
    await made.getByLabel('Display name').fill(`Acme ${HOSTILE}`);
    await made.getByRole('button', { name: 'Make the organization' }).click();
    await page.getByRole('heading', { name: `Acme ${HOSTILE} (acme)`, level: 1 }).waitFor();
    await page.getByText(`docker push ${rig.host}/acme/app`).waitFor();
    expect(await visit.audit()).toEqual([]);

    await tab(visit, 'Members').click();
    await page.getByRole('button', { name: 'Add a member' }).click();
    await page.getByRole('dialog').getByLabel('Username').fill('nobody-here');
    await page.getByRole('dialog').getByRole('button', { name: 'Add' }).click();
    await page.getByRole('dialog').getByRole('alert').getByText('nobody-here').waitFor();
    await page.getByRole('dialog').getByLabel('Username').fill('bob');
    await page.getByRole('dialog').getByRole('button', { name: 'Add' }).click();
    await row(visit, 'bob').waitFor();
    expect(await visit.audit()).toEqual([]);

    await tab(visit, 'Teams').click();
    await page.getByRole('button', { name: 'New team' }).click();
    await page.getByRole('dialog').getByLabel('Name (required)').fill('backend');
    await page.getByRole('dialog').getByRole('button', { name: 'Make the team' }).click();
    await page.getByRole('button', { name: '0 members of backend' }).click();
    const members = page.getByRole('dialog', { name: 'Members of backend' });
    await members.getByText('Nobody is in it yet.').waitFor();
    await members.getByLabel('Username').fill('bob');
    await members.getByRole('button', { name: 'Add' }).click();
    await members.getByRole('button', { name: 'Remove bob' }).waitFor();
    expect(await visit.audit()).toEqual([]);
    await page.keyboard.press('Escape');
    await row(visit, 'backend').getByText('1 member').waitFor();

    await tab(visit, 'Roles').click();
    await page.getByRole('button', { name: 'Give a role' }).click();
    await page.getByRole('dialog').getByLabel('Team').fill('backend');
    await page.getByRole('dialog').getByRole('button', { name: 'Give' }).click();
    await row(visit, 'backend').waitFor();
    await bob.pusher.image('acme/web', '1.0');
    const changed = page.waitForResponse((answer) => answer.request().method() === 'PUT');
    await page.getByRole('combobox', { name: 'Role of backend' }).selectOption('Read: pull');
    await changed;
    await page.reload();
    await row(visit, 'backend').waitFor();
    expect(await page.getByRole('combobox', { name: 'Role of backend' }).inputValue()).toBe('read');
    expect(await visit.audit()).toEqual([]);

    await tab(visit, 'Repositories').click();
    await page.getByRole('link', { name: 'acme/web' }).waitFor();
    await page.getByLabel('Find a repository').fill('nothing like it');
    await page.getByText('No repository has that in its name or description').waitFor();
    expect(await visit.hacked()).toBe(false);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('a robot is made, its token shown once with the line for docker, used, disabled and deleted', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open('/o/acme/robots');
    await page.getByText('There is no robot yet').waitFor();
    await page.getByRole('button', { name: 'New robot' }).click();
    await page.getByRole('dialog').getByLabel('Name (required)').fill('ci');
    await page.getByRole('dialog').getByLabel('Description').fill(HOSTILE);
    await page.getByRole('dialog').getByRole('button', { name: 'Make the robot' }).click();
    await page.getByRole('dialog', { name: 'Tokens of acme+ci' }).getByRole('button', { name: 'New token' }).click();
    await page.getByRole('dialog').getByLabel('What it is for').fill('build server');
    await page.getByRole('dialog').getByRole('button', { name: 'Make the token' }).click();
    const shown = page.getByRole('dialog', { name: 'The new token' });
    const secret = (await shown.getByRole('figure', { name: 'Token', exact: true }).locator('pre').textContent()) ?? '';
    expect(secret).toStartWith('berth_robot_');
    const line = `echo '${secret}' | docker login -u 'acme+ci' --password-stdin ${rig.host}`;
    await shown.getByText(line).waitFor();
    expect(await visit.audit()).toEqual([]);
    await shown.getByRole('button', { name: 'Back to the tokens' }).click();
    const tokens = page.getByRole('dialog', { name: 'Tokens of acme+ci' });
    await tokens.getByText('build server').waitFor();
    expect(await page.getByText(secret).count()).toBe(0);
    await tokens.getByRole('button', { name: 'Done' }).click();

    const robot = new ManagementClient(rig.url, { kind: 'token', token: secret });
    expect(await robot.instance.caller()).toMatchObject({ kind: 'robot', name: 'acme+ci' });

    const choose = async (entry: string) => {
      await page.getByRole('button', { name: 'Actions for acme+ci' }).click();
      await page.getByRole('menuitem', { name: entry }).click();
      await page.getByRole('dialog').getByRole('button', { name: entry }).click();
    };
    await choose('Disable');
    await row(visit, 'acme+ci').getByText('Disabled').waitFor();
    expect(
      await robot.instance.caller().then(
        ({ kind }) => kind,
        () => 'refused',
      ),
    ).not.toBe('robot');
    await choose('Enable');
    await row(visit, 'acme+ci').getByText('Disabled').waitFor({ state: 'detached' });
    expect(await robot.instance.caller()).toMatchObject({ kind: 'robot' });

    await page.getByRole('button', { name: 'Tokens of acme+ci' }).click();
    await page.getByRole('button', { name: 'Revoke build server' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke', exact: true }).click();
    await page.getByText('It has no token yet').waitFor();
    await page.getByRole('button', { name: 'Done' }).click();
    await choose('Delete');
    await page.getByText('There is no robot yet').waitFor();
    expect(await visit.hacked()).toBe(false);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('a member sees members and teams, changes nothing, and can leave', async () => {
    const visit = await rig.visit({ as: bob });
    const { page } = visit;
    await visit.open('/o/acme/members');
    await row(visit, 'alice').getByText('Owner').waitFor();
    expect(await page.getByRole('button', { name: 'Add a member' }).count()).toBe(0);
    expect(await page.getByRole('combobox').count()).toBe(0);
    expect(await tab(visit, 'Robots').count()).toBe(0);
    await page.goto(`${rig.url}/o/acme/robots`);
    await page.getByText('There is no such page of it').waitFor();
    await tab(visit, 'Members').click();
    await page.getByRole('button', { name: 'Leave acme' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click();
    await page.getByText('You are in no organization').waitFor();
    await page.goto(`${rig.url}/o/acme`);
    await page.getByText('There is no such thing here.').waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('one’s own place has robots, roles and an audit log, and fits a phone', async () => {
    const visit = await rig.visit({ as: bob, phone: true, dark: true });
    const { page } = visit;
    await visit.open('/organizations');
    await page.getByRole('link', { name: 'Robots and roles of bob' }).click();
    await page.getByText('There is no robot yet').waitFor();
    const tabs = page.getByRole('navigation', { name: 'bob' }).getByRole('link');
    expect(await tabs.allTextContents()).toEqual([
      'Repositories',
      'Robots',
      'Roles',
      'Retention',
      'Webhooks',
      'Events',
      'Audit log',
    ]);
    await tabs.getByText('Roles').click();
    await page.getByText('Only its owner may do anything here.').waitFor();
    await page.getByRole('button', { name: 'Give a role' }).click();
    await page.getByRole('dialog').getByLabel('Username').fill('alice');
    await page.getByRole('dialog').getByRole('button', { name: 'Give' }).click();
    await row(visit, 'alice').waitFor();
    expect(await visit.sideways()).toBe(0);
    expect(await visit.audit()).toEqual([]);
    await page.getByRole('button', { name: 'Take away the role of alice' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Take away' }).click();
    await page.getByText('No roles are given here').waitFor();
    await tabs.getByText('Audit log').click();
    await row(visit, 'grant.remove').waitFor();
    expect(await visit.sideways()).toBe(0);
    expect(await visit.audit()).toEqual([]);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test('its settings are changed, and it is deleted once its repositories have another owner', async () => {
    const visit = await rig.visit({ as: alice, language: 'ko' });
    const { page } = visit;
    await visit.open('/o/acme/settings');
    await page.getByLabel('설명').fill(HOSTILE);
    await page.getByRole('button', { name: '저장', exact: true }).click();
    await page.getByRole('status').getByText('저장했습니다.').waitFor();
    expect((await alice.api.organizations.get('acme')).description).toBe(HOSTILE);
    expect(await visit.audit()).toEqual([]);
    await page.getByRole('button', { name: 'acme 삭제' }).click();
    const dialog = page.getByRole('dialog', { name: 'acme 삭제' });
    await dialog.getByText('acme/web').waitFor();
    await dialog.getByText('backend').waitFor();
    await dialog.getByLabel('확인을 위해 acme을(를) 입력하세요').fill('acme');
    expect(await dialog.getByRole('button', { name: '삭제' }).isDisabled()).toBe(true);
    await dialog.getByLabel('새 소유자').fill('alice');
    await dialog.getByRole('button', { name: '삭제' }).click();
    await page.getByText('속한 조직이 없습니다').waitFor();
    expect((await alice.api.repositories.get('alice/web')).name).toBe('alice/web');
    expect(await visit.hacked()).toBe(false);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });
});
