import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';
import type { AccountsContext } from '../accounts/context.ts';
import type { Passwords } from '../accounts/passwords.ts';
import { needsSetup, setUp } from '../accounts/setup.ts';
import { setupBody } from '../api/users.ts';
import { OciError } from '../oci/errors.ts';
import { problemProtocol } from './api/problem.ts';
import { readText } from './body.ts';
import type { Environment, Protocol } from './dispatch.ts';
import type { BerthRequest } from './request.ts';
import type { Route } from './route.ts';

export interface SetupContext {
  accounts: AccountsContext;
  passwords: Passwords;
}

type PageHandler = (context: SetupContext, request: BerthRequest) => Promise<Response>;

/** Where the set-up link leads: a form, without a script. */
export const SETUP_ROUTES: readonly Route<PageHandler>[] = [
  { method: 'GET', path: '/setup', access: 'none', handler: show },
  { method: 'POST', path: '/setup', access: 'none', handler: submit },
];

const FORM_MAX_BYTES = 16 * 1024;

export function setupProtocol(environment: Environment, context: SetupContext): Protocol<PageHandler> {
  return problemProtocol(environment, SETUP_ROUTES, undefined, (handler, request) => handler(context, request));
}

async function show({ accounts }: SetupContext, request: BerthRequest): Promise<Response> {
  if (!(await needsSetup(accounts))) return page(html`<p>This registry is set up already.</p>`, 404);
  return page(form({ secret: request.query('secret') ?? '' }), 200);
}

async function submit({ accounts, passwords }: SetupContext, request: BerthRequest): Promise<Response> {
  const fields = new URLSearchParams(await readText(request, FORM_MAX_BYTES));
  const given = Object.fromEntries([...fields].filter(([name, value]) => value !== '' || name !== 'email'));
  const body = setupBody.safeParse(given);
  try {
    if (!body.success) {
      const issue = body.error.issues[0];
      throw new OciError('BODY_INVALID', `${issue?.path.join('.')}: ${issue?.message}`);
    }
    const { secret, ...user } = body.data;
    const made = await setUp(accounts, passwords, user, secret, { name: 'setup', source: request.source });
    return page(done(made.username, new URL(request.base).host), 201);
  } catch (error) {
    if (!(error instanceof OciError) || error.code === 'UNAVAILABLE') throw error;
    return page(form({ ...given, problem: error.message }), 400);
  }
}

function form(given: Record<string, string>) {
  const { secret = '', username = '', email = '', problem } = given;
  return html`<p>Make the first account. It is the administrator.</p>
${problem === undefined ? '' : html`<p role="alert">${problem}</p>`}
<form method="post" action="/setup">
<input type="hidden" name="secret" value="${secret}">
<label>Username <input name="username" value="${username}" required autofocus autocomplete="username" autocapitalize="none" spellcheck="false"></label>
<label>Password <input name="password" type="password" required minlength="8" maxlength="256" autocomplete="new-password"></label>
<label>E-mail, if you like <input name="email" type="email" value="${email}" autocomplete="email"></label>
<button>Make the account</button>
</form>`;
}

function done(username: string, host: string) {
  return html`<p>Welcome, ${username}. Your registry is ready:</p>
<pre>docker login -u ${username} ${host}
docker tag ubuntu ${host}/${username}/ubuntu
docker push ${host}/${username}/ubuntu</pre>`;
}

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 28rem; padding: 10vh 1rem 2rem; }
label { display: block; margin: 1rem 0; }
input, button { display: block; width: 100%; box-sizing: border-box; font: inherit; padding: .5rem .6rem; border-radius: .4rem; border: 1px solid #888; }
button { margin-top: 1.5rem; background: #1c5fd4; color: #fff; border-color: #1c5fd4; cursor: pointer; }
[role=alert] { border-left: 4px solid #d33; padding-left: .75rem; }
pre { overflow: auto; padding: .75rem; border-radius: .4rem; background: color-mix(in srgb, currentColor 8%, transparent); }
`;

const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;

function page(content: ReturnType<typeof html>, status: number): Response {
  const text = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Set up Berth</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<h1>Berth</h1>
${content}
</body>
</html>
`;
  return new Response(String(text), {
    status,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': POLICY,
      'Referrer-Policy': 'no-referrer',
      'Cache-Control': 'no-store',
    },
  });
}
