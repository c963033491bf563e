import { createHash, randomBytes, randomInt } from 'node:crypto';
import type { AccessTokenKind } from '../database/accounts-schema.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 32 characters of 62: 190 bits. */
const LENGTH = 32;

const PREFIX: Record<AccessTokenKind | 'invitation' | 'setup', string> = {
  personal: 'berth_pat_',
  robot: 'berth_robot_',
  login: 'berth_login_',
  agent: 'berth_agent_',
  invitation: 'berth_invite_',
  setup: 'berth_setup_',
};

/** A new secret, that a scanner of source code recognizes by its beginning. */
export function newSecret(kind: keyof typeof PREFIX): string {
  let text = '';
  for (let i = 0; i < LENGTH; i++) text += ALPHABET[randomInt(ALPHABET.length)];
  return PREFIX[kind] + text;
}

export function isAccessToken(text: string): boolean {
  return /^berth_(pat|robot|login|agent)_[0-9A-Za-z]{32}$/.test(text);
}

/** One that was got with a password or another token, not made by its owner. */
export function isLoginToken(text: string): boolean {
  return isAccessToken(text) && text.startsWith(PREFIX.login);
}

/** What is kept of a secret. It has 190 bits, so a plain hash will do (and a pull must cost nothing). */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

export function newKey(): string {
  return randomBytes(32).toString('base64url');
}
