import { readFileSync } from 'node:fs';
import { retentionPolicy } from '../api/retention.ts';
import type { RetentionPolicyInput } from '../client/retention.ts';
import { UsageError } from './usage.ts';

const MOST = 100_000;

/** A policy from a file, in YAML or JSON, or from standard input. @throws UsageError with what of it is wrong */
export async function policyFile(path: string): Promise<RetentionPolicyInput> {
  const value = parsed(path, path === '-' ? await standardInput() : contentOf(path));
  const result = retentionPolicy.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new UsageError(`--file: ${path}: ${issue?.path.join('.') || 'policy'}: ${issue?.message}`);
}

/** JSON is YAML too. */
function parsed(path: string, text: string): unknown {
  try {
    return Bun.YAML.parse(text);
  } catch (error) {
    throw new UsageError(`--file: ${path}: not YAML: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`--file: ${path} can't be read: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
}

async function standardInput(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > MOST) throw new UsageError('--file: standard input is longer than any policy');
  }
  return text;
}
