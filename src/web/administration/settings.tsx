import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { SettingInfo } from '../../api/administration.ts';
import { Badge } from '../kit/badge.tsx';
import { CheckField, TextField } from '../kit/field.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { Administration } from './administration.tsx';
import { administrationWords } from './words.ts';

export function SettingsPage() {
  const words = useWords(administrationWords);
  return (
    <Administration current="settings" title={words.settingsTitle} description={words.settingsWhat}>
      {() => <Settings />}
    </Administration>
  );
}

function Settings() {
  const words = useWords(administrationWords);
  const [typed, setTyped] = useState('');
  const [onlyChanged, setOnlyChanged] = useState(false);
  const settings = useQuery({ queryKey: ['settings'], queryFn: () => server.administration.settings() });
  const wanted = typed.trim().toLowerCase();
  const matches = ({ name, help, flag, changed }: SettingInfo) =>
    (!onlyChanged || changed) && `${name} ${flag} ${help}`.toLowerCase().includes(wanted);
  const columns: Column<SettingInfo>[] = [
    {
      key: 'name',
      head: words.setting,
      cell: ({ name, help }) => (
        <div className="max-w-md">
          <span className="font-medium">{name}</span>
          <span className="block text-sm text-muted">{help}</span>
        </div>
      ),
    },
    {
      key: 'value',
      head: words.value,
      cell: (setting) => (
        <span className="flex flex-wrap items-center gap-1.5">
          <Value text={setting.value} />
          {setting.secret && <Badge>{words.secretLeft}</Badge>}
          {setting.changed && <Badge tone="accent">{words.changed}</Badge>}
        </span>
      ),
    },
    { key: 'default', head: words.default, cell: (setting) => <Value text={setting.default} /> },
    {
      key: 'change',
      head: words.change,
      cell: ({ flag, variable }) => (
        <span className="grid gap-0.5 font-mono text-sm">
          <span>{flag}</span>
          <span>{variable}</span>
        </span>
      ),
    },
  ];
  return (
    <>
      <div className="mb-4 flex flex-wrap items-end gap-x-6 gap-y-3">
        <div className="w-full max-w-md">
          <TextField
            label={words.find}
            type="search"
            value={typed}
            autoCapitalize="none"
            spellCheck={false}
            onChange={(event) => setTyped(event.target.value)}
          />
        </div>
        <div className="py-2">
          <CheckField
            label={words.onlyChanged}
            checked={onlyChanged}
            onChange={(event) => setOnlyChanged(event.target.checked)}
          />
        </div>
      </div>
      <Loaded query={settings} rows={8} height="h-16">
        {(known) => {
          const rows = known.filter(matches);
          if (rows.length === 0) return <EmptyState title={words.noSetting} />;
          return <Table label={words.settingsTitle} columns={columns} rows={rows} rowKey={({ name }) => name} />;
        }}
      </Loaded>
    </>
  );
}

function Value({ text }: { text: string | null }) {
  const words = useWords(administrationWords);
  if (text === null) return <span className="text-muted">{words.notSet}</span>;
  return <code className="font-mono text-sm break-all">{text}</code>;
}
