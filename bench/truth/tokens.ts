/** What the clients sign their tokens with, and the nodes verify. */
export const tokens = {
  secret: 'a secret of the truth checker, 32 bytes',
  issuer: 'https://login.example',
  audience: 'truth',
} as const
