// Turns token ids into text: the decoding half of a byte-level BPE tokenizer in the Hugging Face layout.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The alphabet of byte-level BPE: printable Latin-1 characters stand for their own byte, the other
 * bytes, in ascending order, for the characters from U+0100 on.
 */
function byteOfCharacter() {
  const bytes = new Map();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    bytes.set(String.fromCodePoint(printable ? byte : next++), byte);
  }
  return bytes;
}

/** The decoder of a checkpoint's tokenizer. */
export class Tokenizer {
  #tokens = new Map();
  #special = new Set();

  /** @param {object} json the content of a tokenizer.json */
  constructor(json) {
    const model = json?.model;
    if (model?.type !== 'BPE' || typeof model.vocab !== 'object' || !hasByteLevel(json.decoder)) {
      throw new Error('not a byte-level BPE tokenizer');
    }
    const alphabet = byteOfCharacter();
    for (const [token, id] of Object.entries(model.vocab)) {
      this.#tokens.set(id, Uint8Array.from(token, (character) => alphabet.get(character) ?? 0x3f));
    }
    // Added tokens are text as it is, not in the alphabet.
    for (const { id, content, special } of json.added_tokens ?? []) {
      this.#tokens.set(id, new TextEncoder().encode(content));
      if (special) this.#special.add(id);
    }
  }

  /** Reads `tokenizer.json` of a model folder. */
  static load(folder) {
    const path = join(folder, 'tokenizer.json');
    let json;
    try {
      json = JSON.parse(readFileSync(path, 'utf8'));
    } catch (error) {
      throw new Error(`no tokenizer in ${path}: ${error.message}`);
    }
    try {
      return new Tokenizer(json);
    } catch (error) {
      throw new Error(`${path}: ${error.message}`);
    }
  }

  /** The text of `ids`, without special tokens. A character that the ids cut short becomes U+FFFD. */
  decode(ids) {
    const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
    let text = '';
    for (const id of ids) {
      const bytes = this.#tokens.get(Number(id));
      if (!bytes) throw new Error(`token ${id} is not in the vocabulary: is this the checkpoint's tokenizer?`);
      if (!this.#special.has(Number(id))) text += utf8.decode(bytes, { stream: true });
    }
    return text + utf8.decode();
  }
}

function hasByteLevel(decoder) {
  return decoder?.type === 'ByteLevel' || (decoder?.type === 'Sequence' && decoder.decoders?.some(hasByteLevel)) || false;
}
