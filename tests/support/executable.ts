// What a program's file says of itself in its first bytes: for which system and machine it is, and which loader it asks for.
import { closeSync, openSync, readSync } from 'node:fs';

export interface Executable {
  format: 'elf' | 'mach-o';
  machine: 'x64' | 'arm64';
  /** Of ELF: the path of the program that loads it, as `/lib/ld-musl-x86_64.so.1`. */
  loader?: string;
}

const ELF = 0x464c457f;
/** 64 bits, in this byte order. */
const MACH_O = 0xfeedfacf;
const ELF_MACHINES: Record<number, Executable['machine']> = { 62: 'x64', 183: 'arm64' };
const MACH_O_MACHINES: Record<number, Executable['machine']> = { 16777223: 'x64', 16777228: 'arm64' };
/** PT_INTERP */
const INTERPRETER = 3;

/** @throws for anything else */
export function readExecutable(file: string): Executable {
  const bytes = Buffer.alloc(4096);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, bytes, 0, bytes.length, 0);
  } finally {
    closeSync(descriptor);
  }
  const magic = bytes.readUInt32LE(0);
  if (magic === MACH_O) return { format: 'mach-o', machine: known(MACH_O_MACHINES, bytes.readUInt32LE(4), file) };
  if (magic !== ELF) throw new Error(`${file} is no program`);
  const machine = known(ELF_MACHINES, bytes.readUInt16LE(18), file);
  const loader = loaderOf(bytes);
  return { format: 'elf', machine, ...(loader === undefined ? {} : { loader }) };
}

function known(machines: Record<number, Executable['machine']>, code: number, file: string): Executable['machine'] {
  const machine = machines[code];
  if (machine === undefined) throw new Error(`${file} is for machine ${code}`);
  return machine;
}

function loaderOf(elf: Buffer): string | undefined {
  const start = Number(elf.readBigUInt64LE(32));
  for (let at = 0; at < elf.readUInt16LE(56); at++) {
    const header = start + at * elf.readUInt16LE(54);
    if (elf.readUInt32LE(header) !== INTERPRETER) continue;
    const offset = Number(elf.readBigUInt64LE(header + 8));
    const size = Number(elf.readBigUInt64LE(header + 32));
    return elf.toString('latin1', offset, offset + size - 1);
  }
  return undefined;
}
