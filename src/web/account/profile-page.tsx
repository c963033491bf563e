import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { UserInfo } from '../../api/users.ts';
import { SelectField, TextField } from '../kit/field.tsx';
import { Moment } from '../kit/figures.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { Card, Section } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { Facts } from '../kit/table.tsx';
import { LANGUAGES, type Language, useLanguage, useWords } from '../kit/words.tsx';
import { Held } from '../quotas/held.tsx';
import { queries, SESSION_KEY, server } from '../server.ts';
import { useSignal } from '../signal.ts';
import { chooseTheme, THEMES, theme } from '../theme.ts';
import { AccountPage, Done } from './account-page.tsx';
import { accountWords } from './words.ts';

const PROFILE_KEY = ['account', 'profile'] as const;

export function ProfilePage() {
  return <AccountPage part="profile">{() => <Profile />}</AccountPage>;
}

function Profile() {
  const words = useWords(accountWords).profile;
  const profile = useQuery({ queryKey: PROFILE_KEY, queryFn: () => server.users.own() });
  return (
    <div className="max-w-2xl">
      <Section title={words.who}>
        <Card>
          <Loaded query={profile} rows={5} height="h-14">
            {(user) => (
              <div className="grid gap-5">
                <Facts
                  facts={[
                    [words.username, <code key="name">{user.username}</code>],
                    [words.role, user.administrator ? words.administrator : words.user],
                    [words.since, <Moment key="since" at={user.createdAt} />],
                  ]}
                />
                <Held namespace={user.username} />
                <ProfileForm user={user} />
              </div>
            )}
          </Loaded>
        </Card>
      </Section>
      <Appearance />
    </div>
  );
}

function ProfileForm({ user }: { user: UserInfo }) {
  const all = useWords(accountWords);
  const words = all.profile;
  const [typedName, setName] = useState<string>();
  const [typedEmail, setEmail] = useState<string>();
  const name = typedName ?? user.name;
  const email = typedEmail ?? user.email ?? '';
  const save = useAction(
    () => server.users.changeOwn({ name: name.trim(), email: email.trim() === '' ? null : email.trim() }),
    async (saved) => {
      queries.setQueryData<UserInfo>(PROFILE_KEY, saved);
      setName(undefined);
      setEmail(undefined);
      await queries.invalidateQueries({ queryKey: SESSION_KEY });
    },
  );
  const changed = typedName !== undefined || typedEmail !== undefined;
  const ofField = fieldProblem(save.problem, 'name') ?? fieldProblem(save.problem, 'email');
  return (
    <Form
      action={words.save}
      busy={save.busy}
      problem={ofField === undefined ? save.problem : null}
      disabled={!changed}
      onSend={() => save.run()}
      extra={<Done>{save.result !== undefined && !changed && all.saved}</Done>}
    >
      <TextField
        label={words.name}
        hint={words.nameHint}
        name="name"
        autoComplete="name"
        maxLength={100}
        required
        value={name}
        problem={fieldProblem(save.problem, 'name')}
        onChange={(event) => setName(event.target.value)}
      />
      <TextField
        label={words.email}
        hint={words.emailHint}
        name="email"
        type="email"
        autoComplete="email"
        value={email}
        problem={fieldProblem(save.problem, 'email')}
        onChange={(event) => setEmail(event.target.value)}
      />
    </Form>
  );
}

function Appearance() {
  const words = useWords(accountWords).profile;
  const { language, choose } = useLanguage();
  const chosen = useSignal(theme);
  return (
    <Section title={words.appearance} description={words.appearanceWhat}>
      <Card className="grid gap-4 sm:grid-cols-2">
        <SelectField
          label={words.language}
          value={language}
          onValue={choose}
          choices={(Object.keys(LANGUAGES) as Language[]).map((code) => ({ value: code, label: LANGUAGES[code] }))}
        />
        <SelectField
          label={words.theme}
          value={chosen}
          onValue={chooseTheme}
          choices={THEMES.map((name) => ({ value: name, label: words.themes[name] }))}
        />
      </Card>
    </Section>
  );
}
