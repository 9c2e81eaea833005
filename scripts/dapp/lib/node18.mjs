// Debian's Node 18 keeps Web Cryptography in a module; libraries look for it in the global scope.
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto;
