export const TOKENS_KEY = ['account', 'tokens'] as const;
