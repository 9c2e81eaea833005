#!/usr/bin/env node
// Checks what Chasqui's state says of a checkpoint: a header, a storage proof, and no trust in whoever gave them.
//
//   node verify-checkpoint.mjs CHECKPOINT [URL]      asks a node for header and proof
//   node verify-checkpoint.mjs --file PROOF.json     takes them from a file
//
// What is left to trust is the hash of the block: here the node's newest finalised one, or the file's. Take it from the
// relay chain where it matters (docs/state-proofs.md).
import { readFileSync } from 'node:fs';
import { WsProvider } from '@polkadot/api';
import { TypeRegistry } from '@polkadot/types';
import { compactFromU8a, hexToU8a, u8aConcat, u8aEq, u8aToHex } from '@polkadot/util';
import { blake2AsU8a, xxhashAsU8a } from '@polkadot/util-crypto';

/** Where the registry keeps a checkpoint. */
const registryKey = (root) => u8aConcat(xxhashAsU8a('Checkpoints', 128), xxhashAsU8a('Registry', 128), root);

/** The registry's entry, as docs/state-proofs.md lays it out. */
const TYPES = {
  Limits: { meanMarginMicro: 'u32', maxMarginMicro: 'u32', mismatchPpm: 'u32', fingerprintMilli: 'u32' },
  Thresholds: { boundaryMicro: 'u32', clipMicro: 'u32', soft: 'Limits', hard: 'Limits', evidenceTau: 'u32' },
  Profile: { _enum: ['F32', 'F16', 'Bf16', 'Int8'] },
  Status: { _enum: ['Calibrating', 'Stalled', 'Calibrated', 'Accepted', 'Retired'] },
  Checkpoint: {
    name: 'Text',
    parent: 'Option<H256>',
    base: 'Option<H256>',
    profile: 'Profile',
    vocabulary: 'u32',
    contextTokens: 'u32',
    endTokens: 'Vec<u32>',
    hasTokenizer: 'bool',
    unitsPerPromptToken: 'u32',
    unitsPerOutputToken: 'u32',
    sizeBytes: 'u64',
    licence: 'Text',
    proposer: 'Option<AccountId32>',
    deposit: 'u128',
    status: 'Status',
    thresholds: 'Option<Thresholds>',
    proposedAt: 'u32',
  },
};

/** Reads bytes and fails at their end. */
class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  take(count) {
    if (this.at + count > this.bytes.length) throw new Error('a node of the proof is cut short');
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
  byte() {
    return this.take(1)[0];
  }
  block() {
    const [used, length] = compactFromU8a(this.bytes.subarray(this.at));
    this.take(used);
    return this.take(length.toNumber());
  }
}

/** The kinds of trie nodes: how many bits of the first byte name them, and what they hold. */
function kind(first) {
  if (first >> 6 === 1) return { leaf: true, value: 'inline', bits: 6 };
  if (first >> 6 === 2) return { leaf: false, value: 'none', bits: 6 };
  if (first >> 6 === 3) return { leaf: false, value: 'inline', bits: 6 };
  if (first >> 5 === 1) return { leaf: true, value: 'hash', bits: 5 };
  if (first >> 4 === 1) return { leaf: false, value: 'hash', bits: 4 };
  throw new Error('the proof has a node of unknown kind');
}

function decodeNode(bytes) {
  const reader = new Reader(bytes);
  const first = reader.byte();
  if (first === 0) return { empty: true };
  const { leaf, value, bits } = kind(first);
  const most = (1 << bits) - 1;
  let count = first & most;
  if (count === most) {
    let more;
    do count += more = reader.byte();
    while (more === 255);
  }
  const nibbles = [...reader.take((count + 1) >> 1)].flatMap((byte) => [byte >> 4, byte & 15]).slice(count & 1);
  const bitmap = leaf ? 0 : reader.byte() | (reader.byte() << 8);
  const held = value === 'hash' ? { hash: reader.take(32) } : value === 'inline' ? { bytes: reader.block() } : null;
  const children = Array.from({ length: 16 }, (_, n) => ((bitmap >> n) & 1 ? reader.block() : null));
  return { nibbles, held, children };
}

/** What the storage under `root` has at `key`; null if it is proven to have nothing. */
function read(root, proof, key) {
  const nodes = new Map(proof.map((node) => [u8aToHex(blake2AsU8a(node)), node]));
  const find = (hash) => {
    const node = nodes.get(u8aToHex(hash));
    if (!node) throw new Error(`the proof lacks what ${u8aToHex(hash)} names`);
    return node;
  };
  const path = [...key].flatMap((byte) => [byte >> 4, byte & 15]);
  let node = decodeNode(find(root));
  let at = 0;
  for (;;) {
    if (node.empty || node.nibbles.some((nibble, n) => path[at + n] !== nibble)) return null;
    at += node.nibbles.length;
    if (at === path.length) break;
    const child = node.children[path[at++]];
    if (!child) return null;
    // A child of less than 32 bytes stands in its parent.
    node = decodeNode(child.length === 32 ? find(child) : child);
  }
  if (!node.held) return null;
  return node.held.bytes ?? find(node.held.hash);
}

/** What the registry holds of a checkpoint at a block, or null. */
export function verify({ block, header, checkpoint, proof }) {
  if (!u8aEq(blake2AsU8a(header), block)) throw new Error('the header is not that of the block');
  const [number] = compactFromU8a(header.subarray(32));
  const stateRoot = header.subarray(32 + number, 64 + number);
  const bytes = read(stateRoot, proof, registryKey(checkpoint));
  if (!bytes) return null;
  const registry = new TypeRegistry();
  registry.register(TYPES);
  const entry = registry.createType('Checkpoint', bytes);
  if (!u8aEq(entry.toU8a(), bytes)) throw new Error('the entry has another layout than this verifier knows');
  return entry.toPrimitive();
}

/** Header and proof from a node. */
async function ask(url, checkpoint) {
  const provider = new WsProvider(url, false);
  provider.on('error', () => {
    console.error(`no node at ${url}`);
    process.exit(1);
  });
  await provider.connect();
  await provider.isReady;
  const block = await provider.send('chain_getFinalizedHead', []);
  const json = await provider.send('chain_getHeader', [block]);
  const { proof } = await provider.send('state_getReadProof', [[u8aToHex(registryKey(checkpoint))], block]);
  await provider.disconnect();
  const header = new TypeRegistry().createType('Header', json).toU8a();
  return { block: hexToU8a(block), header, checkpoint, proof: proof.map((node) => hexToU8a(node)) };
}

async function main() {
  const [what, where] = process.argv.slice(2);
  if (!what || what === '--help') {
    console.log('usage: verify-checkpoint.mjs CHECKPOINT [ws://127.0.0.1:9944] | --file PROOF.json');
    process.exit(what ? 0 : 2);
  }
  let given;
  if (what === '--file') {
    const json = JSON.parse(readFileSync(where, 'utf8'));
    given = { ...json, proof: json.proof.map((node) => hexToU8a(node)) };
    for (const field of ['block', 'header', 'checkpoint']) given[field] = hexToU8a(json[field]);
  } else {
    given = await ask(where ?? 'ws://127.0.0.1:9944', hexToU8a(what));
  }
  const entry = verify(given);
  console.log(JSON.stringify({ block: u8aToHex(given.block), checkpoint: u8aToHex(given.checkpoint), entry }, null, 2));
}

main().catch((error) => {
  console.error(`not proven: ${error.message}`);
  process.exit(1);
});
