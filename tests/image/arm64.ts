// The image for arm64: what is in it, as the root of a system whose programs an emulator runs.
import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { OtherSystem, requireOtherSystem, serveOneBlob } from '../support/other-system.ts';
import { findTool, run } from '../support/tools.ts';
import type { Place } from './place.ts';

const EMULATOR = 'qemu-aarch64-static';
const canRun = process.arch === 'x64' && requireOtherSystem('the image for arm64', [EMULATOR]);

const descriptor = z.looseObject({ digest: z.string() });
const platform = z.looseObject({ architecture: z.string() });
const index = z.object({ manifests: z.array(descriptor.extend({ platform: platform.optional() })) });
const manifest = z.looseObject({ layers: z.array(descriptor) });

export function imageForArm64(place: Place): void {
  describe.if(canRun)('the image for arm64', () => {
    const fileOf = (digest: string) => join(place.image, 'image/blobs', digest.replace(':', '/'));
    const read = (digest: string): unknown => JSON.parse(readFileSync(fileOf(digest), 'utf8'));

    test('holds all that its program needs: it serves, takes a push and ends when it is told to', async () => {
      const [top] = index.parse(JSON.parse(readFileSync(join(place.image, 'image/index.json'), 'utf8'))).manifests;
      const all = index.parse(read(top?.digest ?? '')).manifests;
      const own = all.find((one) => one.platform?.architecture === 'arm64');
      const system = OtherSystem.arm64(findTool(EMULATOR) ?? EMULATOR);
      try {
        for (const { digest } of manifest.parse(read(own?.digest ?? '')).layers)
          await run(['tar', '--extract', '--gzip', '--no-same-owner', `--file=${fileOf(digest)}`, '-C', system.root]);
        expect(await run(system.command(['/usr/bin/berth', '--version']))).toMatch(/^\d+\.\d+\.\d+$/);
        expect(await serveOneBlob(system, '/usr/bin/berth', 240_000)).toBe(0);
      } finally {
        system.remove();
      }
    }, 300_000);
  });
}
