// Where a client that holds its tokens keeps them: in memory, and in the storage it is given, which other
// tabs may share. What lies there is the truth, as long as it could be written there.

import type { TokenPair, TokenStorage } from './types.js';

export interface Tokens {
  access: string;
  refresh: string;
  /** When the access token dies, by this machine's clock. */
  until: number;
  session?: string | undefined;
}

export interface Vault {
  read(): Promise<Tokens | undefined>;
  write(tokens: Tokens): Promise<void>;
  clear(): Promise<void>;
}

/** Which session a token says that it is of; it is asked for nothing else. */
const sessionOf = (token = ''): string | undefined => {
  try {
    return JSON.parse(atob(token.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/'))).sid;
  } catch {
    return undefined;
  }
};

export const tokensOf = ({ access, refresh }: TokenPair): Tokens => ({
  access: access.token ?? '',
  refresh: refresh.token ?? '',
  until: Date.now() + access.expires_in * 1000,
  session: sessionOf(access.token),
});

export const vault = (key: string, storage?: TokenStorage): Vault => {
  let memory: Tokens | undefined;
  let isStored = !!storage;
  return {
    async read() {
      if (!isStored) return memory;
      try {
        const text = await storage!.getItem(key);
        memory = text ? JSON.parse(text) : undefined;
      } catch {
        // It is locked for now, or somebody else wrote there: what was known stays.
      }
      return memory;
    },
    async write(tokens) {
      memory = tokens;
      if (!storage) return;
      try {
        await storage.setItem(key, JSON.stringify(tokens));
        isStored = true;
      } catch {
        isStored = false;
      }
    },
    async clear() {
      memory = undefined;
      try {
        await storage?.removeItem(key);
      } catch {
        isStored = false;
      }
    },
  };
};
