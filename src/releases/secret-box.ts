import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { OciError } from '../oci/errors.ts';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const PREFIX = 'v1:';

/**
 * Secrets as the database has them: AES-256-GCM. `v1:` and, in base64url, the nonce (12 bytes), the tag (16 bytes) and the ciphertext. What
 * a secret belongs to is authenticated with it, so that a row can't be copied to where its reader may see it.
 */
export class SecretBox {
  readonly #key: KeyObject;

  /** @param key 32 bytes */
  constructor(key: Uint8Array) {
    if (key.length !== KEY_BYTES) throw new RangeError(`a key of ${key.length} bytes instead of ${KEY_BYTES}`);
    this.#key = createSecretKey(key);
  }

  /** @param context what it belongs to, the same for `open` */
  seal(plain: string, context: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(context, 'utf8'));
    const text = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
    return PREFIX + Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64url');
  }

  /** @throws OciError UNKNOWN when it was sealed with another key or for something else, or was changed */
  open(sealed: string, context: string): string {
    const bytes = Buffer.from(sealed.slice(PREFIX.length), 'base64url');
    if (!sealed.startsWith(PREFIX) || bytes.length < NONCE_BYTES + TAG_BYTES) throw unreadable();
    try {
      const nonce = bytes.subarray(0, NONCE_BYTES);
      const decipher = createDecipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(context, 'utf8'));
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      const plain = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
      return plain.toString('utf8');
    } catch (error) {
      throw unreadable(error);
    }
  }
}

function unreadable(cause?: unknown): OciError {
  return new OciError(
    'UNKNOWN',
    'config: a secret can not be decrypted: the secret key file is not the one that it was encrypted with; put that file back, or set the secret anew',
    {},
    { cause },
  );
}
