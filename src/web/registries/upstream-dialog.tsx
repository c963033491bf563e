import { useState } from 'react';
import type { UpstreamChange, UpstreamInfo } from '../../api/upstreams.ts';
import { Dialog } from '../kit/dialog.tsx';
import { CheckField, PasswordField, TextArea } from '../kit/field.tsx';
import { Form, fieldProblem, useAction } from '../kit/form.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { NameField } from './name-field.tsx';
import { registriesChanged } from './queries.ts';
import { registriesWords } from './registries-words.ts';

const FIELDS = ['name', 'address', 'username', 'password', 'ca'] as const;

/** @param upstream that is changed; undefined for a new one */
export function UpstreamDialog({ upstream, onClose }: { upstream?: UpstreamInfo; onClose: () => void }) {
  const words = useWords(registriesWords);
  const [name, setName] = useState('');
  const [address, setAddress] = useState(upstream?.address ?? '');
  const [username, setUsername] = useState(upstream?.username ?? '');
  const [password, setPassword] = useState('');
  const [ca, setCa] = useState('');
  const [withoutCa, setWithoutCa] = useState(false);
  const login = username.trim();
  const keepsLogin = upstream !== undefined && login !== '' && login === upstream.username;
  const save = useAction(
    async () => {
      if (upstream === undefined) {
        await server.upstreams.create({
          name: name.trim(),
          address: address.trim(),
          ...(login === '' ? {} : { username: login, password }),
          ...(ca.trim() === '' ? {} : { ca }),
        });
      } else {
        await server.upstreams.change(upstream.name, {
          ...(address.trim() === upstream.address ? {} : { address: address.trim() }),
          ...loginChange(),
          ...(withoutCa ? { ca: null } : ca.trim() === '' ? {} : { ca }),
        });
      }
    },
    async () => {
      await registriesChanged();
      onClose();
    },
  );
  function loginChange(): UpstreamChange {
    if (login === '') return upstream?.username === null ? {} : { username: null };
    if (keepsLogin) return password === '' ? {} : { password };
    return { username: login, password };
  }
  const problemOf = (field: (typeof FIELDS)[number]) => fieldProblem(save.problem, field);
  const missing =
    address.trim() === '' ||
    (upstream === undefined && name.trim() === '') ||
    (login !== '' && !keepsLogin && password === '');
  return (
    <Dialog open onClose={onClose} title={upstream === undefined ? words.addUpstream : words.changeOf(upstream.name)}>
      <Form
        action={upstream === undefined ? words.add : words.save}
        busy={save.busy}
        problem={FIELDS.some(problemOf) ? null : save.problem}
        disabled={missing}
        onSend={() => save.run()}
      >
        {upstream === undefined && (
          <NameField
            label={words.name}
            hint={words.nameHint}
            problem={problemOf('name')}
            required
            autoFocus
            maxLength={100}
            value={name}
            onText={setName}
          />
        )}
        <NameField
          label={words.address}
          hint={words.addressHint}
          problem={problemOf('address')}
          required
          inputMode="url"
          maxLength={500}
          value={address}
          onText={setAddress}
        />
        <NameField
          label={words.username}
          hint={words.usernameHint}
          problem={problemOf('username')}
          maxLength={500}
          value={username}
          onText={setUsername}
        />
        {login !== '' && (
          <PasswordField
            label={words.password}
            hint={keepsLogin ? words.passwordKept : words.passwordHint}
            problem={problemOf('password')}
            required={!keepsLogin}
            maxLength={10_000}
            autoComplete="new-password"
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        )}
        {!withoutCa && (
          <TextArea
            label={words.ca}
            hint={upstream?.hasAuthority ? words.caKept : words.caHint}
            problem={problemOf('ca')}
            className="font-mono text-sm"
            maxLength={100_000}
            spellCheck={false}
            value={ca}
            onChange={(event) => setCa(event.target.value)}
          />
        )}
        {upstream?.hasAuthority && (
          <CheckField
            label={words.caNone}
            checked={withoutCa}
            onChange={(event) => setWithoutCa(event.target.checked)}
          />
        )}
      </Form>
    </Dialog>
  );
}
