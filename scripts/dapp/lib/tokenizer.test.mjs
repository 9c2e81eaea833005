import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Tokenizer } from './tokenizer.mjs';

const shipped = new URL('../../../offchain-worker/models/chasqui-tales/', import.meta.url).pathname;
const vocabulary = JSON.parse(readFileSync(join(shipped, 'tokenizer.json'), 'utf8')).model.vocab;

test('words, spaces and line ends come back', () => {
  // GIVEN tokens of the shipped vocabulary WHEN decoded THEN the alphabet's stand-ins are bytes again
  const ids = ['Ġin', 'Ġof', 'Ċ', '!'].map((token) => vocabulary[token]);
  assert.equal(Tokenizer.load(shipped).decode(ids), ' in of\n!');
});

test('a character spread over several tokens is one character', () => {
  // GIVEN é as the two bytes C3 A9 WHEN decoded token by token THEN it is not two broken ones
  const ids = ['Ã', '©'].map((token) => vocabulary[token]);
  assert.equal(Tokenizer.load(shipped).decode(ids), 'é');
  // AND half of it is marked as broken
  assert.equal(Tokenizer.load(shipped).decode(ids.slice(0, 1)), '\ufffd');
});

test('special tokens are left out', () => {
  assert.equal(Tokenizer.load(shipped).decode([vocabulary['<s>'], vocabulary['!'], vocabulary['</s>']]), '!');
});

test('an id beyond the vocabulary is an error that names it', () => {
  assert.throws(() => Tokenizer.load(shipped).decode([4_000_000]), /token 4000000 is not in the vocabulary/);
});

test('a folder without, or with another kind of tokenizer is an error that names the file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tokenizer-'));
  assert.throws(() => Tokenizer.load(folder), /no tokenizer in .*tokenizer\.json/);
  writeFileSync(join(folder, 'tokenizer.json'), '{"model": {"type": "Unigram", "vocab": []}}');
  assert.throws(() => Tokenizer.load(folder), /tokenizer\.json: not a byte-level BPE tokenizer/);
});
